"""The words of the tariff: seasons, periods and their hours, holidays, and what the battery keeps for an outage."""

from __future__ import annotations

from pimgr.api import Frozen, SiteMode
from pimgr.units import Percent


class Period(Frozen, kw_only=True):
    """One price of the tariff, and how the site stands while it is in force; None: that is left as it is.

    `floor`: this period's own floor; None: the tariff's. `price`: a kWh bought, in the owner's currency.
    """

    name: str
    peak: bool = False
    reserve: Percent | None = None
    mode: SiteMode | None = None
    grid_charging: bool | None = None
    floor: Percent | None = None
    price: float | None = None


class Season(Frozen, kw_only=True):
    """Days of the year from `first` to `last`, both included, as "05-01"; it may run across the new year."""

    name: str
    first: str
    last: str


class Hours(Frozen, kw_only=True):
    """When a period is in force: minutes after local midnight, `end` before `start` for a night.

    `weekdays`: 0 is Monday; the day on which it begins counts. `seasons`: names, or () for the whole year.
    `holidays`: on a holiday these hours count, whatever its weekday; other hours never count on one.
    """

    period: str
    start_min: int
    end_min: int
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    seasons: tuple[str, ...] = ()
    holidays: bool = False


class Holidays(Frozen, kw_only=True):
    """Days on which only those hours count that say so. `dates`: "12-24" or whole.

    `names`: how those of the country's holidays begin that count, or () for all.
    `country` and `subdivision` as ISO 3166 has them, such as "US" and "CA"; "" for none but `dates`.
    """

    country: str = ""
    subdivision: str = ""
    names: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()


class Schedule(Frozen, kw_only=True):
    """The window that was entered last, so that each is told once; "" for none."""

    window: str = ""
    period: str = ""


class Floor(Frozen, kw_only=True):
    """What a peak leaves in the battery for an outage, and what raises it.

    `storm`: while the vendor's storm watch is active; `gust`: gusts of `gust_m_s` or more within `gust_ahead_s`;
    `after_outage` points more within `after_outage_s` of an outage. The highest counts, at most 80 or 100.
    """

    percent: Percent = Percent(20.0)
    storm: Percent = Percent(80.0)
    gust: Percent = Percent(60.0)
    gust_m_s: float = 75.0 / 3.6
    gust_ahead_s: float = 24 * 3600.0
    after_outage: Percent = Percent(10.0)
    after_outage_s: float = 7 * 86400.0


class Tariff(Frozen, kw_only=True):
    """`periods`: the first that is in force counts; `default`: the one whenever no other is.

    `lead_s`: a peak is entered so early; `exit_s`: and left so late.
    """

    periods: tuple[Period, ...]
    default: str
    seasons: tuple[Season, ...] = ()
    hours: tuple[Hours, ...] = ()
    holidays: Holidays = Holidays()
    lead_s: float = 600.0
    exit_s: float = 0.0
    floor: Floor = Floor()

    def period(self, name: str) -> Period:
        """The period of this name. Raises KeyError."""
        for period in self.periods:
            if period.name == name:
                return period
        raise KeyError(name)
