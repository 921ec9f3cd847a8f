"""What was found and what is wanted of a part: compared, and said as a home owner says it."""

from __future__ import annotations

from typing import assert_never

from pimgr.api import HostReading, LevelReading, LoadReading, SiteReading, ThermostatReading
from pimgr.policy.aspects import (
    Aspect,
    GridCharging,
    HostPower,
    Level,
    Mode,
    Reserve,
    SetPoints,
    Setting,
    Switch,
    Value,
    Wish,
)
from pimgr.policy.model import PartReading, Skip
from pimgr.units import Celsius, degrees

LEVEL_STEP = 0.5
"""Levels are the same within it: chargers count in whole amperes, or measure what they let through."""


SET_POINT_STEP = 0.6
"""Set points are the same within it, in K: thermostats count in half or whole degrees, C or F. Source: DESIGN."""
RESERVE_STEP = 1.0
"""Reserves are the same within it: one side counts with the part that is never used, the other without."""


def aspect_of(value: Wish) -> Aspect:  # noqa: PLR0911 - one line a value
    match value:
        case Switch():
            return Aspect.SWITCH
        case HostPower():
            return Aspect.HOST_POWER
        case Level():
            return Aspect.LEVEL
        case SetPoints():
            return Aspect.HOLD
        case Mode():
            return Aspect.MODE
        case Reserve():
            return Aspect.RESERVE
        case GridCharging():
            return Aspect.GRID_CHARGING
    assert_never(value)


def value_of(reading: PartReading) -> Value:
    """What a reading says of its part."""
    match reading:
        case LoadReading(on=on):
            return Switch(on)
        case HostReading(up=up, boot_id=boot):
            return HostPower(up, boot)
        case LevelReading(level=level):
            return Level(level)
        case ThermostatReading(hold=hold):
            until = hold.until.wall if hold.until else None
            return SetPoints(hold.heat, hold.cool, until, hold.permanent)
    assert_never(reading)


def fits(value: Value, wanted: Value) -> bool:
    """Whether a part is as wanted; which boot a host is in doesn't matter, nor what a charger rounds to."""
    match value, wanted:
        case HostPower(), HostPower():
            return value.up == wanted.up
        case Level(), Level():
            return abs(value.level - wanted.level) <= LEVEL_STEP
        case SetPoints(), SetPoints():
            return _held(value, wanted)
        case _:
            return value == wanted


def _held(value: SetPoints, wanted: SetPoints) -> bool:
    """Whether a thermostat stands as wanted; how long a hold goes on is the vendor's to round."""
    if wanted.scheduled:
        return value.scheduled
    same = _same(value.heat, wanted.heat) and _same(value.cool, wanted.cool)
    return same and (value.permanent or not wanted.permanent)


def _same(told: Celsius | None, wanted: Celsius | None) -> bool:
    return wanted is None or (told is not None and abs(told - wanted) <= SET_POINT_STEP)


def enough(value: Value, wanted: Value) -> bool:
    """Whether a part is taken: as wanted, or it draws even less."""
    if isinstance(value, Level) and isinstance(wanted, Level):
        return value.level <= wanted.level + LEVEL_STEP
    return fits(value, wanted)


def was_only_silent(found: Value, skip: Skip) -> bool:
    """Whether a host that was skipped for being silent is up in the boot that it had: it was never off."""
    return isinstance(found, HostPower) and found.boot_id is not None and found.boot_id == skip.boot


def word(value: Wish, *, fahrenheit: bool = False) -> str:  # noqa: PLR0911 - one line a value
    """As a home owner says it."""
    match value:
        case Switch(on=on):
            return "on" if on else "off"
        case HostPower(up=up):
            return "up" if up else "shut down"
        case Level(level=level):
            return f"at {level:g}"
        case SetPoints():
            return _points(value, fahrenheit)
        case Mode(mode=mode):
            return f"mode {mode}"
        case Reserve(percent=percent):
            return f"reserve {percent:g} %"
        case GridCharging(allowed=allowed):
            return f"charging from the grid {'allowed' if allowed else 'forbidden'}"
    assert_never(value)


def _points(value: SetPoints, fahrenheit: bool) -> str:
    """Such as "cooling to 24.5 °C"."""
    if value.scheduled:
        return "on its own schedule"
    sides = (("heating to", value.heat), ("cooling to", value.cool))
    return " and ".join(f"{side} {degrees(point, fahrenheit)}" for side, point in sides if point is not None)


def setting_of(reading: SiteReading, aspect: Aspect) -> Setting | None:
    """What a meter tells of a setting; None if it doesn't."""
    match aspect:
        case Aspect.MODE:
            return None if reading.mode is None else Mode(reading.mode)
        case Aspect.RESERVE:
            return None if reading.reserve is None else Reserve(reading.reserve)
        case _:
            return None if reading.grid_charging is None else GridCharging(reading.grid_charging)


def is_set(told: Setting, wanted: Setting) -> bool:
    """Whether a setting is as wanted."""
    if isinstance(told, Reserve) and isinstance(wanted, Reserve):
        return abs(told.percent - wanted.percent) <= RESERVE_STEP
    return told == wanted


def bidding(value: Value) -> str:
    """What to do with a part by hand so that it is so: "turn it on", "set it to 16"."""
    match value:
        case Switch():
            return f"turn it {word(value)}"
        case HostPower(up=up):
            return "wake it" if up else "shut it down"
        case Level(level=level):
            return f"set it to {level:g}"
        case SetPoints():
            return "let it follow its schedule" if value.scheduled else f"set it to {word(value)}"
    assert_never(value)


def deed(found: Value) -> str:
    """What a person must have done that a part is so again."""
    match found:
        case HostPower():
            return "a person started it"
        case Level():
            return "a person set its level"
        case Switch():
            return f"a person turned it {word(found)}"
        case SetPoints():
            return "a person changed its set points"
    assert_never(found)
