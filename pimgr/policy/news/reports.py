"""The report at the end of the day, once for each local day; and all that is told at the end of a tick.

What is due is told from the day's date, not from an edge: a box that was off at that moment reports late, and none
reports twice. Nothing is due while nobody trusts the wall clock.
"""

from __future__ import annotations

from pimgr.api import Frozen, Severity, replace
from pimgr.policy import said
from pimgr.policy.aspects import Aspect
from pimgr.policy.battery.site import newest
from pimgr.policy.battery.site_telling import in_the_app
from pimgr.policy.calendar import Calendar, Day
from pimgr.policy.model import Claim, Event, Phase, State
from pimgr.policy.news import drill, mails, metering, progress, when
from pimgr.policy.news.report_words import Deed, Flow, Reports
from pimgr.policy.turn import Turn
from pimgr.policy.values import word
from pimgr.policy.want import Want
from pimgr.units import Percent

LATE_S = 900.0
"""A report that goes so long after its moment says why."""
MOST_DEEDS = 40
DEEDS = ("phase", "taken", "returned", "person", "forgotten", "set", "alarm", "escalated", "low", "peak", "stuck")
"""What of the history is told in the day's report, by `Event.what`."""
QUIET = ("the grid seems to be", "the grid was away for a moment", "the grid is down again")
"""Turns of a phase that aren't worth a line of their own."""


def tell(turn: Turn, state: State, wants: tuple[Want, ...], charge: tuple[Percent | None, bool]) -> State:
    """All that is told at the end of a tick. `charge`: the percent, and whether it is an estimate."""
    percent, estimated = charge
    state = mails.low(turn, state, percent, estimated)
    state = progress.follow(turn, state, wants, percent)
    state = metering.count(turn, state)
    state = metering.buying(turn, state, percent)
    state = _remember(turn, state)
    state = drill.weekly(turn, state, percent)
    return daily(turn, state, percent)


# ----------------------------------------------------------------------------------------------------- what was done


def _remember(turn: Turn, state: State) -> State:
    """Note what happened in this tick, for the report."""
    if not turn.policy.reports.daily:
        empty = not state.reports.deeds and not state.reports.unlisted
        return state if empty else replace(state, reports=replace(state.reports, deeds=(), unlisted=0))
    deeds, unlisted = list(state.reports.deeds), state.reports.unlisted
    for event in turn.events:
        if event.what not in DEEDS or event.text.startswith(QUIET):
            continue
        deed = _deed(turn, event)
        if deeds and deed.parts and deeds[-1].parts and deeds[-1].said == deed.said:
            deeds[-1] = replace(deeds[-1], parts=tuple(dict.fromkeys((*deeds[-1].parts, *deed.parts))))
        elif len(deeds) < MOST_DEEDS:
            deeds.append(deed)
        else:
            unlisted += 1
    if (tuple(deeds), unlisted) == (state.reports.deeds, state.reports.unlisted):
        return state
    return replace(state, reports=replace(state.reports, deeds=tuple(deeds), unlisted=unlisted))


def _deed(turn: Turn, event: Event) -> Deed:
    """ "pump: off" is the deed "off" to the pump; which source told a phase or a setting is left out."""
    cut = {"phase": " (", "set": ", as "}.get(event.what, "; left ")
    text = event.text.partition(cut)[0]
    said_, parts = text.removeprefix(f"{event.part}: "), (event.part,) if event.part in turn.policy.parts else ()
    return Deed(turn.wall(), said_, parts)


# ------------------------------------------------------------------------------------------------------ when it goes


def daily(turn: Turn, state: State, charge: Percent | None) -> State:
    """Report the last day that is due, if that wasn't done. On the first day pimgr doesn't know what was before."""
    calendar, wall, reports = turn.inputs.calendar, turn.wall(), state.reports
    if not turn.policy.reports.daily:
        return replace(state, reports=replace(reports, reported=0)) if reports.reported else state
    today = calendar.day(wall) if calendar is not None and wall is not None else None
    if calendar is None or wall is None or today is None:
        return state
    moments = [(due(turn.policy.reports, calendar, day), day) for day in calendar.days]
    for moment in [moment for moment, _ in moments if moment > wall][:1]:
        turn.wake_at_wall(moment)
    last = max(((moment, day) for moment, day in moments if moment <= wall), key=lambda pair: pair[0], default=None)
    number = last[1].number if last is not None else today.number - 1
    if not reports.reported or reports.reported > today.number:  # the clock was wrong by days, and trusted
        return replace(state, reports=replace(reports, reported=number))
    if last is None or number <= reports.reported:
        return state
    _mail(turn, state, charge, _Due(day=last[1], moment=last[0], late=wall - last[0] > LATE_S))
    state = metering.anew(turn, state)
    return replace(state, reports=replace(state.reports, reported=number, deeds=(), unlisted=0))


def due(reports: Reports, calendar: Calendar, day: Day) -> float:
    """When this day is reported (UTC in s): after its last peak was left, else at the hour of the config."""
    peaks = [window.end for window in calendar.windows if window.peak and day.start < window.ends <= day.end]
    return max(peaks) + reports.after_peak_s if peaks else calendar.moment(day, reports.report_at_s)


# ------------------------------------------------------------------------------------------------------ what it says


class _Due(Frozen, kw_only=True):
    """The day to report, when it was due (UTC in s), and whether that was a while ago."""

    day: Day
    moment: float
    late: bool


def _mail(turn: Turn, state: State, charge: Percent | None, report: _Due) -> None:
    tally = state.memory.metering.tally
    since = when.told(turn, " ", tally.since)
    missed = when.dated(turn, report.moment)
    late = f"This comes late: pimgr was off, or did not know the time, when it was due ({missed})."
    counted = metering.lines(turn, tally)
    turn.mail(
        f"day-{report.day.date}",
        Severity.INFO,
        _subject(state, charge, report),
        mails.letter(
            [late if report.late else "", *_standing(turn, state), _battery(turn, charge)],
            [f"Since{since}:" if since else "Counted:", *counted] if counted else ["The meters told nothing."],
            _done(turn, state),
            [_next_peak(turn)],
        ),
    )


def _subject(state: State, charge: Percent | None, report: _Due) -> str:
    flows, said_ = state.memory.metering.tally.flows, []
    if state.phase in (Phase.OUTAGE, Phase.SETTLING):
        said_.append("the grid is down")
    if charge is not None:
        said_.append(f"battery at {charge:.0f} %")
    if Flow.BOUGHT in flows:
        said_.append(f"{said.kwh(flows[Flow.BOUGHT].wh)} bought")
    if Flow.PEAK in flows:
        said_.append(f"{said.kwh(flows[Flow.PEAK].wh)} of it in peaks")
    return f"{'Late: ' if report.late else ''}{report.day.title}: {', '.join(said_) or 'nothing was measured'}"


def _standing(turn: Turn, state: State) -> list[str]:
    """How the house stands, and what a person should see to."""
    away = state.phase in (Phase.OUTAGE, Phase.SETTLING)
    owed = [claim for claim in state.claims if claim.owed_since is not None and not away]
    alarmed = [pursuit for pursuit in state.site.pursuits if pursuit.alarmed]
    lines = [
        f"The grid is down{when.told(turn, ' since ', state.outage_since)}." if away else "",
        "pimgr is disarmed: nothing acts until it is armed again." if state.disarmed else "",
        *(f"Still owed: {turn.names([claim.part])} ({_trouble(turn, claim)})." for claim in owed if claim.nags),
        *(f"To be set by hand, since it does not come through: {word(p.wanted)}." for p in alarmed),
    ]
    return lines if any(lines) else ["All is well: the grid is there, and nothing is owed."]


def _trouble(turn: Turn, claim: Claim) -> str:
    return claim.progress.problem or turn.view(claim.part).fault or "no answer"


def _battery(turn: Turn, charge: Percent | None) -> str:
    mode, reserve = newest(turn, Aspect.MODE), newest(turn, Aspect.RESERVE)
    told = [
        f"{charge:.0f} %" if charge is not None else "charge unknown",
        f"mode {in_the_app(mode.mode)}" if mode is not None and mode.mode is not None else "",
        f"reserve {reserve.reserve:.0f} %" if reserve is not None and reserve.reserve is not None else "",
    ]
    return f"Battery: {', '.join(text for text in told if text)}."


def _done(turn: Turn, state: State) -> list[str]:
    deeds, unlisted = state.reports.deeds, state.reports.unlisted
    if not deeds:
        return ["Nothing had to be done."]
    more = [f"  and {unlisted} more; see `pimgr why`"] if unlisted else []
    return ["What was done:", *(_line(turn, deed) for deed in deeds), *more]


def _line(turn: Turn, deed: Deed) -> str:
    clock = when.dated(turn, deed.wall) or "time unknown"
    return f"  {clock}  {deed.said}{f': {turn.names(deed.parts)}' if deed.parts else ''}"


def _next_peak(turn: Turn) -> str:
    wall, calendar = turn.wall(), turn.inputs.calendar
    windows = calendar.windows if calendar is not None and wall is not None else ()
    after = next((window for window in windows if window.peak and wall is not None and window.begins > wall), None)
    if after is None:
        return ""
    return f"The next peak is {when.dated(turn, after.begins)} to {when.clock(turn, after.ends)}."
