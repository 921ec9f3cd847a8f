"""When things in a house run: the share of their power that they draw in an hour, by local hour, weekday and season.

Rough habits of a family in California, each with its share of chance: what matters is that loads differ in when and how
much they draw. Shares of a day are in line with the end uses of EIA's Residential Energy Consumption Survey (2020).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from random import Random

from pimgr.api import Frozen
from pimgr.local_time import local

HOUR_S = 3600.0
SUMMER_MONTHS = range(5, 11)


class LocalHour(Frozen):
    """`weekday`: 0 is Monday; `chance`: 0 to 1, of this thing on this day; `luck`: of this hour."""

    hour: int
    weekday: int
    month: int
    chance: float
    luck: float


def _hours(*ranges: tuple[int, int]) -> frozenset[int]:
    """Hours of the day; a range may run across midnight."""
    return frozenset(h % 24 for first, last in ranges for h in range(first, last if last > first else last + 24))


def _in(hours: frozenset[int], share: float = 1.0, days: float = 1.0) -> Callable[[LocalHour], float]:
    """`share` of its power within these hours, on `days` (0 to 1) of all days."""
    return lambda at: share * (0.7 + 0.6 * at.luck) if at.hour in hours and at.chance < days else 0.0


def _pool(at: LocalHour) -> float:
    summer = at.month in SUMMER_MONTHS
    return 1.0 if at.hour in (range(9, 17) if summer else range(10, 13)) else 0.0


def _water(at: LocalHour) -> float:
    return 0.35 * (0.5 + at.luck) if at.hour in (6, 7, 8, 19, 20, 21) else 0.04


def _garden(at: LocalHour) -> float:
    return 1.0 if at.hour == 5 and at.month in SUMMER_MONTHS else 0.0


def _cold(at: LocalHour) -> float:
    return 0.5 * at.luck if at.month not in SUMMER_MONTHS and at.hour in _COLD else 0.0


_COLD = _hours((6, 9), (18, 23))

USES: Mapping[str, Callable[[LocalHour], float]] = {
    "always": lambda at: 1.0,
    "fridge": lambda at: 0.25 + 0.2 * at.luck,
    "evening": _in(_hours((17, 23))),
    "day": _in(_hours((8, 18))),
    "night": _in(_hours((18, 6)), 0.75),
    "kitchen": _in(_hours((7, 8), (12, 13), (18, 20)), 0.4),
    "laundry": _in(_hours((10, 12), (19, 21)), 0.6, days=0.35),
    "office": lambda at: 0.8 if at.weekday < 5 and 8 <= at.hour < 18 else 0.1,
    "car": _in(_hours((19, 23)), 0.77, days=0.7),
    "car at night": _in(_hours((0, 4)), 0.77, days=0.7),
    "pool": _pool,
    "water": _water,
    "garden": _garden,
    "cold": _cold,
}
"""What `use` may be in a house's config: "water" is a water heater, "cold" an electric heater, "garden" irrigation."""


def base(at: LocalHour) -> float:
    """The load that no plug switches, as a share of its mean: lights, standby, cooking."""
    shape = 0.55 if at.hour < 6 else 1.0 if at.hour < 17 else 1.6 if at.hour < 22 else 1.0
    return shape * (0.8 + 0.4 * at.luck)


def usual_share(use: str) -> float:
    """Its mean over the hours of a week in spring and one in autumn: what it draws when nobody knows the hour."""
    hours = [(h, d, m) for m in (4, 10) for d in range(7) for h in range(24)]
    return sum(USES[use](LocalHour(h, d, m, 0.0, 0.5)) for h, d, m in hours) / len(hours)


class Clock:
    """Local hours of a simulation that begins at `begin` (UTC in s, a full hour)."""

    def __init__(self, begin: float, hours: int, zone: tzinfo) -> None:
        self.local = [local(begin + n * HOUR_S, zone) for n in range(hours)]

    def table(self, use: Callable[[LocalHour], float], seed: str) -> Sequence[float]:
        """The share of its power that something draws, hour by hour."""
        random, shares, day, chance = Random(seed), [], -1, 0.0  # noqa: S311 - no secret
        for at in self.local:
            if at.day != day:
                day, chance = at.day, random.random()
            shares.append(use(LocalHour(at.hour, at.weekday(), at.month, chance, random.random())))
        return shares
