"""`pimgr plan`: the next day as it will happen, and what goes off when if the grid fails now."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path
from typing import NoReturn

from pimgr import snapshot as snapshots
from pimgr.api import ForecastReading, Now
from pimgr.cli import say
from pimgr.cli.exits import Exit
from pimgr.cli.lines import wrapped
from pimgr.cli.word import alive, judge, now, spoken
from pimgr.config import ConfigErrors
from pimgr.local_time import local, zone_of
from pimgr.policy.model import State
from pimgr.simulate import home
from pimgr.simulate.plan import Line, Plan, plan
from pimgr.simulate.present import LONGEST_S, Known

OLD_FORECAST_S = 12 * 3600.0
"""Older ones are not used."""
SHOWN_S = 24 * 3600.0
"""Of the outage; JSON has all of it."""


def show_plan(path: Path, run: Path, state: Path, *, as_json: bool) -> NoReturn:
    """Print it. Where pimgr isn't running, from the config alone, and that is said."""
    try:
        house = home.read(path)
    except ConfigErrors as errors:
        say.wrong(errors)
    if not house.grid_sources:
        say.fail("this config has no grid source: there is nothing to plan", Exit.NO)
    problem, known = _known(run, state)
    say.meanwhile("Living through the next three days; a Raspberry Pi needs about a minute for that ...")
    made = plan(house, known)
    if as_json:
        say.json({"running": not problem, "problem": problem, "plan": made})
    else:
        say.lines(wrapped(f"! {problem}", 0, 2) if problem else [])
        say.lines(lines_of(made))
    say.leave(Exit.NOT_RUNNING if problem else Exit.OK)


def _known(run: Path, state: Path) -> tuple[str, Known]:
    """What isn't well, and what the running pimgr knows. An old snapshot is no ground for a plan."""
    here = now()
    present = Now(here.mono_s, here.wall, here.boot, True)
    try:
        view = snapshots.read(run)
    except snapshots.NoSnapshot as error:
        return f"{error}. What follows is planned from the config alone.", Known(now=present)
    word = judge(view, here, alive=alive(view.pid))
    if not word.running:
        return f"{word.problem}. What follows is planned from the config alone.", Known(now=present)
    boot = Now(here.mono_s, here.wall, view.at.boot, True)
    try:
        before, forecast = _journal(state, here.wall)
    except _Unread as error:
        missing = f"the journal in {state} can't be read ({error}): that pimgr has turned nothing off is assumed"
        return "", Known(now=boot, snapshot=view, assumed=(missing,))
    return "", Known(now=boot, snapshot=view, state=before, forecast=forecast)


class _Unread(Exception):
    """Not everybody may read the journal. Its text says what hinders."""


def _journal(folder: Path, wall: float) -> tuple[State, ForecastReading | None]:
    """The state, and the forecast as it was when a decision was last written down. Raises _Unread."""
    import msgspec

    from pimgr import sqlite
    from pimgr.journal import NewerJournal, NoDecision
    from pimgr.journal.reader import read_decision, read_state

    try:
        state = read_state(folder)
        inputs = read_decision(folder, 0).inputs
    except NoDecision:
        return state, None
    except PermissionError:
        raise _Unread("it may not be read by this user; try `sudo pimgr plan`") from None
    except (OSError, sqlite.Error, sqlite.Corrupt, NewerJournal, msgspec.DecodeError) as error:
        raise _Unread(str(error)) from None
    forecast = inputs.forecast if inputs is not None else None
    return state, forecast if forecast is not None and wall - forecast.at.wall < OLD_FORECAST_S else None


# ------------------------------------------------------------------------------------------------------------- the text


def lines_of(made: Plan) -> list[str]:
    """The plan for a home owner, in 80 columns."""
    zone = zone_of(made.zone)
    lines = [] if made.in_outage else [*_day(made, zone), ""]
    head = "The grid is down. From here on:" if made.in_outage else "If the grid failed now:"
    lines += [f"{head} (battery at {made.charge:.0f} %)"]
    soon = [each for each in made.outage if each.wall - made.at <= SHOWN_S]
    lines += [line for each in soon for line in _line(each, made.at, zone)]
    lines += [] if made.outage else ["  nothing more goes off" if made.in_outage else "  nothing would go off"]
    lines += ["  and so on"] if len(soon) < len(made.outage) else []
    lines += wrapped(_lasts(made, zone), 2, 4)
    if made.forecast_age_s is not None:
        lines += wrapped(f"The weather is that of the forecast, told {spoken(made.forecast_age_s)} ago.", 2, 4)
    for assumption in made.assumed:
        lines += ["", *wrapped(f"Note: {assumption}.", 0, 2)]
    return lines


def _day(made: Plan, zone: tzinfo) -> list[str]:
    lines = [f"The next 24 hours, from {_clock(made.at, zone)} ({made.zone})"]
    lines += [line for each in made.day for line in _line(each, made.at, zone)]
    return lines if made.day else [*lines, "  nothing is planned"]


def _line(each: Line, at: float, zone: tzinfo) -> list[str]:
    charge = "" if each.charge is None else f" at {each.charge:.0f} %"
    why = f" ({each.why})" if each.why else ""
    when = "now      " if each.wall - at < 60.0 else _clock(each.wall, zone)
    return wrapped(f"{when}{charge}  {each.text}{why}", 2, 13)


def _lasts(made: Plan, zone: tzinfo) -> str:
    if made.lasts_s is None:
        return f"The protected loads would have power for more than {spoken(LONGEST_S)}."
    end = _clock(made.at + made.lasts_s, zone)
    if made.overload:
        return f"The house would draw more than the battery gives, and be dark from {end} on until it draws less."
    return f"The battery would be empty after {spoken(made.lasts_s)}, at {end}, unless somebody does more by hand."


def _clock(wall: float, zone: tzinfo) -> str:
    return f"{local(wall, zone):%a %H:%M}"
