"""When the grid fails, and for how long: outages as customers in the United States have them.

Fixed before any policy was tuned against it; a change here makes every published figure incomparable.

* How often and how long on average: EIA, Electric Power Annual, table 11.1 (form EIA-861, IEEE method), mean of 2014 to
  2023. Without major events 1.047 interruptions a year of 115.4 min each; with them 1.355 a year and 349.6 min in all.
  So major events make 0.308 a year of 743 min each. Interruptions of up to five minutes are not counted there, and
  none is made here. https://www.eia.gov/electricity/annual/table.php?t=epa_11_01.html
* How they spread: lognormally. Sources: IEEE Std 1366-2012, annex B.6 (about a dozen utilities, all lognormal);
  Ahmad and Dobson, "Typical models of the distribution system restoration process", 2026, arXiv:2603.16841.
* How widely is published for utilities and events, not for one customer: the two sigmas are ours. Everyday outages are
  mostly within 20 min to 7 h; one in twenty major ones is longer than a day and a half.
* They come as a Poisson process, the same all through the year.
"""

from __future__ import annotations

import math
from random import Random

from pimgr.api import Frozen

YEAR_S = 365.25 * 86400.0
SHORTEST_S = 300.0


class Kind(Frozen, kw_only=True):
    """One kind of outage: how many a year, the mean length in s, and the sigma of the length's logarithm."""

    per_year: float
    mean_s: float
    sigma: float
    major: bool

    def length_s(self, random: Random) -> float:
        """One length. Its expectation is `mean_s`: that of a lognormal is exp(mu + sigma squared / 2)."""
        mu = math.log(self.mean_s - SHORTEST_S) - self.sigma**2 / 2.0
        return SHORTEST_S + random.lognormvariate(mu, self.sigma)


EVERYDAY = Kind(per_year=1.047, mean_s=115.4 * 60.0, sigma=1.0, major=False)
MAJOR = Kind(per_year=0.308, mean_s=743.0 * 60.0, sigma=1.2, major=True)
KINDS = (EVERYDAY, MAJOR)


class Outage(Frozen, kw_only=True):
    """The grid is away from `start` to before `end`, in s since the simulation began. `major`: a storm did it."""

    start: float
    end: float
    major: bool = False

    @property
    def length_s(self) -> float:
        return self.end - self.start


def within(span_s: float, seed: str, often: float = 1.0) -> tuple[Outage, ...]:
    """The outages of a stretch of time, oldest first; `often` times as many as published. Two that meet are one."""
    found: list[Outage] = []
    for kind in KINDS:
        random = Random(f"outages/{seed}/{kind.major}")  # noqa: S311 - no secret
        at = random.expovariate(1.0) * YEAR_S / (kind.per_year * often) if often > 0 else math.inf
        while at < span_s:
            found.append(Outage(start=at, end=at + kind.length_s(random), major=kind.major))
            at += random.expovariate(1.0) * YEAR_S / (kind.per_year * often)
    return joined(found)


def joined(outages: list[Outage]) -> tuple[Outage, ...]:
    """In order, with those that overlap as one."""
    result: list[Outage] = []
    for each in sorted(outages, key=lambda outage: outage.start):
        if result and each.start <= result[-1].end:
            last = result.pop()
            result.append(Outage(start=last.start, end=max(last.end, each.end), major=last.major or each.major))
        else:
            result.append(each)
    return tuple(result)


def one(random: Random) -> Outage:
    """One outage as any customer may have it next, beginning at 0."""
    both = sum(kind.per_year for kind in KINDS)
    kind = EVERYDAY if random.random() * both < EVERYDAY.per_year else MAJOR
    return Outage(start=0.0, end=kind.length_s(random), major=kind.major)
