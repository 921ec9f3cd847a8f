"""`[climate]`: which thermostats are eased, how far at which charge, and what is precooled before a hot day's peak."""

from __future__ import annotations

from dataclasses import dataclass

from pimgr.api import Capability
from pimgr.config.errors import Kind, listed
from pimgr.config.fields import FLAG, PERCENT, TEXT, Bad, Field, Table, duration, measured, number
from pimgr.config.hours import season
from pimgr.config.parts import Parts, Role
from pimgr.config.times import TIME
from pimgr.policy.battery.rates import Tariff
from pimgr.policy.thermostats.comfort import LADDER, Climate, Precool, Rung
from pimgr.units import Celsius, Percent

THERMOSTAT = Role("a thermostat", frozenset({Capability.THERMOSTAT}), '["hall"]')
FORECAST = Role("a forecast", frozenset({Capability.FORECAST}), '["weather"]')
LEAST_STEP = 1.0
"""K. A smaller step can't be told from what thermostats round to (0.6 K), nor from a person's."""
MOST_EASE = 10.0
USUAL_HIGH, USUAL_COOL = Celsius((105.0 - 32.0) / 1.8), Celsius((67.0 - 32.0) / 1.8)
UNITS = ("F", "C")
FAHRENHEIT = ("F", "°F")
DEGREES = (*FAHRENHEIT, "C", "°C")


def temperature(low: float, high: float, example: str) -> Field[Celsius]:
    """A temperature from `low` to `high` °C. It carries its unit: 20 is cold in one and warm in the other."""

    def read(value: object) -> Celsius:
        degrees, unit = measured(value, DEGREES)
        return Celsius(number((degrees - 32.0) / 1.8 if unit in FAHRENHEIT else degrees, low, high))

    span = f"{low:g} to {high:g} C ({low * 1.8 + 32:g} to {high * 1.8 + 32:g} F)"
    return Field(f'a temperature from {span}, such as "{example}"', read)


def _ease(value: object) -> float:
    """A difference in K."""
    degrees, unit = measured(value, DEGREES)
    return number(degrees / 1.8 if unit in FAHRENHEIT else degrees, LEAST_STEP, MOST_EASE)


EASE = Field('by how much set points move, from 1 to 10 C (1.8 to 18 F), such as "2 F"', _ease)


def _unit(value: object) -> bool:
    if value not in UNITS:
        raise Bad(f"write {listed(UNITS)}")
    return value == "F"


UNIT = Field('"F" or "C"', _unit)


@dataclass(frozen=True)
class Spans:
    """Within which set points are moved, in °C."""

    coolest: Celsius
    warmest: Celsius


class ClimateTable:
    """Reads `[climate]`. `tariff`: as far as it could be made out; None without one.

    Where the tariff has errors, its seasons and peaks aren't known, and nothing is said of those.
    """

    def __init__(self, top: Table, parts: Parts, tariff: Tariff | None) -> None:
        self.top, self.parts, self.report, self.tariff = top, parts, parts.report, tariff
        self.unclear = any(key[:1] == ("tariff",) for key in self.report.errors)

    def read(self) -> Climate | None:
        """None where the config has no such table."""
        named = "climate" in self.top
        table = self.top.table("climate")
        if not named:
            return None
        usual = Climate()
        thermostats = self._thermostats(table)
        seasons = self._seasons(table, self._usual_seasons())
        spans = self._spans(table, usual)
        climate = Climate(
            thermostats=thermostats,
            fahrenheit=table.get("unit", UNIT, usual.fahrenheit),
            ladder=self._ladder(table),
            seasons=seasons,
            in_peak=table.get("in_peak", FLAG, "tariff" in self.top),
            in_outage=table.get("in_outage", FLAG, False),
            cooling=table.get("cooling", FLAG, True),
            heating=table.get("heating", FLAG, False),
            warmest=spans.warmest,
            coolest=spans.coolest,
            min_off_s=table.get("min_off", duration(0.0, 3600.0, "5min"), usual.min_off_s),
            precool=self._precool(table, seasons, spans),
        )
        self._makes_sense(table, climate)
        table.close()
        return climate

    def _thermostats(self, table: Table) -> tuple[str, ...]:
        """Those that are named, else all."""
        named = self.parts.several(table, "thermostats", THERMOSTAT)
        found = self.parts.all(THERMOSTAT) if named is None else named
        if not found and not self.parts.broken and not table.raw.get("thermostats"):
            expected = "a connection that is a thermostat, such as a Honeywell account (honeywell.account)"
            self.report.add(table.path("thermostats"), Kind.PART, found="none", expected=expected, cure="add one")
        return found

    def _spans(self, table: Table, usual: Climate) -> Spans:
        warmest = table.get("warmest", temperature(20.0, 40.0, "84 F"), usual.warmest)
        coolest = table.get("coolest", temperature(5.0, 25.0, "60 F"), usual.coolest)
        if coolest >= warmest:
            table.wrong("coolest", expected="less than warmest", cure="set points are moved between the two")
        return Spans(coolest, warmest)

    def _ladder(self, table: Table) -> tuple[Rung, ...]:
        """Its rungs, each below the one before and easing more."""
        if "ladder" not in table:
            table.look("ladder")
            return LADDER
        rungs: list[Rung] = []
        for row in table.tables("ladder"):
            below = row.need("below", PERCENT, None)
            ease = row.need("ease", EASE, None)
            row.close()
            if below is None or ease is None:
                continue
            last = rungs[-1] if rungs else None
            if last and below >= last.charge:
                row.wrong(
                    "below", expected=f"less than {last.charge:g}: the highest charge first", cure="put it in order"
                )
            elif last and ease < last.offset + LEAST_STEP - 1e-9:
                row.wrong("ease", expected="at least 1 C (1.8 F) more than the rung before")
            rungs.append(Rung(Percent(below), ease))
        if not table.raw["ladder"]:
            table.wrong("ladder", expected='at least one rung, such as { below = 50, ease = "2 F" }')
        return tuple(rungs)

    # ------------------------------------------------------------------------------------------- peaks and seasons

    def _usual_seasons(self) -> tuple[str, ...]:
        """Summer, where the tariff has a season of that name; else its whole year."""
        return ("summer",) if "summer" in self._known() else ()

    def _known(self) -> list[str]:
        return [each.name for each in self.tariff.seasons] if self.tariff else []

    def _seasons(self, table: Table, usual: tuple[str, ...]) -> tuple[str, ...]:
        found = table.items("seasons", TEXT if self.unclear else season(self._known()))
        return usual if found is None else found

    def _may_have_peak(self) -> bool:
        return self.unclear or (self.tariff is not None and any(period.peak for period in self.tariff.periods))

    # ----------------------------------------------------------------------------------------------------- precooling

    def _precool(self, climate: Table, usual: tuple[str, ...], spans: Spans) -> Precool | None:
        named = "precool" in climate
        table = climate.table("precool")
        if not named:
            return None
        below = table.get("below", PERCENT, None)
        high = table.get("high", temperature(15.0, 55.0, "105 F"), USUAL_HIGH if below is None else None)
        cool = table.get("to", temperature(10.0, 30.0, "67 F"), USUAL_COOL)
        precool = Precool(
            cool=cool,
            high=high,
            below=None if below is None else Percent(below),
            at_s=60.0 * table.get("at", TIME, 12 * 60),
            seasons=self._seasons(table, usual),
        )
        table.close()
        if cool < spans.coolest:
            table.wrong("to", expected="no less than coolest, under [climate]", cure="change one of the two")
        if high is not None and not self.parts.all(FORECAST) and not self.parts.broken:
            cure = 'add a connection, such as type = "weather.open-meteo", or write below = 90 and no high'
            key = table.path("high")
            self.report.add(key, Kind.PART, found="no forecast", expected="a connection that has a forecast", cure=cure)
        if not self._may_have_peak():
            expected = "a [tariff] with a peak: a house is precooled for one"
            self.report.add(table.key, Kind.MISSING, found="no peak", expected=expected, cure="or remove this")
        return precool

    def _makes_sense(self, table: Table, climate: Climate) -> None:
        if table.raw.get("in_peak") is True and not self._may_have_peak():
            cure = "write one, or in_peak = false and in_outage = true"
            table.wrong("in_peak", expected="a [tariff] with a peak beside it", cure=cure)
        elif not (climate.in_peak and self._may_have_peak()) and not climate.in_outage and climate.precool is None:
            expected = "a [tariff] with a peak, or in_outage = true"
            self.report.add(table.key, Kind.MISSING, found="no time at which it counts", expected=expected)
        if not climate.cooling and not climate.heating:
            table.wrong("cooling", expected="true, or heating = true", cure="one of the two is to be moved")
