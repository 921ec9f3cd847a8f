"""What all scripted parts share: where they are in the world, how they misbehave, and the password they want."""

from __future__ import annotations

import asyncio
import time
from typing import Any, assert_never

from pimgr import api
from pimgr.testing.house_state import Fault, FaultSet, wish_of
from pimgr.testing.world import World, world_named


class ScriptedConfig(api.Config):
    """`world`: name of a `World`, or its folder's path. `password`: refused unless it is the one set in the world."""

    world: str = "default"
    password: api.Secret | None = None


class ScriptedPart:
    """A part that does what its world says."""

    def __init__(self, config: ScriptedConfig, context: api.Context, key: str = "") -> None:
        self._world: World = world_named(config.world)
        self._config = config
        self._context = context
        self._key = key
        self.name = f"{context.connection}/{key}" if key else context.connection

    async def look(self) -> api.Finding:
        """As an installer would: does it answer?"""
        try:
            await self._meet("read", "a look")
        except api.DeviceError as error:
            return api.Finding(severity=api.Severity.CRITICAL, text=error.fact, cure=error.cure)
        return api.Finding(severity=api.Severity.INFO, text=f"{self.name} answers")

    async def _read(self, wish: str) -> api.Instant:
        """Meet the fault that awaits a read, if any; the moment of measuring."""
        self._world.reads[self.name].append(self._context.now().mono_s)
        await self._meet("read", wish)
        return self._context.now()

    async def _command(self, what: str, value: Any = None) -> None:
        """Give a command to the world, through whatever fault awaits it."""
        found = self._world.fault_of(self.name, "command")
        wish = wish_of(what, value)
        late = found.fault in (Fault.SLOW, Fault.BLOCKING)
        if late:
            await self._meet("command", wish)
        self._authorise(wish)
        self._world.command(self.name, what, value, self._context.now(), fault=found.fault)
        if not late:
            await self._meet("command", wish)

    async def _meet(self, kind: str, wish: str) -> None:
        found = self._world.fault_of(self.name, kind)
        if found.fault in (Fault.HANG, Fault.STUBBORN):
            await self._hang(found.fault, kind)
        elif found.fault is Fault.SLOW:
            await asyncio.sleep(found.seconds)
        elif found.fault is Fault.BLOCKING:
            time.sleep(found.seconds)  # noqa: ASYNC251 - blocking the loop is what this fault is
        else:
            self._fail(found, wish)
        self._authorise(wish)

    async def _hang(self, fault: Fault, kind: str) -> None:
        """Never answer; a stubborn one ends only when the fault is healed."""
        while self._world.fault_of(self.name, kind).fault is fault:
            try:
                await asyncio.sleep(0.01 if fault is Fault.STUBBORN else 3600.0)
            except asyncio.CancelledError:
                if fault is Fault.HANG:
                    raise

    def _fail(self, found: FaultSet, wish: str) -> None:
        """Raise what this fault raises, if it raises."""
        match found.fault:
            case Fault.UNREACHABLE:
                raise api.Unreachable(self.name, wish, "no answer", "it was scripted so")
            case Fault.LOST:
                raise api.Unreachable(self.name, wish, "the answer was lost", "it was scripted so")
            case Fault.REFUSED:
                raise api.Refused(self.name, wish, "it said no", "it was scripted so")
            case Fault.GARBLED:
                raise api.Garbled(self.name, wish, "it answered nonsense", "it was scripted so")
            case Fault.BUG:
                raise ValueError("a defect in a plugin, scripted so")
            case Fault.NONE | Fault.DEAF | Fault.SLOW | Fault.BLOCKING | Fault.HANG | Fault.STUBBORN:
                return
            case _:
                assert_never(found.fault)

    def _authorise(self, wish: str) -> None:
        wanted = self._world.state().passwords.get(self._context.connection)
        if wanted is None:
            return
        given = "" if self._config.password is None else self._context.secret(self._config.password)
        if given != wanted:
            raise api.Refused(self.name, wish, "wrong password", "set the right one")
