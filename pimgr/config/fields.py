"""Reading one table of the config field by field, so that every error in it is found in one pass."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pimgr.config.errors import Key, Kind, Report, listed, shown
from pimgr.text import did_you_mean

T = TypeVar("T")
D = TypeVar("D")

IDENTIFIER = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_QUANTITY = re.compile(r"\s*(-?[0-9]+(?:\.[0-9]+)?)\s*(°?[A-Za-z%/]+)\s*")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_WATTS = {"W": 1.0, "kW": 1000.0}
_PEAK_WATTS = {"Wp": 1.0, "kWp": 1000.0}
_WATT_HOURS = {"Wh": 1.0, "kWh": 1000.0}


class Bad(Exception):
    """A value that doesn't fit. `cure`: what to do about it, beyond what the field expects anyway."""

    def __init__(self, cure: str = "") -> None:
        super().__init__(cure)
        self.cure = cure


@dataclass(frozen=True)
class Field(Generic[T]):
    """What a key may hold: `expected` in words, and how it is read; `read` raises Bad."""

    expected: str
    read: Callable[[object], T]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Bad("put it in quotes")
    if not value.strip():
        raise Bad("it is empty")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Bad("write it without quotes" if value in ("true", "false") else "")
    return value


def number(value: object, low: float, high: float) -> float:
    """A finite number from `low` to `high`; raises Bad."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Bad("write it without quotes" if isinstance(value, str) else "")
    if not low <= value <= high:  # also false for nan; a whole number may be too large for a float
        raise Bad()
    return float(value)


def measured(value: object, units: Collection[str]) -> tuple[float, str]:
    """A number and its unit; raises Bad."""
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Bad(f"write a number and a unit: {listed(units)}")
    if found[2] not in units:
        raise Bad(did_you_mean(found[2], units) or f"units are {listed(units)}")
    return float(found[1]), found[2]


def quantity(value: object, units: Mapping[str, float], low: float, high: float) -> float:
    """A number from `low` to `high`, in units of which each is so many of ours; raises Bad."""
    amount, unit = measured(value, units)
    return number(amount * units[unit], low, high)


def duration(low_s: float, high_s: float, example: str) -> Field[float]:
    """Seconds, written with a unit: a bare number would leave it open whether it means seconds or minutes."""
    expected = f'a duration from {_spoken(low_s)} to {_spoken(high_s)}, such as "{example}"'
    return Field(expected, lambda value: quantity(value, _SECONDS, low_s, high_s))


def _spoken(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds * 1000:.0f} ms" if seconds else "0 s"


def _with_unit(value: object, units: Mapping[str, float], high: float) -> float:
    return quantity(value, units, 1.0, high) if isinstance(value, str) else number(value, 1.0, high)


def _percent(value: object) -> float:
    if isinstance(value, str):
        return quantity(value, {"%": 1.0}, 0.0, 100.0)
    return number(value, 0.0, 100.0)


def choice(*words: str) -> Field[str]:
    """One of a few words."""

    def read(value: object) -> str:
        if value not in words or not isinstance(value, str):
            raise Bad("put it in quotes" if not isinstance(value, str) else did_you_mean(value, words))
        return value

    return Field("one of " + ", ".join(f'"{word}"' for word in words), read)


TEXT = Field('a text in "quotes"', _text)
FLAG = Field("true or false", _flag)
PERCENT = Field("a percentage from 0 to 100, such as 50", _percent)
LEVEL = Field(
    "a level from 0 in the load's own unit, such as 6 (A for a charger)", lambda value: number(value, 0.0, 1e6)
)
WATTS = Field('a power, such as "1 kW" or 1000', lambda value: _with_unit(value, _WATTS, 1e6))
YIELD = 0.8 / 1000.0
"""What panels give in practice, per W of peak and W/m2 of sun: the peak is meant at 1000 W/m2, and a fifth is lost to
heat, cables and inverter. Source: performance ratios of 0.75 to 0.85, as PVGIS has them."""
SOLAR = Field('the peak of the panels, such as "5 kWp"', lambda value: _with_unit(value, _PEAK_WATTS, 1e6) * YIELD)
"""Read as W per W/m2."""
WATT_HOURS = Field('an energy, such as "13.5 kWh" or 13500', lambda value: _with_unit(value, _WATT_HOURS, 1e7))


class Table:
    """One table of the file. Keys that nobody asked for by the time of `close` are unknown, and said to be."""

    def __init__(self, report: Report, key: Key, raw: dict[str, Any]) -> None:
        self.report, self.key, self.raw = report, key, raw
        self._asked: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self.raw

    def look(self, name: str) -> object:
        """The value of a key as it stands in the file; the caller judges it."""
        self._asked.add(name)
        return self.raw.get(name)

    def path(self, name: str, *more: str | int) -> Key:
        return (*self.key, name, *more)

    def get(self, name: str, field: Field[T], default: D) -> T | D:
        """The value of a key; the default where it is missing, or bad (and then reported)."""
        self._asked.add(name)
        if name not in self.raw:
            return default
        value = self.raw[name]
        try:
            return field.read(value)
        except Bad as error:
            self.wrong(name, expected=field.expected, cure=error.cure)
            return default

    def need(self, name: str, field: Field[T], default: D) -> T | D:
        """As `get`, for a key that must be there."""
        if name not in self.raw:
            self._asked.add(name)
            self.report.add(self.path(name), Kind.MISSING, found="no such key", expected=field.expected)
        return self.get(name, field, default)

    def listing(self, name: str, expected: str) -> list[Any] | None:
        """A list; None where it is missing, or bad (and then reported)."""
        value = self.look(name)
        if value is not None and not isinstance(value, list):
            cure = f"put it in brackets: [{shown(value)}]" if isinstance(value, str) else ""
            self.wrong(name, expected=expected, cure=cure)
            return None
        return value

    def items(self, name: str, field: Field[T]) -> tuple[T, ...] | None:
        """A list of which each is such a field; what is bad is reported and left out. None as for `listing`."""
        values = self.listing(name, f"a list in brackets, each of it {field.expected}")
        if values is None:
            return None
        found = []
        for index, value in enumerate(values):
            try:
                found.append(field.read(value))
            except Bad as error:
                key = self.path(name, index)
                self.report.add(key, Kind.VALUE, found=shown(value), expected=field.expected, cure=error.cure)
        return tuple(found)

    def table(self, name: str) -> Table:
        """A table below this one; an empty one where it is missing, or bad (and then reported)."""
        self._asked.add(name)
        value = self.raw.get(name, {})
        if not isinstance(value, dict):
            spelled = ".".join([*map(str, self.key), name])
            self.wrong(name, expected=f"a table, begun by the line [{spelled}]")
            value = {}
        return Table(self.report, self.path(name), value)

    def each(self, name: str) -> list[tuple[str, Table]]:
        """The tables below `name`, by their names."""
        outer = self.table(name)
        return [(str(inner), outer.table(inner)) for inner in outer.raw]

    def tables(self, name: str) -> list[Table]:
        """A list of tables, each begun by ``[[name]]``."""
        self._asked.add(name)
        value = self.raw.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            cure = "write double brackets" if isinstance(value, dict) else ""
            self.wrong(name, expected=f"one or more tables, each begun by the line [[{name}]]", cure=cure)
            return []
        items = cast(list[dict[str, Any]], value)
        return [Table(self.report, self.path(name, index), item) for index, item in enumerate(items)]

    def wrong(self, name: str, *, expected: str, cure: str = "", kind: Kind = Kind.VALUE) -> None:
        """Report the value of a key."""
        self.report.add(self.path(name), kind, found=shown(self.raw.get(name)), expected=expected, cure=cure)

    def close(self) -> None:
        """Report the keys that nobody asked for. Their values aren't shown: one may be a password."""
        for name in self.raw.keys() - self._asked:
            self.report.add(
                self.path(name),
                Kind.UNKNOWN_KEY,
                found=shown(name),
                expected=f"one of the keys {listed(sorted(self._asked))}" if self._asked else "no keys here",
                cure=did_you_mean(name, self._asked) or "remove it, or move it under the right heading",
            )


def finite(report: Report, key: Key, value: object) -> None:
    """Report every nan and inf: they would pass every comparison that guards the house."""
    if isinstance(value, float) and not math.isfinite(value):
        report.add(key, Kind.VALUE, found=shown(value), expected="a number that a house can have")
    elif isinstance(value, dict):
        for name, item in value.items():
            finite(report, (*key, name), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            finite(report, (*key, index), item)
