"""The words of what is told: what was mailed, what was done since the last report, and what the meters counted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pimgr.api import Frozen, Instant
from pimgr.policy.battery.settings import Span
from pimgr.units import Percent, WattHours, Watts


class Reports(Frozen, kw_only=True):
    """What is mailed without being asked for. `report_at_s`: on days without a peak, seconds after local midnight.

    `after_peak_s`: the day's report goes so long after its last peak was left. `import_w`: buying more than this in a
    peak is told. `battery_low`: charges at which an outage's emptying battery is told. `drill_weekday`: 0 is Monday;
    None for no weekly drill, `drill_at_s` after local midnight.
    """

    daily: bool = False
    report_at_s: float = 20 * 3600.0
    after_peak_s: float = 120.0
    import_w: Watts = Watts(500.0)
    battery_low: tuple[Percent, ...] = (Percent(15.0), Percent(5.0))
    drill_weekday: int | None = None
    drill_at_s: float = 10 * 3600.0


class Drill(Frozen, tag="drill"):
    """A person wants to be told what would go off if the grid failed now."""


class Flow(StrEnum):
    """Ways that energy takes through the house. `peak`: bought in a peak, and so counted as `bought` too."""

    USED = "used"
    SUN = "sun"
    BOUGHT = "bought"
    SOLD = "sold"
    STORED = "stored"
    DRAWN = "drawn"
    PEAK = "peak"


class Counted(Frozen):
    """Energy in Wh, and for how many seconds a meter told of it."""

    wh: WattHours = WattHours(0.0)
    for_s: float = 0.0


class Tally(Frozen, kw_only=True):
    """What was counted since `since`, up to the reading of `last`, whose powers (W, all >= 0) are in `powers`."""

    since: Instant | None = None
    last: Instant | None = None
    powers: Mapping[Flow, Watts] = {}
    flows: Mapping[Flow, Counted] = {}
    counted_s: float = 0.0


class Metering(Frozen, kw_only=True):
    """What may be lost in a crash up to the last copy. `buying`: since when too much is bought in this peak."""

    tally: Tally = Tally()
    buying: Span | None = None


class Deed(Frozen):
    """Something that happened, for the day's report: "off" to `parts`. `wall`: None while nobody trusted the clock."""

    wall: float | None
    said: str
    parts: tuple[str, ...] = ()


class Wave(Frozen, kw_only=True):
    """Loads that go off together in the outage `episode`: told once they are, or `since` was too long ago."""

    episode: str
    parts: tuple[str, ...]
    since: Instant
    first: bool = False
    told: bool = False


class Giving(Frozen, kw_only=True):
    """What an outage took is given back. `left`: parts that weren't, and why. `told`: of those that don't answer."""

    episode: str
    owed: tuple[str, ...] = ()
    left: Mapping[str, str] = {}
    told: bool = False


class ReportState(Frozen, kw_only=True):
    """What was told, so that it is told once. `reported`, `drilled`: numbers of local days, 0 for none yet.

    `metered`: when the metering was last written down for its own sake. `drilling`: a drill waits for readings since
    then. `peak_told`: id of the last peak in which too much was bought. `low_told`: lowest charge told in this outage.
    `unlisted`: deeds that were too many to keep.
    """

    reported: int = 0
    drilled: int = 0
    drilling: Instant | None = None
    metered: Instant | None = None
    peak_told: str = ""
    low_told: Percent | None = None
    wave: Wave | None = None
    giving: Giving | None = None
    deeds: tuple[Deed, ...] = ()
    unlisted: int = 0
