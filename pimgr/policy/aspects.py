"""What of a part is found and wanted: one value an aspect. Data only."""

from __future__ import annotations

from enum import StrEnum

from pimgr.api import Frozen, SiteMode
from pimgr.units import Celsius, Percent


class Aspect(StrEnum):
    """What of a part is wanted."""

    SWITCH = "switch"
    HOST_POWER = "host power"
    LEVEL = "level"
    HOLD = "hold"
    MODE = "mode"
    RESERVE = "reserve"
    GRID_CHARGING = "grid charging"


class Switch(Frozen, tag="switch"):
    """A load on or off."""

    on: bool


class HostPower(Frozen, tag="host"):
    """A host up (in which boot) or down."""

    up: bool
    boot_id: str | None = None


class Level(Frozen, tag="level"):
    """A graded load, in its own unit (A for a charger); 0 is off."""

    level: float


class SetPoints(Frozen, tag="set points"):
    """A thermostat's set points, held `until` (UTC in s), `permanent`, or neither: by the owner's own schedule.

    As a wish, a side that is None stays as it is.
    """

    heat: Celsius | None = None
    cool: Celsius | None = None
    until: float | None = None
    permanent: bool = False

    @property
    def scheduled(self) -> bool:
        """Whether the owner's own schedule is in force."""
        return self.until is None and not self.permanent


Value = Switch | HostPower | Level | SetPoints
"""What was found, what is wanted: a tagged union, one member an aspect."""


class Reserve(Frozen, tag="reserve"):
    """What the battery keeps back for an outage."""

    percent: Percent


class Mode(Frozen, tag="mode"):
    """How the site is operated."""

    mode: SiteMode


class GridCharging(Frozen, tag="grid charging"):
    """Whether the battery may charge from the grid."""

    allowed: bool


Setting = Mode | Reserve | GridCharging
"""What may be wanted of the site. It is kept, never claimed: nothing is owed back."""
Wish = Switch | HostPower | Level | SetPoints | Mode | Reserve | GridCharging
"""What a request may ask for."""
