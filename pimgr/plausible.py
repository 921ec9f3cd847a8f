"""What a house can't produce does not get onto the board: wrong types, NaN, 412 %, the future."""

from __future__ import annotations

from math import isfinite

import msgspec

from pimgr.api import (
    ForecastReading,
    Frozen,
    GridReading,
    HostReading,
    Instant,
    LevelReading,
    LoadReading,
    Reading,
    SiteReading,
    ThermostatReading,
)
from pimgr.clock import Clock
from pimgr.units import finite_and_in_range

RANGES: dict[str, tuple[float, float]] = {
    "grid_w": (-1e6, 1e6),
    "battery_w": (-1e6, 1e6),
    "solar_w": (-1e3, 1e6),
    "load_w": (-1e3, 1e6),
    "power_w": (-10.0, 1e6),
    "charge": (0.0, 100.0),
    "charge_raw": (0.0, 100.0),
    "capacity_wh": (0.0, 1e7),
    "reserve": (0.0, 100.0),
    "level": (0.0, 1e6),
    "indoor": (-60.0, 80.0),
    "heat": (-20.0, 60.0),
    "cool": (-20.0, 60.0),
    "start": (0.0, 1e11),
    "temperature": (-100.0, 80.0),
    "high": (-100.0, 80.0),
    "cloud": (0.0, 100.0),
    "solar_w_m2": (-10.0, 2000.0),
    "gust_m_s": (0.0, 200.0),
}
"""What a house can produce. A meter at rest reads a little below zero."""
FUTURE_S = 2.0
RAW_LENGTH = 100
"""Longest words of a gateway, or boot id, that are kept: they go into the journal and before people's eyes."""
MOST_HOURS = 24 * 17
"""A forecast that goes further is no forecast, and would fill the memory."""
DATE_LENGTH = len("2026-07-31")

Known = GridReading | SiteReading | LoadReading | LevelReading | HostReading | ThermostatReading | ForecastReading


def plain(reading: Reading) -> Known | None:
    """The reading with every field of the type that it should have; None if it isn't that.

    Constructors don't validate, so a plugin may put a text where a number belongs; what doesn't survive msgpack would
    break the journal later.
    """
    try:
        known: Known = msgspec.msgpack.decode(msgspec.msgpack.encode(reading), type=Known)
    except (TypeError, ValueError, OverflowError, RecursionError):  # msgspec's own errors are ValueErrors
        return None
    return known


def implausible(reading: Reading, clock: Clock) -> str:
    """Why a reading can't be true; "" if it can."""
    problem = _number(reading)
    if isinstance(reading, HostReading) and len(reading.boot_id or "") > RAW_LENGTH:
        problem = problem or "gave a boot id that is far too long"
    if isinstance(reading, ThermostatReading):
        problem = problem or _number(reading.hold) or _undated(reading.hold.until)
    if isinstance(reading, ForecastReading):
        problem = problem or _forecast(reading)
    if problem:
        return problem
    now, at = clock.now(), reading.at
    if at.boot != now.boot or not (isfinite(at.mono_s) and isfinite(at.wall)):
        return "gave a reading that is not dated by pimgr's clock"
    return "gave a reading from the future" if at.mono_s > now.mono_s + FUTURE_S else ""


def _number(facts: Frozen) -> str:
    for name, (low, high) in RANGES.items():
        value = getattr(facts, name, None)
        if value is not None and not finite_and_in_range(value, low, high):
            return f"says {name} = {value}, which no house has ({low:g} to {high:g})"
    return ""


def _undated(until: Instant | None) -> str:
    if until is None or (isfinite(until.mono_s) and isfinite(until.wall)):
        return ""
    return "gave a hold until no time that there is"


def _forecast(reading: ForecastReading) -> str:
    """Every hour and day is looked at, and none comes before its predecessor."""
    if len(reading.hours) > MOST_HOURS or len(reading.days) > MOST_HOURS:
        return f"gave {len(reading.hours)} hours and {len(reading.days)} days, which is no forecast"
    if any(len(day.date) != DATE_LENGTH for day in reading.days):
        return 'gave a day that is not written as "2026-07-31"'
    wrong = next((problem for each in (*reading.hours, *reading.days) if (problem := _number(each))), "")
    starts, dates = [hour.start for hour in reading.hours], [day.date for day in reading.days]
    if starts != sorted(starts) or dates != sorted(dates):
        return wrong or "gave hours or days in no order"
    return wrong
