"""The tariff as a home owner writes it: seasons, periods with their hours, holidays, and what a peak leaves."""

from __future__ import annotations

from datetime import date
from itertools import product

from pimgr.config.errors import Kind, listed, shown
from pimgr.config.fields import FLAG, TEXT, Field, Table, duration, number
from pimgr.config.floor import read_floor
from pimgr.config.hours import DAYS, WEEK, read_hours
from pimgr.config.parts import Parts
from pimgr.config.site import KEYS, MODE, reserve, settable
from pimgr.config.tariff_days import LEAP_YEAR, month_day, read_holidays
from pimgr.local_time import DAY_MIN
from pimgr.policy.battery.rates import Hours, Period, Season, Tariff
from pimgr.policy.battery.settings import SitePolicy
from pimgr.policy.values import aspect_of
from pimgr.windows import season_of

PRICE = Field("a price of one kWh, such as 0.31", lambda value: number(value, 0.0, 1000.0))
SPOKEN = {"mode": "mode", "reserve": "reserve", "grid charging": "grid_charging"}


class Tariffs:
    """Reads `[tariff]`. `battery`: the table whose standing targets a tariff may not contradict."""

    def __init__(self, top: Table, parts: Parts, site: SitePolicy) -> None:
        self.top, self.parts, self.site = top, parts, site
        self.seasons: list[Season] = []
        self.named: list[str] = []
        self.periods: dict[str, tuple[Table, Period]] = {}
        self.hours: list[Hours] = []

    def read(self) -> Tariff | None:
        """None where there is none, or none that can be made out (and the reasons are reported)."""
        table = self.top.table("tariff")
        if not isinstance(self.top.raw.get("tariff"), dict):
            return None
        lead_s = table.get("lead", duration(0.0, 7200.0, "10min"), 600.0)
        exit_s = table.get("exit_delay", duration(0.0, 3600.0, "1min"), 0.0)
        floor = read_floor(table.table("floor"))
        holidays = read_holidays(table.table("holidays"))
        for season in table.tables("seasons"):
            self._season(season)
        for period in table.tables("periods"):
            self._period(period)
        table.close()
        if not table.raw.get("periods"):
            self.parts.report.add(
                table.path("periods"),
                Kind.MISSING,
                found="none",
                expected="at least one period, begun by the line [[tariff.periods]]",
            )
        default = self._default(table)
        if default is None:
            return None
        tariff = Tariff(
            periods=tuple(period for _, period in self.periods.values()),
            default=default,
            seasons=tuple(self.seasons),
            hours=tuple(self.hours),
            holidays=holidays,
            lead_s=lead_s,
            exit_s=exit_s,
            floor=floor,
        )
        self._same_for_all()
        self._in_force(tariff)
        self._floors(tariff)
        return tariff

    # ---------------------------------------------------------------------------------------------------- one by one

    def _season(self, table: Table) -> None:
        name = table.need("name", TEXT, "")
        first, last = month_day(table, "from"), month_day(table, "to")
        table.close()
        if name in self.named:
            table.wrong("name", expected="a name for each season of its own", cure="rename one of the two")
        elif name and first and last:
            season = Season(name=name, first=first, last=last)
            self._overlap(table, season)
            self.seasons.append(season)
        self.named += [name] if name else []

    def _overlap(self, table: Table, season: Season) -> None:
        for day in _year():
            other = season_of(day, tuple(self.seasons))
            if other and season_of(day, (season,)):
                expected = f"days that belong to no other season, and {day:%m-%d} belongs to {shown(other)}"
                table.wrong("from", expected=expected, cure="let one end on the day before the other begins")
                return

    def _period(self, table: Table) -> None:
        name = table.need("name", TEXT, "")
        period = Period(
            name=name,
            peak=table.get("peak", FLAG, False),
            reserve=reserve(table, "reserve", None),
            mode=table.get("mode", MODE, None),
            grid_charging=table.get("grid_charging", FLAG, None),
            floor=reserve(table, "floor", None),
            price=table.get("price", PRICE, None),
        )
        hours = read_hours(table, name, tuple(self.named))
        table.close()
        settable(table, self.parts, self.site.controls)
        if name in self.periods:
            cure = "list all its hours in one of the two"
            table.wrong("name", expected="a name for each period of its own", cure=cure)
        elif name:
            self.periods[name] = (table, period)
            self.hours += hours

    # ------------------------------------------------------------------------------------------------- taken together

    def _default(self, table: Table) -> str | None:
        """The period without hours: it is in force whenever no other is."""
        without = [name for name, (of, _) in self.periods.items() if "hours" not in of]
        for name in without[1:]:
            of = self.periods[name][0]
            expected = f"hours, since {shown(without[0])} has none already and is in force whenever no other is"
            self.parts.report.add(of.path("hours"), Kind.MISSING, found="no such key", expected=expected)
        if not without and self.periods and len(self.periods) == len(table.raw.get("periods", ())):
            expected = "one period without hours, which is in force whenever no other is"
            table.wrong("periods", expected=expected, cure='such as the lines [[tariff.periods]] and name = "off-peak"')
        return without[0] if without else None

    def _same_for_all(self) -> None:
        """What one period sets, each must set: else it would stay as the period before left it."""
        standing = {SPOKEN[aspect_of(setting)] for setting in self.site.keep}
        for key in (*KEYS, "price"):
            having = [name for name, (table, _) in self.periods.items() if key in table]
            for name, (table, _) in self.periods.items():
                if having and name not in having:
                    why = "its costs can't be told" if key == "price" else "it would stay as the period before left it"
                    expected = f"a {key} for this period too, as {shown(having[0])} has one: else {why}"
                    self.parts.report.add(table.path(key), Kind.MISSING, found="no such key", expected=expected)
            if having and key in standing:
                battery = self.top.table("battery")
                expected = f"no {key} here, since the tariff's periods have one"
                battery.wrong(key, expected=expected, cure=f"remove it here, or from {listed(having)}")

    def _in_force(self, tariff: Tariff) -> None:
        """Report periods that are never in force, since those before them cover all their hours."""
        for name in _never_in_force(tariff):
            before = listed(self._before(name))
            expected = f"hours beyond those of {before}, since the first in order counts: it is never in force"
            self.periods[name][0].wrong("hours", expected=expected, cure="move the period up, before them")

    def _before(self, name: str) -> list[str]:
        names = [one for one, (table, _) in self.periods.items() if "hours" in table]
        return [shown(one) for one in names[: names.index(name)]]

    def _floors(self, tariff: Tariff) -> None:
        """A peak that is to leave less than the floor must say so."""
        for table, period in self.periods.values():
            told = table.path("floor") if "floor" in table else ("tariff", "floor", "percent")
            least = tariff.floor.percent if period.floor is None else period.floor
            if told in self.parts.report.errors:
                continue
            if period.peak and period.reserve is not None and period.reserve < least:
                expected = f"at least {least:g}, the floor that a peak leaves for an outage"
                cure = f"write {least:g}, or floor = {period.reserve:g} beside it if an outage may find so little"
                table.wrong("reserve", expected=expected, cure=cure)


def _year() -> list[date]:
    first = date(LEAP_YEAR, 1, 1).toordinal()
    return [date.fromordinal(first + number) for number in range(366)]


def _never_in_force(tariff: Tariff) -> set[str]:
    """Periods of which every hour is one of a period before them, since the first in order counts.

    Tried at the edges of a day, since nothing changes between two; in every season, on holidays, and the day after.
    """
    seasons = {season_of(day, tariff.seasons) for day in _year()}.union(*(hours.seasons for hours in tariff.hours))
    off = {False, bool(tariff.holidays.country or tariff.holidays.dates)}
    days = [
        (DAYS if was_off else (day - 1) % WEEK, DAYS if is_off else day)
        for day, was_off, is_off in product(range(WEEK), off, off)
    ]
    edges = {0, *(minute % DAY_MIN for hours in tariff.hours for minute in (hours.start_min, hours.end_min))}
    there, first = set[str](), set[str]()
    for season, (before, today), minute in product(seasons, days, edges):
        mine = [hours for hours in tariff.hours if not hours.seasons or season in hours.seasons]
        counting = [hours.period for hours in mine if _counts(hours, before, today, minute)]
        there.update(counting)
        first.update(counting[:1])
    return there - first


def _counts(hours: Hours, before: int, today: int, minute: int) -> bool:
    """Whether these hours, or those that began on the day before, reach this minute of today."""
    begins, begun = (hours.holidays if day == DAYS else day in hours.weekdays for day in (today, before))
    if hours.end_min > hours.start_min:
        return begins and hours.start_min <= minute < hours.end_min
    return (begins and minute >= hours.start_min) or (begun and minute < hours.end_min)
