"""From a reply of Open-Meteo to hours and days, with every value looked at before it is believed.

Source of the fields and of what an hour means: open-meteo.com/en/docs. Temperature and cloud are those at a time;
radiation is the mean, and the gust the strongest, of the hour *before* a time. With `timeformat=unixtime` all times
are UTC, and a day is told by its local midnight.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from pimgr.api import ForecastDay, ForecastHour, Garbled
from pimgr.units import Celsius, Percent, finite_and_in_range

_HOUR_S = 3600
_DAY_S = 86400
_NEAR = 0.5
"""Degrees by which the grid cell that answers may lie aside: cells are at most 25 km wide, a quarter of a degree."""
_RANGES = {
    "temperature_2m": (-95.0, 65.0),
    "cloud_cover": (0.0, 100.0),
    "shortwave_radiation": (0.0, 1500.0),
    "wind_gusts_10m": (0.0, 150.0),
    "temperature_2m_max": (-95.0, 65.0),
}
"""What the weather can be, somewhat beyond all records."""
_UNITS = {"temperature_2m": "°C", "cloud_cover": "%", "shortwave_radiation": "W/m²", "wind_gusts_10m": "m/s"}
_CURE = "if it lasts, please report it"


@dataclass(frozen=True)
class Expected:
    """For whom and for where the reply is, and what time it is (UTC in s): what is over is left out."""

    part: str
    latitude: float
    longitude: float
    wall: float


Forecasts = tuple[tuple[ForecastHour, ...], tuple[ForecastDay, ...]]


def forecast_from(body: bytes, expected: Expected) -> Forecasts:
    """Hours and days that are not over yet, oldest first. Raises Garbled, naming the field that can't be right."""
    reply = _Reply(_object(body, expected.part), expected)
    reply.judge_place()
    reply.judge_units()
    hours, days = reply.hours(), reply.days()
    if not hours:
        fact = "it answered no whole hour to come"
        raise Garbled(expected.part, "forecast", fact, "check the clock of this box; if it is right, please report it")
    return hours, days


def _object(body: bytes, part: str) -> Mapping[str, Any]:
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Garbled(part, "forecast", "it answered no JSON", _CURE) from None
    if not isinstance(found, dict):
        raise Garbled(part, "forecast", "it answered no JSON object", _CURE)
    return found


def _no_constant(word: str) -> NoReturn:
    """NaN and Infinity are no JSON, though Python's reader takes them."""
    raise ValueError(word)


class _Reply:
    """One reply; each method believes one part of it."""

    def __init__(self, body: Mapping[str, Any], expected: Expected) -> None:
        self._body, self._expected = body, expected

    def judge_place(self) -> None:
        """It must be for this house: the grid cell may lie aside a little."""
        for name, here in (("latitude", self._expected.latitude), ("longitude", self._expected.longitude)):
            there = self._number(name, self._body.get(name), (-180.0, 180.0))
            apart = abs(there - here)
            if min(apart, 360.0 - apart) > _NEAR:
                self._garbled(name, f"{there:g} where {here:g} was asked for")

    def judge_units(self) -> None:
        """A server that ignores the unit we ask for would turn a breeze into a storm."""
        said = self._body.get("hourly_units")
        for name, unit in _UNITS.items():
            found = said.get(name) if isinstance(said, dict) else None
            if found != unit:
                self._garbled(f"hourly_units.{name}", f"{str(found)[:20]!r}, not {unit!r}")

    def hours(self) -> tuple[ForecastHour, ...]:
        """Whole hours to come. One of which anything is missing is left out: what was not told is not made up."""
        times = self._times("hourly", _HOUR_S)
        temperature, cloud, solar, gust = (self._column("hourly", name, len(times)) for name in _UNITS)
        found = []
        for index, start in enumerate(times[:-1]):
            values = (temperature[index], cloud[index], solar[index + 1], gust[index + 1])
            if start + _HOUR_S > self._expected.wall and None not in values:
                warm, covered, sun, wind = (float(value) for value in values if value is not None)
                found.append(ForecastHour(float(start), Celsius(warm), Percent(covered), sun, wind))
        return tuple(found)

    def days(self) -> tuple[ForecastDay, ...]:
        """Days that are not over, with their highest temperature."""
        times = self._times("daily", 0)
        highs = self._column("daily", "temperature_2m_max", len(times))
        offset = self._number("utc_offset_seconds", self._body.get("utc_offset_seconds"), (-_DAY_S, _DAY_S))
        return tuple(
            ForecastDay(_date(start + offset), Celsius(high))
            for start, high in zip(times, highs, strict=True)
            if high is not None and start + _DAY_S > self._expected.wall
        )

    def _times(self, table: str, step: int) -> list[int]:
        """UTC in s, ascending; by exactly `step` where it is given."""
        times = self._list(table, "time")
        for before, after in zip([None, *times], times, strict=False):
            if type(after) is not int or not 0 <= after < 1 << 40:
                self._garbled(f"{table}.time", f"{str(after)[:20]!r}, no time")
            if before is not None and (after <= before or (step and after - before != step)):
                self._garbled(f"{table}.time", f"{after} after {before}")
        return times

    def _column(self, table: str, name: str, length: int) -> list[float | None]:
        values = self._list(table, name)
        if len(values) != length:
            self._garbled(f"{table}.{name}", f"{len(values)} values for {length} times")
        field = f"{table}.{name}"
        return [None if value is None else self._number(field, value, _RANGES[name]) for value in values]

    def _list(self, table: str, name: str) -> list[Any]:
        found = self._body.get(table)
        values = found.get(name) if isinstance(found, dict) else None
        if not isinstance(values, list):
            self._garbled(f"{table}.{name}", "no list")
        return values

    def _number(self, name: str, value: Any, bounds: tuple[float, float]) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not finite_and_in_range(value, *bounds):
            self._garbled(name, f"{str(value)[:20]!r}")
        return float(value)

    def _garbled(self, name: str, what: str) -> NoReturn:
        raise Garbled(self._expected.part, "forecast", f"it answered {name} = {what}", _CURE)


def _date(local_midnight: float) -> str:
    """The date of a day that begins here; half a day on, so that a change of the clocks doesn't move it."""
    return datetime.fromtimestamp(local_midnight + _DAY_S / 2, UTC).strftime("%Y-%m-%d")
