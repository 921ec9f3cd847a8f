"""What of a part is found and wanted: one value an aspect. Data only."""

from __future__ import annotations

from enum import StrEnum

from pimgr.api import Frozen


class Aspect(StrEnum):
    """What of a part is wanted."""

    SWITCH = "switch"
    HOST_POWER = "host power"
    LEVEL = "level"


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


Value = Switch | HostPower | Level
"""What was found, what is wanted: a tagged union, one member an aspect."""
