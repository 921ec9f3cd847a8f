"""Scripted devices that are neither switched nor metered sites: a charger, a thermostat, a forecast."""

from __future__ import annotations

import msgspec

from pimgr import api
from pimgr.testing.scripted_part import ScriptedConfig, ScriptedPart
from pimgr.units import Celsius, Watts

PHASES_V = 230.0
"""Watts of a charger for each ampere, on one phase."""


class ChargerConfig(ScriptedConfig):
    """`most_a`: what it can charge with, in A."""

    most_a: float = 16.0


class ScriptedCharger(ScriptedPart):
    """A car's charger: its level is in A, from 0 (off) to `most_a`."""

    async def read_level(self) -> api.LevelReading:
        at = await self._read("level read")
        level = self._world.state().level(self.name)
        return api.LevelReading(at=at, source=self._context.connection, level=level, power_w=Watts(level * PHASES_V))

    async def set_level(self, level: float) -> None:
        """Raises Unsupported for more than it has, or less than nothing."""
        most = self._config.most_a if isinstance(self._config, ChargerConfig) else 16.0
        if not 0.0 <= level <= most:
            raise api.Unsupported(self.name, f"level {level}", f"it goes from 0 to {most:g} A", "ask for less")
        await self._command("level", level)


class ScriptedThermostat(ScriptedPart):
    """A thermostat with a schedule of its own, on which a hold lies until its time."""

    async def read_thermostat(self) -> api.ThermostatReading:
        at = await self._read("thermostat read")
        state = self._world.state().thermostat(self.name, at)
        indoor = Celsius(state.indoor)
        return api.ThermostatReading(
            at=at, source=self._context.connection, indoor=indoor, mode=state.mode, hold=state.in_force
        )

    async def hold(self, wanted: api.Hold) -> None:
        await self._command("hold", msgspec.to_builtins(wanted))

    async def resume(self) -> None:
        await self._command("resume")


class ScriptedForecast(ScriptedPart):
    """The weather to come, as the world has it."""

    async def read_forecast(self) -> api.ForecastReading:
        at = await self._read("forecast read")
        hours, days = self._world.state().forecast
        return api.ForecastReading(at=at, source=self._context.connection, hours=hours, days=days)
