"""What befalls a simulated house: when it begins, its weather, its outages, and what differs from the config."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import TypeVar

import tomli

from pimgr.api import Frozen, replace
from pimgr.config.errors import ConfigErrors, Kind, Report, shown
from pimgr.config.fields import FLAG, PERCENT, WATTS, Bad, Field, Table, duration, finite, number
from pimgr.config.lines import lines_of
from pimgr.local_time import first_moment
from pimgr.simulate import outages
from pimgr.simulate.outages import Outage
from pimgr.simulate.uses import USES
from pimgr.simulate.weather import Climate
from pimgr.text import did_you_mean

VERSION = 1
MOST_DAYS = 3660
FIRST_YEAR, LAST_YEAR = 1970, 2100
LARGEST = 1 << 20


class Planned(Frozen):
    """An outage of the scenario: local time as "2026-07-14T18:00", and its length in s."""

    at: str
    for_s: float


class Habit(Frozen, kw_only=True):
    """What a part of the user's own config draws and when; None: as assumed."""

    watts: float | None = None
    use: str | None = None


class Scenario(Frozen, kw_only=True):
    """`start`: a local date; `often`: times as many outages as published, 0 for none but the planned ones.

    `solar_w`, `base_w`, `power_w`: of the house, None for what its config says; `charge`: of the battery at first.
    """

    start: str = "2026-01-01"
    days: int = 365
    seed: str = "1"
    often: float = 1.0
    planned: tuple[Planned, ...] = ()
    climate: Climate = Climate()
    solar_w: float | None = None
    base_w: float | None = None
    power_w: float | None = None
    charge: float = 80.0
    habits: Mapping[str, Habit] = {}
    faults: bool = False

    @property
    def span_s(self) -> float:
        return self.days * 86400.0

    def begin(self, zone: tzinfo) -> float:
        """Local midnight of `start` in UTC s, at a full hour: where zones are off by half an hour, a little before."""
        return first_moment(date.fromisoformat(self.start), 0, zone) // 3600.0 * 3600.0

    def outages(self, zone: tzinfo) -> tuple[Outage, ...]:
        """All of them, in s since the beginning."""
        begin, mine = self.begin(zone), []
        for planned in self.planned:
            at = datetime.fromisoformat(planned.at).replace(tzinfo=zone).timestamp() - begin
            mine.append(Outage(start=max(0.0, at), end=max(0.0, at + planned.for_s)))
        chance = outages.within(self.span_s, self.seed, self.often)
        return tuple(o for o in outages.joined([*chance, *mine]) if o.start < self.span_s)


Day = TypeVar("Day", bound=date)


def _in_reach(day: Day) -> Day:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Bad(f"write a year from {FIRST_YEAR} to {LAST_YEAR}")
    return day


def _date(value: object) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return _in_reach(value).isoformat()
    if not isinstance(value, str):
        raise Bad('such as "2026-01-01"')
    try:
        return _in_reach(date.fromisoformat(value)).isoformat()
    except ValueError:
        raise Bad("there is no such day") from None


def _moment(value: object) -> str:
    text = value.isoformat() if isinstance(value, datetime) else value
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", text):
        raise Bad('such as "2026-07-14T18:00"')
    try:
        return _in_reach(datetime.fromisoformat(text)).isoformat()
    except ValueError:
        raise Bad("there is no such moment") from None


def _number(expected: str, low: float, high: float) -> Field[float]:
    return Field(f"{expected} from {low:g} to {high:g}", lambda value: number(value, low, high))


def _seed(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Bad()
    return str(value)


def _use(value: object) -> str:
    if value not in USES:
        raise Bad()
    return str(value)


def _or_none(value: object) -> float:
    return 0.0 if value == 0 and not isinstance(value, bool) else WATTS.read(value)


DATE = Field("a day", _date)
MOMENT = Field("a local day and time", _moment)
DAYS = _number("a number of days", 1, MOST_DAYS)
SEED = Field("a number or a text", _seed)
OFTEN = _number("how many times as often as usual", 0, 1000)
USE = Field(f"one of {', '.join(USES)}", _use)
OR_NONE = Field('a power, such as "1 kW", or 0', _or_none)
LENGTH = duration(1.0, 60 * 86400.0, "6h")


def read(path: Path, loads: Collection[str] | None = None) -> Scenario:
    """The scenario in a file. Raises ConfigErrors, with every error at once. `loads`: that the house has."""
    report = Report(str(path), {})
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        report.add((), Kind.FILE, found=str(error), expected="a scenario file")
        raise ConfigErrors(str(path), report.errors.values()) from None
    return parse(text, str(path), loads)


def parse(text: str, path: str = "scenario", loads: Collection[str] | None = None) -> Scenario:
    """The scenario in a text. Raises ConfigErrors, with every error at once. `loads`: that the house has."""
    report = Report(path, {})
    try:
        raw = tomli.loads(text if len(text) <= LARGEST else "too long")
    except (tomli.TOMLDecodeError, RecursionError, ValueError) as error:
        report.add((), Kind.SYNTAX, found=str(error), expected="a text that is TOML")
        raise ConfigErrors(path, report.errors.values()) from None
    report.lines = lines_of(text)
    finite(report, (), raw)
    scenario = _scenario(Table(report, (), raw))
    for name in scenario.habits.keys() - (scenario.habits if loads is None else loads):
        cure = did_you_mean(name, loads or ()) or "name one of the config's"
        report.add(("loads", name), Kind.PART, found=shown(name), expected="a load of this house", cure=cure)
    if report.errors:
        raise ConfigErrors(path, report.errors.values())
    return scenario


def _scenario(top: Table) -> Scenario:
    usual = Scenario()
    version = top.get("version", _number("1, this version", VERSION, VERSION), None)
    if version is None and "version" not in top:
        top.report.add(("version",), Kind.MISSING, found="no such key", expected=f"version = {VERSION}")
    house = top.table("house")
    scenario = Scenario(
        start=top.get("start", DATE, usual.start),
        days=int(top.get("days", DAYS, float(usual.days))),
        seed=top.get("seed", SEED, usual.seed),
        often=top.get("often", OFTEN, usual.often),
        faults=top.get("faults", FLAG, usual.faults),
        planned=tuple(_planned(table) for table in top.tables("outages")),
        climate=_climate(top.table("weather")),
        solar_w=house.get("solar", OR_NONE, None),
        base_w=house.get("base", OR_NONE, None),
        power_w=house.get("power", WATTS, None),
        charge=house.get("charge", PERCENT, usual.charge),
        habits={name: _habit(table) for name, table in top.each("loads")},
    )
    house.close()
    top.close()
    return scenario


def _planned(table: Table) -> Planned:
    planned = Planned(table.need("at", MOMENT, ""), table.need("for", LENGTH, 0.0))
    table.close()
    return planned


def _habit(table: Table) -> Habit:
    habit = Habit(watts=table.get("watts", WATTS, None), use=table.get("use", USE, None))
    table.close()
    return habit


def _climate(table: Table) -> Climate:
    usual = Climate()
    climate = replace(
        usual,
        mean=table.get("mean", _number("degrees C", -40, 50), usual.mean),
        season=table.get("season", _number("K", 0, 40), usual.season),
        summer_swing=table.get("summer_swing", _number("K", 0, 20), usual.summer_swing),
        winter_swing=table.get("winter_swing", _number("K", 0, 20), usual.winter_swing),
        summer_cloud=table.get("summer_cloud", _number("a share", 0.01, 0.99), usual.summer_cloud),
        winter_cloud=table.get("winter_cloud", _number("a share", 0.01, 0.99), usual.winter_cloud),
        sun=table.get("sun", _number("times the usual sun", 0, 2), usual.sun),
    )
    table.close()
    return climate
