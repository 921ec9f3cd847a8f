"""What was found and what is wanted of a part: compared, and said as a home owner says it."""

from __future__ import annotations

from typing import assert_never

from pimgr.api import HostReading, LevelReading, LoadReading, SiteReading
from pimgr.policy.aspects import (
    Aspect,
    GridCharging,
    HostPower,
    Level,
    Mode,
    Reserve,
    Setting,
    Switch,
    Value,
    Wish,
)
from pimgr.policy.model import PartReading

LEVEL_STEP = 0.5
"""Levels are the same within it: chargers count in whole amperes, or measure what they let through."""


RESERVE_STEP = 1.0
"""Reserves are the same within it: one side counts with the part that is never used, the other without."""


def aspect_of(value: Wish) -> Aspect:
    match value:
        case Switch():
            return Aspect.SWITCH
        case HostPower():
            return Aspect.HOST_POWER
        case Level():
            return Aspect.LEVEL
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
    assert_never(reading)


def fits(value: Value, wanted: Value) -> bool:
    """Whether a part is as wanted; which boot a host is in doesn't matter, nor what a charger rounds to."""
    match value, wanted:
        case HostPower(), HostPower():
            return value.up == wanted.up
        case Level(), Level():
            return abs(value.level - wanted.level) <= LEVEL_STEP
        case _:
            return value == wanted


def enough(value: Value, wanted: Value) -> bool:
    """Whether a part is taken: as wanted, or it draws even less."""
    if isinstance(value, Level) and isinstance(wanted, Level):
        return value.level <= wanted.level + LEVEL_STEP
    return fits(value, wanted)


def word(value: Wish) -> str:
    """As a home owner says it."""
    match value:
        case Switch(on=on):
            return "on" if on else "off"
        case HostPower(up=up):
            return "up" if up else "shut down"
        case Level(level=level):
            return f"at {level:g}"
        case Mode(mode=mode):
            return f"mode {mode}"
        case Reserve(percent=percent):
            return f"reserve {percent:g} %"
        case GridCharging(allowed=allowed):
            return f"charging from the grid {'allowed' if allowed else 'forbidden'}"
    assert_never(value)


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
    assert_never(found)
