"""Plugins that break the contract, each in one way."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec

from pimgr import api
from pimgr.api import Capability
from pimgr.testing import Fault, world_named
from pimgr.testing.bench import CONNECTION
from pimgr.testing.scripted import ScriptedConnection, ScriptedLoad, ScriptedSite, StripConfig
from pimgr.testing.scripted_more import ScriptedCharger, ScriptedForecast, ScriptedThermostat
from pimgr.testing.scripted_part import ScriptedPart
from pimgr.units import Celsius, Watts
from tests.testing.scripted_subject import TYPES

LOG = logging.getLogger(__name__)
AsyncOpen = AbstractAsyncContextManager[api.Connection]


class ReadsTheFuture(ScriptedLoad):
    async def read_load(self) -> api.LoadReading:
        reading = await super().read_load()
        return msgspec.structs.replace(reading, at=msgspec.structs.replace(reading.at, mono_s=reading.at.mono_s + 1.0))


class ReadsNaN(ScriptedLoad):
    async def read_load(self) -> api.LoadReading:
        return msgspec.structs.replace(await super().read_load(), power_w=Watts(float("nan")))


class SaysNoSource(ScriptedLoad):
    async def read_load(self) -> api.LoadReading:
        return msgspec.structs.replace(await super().read_load(), source="")


class StoresTuples(ScriptedLoad):
    async def read_load(self) -> api.LoadReading:
        await self._context.store.put("seen", ("a", 1))
        return await super().read_load()


class Toggles(ScriptedLoad):
    async def switch(self, on: bool) -> None:
        await super().switch(not (await self.read_load()).on)


class MindsRepetition(ScriptedLoad):
    async def switch(self, on: bool) -> None:
        if (await self.read_load()).on is on:
            raise api.Refused(self.name, "a switch", "it is so already")
        await super().switch(on)


class LeavesUndone(ScriptedSite):
    async def set_mode(self, mode: api.SiteMode) -> None:
        raise NotImplementedError

    async def set_grid_charging(self, allowed: bool) -> None:
        raise NotImplementedError

    async def set_storm_watch(self, allowed: bool) -> None:
        raise NotImplementedError


class LeavesItsLevel(ScriptedCharger):
    async def set_level(self, level: float) -> None:
        raise NotImplementedError


class ForgetsGridCharging(ScriptedSite):
    async def set_grid_charging(self, allowed: bool) -> None:
        """Accepts it, and leaves it as it is."""


class TurnsStormWatchRound(ScriptedSite):
    async def set_storm_watch(self, allowed: bool) -> None:
        reading = await self.read_site()
        await super().set_storm_watch(not reading.storm_watch)


class AddsToTheLevel(ScriptedCharger):
    async def set_level(self, level: float) -> None:
        found = (await self.read_level()).level
        await super().set_level(min(16.0, found + level))


class ResumesNothing(ScriptedThermostat):
    async def resume(self) -> None:
        """Accepts it, and goes on holding."""


class ForecastsNaN(ScriptedForecast):
    async def read_forecast(self) -> api.ForecastReading:
        reading = await super().read_forecast()
        day = api.ForecastDay(date="2026-07-31", high=Celsius(float("nan")))
        return api.replace(reading, days=(day,))


class RaisesOSError(ScriptedLoad):
    async def read_load(self) -> api.LoadReading:
        try:
            return await super().read_load()
        except api.Unreachable as error:
            raise ConnectionRefusedError(111, "Connection refused") from error


class RaisesItsOwn(ScriptedLoad):
    class Nonsense(api.Garbled):
        """A fifth error."""

    async def read_load(self) -> api.LoadReading:
        try:
            return await super().read_load()
        except api.Garbled as error:
            raise self.Nonsense(error.part, error.wish, error.fact) from error


class ExplainsNothing(ScriptedLoad):
    async def read_load(self) -> api.LoadReading:
        try:
            return await super().read_load()
        except api.Unreachable as error:
            raise api.Unreachable(error.part, error.wish, "") from error


class TakesAWrongPasswordForSilence(ScriptedLoad):
    async def read_load(self) -> api.LoadReading:
        try:
            return await super().read_load()
        except api.Refused as error:
            raise api.Unreachable(error.part, error.wish, error.fact) from error


class Invents(ScriptedLoad):
    async def read_load(self) -> api.LoadReading:
        try:
            return await super().read_load()
        except api.Unreachable:
            return api.LoadReading(at=self._context.now(), source="memory", on=True)


class TellsThePassword(ScriptedLoad):
    async def read_load(self) -> api.LoadReading:
        try:
            return await super().read_load()
        except api.Refused as error:
            fact = f"it doesn't take {self._context.secret(self._config.password or api.Secret(''))}"
            raise api.Refused(error.part, error.wish, fact) from error


class LogsThePassword(ScriptedLoad):
    async def read_load(self) -> api.LoadReading:
        LOG.debug("logging in with %s", self._context.secret(self._config.password or api.Secret("")))
        return await super().read_load()


class TurnsCancellingIntoAnError(ScriptedLoad):
    async def read_load(self) -> api.LoadReading:
        try:
            return await super().read_load()
        except asyncio.CancelledError:
            raise api.Unreachable(self.name, "load read", "it was cancelled") from None


class BlocksTheLoop(ScriptedLoad):
    async def read_load(self) -> api.LoadReading:
        time.sleep(0.3)  # noqa: ASYNC251 - that is what is broken
        return await super().read_load()


class LeavesATask(ScriptedLoad):
    async def read_load(self) -> api.LoadReading:
        self.left = asyncio.create_task(asyncio.sleep(3600.0))
        return await super().read_load()


class LeavesAThread(ScriptedLoad):
    ended = threading.Event()

    async def read_load(self) -> api.LoadReading:
        threading.Thread(target=self.ended.wait, args=(30.0,), daemon=True).start()
        return await super().read_load()


class ChecksBySwitching(ScriptedConnection):
    async def check(self) -> list[api.Finding]:
        """Changes what it looks at."""
        for part in self.parts.values():
            assert isinstance(part, ScriptedLoad)
            await part.switch(not (await part.read_load()).on)
        return await super().check()


class HasOddParts(ScriptedConnection):
    def __init__(self, parts: Mapping[str, api.Part]) -> None:
        super().__init__({**parts, "spare": parts[""]})


def load(part: type[ScriptedLoad] = ScriptedLoad, connection: type[ScriptedConnection] = ScriptedConnection) -> Any:
    """`scripted.load` with another part or connection."""

    @asynccontextmanager
    async def connect(config: StripConfig, context: api.Context) -> AsyncIterator[api.Connection]:
        yield connection({"": part(config, context, "")})

    return replace(TYPES["scripted.load"], open=connect)


def with_part(kind: str, part: type[ScriptedPart]) -> Any:
    """A scripted device type whose only part is this one."""

    @asynccontextmanager
    async def connect(config: Any, context: api.Context) -> AsyncIterator[api.Connection]:
        parts: Any = {"": part(config, context)}
        yield ScriptedConnection(parts)

    return replace(TYPES[f"scripted.{kind}"], open=connect)


def claims_to_see_the_grid() -> Any:
    """Promises a capability whose method it hasn't got."""
    claimed = {"": frozenset({Capability.LOAD, Capability.GRID_SOURCE})}
    return replace(TYPES["scripted.load"], provides=lambda config: claimed)


class _Opened:
    """Another plugin's connection, entered and left as it should be."""

    def __init__(self, config: StripConfig, context: api.Context) -> None:
        self.world = world_named(config.world)
        self._inner: AsyncOpen = TYPES["scripted.load"].open(config, context)

    async def __aenter__(self) -> api.Connection:
        return await self._inner.__aenter__()

    async def __aexit__(self, *error: Any) -> bool | None:
        return await self._inner.__aexit__(*error)


class ConnectsAtOnce(_Opened):
    async def __aenter__(self) -> api.Connection:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.sendto(b"anybody there?", ("127.0.0.1", 9))
        return await super().__aenter__()


class ClosesOnlyOnce(_Opened):
    closed = False

    async def __aexit__(self, *error: Any) -> bool | None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True
        return await super().__aexit__(*error)


class HidesErrors(_Opened):
    async def __aexit__(self, *error: Any) -> bool | None:
        await super().__aexit__(*error)
        return True


class SaysGoodbyeToASilentDevice(_Opened):
    async def __aexit__(self, *error: Any) -> bool | None:
        if self.world.fault_of(CONNECTION, "read").fault is Fault.HANG:
            await asyncio.sleep(3600.0)
        return await super().__aexit__(*error)


def opens(opened: Callable[[StripConfig, api.Context], AsyncOpen]) -> Any:
    """`scripted.load`, opened in another way."""
    return replace(TYPES["scripted.load"], open=opened)


class OddConfig(StripConfig):
    """Its default is no data."""

    clock: Any = time.monotonic


def has_no_plain_config() -> Any:
    return replace(TYPES["scripted.load"], config=OddConfig)
