"""`pimgr device try`: look at one device of the config, or switch it, and see what is said on the wire."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pimgr.cli import places, say
from pimgr.cli.exits import Exit
from pimgr.text import safe

if TYPE_CHECKING:
    from pimgr.plugin_trial import Subject, Trial, Wish

app = typer.Typer(help="One device of the config.", no_args_is_help=True, rich_markup_mode=None)

_SHOWN_ALWAYS = ("call", "wire", "program", "history", "done")


@app.command("try")
def device_try(  # noqa: PLR0913 - a command's options
    part: Annotated[str, typer.Argument(help="Such as pool-pump, or strip/3 for one part only.")],
    *,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Switch it, and see whether that comes true.")] = None,
    level: Annotated[float | None, typer.Option("--level", help="Set a graded load, such as 6 for a charger.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before switching.")] = False,
    beside: Annotated[bool, typer.Option("--beside", help="Even while pimgr runs.")] = False,
    logs: Annotated[bool, typer.Option("--logs", help="Also show what libraries log.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    config: Annotated[Path, typer.Option("--config", help="The config file.")] = places.CONFIG,
    state: Annotated[
        Path,
        typer.Option(
            "--state", default_factory=places.state, show_default=str(places.state()), help="The journal's folder."
        ),
    ],
    run: Annotated[
        Path,
        typer.Option(
            "--run", default_factory=places.run, show_default=str(places.run()), help="The folder of the snapshot."
        ),
    ],
) -> None:
    """Read one device as pimgr would, or switch it, with a trace of what is said that holds no secret."""
    from pimgr import plugin_trial
    from pimgr.config import Secrets, secrets_folder
    from pimgr.plugin_trace import Redactor

    if not beside:
        _alone(run)
    raw = _raw(config)
    subject = _subject(part, raw, config, (state, run))
    wish = _wish(part, subject, on, level)
    if wish is not None:
        _agreed(part, wish, raw, yes)
    secrets = Secrets(secrets_folder(config))
    redactor = Redactor(_texts(raw, secrets))
    trial = plugin_trial.attempt(subject, secrets, redactor, wish)
    if json:
        say.json(trial)
    else:
        say.lines(_told(trial, wish, logs))
    say.leave(Exit.OK if trial.well else Exit.NO)


# ------------------------------------------------------------------------------------------------------ what is tried


def _alone(run: Path) -> None:
    """End the program where pimgr runs: many devices take one client at a time, and tokens are single-use."""
    from pimgr import snapshot
    from pimgr.cli.word import alive

    try:
        pid = snapshot.read(run).pid
    except snapshot.NoSnapshot:
        return
    if alive(pid):
        why = "many plugs take one client at a time, and a cloud's token may be spent only once"
        cure = "`sudo systemctl stop pimgr` first, or say --beside; `pimgr status` tells what it reads"
        say.fail(f"pimgr is running (process {pid}), and {why}: {cure}", Exit.RUNNING)


def _raw(path: Path) -> dict[str, Any]:
    """The config as TOML only: a device is tried before the rest of the house is described."""
    import tomli

    from pimgr import config as configs

    try:
        return tomli.loads(configs.read(path))
    except configs.ConfigErrors as errors:
        say.wrong(errors)
    except ValueError as error:
        say.fail(f"{path} is not TOML: {error}", Exit.NO)


def _subject(part: str, raw: Mapping[str, Any], path: Path, folders: tuple[Path, Path]) -> Subject:
    """The connection that a part belongs to, with that part alone if one is named. `folders`: journal and socket."""
    from pimgr import config as configs
    from pimgr import plugins as plugin_loading
    from pimgr.config.connections import provided
    from pimgr.counting import Counts
    from pimgr.plugin_trial import Subject
    from pimgr.plugins import plugin_of

    name, _, key = part.partition("/")
    tables = raw.get("connections")
    table = tables.get(name) if isinstance(tables, dict) else None
    if not isinstance(table, dict) or not isinstance(table.get("type"), str):
        known = ", ".join(sorted(tables)) if isinstance(tables, dict) else "none"
        say.fail(f"{path} has no [connections.{name}] with a type; it has: {known}", Exit.NO)
    plugins = plugin_loading.load({plugin_of(table["type"])})
    fields = {field: value for field, value in table.items() if field != "type"}
    connection = configs.ConnectionConfig(id=name, type=table["type"], table=fields)
    try:
        typed = configs.typed(connection, plugins)
        parts = provided(plugins.types[table["type"]], typed)
    except configs.ConfigErrors as errors:
        say.wrong(errors)
    except ValueError as error:
        say.fail(f"the plugin of {table['type']} can't tell its parts: {error}", Exit.NO)
    if key and key not in parts:
        say.fail(f"{name} has no part {key!r}; it has: {', '.join(parts)}", Exit.NO)
    kind = plugins.types[table["type"]]
    return Subject(
        id=name,
        type=kind,
        config=typed,
        parts={key: parts[key]} if key else parts,
        kept=_kept(folders[0], name),
        counts=Counts(*folders),
    )


def _kept(state: Path, connection: str) -> dict[str, Any]:
    """What pimgr keeps for it; nothing where there is no journal, or none that this user may read."""
    from pimgr import sqlite
    from pimgr.journal import NewerJournal, read_store

    try:
        return read_store(state, connection)
    except FileNotFoundError:
        return {}
    except (OSError, sqlite.Error, sqlite.Corrupt, NewerJournal) as error:
        print(f"what pimgr keeps for it can't be read ({safe(str(error), 200)}), and isn't used", file=sys.stderr)
        return {}


def _texts(raw: object, secrets: Any) -> Iterator[str]:
    """The text of every secret that the config names, as far as they can be read."""
    from pimgr.api import Refused, Secret

    if isinstance(raw, dict):
        if set(raw) == {"secret"} and isinstance(raw["secret"], str):
            try:
                yield secrets.text(Secret(raw["secret"]))
            except Refused:
                return
        for value in raw.values():
            yield from _texts(value, secrets)
    elif isinstance(raw, list):
        for value in raw:
            yield from _texts(value, secrets)


# ---------------------------------------------------------------------------------------------------------- switching


def _wish(part: str, subject: Subject, on: bool | None, level: float | None) -> Wish | None:
    """What to switch, or None. Ends the program where that makes no sense."""
    from pimgr.plugin_trial import Wish

    if on is None and level is None:
        return None
    if on is not None and level is not None:
        say.fail("say one of --on, --off and --level", Exit.USAGE)
    keys = list(subject.parts)
    if len(keys) != 1:
        say.fail(f"say which part: {', '.join(f'{subject.id}/{key}' for key in keys)}", Exit.USAGE)
    wish = Wish(keys[0], on if on is not None else float(level or 0.0))
    if wish.capability not in subject.parts[keys[0]]:
        say.fail(f"{part} is no {wish.capability}: it can't be told {wish.spoken}", Exit.NO)
    return wish


def _agreed(part: str, wish: Wish, raw: Mapping[str, Any], yes: bool) -> None:
    """End the program unless this may be switched, and a person wants it."""
    protect = raw.get("protect")
    never = protect.get("never_shed", []) if isinstance(protect, dict) else []
    if part in never and not wish.value:
        say.fail(f"{part} is under never_shed in [protect]: nothing of pimgr switches it off", Exit.NO)
    if yes:
        return
    if not sys.stdin.isatty():
        say.fail(f"this really switches {part}; say --yes if that is meant", Exit.NO)
    if not typer.confirm(f"Really tell {safe(part, 60)}: {wish.spoken}?"):
        say.leave(Exit.NO)


# ------------------------------------------------------------------------------------------------------------- saying


def _told(trial: Trial, wish: Wish | None, logs: bool) -> Iterator[str]:
    """The trace, then what each call gave."""
    yield f"{safe(trial.connection, 60)} is a {safe(trial.type, 60)}"
    for event in trial.trace:
        if logs or event.what in _SHOWN_ALWAYS:
            yield f"  {event.at_s:7.3f} s  {event.what:<7}  {event.text}"
    yield f"  {trial.sent_bytes} B sent, {trial.received_bytes} B received in all"
    for call in trial.calls:
        yield f"{safe(call.part, 80)}: {call.call}: {call.error or _reading(call.reading)}"
        if call.cure:
            yield f"    {call.cure}"
    for finding in trial.findings:
        yield f"{finding.severity}: {safe(finding.text)}" + (f"; {safe(finding.cure)}" if finding.cure else "")
    if not trial.calls:
        yield "it has nothing to read; `pimgr check --connect` looks at it as an installer would"
    if wish is not None:
        yield f"It is {wish.spoken} now." if trial.applied else f"It was asked for {wish.spoken}, and isn't."


def _reading(reading: Mapping[str, Any] | None) -> str:
    """A reading in one line: its fields but the time, and what is None left out."""
    shown = {name: value for name, value in (reading or {}).items() if name not in ("at", "type")}
    return safe(", ".join(f"{name} {value}" for name, value in shown.items() if value is not None), 400) or "well"
