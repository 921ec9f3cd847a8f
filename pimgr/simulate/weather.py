"""A year's weather from a seed, hour by hour, and the forecast of it, which is wrong as forecasts are.

Temperature is a season, a day, and what is left over: an autoregressive process of first order, as in Richardson's
generator (Water Resources Research 17 (1), 1981: residuals of successive days correlate by 0.6 to 0.7). Cloud is
another one, bent into 0 to 1. The sun comes from `pimgr.simulate.sun`. The figures are those of Sacramento, California
(NOAA normals 1991 to 2020, rounded); a scenario may have others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from pimgr.api import ForecastDay, ForecastHour, Frozen
from pimgr.simulate.outages import Outage
from pimgr.simulate.sun import DAY_S, YEAR_DAYS, clear_sky, day_of_year, sin_elevation, solar_hour, through_clouds
from pimgr.units import Celsius, Percent

HOUR_S = 3600.0
MEMORY = 0.985
"""Of the temperature's residual from one hour to the next: 0.7 from day to day."""
CLOUD_MEMORY = 0.95
GUST_MEMORY = 0.9
STORM_BEFORE_S, STORM_AFTER_S = 6 * HOUR_S, 3 * HOUR_S
FORESEEN = 0.85
"""Share of storms that the forecast has a day before."""
CALM = 12.0
"""What a forecast tells where it has missed a storm, in m/s."""
ISSUED_S = 3 * HOUR_S
FALSE_ALARMS = 3.0
"""Storms a year that take no line down."""


class Climate(Frozen, kw_only=True):
    """Where and how: degrees north and east; C; half of what separates the seasons, and day from night.

    `winter_cloud`, `summer_cloud`: usual cover, 0 to 1. `sun`: times the irradiance, for a darker or brighter year.
    """

    latitude: float = 38.58
    longitude: float = -121.49
    mean: float = 17.0
    season: float = 8.2
    winter_swing: float = 4.5
    summer_swing: float = 8.5
    residual: float = 2.8
    winter_cloud: float = 0.55
    summer_cloud: float = 0.12
    sun: float = 1.0


class Storm(Frozen):
    """Gusts of `gust_m_s` from `start` to `end`, in s since the simulation began."""

    start: float
    end: float
    gust_m_s: float
    foreseen: bool


class Hour(Frozen):
    """The truth of one hour: C, cover from 0 to 1, W/m2 on level ground, m/s."""

    temperature: float
    cloud: float
    irradiance: float
    gust: float


class Weather:
    """`hours`: from the simulation's beginning (UTC in s, at a full hour) to a little after its end."""

    def __init__(
        self, climate: Climate, begin: float, span_s: float, seed: str, outages: Sequence[Outage] = ()
    ) -> None:
        self.climate, self.begin, self.seed = climate, begin, seed
        self.storms = _storms(span_s, seed, outages)
        count = int(span_s / HOUR_S) + 4 * 24
        middles = [begin + (n + 0.5) * HOUR_S for n in range(count)]
        self.usual = [_usual_cloud(climate, wall) for wall in middles]
        self.clear = [clear_sky(_sine(climate, wall)) * climate.sun for wall in middles]
        self.hours = _hours(self, middles)
        self._told: tuple[int, tuple[ForecastHour, ...]] = (-1, ())

    def at(self, t: float) -> Hour:
        """The weather `t` s after the beginning."""
        return self.hours[min(max(0, int(t / HOUR_S)), len(self.hours) - 1)]

    def forecast(self, t: float) -> tuple[ForecastHour, ...]:
        """The next 48 hours, as foretold lately: the further away, the more they are wrong."""
        issued = int(t / ISSUED_S)
        if self._told[0] != issued:
            self._told = (issued, self._foretell(int(issued * ISSUED_S / HOUR_S)))
        return self._told[1]

    def _foretell(self, first: int) -> tuple[ForecastHour, ...]:
        random = Random(f"forecast/{self.seed}/{first}")  # noqa: S311 - no secret
        wrong, cloudy = random.gauss(0.0, 1.0), random.gauss(0.0, 1.0)
        told = []
        for lead, hour in enumerate(self.hours[first : first + 48]):
            n, t = first + lead, (first + lead) * HOUR_S
            known = math.exp(-lead / 36.0)
            cloud = known * hour.cloud + (1.0 - known) * (self.usual[n] + 0.15 * cloudy)
            cloud = min(1.0, max(0.0, cloud))
            told.append(
                ForecastHour(
                    start=self.begin + t,
                    temperature=Celsius(hour.temperature + wrong * (0.5 + 0.04 * lead)),
                    cloud=Percent(100.0 * cloud),
                    solar_w_m2=through_clouds(self.clear[n], cloud),
                    gust_m_s=hour.gust if hour.gust < CALM or self._is_foreseen(t) else CALM,
                )
            )
        return tuple(told)

    def _is_foreseen(self, t: float) -> bool:
        return all(storm.foreseen for storm in self.storms if storm.start <= t < storm.end)

    def days(self, t: float, dates: Sequence[tuple[str, float, float]]) -> tuple[ForecastDay, ...]:
        """The highs of these days (date, and its ends in UTC s), from the same forecast."""
        result = []
        for date, start, end in dates:
            first, last = (int((edge - self.begin) / HOUR_S) for edge in (start, end))
            seen = [hour.temperature for hour in self.hours[max(0, first) : max(0, min(last, int(t / HOUR_S)))]]
            told = [hour.temperature for hour in self.forecast(t) if start <= hour.start < end]
            if told or seen:
                result.append(ForecastDay(date, Celsius(max([*seen, *told]))))
        return tuple(result)


def _hours(weather: Weather, middles: Sequence[float]) -> list[Hour]:
    climate, random = weather.climate, Random(f"weather/{weather.seed}")  # noqa: S311 - no secret
    warm, covered, windy = (random.gauss(0.0, 1.0) for _ in range(3))
    hours = []
    for n, wall in enumerate(middles):
        warm = MEMORY * warm + math.sqrt(1.0 - MEMORY**2) * random.gauss(0.0, 1.0)
        covered = CLOUD_MEMORY * covered + math.sqrt(1.0 - CLOUD_MEMORY**2) * random.gauss(0.0, 1.0)
        windy = GUST_MEMORY * windy + math.sqrt(1.0 - GUST_MEMORY**2) * random.gauss(0.0, 1.0)
        usual = weather.usual[n]
        cloud = 1.0 / (1.0 + math.exp(-2.2 * covered - math.log(usual / (1.0 - usual))))
        swing = _between(climate, wall, climate.winter_swing, climate.summer_swing) * (1.1 - 0.5 * cloud)
        by_day = math.cos(2.0 * math.pi * (solar_hour(wall, climate.longitude) - 16.0) / 24.0)
        temperature = climate.mean + climate.season * _summer(climate, wall) + swing * by_day + climate.residual * warm
        storm = max((s.gust_m_s for s in weather.storms if s.start <= n * HOUR_S < s.end), default=0.0)
        gust = max(math.exp(1.6 + 0.45 * windy), storm)
        hours.append(Hour(temperature, cloud, through_clouds(weather.clear[n], cloud), gust))
    return hours


def _sine(climate: Climate, wall: float) -> float:
    return sin_elevation(wall, climate.latitude, climate.longitude)


def _summer(climate: Climate, wall: float) -> float:
    """1 on the hottest day, a month after the longest, -1 half a year later; the other way round in the south."""
    hottest = 201.0 if climate.latitude >= 0.0 else 201.0 - YEAR_DAYS / 2.0
    return math.cos(2.0 * math.pi * (day_of_year(wall) - hottest) / YEAR_DAYS)


def _between(climate: Climate, wall: float, winter: float, summer: float) -> float:
    share = (1.0 + _summer(climate, wall)) / 2.0
    return winter + share * (summer - winter)


def _usual_cloud(climate: Climate, wall: float) -> float:
    return _between(climate, wall, climate.winter_cloud, climate.summer_cloud)


def _storms(span_s: float, seed: str, outages: Sequence[Outage]) -> tuple[Storm, ...]:
    """Those that take lines down, and those that only blow."""
    random = Random(f"storms/{seed}")  # noqa: S311 - no secret
    found = [
        Storm(o.start - STORM_BEFORE_S, o.start + STORM_AFTER_S, random.uniform(21.0, 33.0), random.random() < FORESEEN)
        for o in outages
        if o.major
    ]
    at = random.expovariate(1.0) * YEAR_DAYS * DAY_S / FALSE_ALARMS
    while at < span_s:
        found.append(Storm(at, at + 9 * HOUR_S, random.uniform(21.0, 28.0), foreseen=True))
        at += random.expovariate(1.0) * YEAR_DAYS * DAY_S / FALSE_ALARMS
    return tuple(sorted(found, key=lambda storm: storm.start))
