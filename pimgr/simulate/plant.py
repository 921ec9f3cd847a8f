"""The house: what draws, what the sun gives, what the battery does. Everything is constant between two changes.

Energy flows by `pimgr.house.physics`. Beyond that:

* A house without power is dark: nothing in it answers, machines fall over, and start again when it is light. The box
  itself, the gateway and the network hang on a small uninterruptible supply, and go on.
* Asked for more than its power while islanded, the battery bears up to `surge` times that for ten seconds; then it
  trips, and tries again every five minutes. Source: Tesla, Powerwall 2 datasheet and owner's manual.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import tzinfo

from pimgr.api import SiteMode
from pimgr.config.fields import YIELD
from pimgr.house.physics import HOUR_S, Battery, Demand, Energy, Flows, charge_of, flows, step
from pimgr.policy.aspects import Aspect, GridCharging, Mode, Reserve, Wish
from pimgr.simulate.devices import Charger, Device, Host, Plug
from pimgr.simulate.home import Home
from pimgr.simulate.rooms import Room
from pimgr.simulate.uses import USES, Clock, base
from pimgr.simulate.weather import Weather
from pimgr.units import Percent, WattHours

GRACE_S = 10.0
RETRY_S = 300.0


@dataclass(kw_only=True)
class Settings:
    """What the battery is told."""

    reserve: float = 20.0
    mode: SiteMode = SiteMode.SELF_CONSUMPTION
    grid_charging: bool = False


@dataclass(kw_only=True)
class Tally:
    """What is counted while time goes by: s, W s turned into Wh, by tariff period where it matters."""

    dark_s: float = 0.0
    outage_s: float = 0.0
    off_s: dict[str, float] = field(default_factory=dict)
    bought_wh: dict[str, float] = field(default_factory=dict)


class World:
    """What is the same for every policy: weather, habits, and when the hours begin. `begin`: UTC in s."""

    def __init__(self, home: Home, weather: Weather, zone: tzinfo, seed: str) -> None:
        self.home, self.weather, self.zone = home, weather, zone
        hours = len(weather.hours)
        clock = Clock(weather.begin, hours, zone)
        self.duty = {a.part: clock.table(USES[a.use], f"use/{seed}/{a.part}") for a in home.appliances}
        self.base_w = [home.site.base_w * share for share in clock.table(base, f"base/{seed}")]
        self.sun_w = [home.site.solar_w * YIELD * hour.irradiance for hour in weather.hours]


class Plant:
    """One house in one history. `t`: s since the beginning. `period`: the tariff's, by which what is bought counts."""

    def __init__(self, world: World, capacity_wh: float, charge: float = 80.0, t: float = 0.0) -> None:
        self.world, self.t, self.hour = world, t, int(t / HOUR_S)
        site = world.home.site
        self.battery = Battery(capacity_wh=capacity_wh, power_w=site.power_w)
        self.energy = Energy(WattHours(capacity_wh * charge / 100.0))
        self.settings, self.tally = Settings(), Tally()
        self.devices: dict[str, Device] = {a.part: _device(world, a.part) for a in world.home.appliances}
        self.hosts = [d for d in self.devices.values() if isinstance(d, Host)]
        self.rooms = {
            name: Room(name=name, watts=t.watts, feeder=t.feeder, own_cool=t.cool, own_heat=t.heat)
            for name, t in world.home.thermostats.items()
        }
        self._fed: dict[str, list[Room]] = {}
        for room in self.rooms.values():
            self._fed.setdefault(room.feeder, []).append(room)
        self.grid_up, self.dark, self.period = True, False, ""
        self.over_since: float | None = None
        self.tripped_until: float | None = None
        self.shed: set[str] = set()
        self.load_w = 0.0
        self.moved = False
        """Something was asked of it since it settled."""
        self.settle()

    # ----------------------------------------------------------------------------------------------------- what is

    @property
    def wall(self) -> float:
        """The true time, UTC in s."""
        return self.world.weather.begin + self.t

    @property
    def charge(self) -> Percent:
        return charge_of(self.energy.stored_wh, self.battery)

    @property
    def sun_w(self) -> float:
        return self.world.sun_w[self.hour]

    def flows(self) -> Flows:
        """Power now."""
        if self.dark:
            return flows(0.0, self.battery, Demand(1.0, 0.0, connected=False))
        return flows(self.energy.stored_wh, self._bearing(), self._demand())

    def power_w(self, part: str) -> float:
        """What a part draws now, with the heat pump behind it, in W."""
        if self.dark:
            return 0.0
        own_w = self.devices[part].draws_w(self.hour)
        return own_w + sum(room.draws_w for room in self._fed[part]) if part in self._fed else own_w

    def _demand(self) -> Demand:
        kept = self.settings.reserve / 100.0 * self.battery.capacity_wh
        if self.settings.mode is SiteMode.BACKUP:
            kept = self.battery.capacity_wh
        carries = self.settings.mode is not SiteMode.BACKUP
        return Demand(
            self.load_w,
            self.sun_w,
            self.grid_up,
            floor_wh=kept if carries else math.inf,
            fill_wh=kept if self.settings.grid_charging else 0.0,
        )

    def _bearing(self) -> Battery:
        """The battery, with what it bears for some seconds."""
        if self.over_since is None:
            return self.battery
        return Battery(capacity_wh=self.battery.capacity_wh, power_w=max(self.battery.power_w, self.load_w))

    # ------------------------------------------------------------------------------------------------ time goes by

    def next_change(self) -> float:
        """When something changes by itself, at the latest."""
        t = self.t
        times = [(self.hour + 1) * HOUR_S]
        times += [host.due for host in self.hosts if host.due is not None]
        times += [t + max(0.001, room.change_s()) for room in self.rooms.values()]
        times += [t + room.until - self.wall for room in self.rooms.values() if room.until is not None]
        if self.over_since is not None:
            times.append(self.over_since + GRACE_S)
        if self.tripped_until is not None:
            times.append(self.tripped_until)
        power_w = 0.0 if self.dark or self.grid_up else self.flows().battery_w
        if power_w > 0.0:
            times.append(t + self.energy.stored_wh / power_w * HOUR_S)
        return max(t, min(times))

    def flow(self, until: float) -> None:
        """So much time goes by, with nothing changing."""
        seconds = until - self.t
        if seconds <= 0.0:
            return
        tally = self.tally
        if not self.dark:
            bought = self.energy.meters.imported_wh
            self.energy = step(self.energy, self._bearing(), self._demand(), seconds)
            bought = self.energy.meters.imported_wh - bought
            if bought > 0.0:
                tally.bought_wh[self.period] = tally.bought_wh.get(self.period, 0.0) + bought
        else:
            tally.dark_s += seconds
        tally.outage_s += 0.0 if self.grid_up else seconds
        for part in self.shed:
            tally.off_s[part] = tally.off_s.get(part, 0.0) + seconds
        for room in self.rooms.values():
            room.flow(seconds)
        self.t = until
        if self.energy.stored_wh < 1e-6 * self.battery.capacity_wh and not self.grid_up:
            self.energy = Energy(WattHours(0.0), self.energy.meters)  # what rounding leaves of an empty battery

    def settle(self) -> bool:
        """Everything follows from what changed just now. Tells whether that is more than a heat pump's own cycle."""
        news, self.moved = self._hours_pass(), False
        for host in self.hosts:
            news |= host.live(self.t)
        for room in self.rooms.values():
            news |= room.expire(self.wall)
        was = self.dark
        self._sum()
        self.dark = self._is_dark()
        if self.dark is not was:
            for host in self.hosts:
                if self.dark:
                    host.lose_power()
                else:
                    host.get_power(self.t)
            self._sum()
        return news or self.dark is not was

    def _hours_pass(self) -> bool:
        hour = min(int((self.t + 1e-6) / HOUR_S), len(self.world.sun_w) - 1)
        news, self.hour = hour != self.hour, hour
        return news

    def _sum(self) -> None:
        """What is asked for: in the dark, what will be asked for when there is light."""
        outdoor = self.world.weather.hours[self.hour].temperature
        for room in self.rooms.values():
            fed = room.feeder not in self.devices or self.devices[room.feeder].on
            room.settle(outdoor, fed and not self.dark)
        self.shed = {device.name for device in self.devices.values() if device.owed and not device.on}
        load = self.world.base_w[self.hour] + sum(room.draws_w for room in self.rooms.values())
        self.load_w = load + sum(device.draws_w(self.hour) for device in self.devices.values())

    def _is_dark(self) -> bool:
        if self.grid_up:
            self.over_since = self.tripped_until = None
            return False
        need_w = self.load_w - self.sun_w
        if need_w > 0.0 and self.energy.stored_wh <= 0.0:
            self.over_since = self.tripped_until = None
            return True
        return self._is_tripped(need_w)

    def _is_tripped(self, need_w: float) -> bool:
        """Whether the battery gave up on a load that is too large for it, and hasn't tried again yet."""
        retries = self.tripped_until is not None and self.t >= self.tripped_until
        if self.tripped_until is not None and not retries:
            return True
        self.tripped_until = None
        if need_w <= self.battery.power_w:
            self.over_since = None
            return False
        if self.over_since is None:
            self.over_since = self.t
        borne = retries or need_w <= self.battery.power_w * self.world.home.site.surge
        if borne and self.t < self.over_since + GRACE_S - 1e-6:
            return False
        self.over_since, self.tripped_until = None, self.t + RETRY_S
        return True

    # --------------------------------------------------------------------------------------------------- requests

    def answers(self, part: str) -> bool:
        """Whether a part can be reached now."""
        if part in self.rooms:
            return self.rooms[part].reachable and not self.dark
        return self.devices[part].reachable and not self.dark

    def obey(self, part: str, value: Wish, fate: str = "") -> str:
        """Serve a request; returns the error's class name, or "".

        `fate`: "" where all is well, "request lost", "answer lost", or "ignored" (it says yes).
        """
        self.moved = True
        if isinstance(value, Reserve | Mode | GridCharging):
            self.set_site(value)
            return ""
        thing: Room | Device = self.rooms[part] if part in self.rooms else self.devices[part]
        if not self.answers(part) or fate == "request lost":
            # a machine is woken by a broadcast: nobody answers, and nobody is missed
            woken = isinstance(thing, Host) and getattr(value, "up", False)
            return "" if woken else "Unreachable"
        if fate == "ignored":
            return ""
        error = thing.obey(value) if isinstance(thing, Room) else thing.obey(self.t, value)
        return "Unreachable" if fate == "answer lost" else error

    def set_site(self, value: Reserve | Mode | GridCharging) -> None:
        """The battery is told."""
        self.moved = True
        match value:
            case Reserve(percent=percent):
                self.settings.reserve = percent
            case Mode(mode=mode):
                self.settings.mode = mode
            case GridCharging(allowed=allowed):
                self.settings.grid_charging = allowed


def _device(world: World, part: str) -> Device:
    appliance = next(a for a in world.home.appliances if a.part == part)
    duty = world.duty[part]
    match appliance.aspect:
        case Aspect.HOST_POWER:
            return Host(
                name=part,
                watts=appliance.watts,
                duty=duty,
                shutdown_s=appliance.shutdown_s,
                boot_s=appliance.boot_s,
            )
        case Aspect.LEVEL:
            volts = appliance.watts / appliance.amps
            return Charger(name=part, watts=appliance.watts, duty=duty, level=appliance.amps, volts=volts)
        case _:
            return Plug(name=part, watts=appliance.watts, duty=duty)
