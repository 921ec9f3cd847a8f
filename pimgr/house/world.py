"""The truth of the house: grid, battery, sun, what is switched on and which machines run. No server speaks here.

Time passes when somebody looks: every look and every change first lets the elapsed seconds flow through `physics`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping

import msgspec

from pimgr.api import Frozen, SiteMode
from pimgr.house.kinds import LoadSpec
from pimgr.house.machine import Machine, MachineTimes, Phase
from pimgr.house.physics import Demand, Energy, Flows, charge_of, flows, step
from pimgr.house.spec import CONNECTED, ISLANDED, HouseSpec
from pimgr.house.wire import WireLog
from pimgr.units import WattHours

ISLANDED_STATUSES = frozenset({ISLANDED, "SystemIslandedReady", "SystemMicroGridFaulted", "SystemWaitForUser"} | {
    "SystemTransitionToIsland", "SystemTransitionToGrid"
})  # fmt: skip
"""Words of the gateway while the house is not connected to the grid. A word not known here changes nothing."""


class LoadState(Frozen):
    """A switched load, as a person would see it. `watts`: what it draws now."""

    id: str
    on: bool
    watts: float


class HostState(Frozen):
    """A machine, as a person would see it."""

    id: str
    phase: Phase
    boot_id: str
    watts: float


class Settings(Frozen):
    """What the owner's app and the vendor's cloud set. `reserve` in %, as the app shows it.

    `carries_load`: on grid the battery carries the load down to the reserve, in the modes that do so; a house kept for
    outages alone leaves it resting. `storm`: the vendor sees one coming, and keeps everything if `storm_watch` lets it.
    """

    reserve: float = 20.0
    mode: SiteMode = SiteMode.SELF_CONSUMPTION
    grid_charging: bool = False
    storm_watch: bool = False
    storm: bool = False
    carries_load: bool = False

    @property
    def kept(self) -> float:
        """% that is kept for an outage now."""
        return 100.0 if self.mode is SiteMode.BACKUP or (self.storm and self.storm_watch) else self.reserve


class _Outlet(msgspec.Struct):
    """Something with a relay; `own_w`: its own draw when on."""

    own_w: float
    on: bool


class _Computer(Frozen):
    """A machine with its draw in W and the outlet that feeds it ("" is the wall)."""

    machine: Machine
    watts: float
    outlet: str


class World:
    """The house without its servers. `clock` gives house s; `dark_changed` is called when the light goes or comes."""

    def __init__(
        self, spec: HouseSpec, loads: Mapping[str, LoadSpec], clock: Callable[[], float], wire: WireLog
    ) -> None:
        self._spec = spec
        self._clock = clock
        self._wire = wire
        self._then_s = clock()
        self._energy = Energy(WattHours(spec.charge / 100.0 * spec.battery.capacity_wh))
        self._outlets = {name: _Outlet(load.watts, load.on) for name, load in loads.items()}
        self._computers: dict[str, _Computer] = {}
        self._returning: list[asyncio.TimerHandle] = []
        self._base_load_w = spec.base_load_w
        self._sun_w = spec.solar_w
        self._settings = Settings()
        self.status = spec.grid.status
        self.connected = spec.grid.status not in ISLANDED_STATUSES
        self.dark = False
        self.dark_changed: Callable[[bool], None] = lambda _dark: None

    # ------------------------------------------------------------------------------------------------------- looking

    def pass_time(self) -> None:
        """Let the house seconds since the last look flow, and notice when the light goes or comes."""
        now_s = self._clock()
        self._energy = step(self._energy, self._spec.battery, self._demand(), now_s - self._then_s)
        self._then_s = now_s
        dark = flows(self._energy.stored_wh, self._spec.battery, self._demand()).dark
        if dark != self.dark:
            self.dark = dark
            self._wire.note("house", "", "truth", "dark" if dark else "light")
            for computer in self._computers.values():
                computer.machine.power(self._feeds(computer))
            self.dark_changed(dark)

    @property
    def capacity_wh(self) -> float:
        """Usable energy of a full battery."""
        return self._spec.battery.capacity_wh

    @property
    def power_limit_w(self) -> float:
        """What the battery gives or takes at most."""
        return self._spec.battery.power_w

    @property
    def settings(self) -> Settings:
        """What is asked of the battery now."""
        return self._settings

    def clock_s(self) -> float:
        """House seconds."""
        return self._clock()

    def flows(self) -> Flows:
        """Power now, in W."""
        self.pass_time()
        return flows(self._energy.stored_wh, self._spec.battery, self._demand())

    def energy(self) -> Energy:
        """What is stored and what has flown, in Wh."""
        self.pass_time()
        return self._energy

    def charge(self) -> float:
        """State of energy as the vendor's app shows it, in %."""
        return charge_of(self.energy().stored_wh, self._spec.battery)

    def load(self, part: str) -> LoadState:
        """One switched load. Raises KeyError where there is none of this name."""
        self.pass_time()
        return self._load(part)

    def loads(self) -> tuple[LoadState, ...]:
        """Every switched load."""
        self.pass_time()
        return tuple(self._load(part) for part in self._outlets)

    def hosts(self) -> tuple[HostState, ...]:
        """Every machine."""
        return tuple(
            HostState(name, each.machine.phase, each.machine.boot_id, each.watts if each.machine.draws else 0.0)
            for name, each in self._computers.items()
        )

    def machine(self, name: str) -> Machine:
        """One machine. Raises KeyError where there is none of this name."""
        return self._computers[name].machine

    # ------------------------------------------------------------------------------------------------------ changing

    def set_grid(self, status: str) -> None:
        """The gateway says `status` from now on, and the house is connected or not accordingly."""
        self._forget_return()
        self._set_status(status)

    def grid_up(self, up: bool) -> None:
        """The utility comes back, by way of the passing states of the scenario, or goes."""
        self._forget_return()
        grid = self._spec.grid
        if not up:
            self._set_status(ISLANDED)
            return
        if self.connected:
            return
        passing = grid.returning if grid.return_s > 0 else ()
        for number, status in enumerate((*passing, CONNECTED)):
            delay_s = grid.return_s * number / max(1, len(passing))
            if delay_s:
                timer = asyncio.get_running_loop().call_later(delay_s, self._set_status, status)
                self._returning.append(timer)
            else:
                self._set_status(status)

    def set_charge(self, percent: float) -> None:
        """The battery holds `percent`, as the vendor's app shows it. Raises ValueError outside 0 to 100."""
        if not 0.0 <= percent <= 100.0:
            raise ValueError(f"charge: {percent} is not 0 to 100 %")
        self.pass_time()
        stored = WattHours(percent / 100.0 * self._spec.battery.capacity_wh)
        self._energy = msgspec.structs.replace(self._energy, stored_wh=stored)
        self.pass_time()

    def set_power(self, *, base_load_w: float | None = None, solar_w: float | None = None) -> None:
        """What the rest of the house draws, and what the sun could give, in W."""
        self.pass_time()
        self._base_load_w = self._base_load_w if base_load_w is None else base_load_w
        self._sun_w = self._sun_w if solar_w is None else solar_w
        self.pass_time()

    def set_site(self, settings: Settings) -> None:
        """The battery obeys these from now on, whoever set them. Raises ValueError for a reserve outside 0 to 100."""
        if not 0.0 <= settings.reserve <= 100.0:
            raise ValueError(f"reserve: {settings.reserve} is not 0 to 100 %")
        self.pass_time()
        before, self._settings = msgspec.structs.asdict(self._settings), settings
        for name, value in msgspec.structs.asdict(settings).items():
            if before[name] != value:
                self._wire.note("house", name, "truth", f"{value:g}" if isinstance(value, float) else str(value))
        self.pass_time()

    def switch(self, part: str, on: bool) -> None:
        """Its relay is on or off from now on, whoever did it. Raises KeyError where there is none of this name."""
        self.pass_time()
        outlet = self._outlets[part]
        if outlet.on != on:
            outlet.on = on
            device, _, key = part.partition("/")
            self._wire.note(device, key, "truth", "on" if on else "off")
            for computer in self._computers.values():
                computer.machine.power(self._feeds(computer))
        self.pass_time()

    def add_host(self, name: str, times: MachineTimes, watts: float, outlet: str = "") -> Machine:
        """A machine that draws `watts` while it isn't off, from the wall or from an outlet of the house."""
        if outlet and outlet not in self._outlets:
            raise ValueError(f"{name}: no such outlet: {outlet}")
        self.pass_time()
        machine = Machine(name, times, self.pass_time)
        machine.watchers.append(self._machine_changed)
        self._computers[name] = _Computer(machine, watts, outlet)
        machine.power(self._feeds(self._computers[name]))
        self.pass_time()
        return machine

    def close(self) -> None:
        """No timer goes off any more."""
        self._forget_return()
        for computer in self._computers.values():
            computer.machine.close()

    # -------------------------------------------------------------------------------------------------------- inside

    def _demand(self) -> Demand:
        wall = sum(each.watts for each in self._computers.values() if each.machine.draws and not each.outlet)
        load_w = self._base_load_w + wall + sum(self._draw(part) for part in self._outlets)
        kept_wh = self._settings.kept / 100.0 * self._spec.battery.capacity_wh
        return Demand(
            load_w,
            self._sun_w,
            self.connected,
            floor_wh=kept_wh if self._settings.carries_load else math.inf,
            fill_wh=kept_wh if self._settings.grid_charging else 0.0,
        )

    def _load(self, part: str) -> LoadState:
        return LoadState(part, self._outlets[part].on, 0.0 if self.dark else self._draw(part))

    def _draw(self, part: str) -> float:
        outlet = self._outlets[part]
        fed = sum(each.watts for each in self._computers.values() if each.machine.draws and each.outlet == part)
        return outlet.own_w + fed if outlet.on else 0.0

    def _feeds(self, computer: _Computer) -> bool:
        return not self.dark and (not computer.outlet or self._outlets[computer.outlet].on)

    def _machine_changed(self, machine: Machine, why: str) -> None:
        self._wire.note(machine.name, "", "truth", machine.phase, raw=why)
        self.pass_time()

    def _set_status(self, status: str) -> None:
        self.pass_time()
        self.status = status
        if status == CONNECTED:
            self.connected = True
        elif status in ISLANDED_STATUSES:
            self.connected = False
        self._wire.note("house", "grid", "truth", status, raw="up" if self.connected else "down")
        self.pass_time()

    def _forget_return(self) -> None:
        for timer in self._returning:
            timer.cancel()
        self._returning.clear()
