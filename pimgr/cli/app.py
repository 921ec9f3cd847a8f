"""The commands. Each imports what it needs itself: `pimgr status` pays for no plugin, no database, no event loop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pimgr.cli import ask, places, plugin, plugin_try, say
from pimgr.cli.exits import Exit
from pimgr.text import safe

app = typer.Typer(
    help="Sheds load when the grid fails, and gives back exactly what it took.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich costs more time than all the rest
    pretty_exceptions_enable=False,
)
app.add_typer(plugin.app, name="plugin")
app.add_typer(plugin_try.app, name="device")
app.command("plugin-list", hidden=True)(plugin.plugin_list)

Config = Annotated[Path, typer.Option("--config", help="The config file.")]
State = Annotated[
    Path,
    typer.Option(
        "--state", default_factory=places.state, show_default=str(places.state()), help="The journal's folder."
    ),
]
Run = Annotated[
    Path,
    typer.Option(
        "--run", default_factory=places.run, show_default=str(places.run()), help="The folder of snapshot and socket."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command()
def run(
    config: Config = places.CONFIG,
    *,
    state: State,
    run: Run,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Watch and decide, but switch and mail nothing.")] = False,
) -> None:
    """Watch the grid and the loads until told to stop. systemd calls this."""
    from pimgr import supervise

    say.leave(supervise.run(supervise.Options(config=config, state=state, run=run, dry_run=dry_run)))


@app.command()
def demo(
    json: Annotated[Path | None, typer.Option("--json", help="Write the scorecard into this file.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Under 20 s.")] = False,
    no_tty: Annotated[bool, typer.Option("--no-tty", help="Lines instead of a live view.")] = False,
    scenario: Annotated[str, typer.Option(help="house; or full: all device kinds, no internet.")] = "house",
) -> None:
    """Watch a simulated house lose the grid and get it back, on this machine."""
    try:
        from pimgr import demo as demos
    except ModuleNotFoundError as error:
        cure = "`pip install pimgr[all,house,screen]`"
        say.fail(f"the demo needs the Python module {error.name}, which is not installed: {cure}", Exit.NO)
    if scenario not in demos.SCENARIOS:
        say.fail(f"there is no scenario {scenario!r}; there are: {', '.join(demos.SCENARIOS)}", Exit.USAGE)
    say.leave(demos.main(demos.Options(json=json, fast=fast, tty=not no_tty, scenario=scenario)))


@app.command()
def check(
    config: Config = places.CONFIG,
    json: Json = False,
    connect: Annotated[bool, typer.Option("--connect", help="Also look at each device; switches nothing.")] = False,
    *,
    state: State,
    run: Run,
) -> None:
    """Look for errors in the config, all at once. Contacts nothing, unless asked to."""
    from pimgr.cli import checks

    checks.check(config, as_json=json, connect=(state, run) if connect else None)


@app.command()
def reload(run: Run) -> None:
    """Let the running pimgr read its config again. An invalid one is refused, and the present one stays."""
    ask.ask(run, do="reload")


@app.command()
def forget(part: Annotated[str, typer.Argument(help="Such as pool-pump or strip/3.")], run: Run) -> None:
    """Write off what pimgr owes to a part: it will not be given back."""
    ask.ask(run, do="forget", part=part)


@app.command("return")
def return_(part: Annotated[str, typer.Argument(help="Such as pool-pump or strip/3.")], run: Run) -> None:
    """Answer "was it us?" with yes: what pimgr took before it lost its journal is given back."""
    ask.ask(run, do="give back", part=part)


@app.command()
def keep(
    part: Annotated[str, typer.Argument(help="Such as pool-pump or strip/3.")],
    how: Annotated[str | None, typer.Argument(metavar="[on|off]", help="How it is to be.")] = None,
    for_: Annotated[str, typer.Option("--for", help="For how long: 30min, 2h, 3d; from 1min to 7d.")] = "2h",
    end: Annotated[bool, typer.Option("--end", help="End it now.")] = False,
    *,
    run: Run,
) -> None:
    """Keep a load or a host on (or off) for a time, whatever the rules say; in an outage too."""
    ask.keep(run, part, how, for_, end=end)


@app.command()
def disarm(
    for_: Annotated[str, typer.Option("--for", help="For how long: 30min, 4h, 3d; from 1min to 7d.")], run: Run
) -> None:
    """Let pimgr do nothing for a time, not even in an outage. It arms itself again."""
    ask.ask(run, do="disarm", for_s=ask.seconds(for_))


@app.command()
def arm(run: Run) -> None:
    """Let a disarmed pimgr act again, now."""
    ask.ask(run, do="arm")


@app.command()
def ack(run: Run) -> None:
    """Say that you have seen what is critical: it is not mailed again. It stays in the status while it lasts."""
    ask.ask(run, do="ack")


@app.command()
def drill(run: Run) -> None:
    """Rehearse: read every load, and tell what would go off if the grid failed now. Switches nothing; is mailed too."""
    ask.ask(run, do="drill")


@app.command()
def status(run: Run, json: Json = False) -> None:
    """The house as pimgr sees it now."""
    from pimgr.cli import status as statuses

    statuses.status(run, as_json=json)


@app.command()
def why(
    part: Annotated[
        str | None, typer.Argument(help="Such as pool-pump or strip/3, or a connection; all, if absent.")
    ] = None,
    *,
    run: Run,
    state: State,
    json: Json = False,
) -> None:
    """Why a part is as it is, and when it comes back."""
    from pimgr.cli import why as whys

    whys.why(part, run, state, as_json=json)


@app.command()
def replay(
    n: Annotated[int, typer.Argument(help="Number of the decision; 0 is the last one, -1 the one before it.")],
    state: State,
    json: Json = False,
) -> None:
    """Make a recorded decision again, and see whether it comes out the same."""
    import msgspec

    from pimgr import replay as replays
    from pimgr import sqlite
    from pimgr.journal import NewerJournal, NoDecision
    from pimgr.local_time import shown

    try:
        result = replays.replay(state, n)
    except (NoDecision, NewerJournal) as error:
        say.fail(str(error), Exit.NO)
    except (FileNotFoundError, PermissionError, sqlite.Error, sqlite.Corrupt, msgspec.DecodeError) as error:
        say.fail(f"the journal in {state} can't be read ({error}); is it there, and may you read it?", Exit.NO)
    if json:
        say.json(result)
    else:
        when = shown(result.wall, result.zone, "%Y-%m-%d %H:%M:%S")
        say.lines([f"decision {result.seq}, {when}", *(f"  {safe(line)}" for line in result.lines)])
        say.lines(["It comes out the same." if result.same else "It comes out otherwise now:"])
        say.lines([f"  {safe(line)}" for line in result.difference])
    say.leave(Exit.OK if result.same else Exit.NO)


@app.command()
def simulate(  # noqa: PLR0913, PLR0917 - one argument an option
    config: Annotated[
        Path | None, typer.Option("--config", help="The config of a house; else one of thirty devices.")
    ] = None,
    days: Annotated[int | None, typer.Option(help="How long; 365, if the scenario doesn't say.")] = None,
    scenario: Annotated[Path | None, typer.Option(help="What befalls the house: see docs/simulate.md.")] = None,
    seed: Annotated[str | None, typer.Option(help="Of weather, outages and habits.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the scorecard into this file.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Draw it into this file (PNG).")] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Only pimgr: compare with nobody.")] = False,
    faults: Annotated[bool, typer.Option("--faults", help="With all that can go wrong, and a check of it.")] = False,
) -> None:
    """Let a house live through a year in a minute, and see what pimgr is worth to it. Contacts nothing."""
    from pimgr.cli import simulating

    simulating.simulate(
        simulating.Wanted(
            config=config,
            days=days,
            scenario=scenario,
            seed=seed,
            json=json,
            chart=chart,
            alone=alone,
            faults=faults,
        )
    )


@app.command()
def plan(config: Config = places.CONFIG, *, run: Run, state: State, json: Json = False) -> None:
    """The next 24 hours as they will happen, and what goes off when if the grid fails now."""
    from pimgr.cli import planning

    planning.show_plan(config, run, state, as_json=json)


@app.command()
def version() -> None:
    """The versions of pimgr and of its plugin contract."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as of

    from pimgr import api

    try:
        say.lines([f"pimgr {of('pimgr')}, plugin contract {api.VERSION}"])
    except PackageNotFoundError:
        say.lines([f"pimgr (not installed), plugin contract {api.VERSION}"])
