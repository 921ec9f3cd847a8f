"""The words of the climate rule: how far thermostats are eased as the battery falls, and precooling. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from pimgr.api import Frozen, Instant
from pimgr.units import Celsius, Percent


class Rung(Frozen):
    """At a charge of `charge` or below, set points move by `offset` K: warmer when cooling, cooler when heating."""

    charge: Percent
    offset: float


LADDER = (Rung(Percent(50.0), 2 / 1.8), Rung(Percent(35.0), 4 / 1.8), Rung(Percent(20.0), 8 / 1.8))


class Precool(Frozen, kw_only=True):
    """On peak days, from `at_s` after local midnight until the peak begins, cool to `cool`.

    `high`: where the forecast's high is at or above it; `below`: or where the charge is below it (None: not so).
    `seasons`: of peaks, or () for all.
    """

    cool: Celsius
    high: Celsius | None = None
    below: Percent | None = None
    at_s: float = 12 * 3600.0
    seasons: tuple[str, ...] = ()


class Climate(Frozen, kw_only=True):
    """`thermostats`: parts that may be eased; `ladder`: highest charge first; `seasons`: of peaks, or () for all.

    `in_peak`, `in_outage`: when the ladder counts. `warmest`, `coolest`: no set point is moved beyond.
    `min_off_s`: between two changes that could stop and start a compressor. `fahrenheit`: how people are told.
    """

    thermostats: tuple[str, ...] = ()
    ladder: tuple[Rung, ...] = LADDER
    seasons: tuple[str, ...] = ()
    in_peak: bool = True
    in_outage: bool = False
    cooling: bool = True
    heating: bool = False
    warmest: Celsius = Celsius(30.0)
    coolest: Celsius = Celsius(15.0)
    min_off_s: float = 300.0
    precool: Precool | None = None
    fahrenheit: bool = True


class ClimateState(Frozen, kw_only=True):
    """`rungs`: by episode, the rung reached, from 1: within one peak the ladder only rises. A precooling is a rung too.

    `moved`: by part, when its set points were last asked for.
    """

    rungs: Mapping[str, int] = {}
    moved: Mapping[str, Instant] = {}
