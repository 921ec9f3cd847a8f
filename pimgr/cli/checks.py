"""`pimgr check`: the config's errors, and on request what each device says of itself."""

from __future__ import annotations

from pathlib import Path

from pimgr import config as configs
from pimgr import plugins as plugin_loading
from pimgr.api import Finding, Severity, Storable
from pimgr.cli import say, show
from pimgr.cli.exits import Exit
from pimgr.config import HouseConfig
from pimgr.plugins import Plugins
from pimgr.policy.said import counted
from pimgr.text import safe

MARK = {Severity.INFO: "ok", Severity.WARNING: "look", Severity.CRITICAL: "WRONG"}


def check(path: Path, *, as_json: bool, connect: tuple[Path, Path] | None) -> None:
    """Print what is wrong and end the program: 0 where all is well, 1 where it isn't.

    `connect`: the folders of journal and control socket, to look at each device with what is kept for it there; None
    to contact nothing.
    """
    secrets = configs.Secrets(configs.secrets_folder(path))
    plugins = plugin_loading.load()
    house, errors = configs.check(path, plugins, secrets)
    visits: list[tuple[str, tuple[Finding, ...]]] = []
    if connect is not None and house is not None:
        from pimgr import visit
        from pimgr.counting import Counts

        kept = _Kept(connect[0])
        visits = visit.visit(house, visit.Luggage(plugins, secrets, kept.of, Counts(*connect)))
        visits = [*([("what pimgr keeps", (kept.trouble,))] if kept.trouble else []), *visits]
    advice = _advice(house, plugins) if house is not None else []
    well = errors is None and not any(f.severity is Severity.CRITICAL for _, fs in (*advice, *visits) for f in fs)
    if as_json:
        found = [] if errors is None else errors.errors
        digest = house.digest if house else ""
        say.json(
            {
                "ok": well,
                "path": str(path),
                "digest": digest,
                "errors": found,
                "advice": dict(advice),
                "devices": dict(visits),
            }
        )
    elif errors is not None:
        say.lines(str(errors).split("\n"))
    elif house is not None:
        say.lines([f"{safe(str(path))} is valid: {_counts(house)}."])
        for name, findings in advice if connect is None else []:
            say.lines(["", safe(name, 60), *(line for f in findings for line in _finding(f))])
        for name, findings in visits:
            say.lines(["", safe(name, 60), *(line for f in findings for line in _finding(f))])
            say.lines([] if findings else ["  it found nothing to say"])
    say.leave(Exit.OK if well else Exit.NO)


def _advice(house: HouseConfig, plugins: Plugins) -> list[tuple[str, tuple[Finding, ...]]]:
    """What plugins have to say of a valid config."""
    found = []
    for connection in house.connections:
        advise = plugins.types[connection.type].advise
        if advise is not None and (findings := tuple(advise(configs.typed(connection, plugins)))):
            found.append((connection.id, findings))
    return found


class _Kept:
    """What the journal keeps for connections. `trouble`: why it can't be read, if it is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.trouble: Finding | None = None

    def of(self, connection: str) -> dict[str, Storable]:
        from pimgr import sqlite
        from pimgr.journal import NewerJournal, read_store

        try:
            return read_store(self._folder, connection)
        except FileNotFoundError:  # pimgr never ran here
            return {}
        except (OSError, sqlite.Error, sqlite.Corrupt, NewerJournal) as error:
            text = f"the journal in {self._folder} can't be read ({error}): what it keeps for devices is not used"
            self.trouble = Finding(severity=Severity.WARNING, text=text, cure="run this as the user pimgr")
            return {}


def _counts(house: HouseConfig) -> str:
    counts = [
        counted(len(house.connections), "connection"),
        counted(sum(len(one.provides) for one in house.connections), "part"),
        counted(len(house.policy.tiers), "tier"),
    ]
    return ", ".join(counts)


def _finding(finding: Finding) -> list[str]:
    lines = show.wrapped(f"{MARK[finding.severity]:5}  {safe(finding.text, 500)}", 2, 9)
    return [*lines, *(show.wrapped(safe(finding.cure, 500), 9, 9) if finding.cure not in finding.text else [])]
