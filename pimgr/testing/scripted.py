"""A plugin without a device: its parts do what a `World` says. Loads like any other, from this module.

Errors, hangs and blocked loops come from the world's faults, so a test of pimgr meets each in the place where it would
meet it in a house.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec

from pimgr import api
from pimgr.api import Capability
from pimgr.testing.house_state import Fault
from pimgr.testing.scripted_more import ChargerConfig, ScriptedCharger, ScriptedForecast, ScriptedThermostat
from pimgr.testing.scripted_part import ScriptedConfig, ScriptedPart
from pimgr.units import Percent, WattHours, Watts


class StripConfig(ScriptedConfig):
    """`outlets`: 0 is a plain plug, 6 a strip whose parts are "1" to "6"."""

    outlets: int = 0


class GatewayConfig(ScriptedConfig):
    """`capacity_wh`: usable energy of the battery."""

    capacity_wh: float = 13_500.0


class _Meter(ScriptedPart):
    async def read_site(self) -> api.SiteReading:
        """Powers, charge and settings as the world has them."""
        at = await self._read("site read")
        state = self._world.state()
        power: Any = {name: None if value is None else Watts(value) for name, value in state.power.items()}
        capacity = self._config.capacity_wh if isinstance(self._config, GatewayConfig) else 13_500.0
        return api.SiteReading(
            at=at,
            source=self._context.connection,
            charge=Percent(state.charge),
            charge_raw=Percent(state.charge * 0.95 + 5.0),
            capacity_wh=WattHours(capacity),
            reserve=Percent(state.reserve),
            mode=state.mode,
            **power,
        )


class ScriptedGateway(_Meter):
    """Sees the grid and the meters."""

    async def read_grid(self) -> api.GridReading:
        at = await self._read("grid read")
        grid, raw, passing = self._world.grid(self._context.connection)
        return api.GridReading(at=at, source=self._context.connection, grid=grid, raw=raw, passing=passing)


class ScriptedSite(_Meter):
    """Meters, and takes the reserve, the mode, and whether it may charge from the grid and mind storms."""

    async def read_site(self) -> api.SiteReading:
        """As the meter, with the settings that only a site's owner sees."""
        reading = await super().read_site()
        state = self._world.state()
        return api.replace(reading, grid_charging=state.grid_charging, storm_watch=state.storm_watch)

    async def set_reserve(self, percent: Percent) -> None:
        await self._command("reserve", percent)

    async def set_mode(self, mode: api.SiteMode) -> None:
        await self._command("mode", mode.value)

    async def set_grid_charging(self, allowed: bool) -> None:
        await self._command("grid charging", allowed)

    async def set_storm_watch(self, allowed: bool) -> None:
        await self._command("storm watch", allowed)


class ScriptedLoad(ScriptedPart):
    """A plug, or one outlet of a strip."""

    async def read_load(self) -> api.LoadReading:
        at = await self._read("load read")
        load = self._world.state().load(self.name)
        power = None if load.power_w is None else Watts(load.power_w if load.on else 0.0)
        return api.LoadReading(at=at, source=self._context.connection, on=load.on, power_w=power)

    async def switch(self, on: bool) -> None:
        await self._command("switch", on)


class ScriptedHost(ScriptedPart):
    """A machine that can be shut down and woken; silence is a reading, as of a real one."""

    async def read_host(self) -> api.HostReading:
        try:
            at = await self._read("host read")
        except api.Unreachable:
            return api.HostReading(at=self._context.now(), source=self._context.connection, up=False)
        host = self._world.state().host(self.name, at.mono_s)
        boot_id = host.boot_id if host.up else None
        return api.HostReading(at=at, source=self._context.connection, up=host.up, boot_id=boot_id)

    async def shut_down(self, only_boot: str | None) -> None:
        """Accepted unless it has booted since, or is silent."""
        host = self._world.state().host(self.name, self._context.now().mono_s)
        if not host.up:
            fault = Fault.UNREACHABLE
            self._world.command(self.name, "shut down", only_boot, self._context.now(), fault=fault)
            raise api.Unreachable(self.name, "shut down", "no answer", "it is off")
        booted_since = only_boot is not None and host.boot_id != only_boot
        await self._command("shut down", only_boot)
        if booted_since:
            raise api.Refused(self.name, "shut down", f"it is in {host.boot_id}, not {only_boot}", "left alone")

    async def wake(self) -> None:
        await self._command("wake")


class ScriptedNotifier(ScriptedPart):
    """Takes messages; a key that it has seen is dropped."""

    async def send(self, message: api.Message) -> None:
        if any(message.key == seen.key for seen in self._world.messages()):
            return
        await self._command("send", msgspec.to_builtins(message))


class ScriptedConnection:
    """The parts of one scripted device."""

    def __init__(self, parts: Mapping[str, api.Part]) -> None:
        self.parts: api.Parts = parts

    async def check(self) -> list[api.Finding]:
        """Whether each part answers."""
        return [await part.look() for part in self.parts.values() if isinstance(part, ScriptedPart)]


def _device(
    name: str, summary: str, config: type[ScriptedConfig], can: set[Capability], part: Callable[..., api.Part]
) -> api.DeviceType[Any]:
    def keys(config: ScriptedConfig) -> list[str]:
        outlets = config.outlets if isinstance(config, StripConfig) else 0
        return [str(number) for number in range(1, outlets + 1)] or [""]

    def provides(config: ScriptedConfig) -> Mapping[str, frozenset[Capability]]:
        return {key: frozenset(can) for key in keys(config)}

    @asynccontextmanager
    async def connect(config: ScriptedConfig, context: api.Context) -> AsyncIterator[api.Connection]:
        yield ScriptedConnection({key: part(config, context, key) for key in keys(config)})

    opens: Callable[[ScriptedConfig, api.Context], AbstractAsyncContextManager[api.Connection]] = connect
    return api.DeviceType(
        name=f"scripted.{name}", summary=summary, config=config, provides=provides, open=opens, floor_s=0.0
    )


DEVICE_TYPES: tuple[api.DeviceType[Any], ...] = (
    _device(
        "gateway",
        "A gateway that tells a scripted grid",
        GatewayConfig,
        {Capability.GRID_SOURCE, Capability.SITE_METER},
        ScriptedGateway,
    ),
    _device(
        "site",
        "A site whose settings can be set",
        ScriptedConfig,
        {Capability.SITE_CONTROL, Capability.SITE_METER},
        ScriptedSite,
    ),
    _device("load", "A plug or strip", StripConfig, {Capability.LOAD}, ScriptedLoad),
    _device("host", "A machine", ScriptedConfig, {Capability.HOST}, ScriptedHost),
    _device("charger", "A charger with a level", ChargerConfig, {Capability.GRADED_LOAD}, ScriptedCharger),
    _device("thermostat", "A thermostat", ScriptedConfig, {Capability.THERMOSTAT}, ScriptedThermostat),
    _device("forecast", "The weather to come", ScriptedConfig, {Capability.FORECAST}, ScriptedForecast),
    _device("notifier", "A place for messages", ScriptedConfig, {Capability.NOTIFIER}, ScriptedNotifier),
)


@api.hookimpl
def pimgr_device_types() -> Sequence[api.DeviceType[Any]]:
    """The scripted device types."""
    return DEVICE_TYPES
