"""What is read of a part, by its capability: which method, which reading."""

from __future__ import annotations

from pimgr.api import (
    Capability,
    ForecastReading,
    GridReading,
    HostReading,
    LevelReading,
    LoadReading,
    Reading,
    SiteReading,
    ThermostatReading,
)

READ = {
    Capability.GRID_SOURCE: "read_grid",
    Capability.SITE_METER: "read_site",
    Capability.LOAD: "read_load",
    Capability.GRADED_LOAD: "read_level",
    Capability.HOST: "read_host",
    Capability.THERMOSTAT: "read_thermostat",
    Capability.FORECAST: "read_forecast",
}
READING: dict[Capability, type[Reading]] = {
    Capability.GRID_SOURCE: GridReading,
    Capability.SITE_METER: SiteReading,
    Capability.LOAD: LoadReading,
    Capability.GRADED_LOAD: LevelReading,
    Capability.HOST: HostReading,
    Capability.THERMOSTAT: ThermostatReading,
    Capability.FORECAST: ForecastReading,
}


def readable(can: frozenset[Capability]) -> list[Capability]:
    """What is read of a part. One that can be graded is not read as a switch too: it has one state."""
    return sorted(c for c in can if c in READ and not (c is Capability.LOAD and Capability.GRADED_LOAD in can))
