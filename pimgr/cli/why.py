"""`pimgr why`: why a part is as it is, when it comes back, and what happened to it lately."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from pimgr.cli import say, show, sights
from pimgr.cli.exits import Exit
from pimgr.cli.word import now
from pimgr.local_time import shown
from pimgr.snapshot import Snapshot, ThermostatLine
from pimgr.text import did_you_mean, safe

SITE = "site"
"""What the battery's own settings are called."""
LATELY = 8
"""Events of a part that are shown."""


def why(part: str | None, run: Path, state: Path, *, as_json: bool) -> NoReturn:
    """Print it for one part, or one connection with its parts, or for all parts that pimgr wants something of."""
    view, word = say.last_word(run, as_json=as_json)
    connections = [one for one in view.connections if one.id == part]
    mine = [line for line in view.parts if part in (line.part, line.part.partition("/")[0])]
    parts = [line for line in view.parts if line.part == part] or mine if part else [p for p in view.parts if p.status]
    facts = view.site if part == SITE else ()
    stats = [one for one in view.thermostats if _is_asked(part, one)]
    if part and not parts and not connections and not facts and not stats:
        _unknown(part, view)
    lately = _history(state, part, view.zone) if part else []
    if as_json:
        told = {"running": word.running, "problem": word.problem, "parts": parts, "site": facts}
        say.json({**told, "thermostats": stats, "lately": lately})
    else:
        if word.problem:
            say.lines([*show.wrapped(f"! {word.problem}", 0, 2), ""])
        if view.disarmed_s is not None:
            say.lines([*show.wrapped(f"! {show.DISARMED}", 0, 2), ""])
        own = part in [*(line.part for line in parts), *(line.part for line in stats)]
        say.lines(line for one in connections if not own for line in show.connection(one, now()))
        say.lines(show.why(parts, now()) if parts or not (connections or facts or stats) else [])
        say.lines(line for one in stats for line in sights.thermostat(one, now(), view.zone))
        say.lines(sights.site(facts, now()))
        say.lines([f"  lately, of {safe(str(part), 60)}:"] if lately else [])
        say.lines([f"    {line}" for line in lately])
    say.leave(Exit.OK if word.running else Exit.NOT_RUNNING)


def _is_asked(part: str | None, line: ThermostatLine) -> bool:
    """Whether a thermostat is the one, one of the connection, or one that was moved."""
    return bool(line.status) if part is None else part in (line.part, line.part.partition("/")[0])


def _unknown(part: str, view: Snapshot) -> NoReturn:
    names = [
        *(line.part for line in view.parts),
        *(one.part for one in view.thermostats),
        *(one.id for one in view.connections),
    ]
    cure = did_you_mean(part, names) or "`pimgr status` lists all parts"
    say.fail(f'no part is called "{safe(part, 60)}"; {safe(cure, 100)}', Exit.NO)


def _history(folder: Path, part: str, zone: str) -> list[str]:
    """The last events of a part; none where the journal isn't there or isn't ours to read: they are an extra."""
    from pimgr import sqlite
    from pimgr.journal import NewerJournal, read_history

    try:
        lines = read_history(folder, part, LATELY)
    except (OSError, sqlite.Error, sqlite.Corrupt, NewerJournal):
        return []
    return [f"{shown(line.wall, zone, '%a %H:%M:%S')} {safe(line.text)}" for line in lines]
