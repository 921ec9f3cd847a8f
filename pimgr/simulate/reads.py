"""What the simulated box reads of the house: grid, meters, parts and forecast, as its board would have them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pimgr.api import (
    ForecastDay,
    ForecastHour,
    ForecastReading,
    Grid,
    GridReading,
    HostReading,
    Instant,
    SiteReading,
)
from pimgr.policy.model import PartReading, PartView, Phase
from pimgr.simulate.devices import Host
from pimgr.simulate.engine import Run
from pimgr.simulate.plant import Plant
from pimgr.units import Percent, WattHours, Watts

HOUR_S = 3600.0
POLL_S = 2.0
SETTLING_S = 20.0


@dataclass(kw_only=True)
class Reads:
    """`gateway`: "answers", "silent" or "unknown"; `cloud`: whether site settings and thermostats can be reached."""

    gateway: str = "answers"
    cloud: bool = True
    parts: dict[str, PartView] = field(default_factory=dict)
    grid_read_t: float = -math.inf
    changed: tuple[float, bool] = (-math.inf, True)
    """When the grid last came or went, and how it was before."""
    told: tuple[int, tuple[ForecastHour, ...], tuple[ForecastDay, ...]] = (-1, (), ())
    """The forecast, and in which hour it was read."""

    def forget(self, plant: Plant) -> None:
        """pimgr starts: nothing was read yet, and what happened meanwhile was not seen."""
        self.parts, self.grid_read_t = {}, -math.inf
        for device in plant.devices.values():
            device.miss()

    def grid(self, plant: Plant, at: Instant, phase: Phase) -> tuple[GridReading, ...]:
        """The polls since the last decision, where continuity counts; else the present."""
        since, self.grid_read_t = self.grid_read_t, plant.t
        if self.gateway == "silent":
            return ()
        times = [plant.t]
        if phase in (Phase.SUSPECT, Phase.SETTLING) and plant.t - since <= SETTLING_S + POLL_S:
            count = math.ceil((plant.t - since) / POLL_S) - 1
            times = [since + POLL_S * n for n in range(1, count + 1)] + times
        told = [(_earlier(at, plant.t - t), self._told(plant, t)) for t in times]
        return tuple(GridReading(at=i, source=plant.world.home.gateway, grid=g, raw=g.value) for i, g in told)

    def _told(self, plant: Plant, t: float) -> Grid:
        if self.gateway == "unknown":
            return Grid.UNKNOWN
        return Grid.UP if (self.changed[1] if t < self.changed[0] else plant.grid_up) else Grid.DOWN

    def site(self, plant: Plant, at: Instant) -> SiteReading | None:
        """What the gateway tells of the site, and the cloud of its settings."""
        if self.gateway == "silent":
            return None
        flows = plant.flows()
        settings = plant.settings
        return SiteReading(
            at=at,
            source=plant.world.home.gateway,
            grid_w=flows.grid_w,
            battery_w=flows.battery_w,
            solar_w=flows.solar_w if plant.grid_up else Watts(0.0 if plant.dark else plant.sun_w),
            load_w=flows.load_w,
            charge=plant.charge,
            capacity_wh=WattHours(plant.battery.capacity_wh),
            reserve=Percent(settings.reserve) if self.cloud else None,
            mode=settings.mode if self.cloud else None,
            grid_charging=settings.grid_charging if self.cloud else None,
            storm_watch=False if self.cloud else None,
            storm=False if self.cloud else None,
        )

    def forecast(self, run: Run, at: Instant) -> ForecastReading | None:
        """Read once an hour."""
        plant = run.plant
        if not self.cloud or not plant.world.home.forecast:
            return None
        hour = int(plant.t / HOUR_S)
        if self.told[0] != hour:
            calendar, weather = run.calendar(plant.wall), plant.world.weather
            days = tuple((day.date, day.start, day.end) for day in calendar.days) if calendar else ()
            self.told = (hour, weather.forecast(plant.t), weather.days(plant.t, days))
        return ForecastReading(at=at, source="forecast", hours=self.told[1], days=self.told[2])

    def look(self, plant: Plant, at: Instant) -> None:
        """Read every part."""
        for part, device in plant.devices.items():
            if not plant.answers(part):
                device.miss()
                self._miss(part, at, isinstance(device, Host))
                continue
            device.read()
            self._see(part, device.reading(at, plant.power_w(part)), at)
        for part, room in plant.rooms.items():
            if self.cloud and plant.answers(part):
                self._see(part, room.reading(at), at)
            else:
                self._miss(part, at, False)

    def _see(self, part: str, reading: PartReading, at: Instant) -> None:
        old = self.parts.get(part)
        steady = old.steady_since if old is not None and old.steady_since is not None else at
        boot = getattr(reading, "boot_id", None) or (old.last_boot if old is not None else None)
        self.parts[part] = PartView(reading=reading, last_boot=boot, steady_since=steady)

    def _miss(self, part: str, at: Instant, host: bool) -> None:
        """No answer. Of a machine that is a reading."""
        if host:
            self._see(part, HostReading(at=at, source=part, up=False), at)
            return
        old = self.parts.get(part)
        self.parts[part] = PartView(reading=old.reading if old is not None else None, fault="no answer")


def _earlier(at: Instant, seconds: float) -> Instant:
    return Instant(at.mono_s - seconds, at.wall - seconds, at.boot) if seconds else at
