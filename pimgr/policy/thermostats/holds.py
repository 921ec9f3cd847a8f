"""What a thermostat's hold tells: whether it is ours, whether it lasts, whether a person or nature ended it.

A thermostat is asked over a cloud that may say yes and do nothing, keeps its holds through a power cut, and ends a
hold by itself at its time. Its mode is its owner's: pimgr never touches it.
"""

from __future__ import annotations

from pimgr.api import ThermostatMode, ThermostatReading
from pimgr.policy.model import Claim, SetPoints, Value
from pimgr.policy.turn import Turn
from pimgr.policy.values import SET_POINT_STEP, fits, value_of
from pimgr.units import Celsius

RETRY_S = (60.0, 300.0, 900.0)
"""Pauses between requests to a thermostat: each may cost a call of an account that is locked after too many."""
EFFECT_S = 120.0
"""A request to a cloud may still take effect for this long."""
WARN_AFTER_S = 1800.0
"""After this long, a person is told of a thermostat that isn't as wanted."""
EARLY_S = 300.0
"""A hold may end so long before its time by our clock: a thermostat has one of its own."""
SLACK_S = 60.0
NAG_AFTER_S = 3600.0
"""A thermostat is read rarely, and a hold ends by itself: nobody is told sooner that one is still owed."""
COOLS = (ThermostatMode.COOL, ThermostatMode.AUTO)
HEATS = (ThermostatMode.HEAT, ThermostatMode.AUTO)


def reached(value: Value, claim: Claim) -> bool:
    """Whether what was asked for came through: the set points, and held as long as that, or longer.

    Where the owner's own schedule spares more than was wanted, nothing needs to be held.
    """
    wanted = claim.wanted
    if not isinstance(value, SetPoints) or not isinstance(wanted, SetPoints):
        return False
    return (fits(value, wanted) and _lasts(value, wanted)) or _spares_more(value, claim)


def is_by_hand(value: Value, claim: Claim, goal: Value) -> bool:
    """Whether somebody holds set points that we never asked for. Nature may end a hold, and never begins one."""
    if not isinstance(value, SetPoints) or value.scheduled:
        return False
    return not any(_is_told(value, ours) for ours in (goal, claim.before, claim.wanted, *claim.ours))


def is_left(value: Value, claim: Claim) -> bool:
    """Whether it stands as we left it; how long a hold goes on is the vendor's to round."""
    return fits(value, claim.wanted) or _spares_more(value, claim)


def is_taken_over(reading: ThermostatReading, claim: Claim) -> bool:
    """Whether somebody turned it off, or to a mode in which what we asked for means nothing."""
    wanted = claim.wanted
    if not isinstance(wanted, SetPoints):
        return False
    used = (wanted.cool is not None and reading.mode in COOLS, wanted.heat is not None and reading.mode in HEATS)
    return not any(used)


def ran_out(turn: Turn, reading: ThermostatReading, claim: Claim) -> bool:
    """Whether our hold ended by itself. With a clock that nobody trusts, a schedule that is followed again says so."""
    wanted = claim.wanted
    if reading.hold.until is not None or reading.hold.permanent:
        return False
    if not isinstance(wanted, SetPoints) or wanted.until is None:
        return False
    return turn.wall() is None or reading.at.wall >= wanted.until - EARLY_S


def is_over(turn: Turn, claim: Claim) -> bool:
    """Whether a hold that ran out gave back what was found, so that nothing is owed any more."""
    reading = turn.fresh(claim.part)
    if not isinstance(reading, ThermostatReading) or not isinstance(claim.before, SetPoints):
        return False
    return claim.before.scheduled and ran_out(turn, reading, claim)


def owed(before: Value, wall: float | None) -> Value:
    """What goes back: what was found; the owner's schedule, where a hold that was found would be over by now.

    `wall`: UTC in s; None while nobody trusts the clock, and then no hold until a time can be asked for.
    """
    if not isinstance(before, SetPoints) or before.until is None:
        return before
    return SetPoints() if wall is None or before.until - SLACK_S <= wall else before


def rests(turn: Turn, part: str) -> bool:
    """Whether its last change is too recent for another, which might stop a compressor or start it."""
    climate, last = turn.policy.climate, turn.before.climate.moved.get(part)
    return climate is not None and last is not None and not turn.surely_waited(last, climate.min_off_s)


def same_points(a: Value, b: Value) -> bool:
    """Whether two wishes differ at most in how long they hold."""
    return isinstance(a, SetPoints) and isinstance(b, SetPoints) and (a.heat, a.cool) == (b.heat, b.cool)


def found(reading: ThermostatReading) -> SetPoints:
    """Its set points and its hold."""
    value = value_of(reading)
    assert isinstance(value, SetPoints)
    return value


def _is_told(told: SetPoints, wanted: Value) -> bool:
    """Whether all that a wish names is as told."""
    if not isinstance(wanted, SetPoints):
        return False
    sides = ((told.heat, wanted.heat), (told.cool, wanted.cool))
    return all(w is None or (t is not None and abs(t - w) <= SET_POINT_STEP) for t, w in sides)


def _lasts(value: SetPoints, wanted: SetPoints) -> bool:
    if value.permanent:
        return True
    if wanted.permanent or wanted.until is None:
        return not wanted.permanent
    return value.until is not None and value.until >= wanted.until - SLACK_S


def _spares_more(value: Value, claim: Claim) -> bool:
    """Whether the owner's schedule goes beyond what was wanted on every side, in the direction in which we move it."""
    wanted, before = claim.wanted, claim.before
    if not (isinstance(value, SetPoints) and isinstance(wanted, SetPoints) and isinstance(before, SetPoints)):
        return False
    sides = [
        _beyond(told, goal, was)
        for told, goal, was in ((value.heat, wanted.heat, before.heat), (value.cool, wanted.cool, before.cool))
        if goal is not None
    ]
    return value.scheduled and not wanted.scheduled and bool(sides) and all(sides)


def _beyond(told: Celsius | None, wanted: Celsius, before: Celsius | None) -> bool:
    if told is None or before is None:
        return False
    return told >= wanted if wanted > before else told <= wanted
