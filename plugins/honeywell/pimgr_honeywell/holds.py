"""Holds: from the portal's quarter hours of the local day to instants, and from a wish to what the portal is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pimgr.api import Hold, Instant, Refused, Unsupported
from pimgr_honeywell.state import PERMANENT, SCHEDULE, TEMPORARY, Side, State

QUARTER_S = 900
LATE_S = 300.0
"""An end that passed so lately is the one that is meant: the portal learns a little later that a hold is over."""
MOST_S = 86400 - QUARTER_S
"""A hold ends at a time of the day, so within a day; less a quarter hour, lest an end today be taken for it."""


@dataclass(frozen=True)
class Asked:
    """For whom and when: `zone` of the thermostat, None is that of this box."""

    part: str
    now: Instant
    zone: ZoneInfo | None


def hold_of(state: State, asked: Asked) -> Hold:
    """What holds now, told from the sides that the mode uses. A vacation hold is permanent: its owner ends it."""
    heat, cool = state.celsius(state.heat.point), state.celsius(state.cool.point)
    statuses = {side.status for side in state.in_force}
    if state.vacation or PERMANENT in statuses:
        return Hold(heat=heat, cool=cool, permanent=True)
    if TEMPORARY not in statuses:
        return Hold(heat=heat, cool=cool)
    ends = [_next(side.quarter, asked) for side in state.in_force if side.quarter is not None]
    end, now = max(ends), asked.now
    return Hold(heat=heat, cool=cool, until=Instant(now.mono_s + end - now.wall, end, now.boot))


def settings_of(wanted: Hold, state: State, asked: Asked) -> dict[str, Any]:
    """What to tell the portal so that `wanted` holds. Raises Unsupported or Refused where it can't or may not.

    A set point that isn't wished for stays as it is, but for the dead band.
    """
    if wanted.until is None and not wanted.permanent:
        return resume_of(state, asked)
    _may_change(state, asked, "a hold")
    heat, cool = _points(wanted, state, asked)
    status, quarter = PERMANENT, None
    if wanted.until is not None and not wanted.permanent:
        status, quarter = TEMPORARY, _quarter(wanted.until, state, asked)
    return {
        "StatusHeat": status,
        "StatusCool": status,
        "HeatNextPeriod": quarter,
        "CoolNextPeriod": quarter,
        "HeatSetpoint": heat,
        "CoolSetpoint": cool,
    }


def resume_of(state: State, asked: Asked) -> dict[str, Any]:
    """What to tell the portal so that the owner's own schedule is followed."""
    if not state.has_schedule:
        fact = "this thermostat has no schedule"
        raise Unsupported(asked.part, "its schedule", fact, "set one up in Honeywell's app")
    _may_change(state, asked, "its schedule")
    return {"StatusHeat": SCHEDULE, "StatusCool": SCHEDULE}


def _may_change(state: State, asked: Asked, wish: str) -> None:
    if state.vacation:
        fact = "it is in a vacation hold, which is its owner's"
        raise Refused(asked.part, wish, fact, "end the vacation hold in Honeywell's app")
    if not state.settable:
        fact = f"it takes no set points now (it is switched to {state.mode})"
        raise Refused(asked.part, wish, fact, "switch it to heat, cool or auto")


# --------------------------------------------------------------------------------------------------------- set points


def _points(wanted: Hold, state: State, asked: Asked) -> tuple[float, float]:
    """Both set points in the thermostat's own unit, within its limits, the dead band apart."""
    heat = state.heat.point if wanted.heat is None else _within(wanted.heat, "heat", state, asked)
    cool = state.cool.point if wanted.cool is None else _within(wanted.cool, "cool", state, asked)
    if cool - heat >= state.deadband:
        return heat, cool
    if wanted.heat is None and cool - state.deadband >= state.heat.low:
        return cool - state.deadband, cool
    if wanted.cool is None and heat + state.deadband <= state.cool.high:
        return heat, heat + state.deadband
    fact = f"heat {heat:g} and cool {cool:g} {state.unit} are less than its dead band of {state.deadband:g} apart"
    raise Unsupported(asked.part, "a hold", fact, "choose set points further apart")


def _within(celsius: float, which: str, state: State, asked: Asked) -> float:
    """A set point at the thermostat's step. What the rounding put beyond a limit is put back onto it, and no more."""
    side: Side = state.heat if which == "heat" else state.cool
    exact, half = state.own(celsius), state.step / 2
    if not side.low - half <= exact <= side.high + half:  # nor is NaN
        fact = f"its limits for {which} are {side.low:g} to {side.high:g} {state.unit}"
        raise Unsupported(asked.part, f"{which} at {exact:.1f} {state.unit}", fact, "set the policy within them")
    return min(max(round(exact / state.step) * state.step, side.low), side.high)


# --------------------------------------------------------------------------------------------------------------- time


def _next(quarter: int, asked: Asked) -> float:
    """When it is this quarter hour of the local day next, or was a moment ago; UTC in s."""
    now = asked.now.wall
    today = datetime.fromtimestamp(now, UTC).astimezone(asked.zone).date()
    days = (today + timedelta(days=n) for n in (-1, 0, 1))
    both = [time(quarter // 4, quarter % 4 * 15, fold=fold) for fold in (0, 1)]  # the hour there is twice in autumn
    times = (datetime.combine(day, each, asked.zone).timestamp() for day in days for each in both)
    return min(t for t in times if t > now - LATE_S)


def _quarter(until: Instant, state: State, asked: Asked) -> int:
    """The quarter hour of the local day at which a hold ends: rounded up, so that it isn't shorter than wished."""
    if not state.holds_until:
        raise Unsupported(asked.part, "a hold until a time", "it knows no such holds", "let the policy hold for good")
    end = -(-until.wall // QUARTER_S) * QUARTER_S
    ahead = end - asked.now.wall
    if ahead <= 0:
        raise Refused(asked.part, "a hold until a time", "that time is over", "check the clock of this box")
    if ahead > MOST_S:
        fact = "it holds for 23 h 45 min at most"
        raise Unsupported(asked.part, "a hold until a time", fact, "choose an earlier end, or hold for good")
    local = datetime.fromtimestamp(end, UTC).astimezone(asked.zone)
    return local.hour * 4 + local.minute // 15
