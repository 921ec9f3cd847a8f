"""Another device in the same house: how soon it obeys while the one on the bench is in trouble."""

from __future__ import annotations

import asyncio
import itertools
import time
from types import TracebackType
from typing import Any

from pimgr import api
from pimgr.api import Capability
from pimgr.board import Board
from pimgr.connections import ConnectionTask, Device, Request
from pimgr.context import HostContext, Surroundings
from pimgr.rates import POLL_S, Schedule
from pimgr.testing.context import FakeStore
from pimgr.testing.scripted import DEVICE_TYPES
from pimgr.testing.subject import Broken
from pimgr.testing.time import FakeClock
from pimgr.testing.world import World
from pimgr.worker import Worker

NAME = "neighbour"
DEADLINE_S = 30.0
_numbers = itertools.count(1)


class _Alone:
    """The neighbour has no secrets, says nothing, and nobody waits for its readings."""

    def text(self, reference: api.Secret) -> str:
        raise api.Refused(NAME, f"secret {reference.secret}", "it has none", "ask for none")

    def tell(self, connection: str, key: str, finding: api.Finding | None) -> None: ...

    def record(self, connection: str, text: str) -> None: ...

    def arrived(self, part: str, grid: bool) -> None: ...


class Neighbour:
    """A scripted load behind pimgr's own connection task, in the running loop. Works while it is entered."""

    def __init__(self, clock: FakeClock) -> None:
        self._world = World(f"{NAME}-{next(_numbers)}", now=lambda: clock.now().instant)
        self._importer = Worker("imports")
        self._on = True
        load = next(kind for kind in DEVICE_TYPES if kind.name == "scripted.load")
        alone = _Alone()
        device: Device = Device(
            id=NAME,
            type=load,
            config=load.config(world=self._world.name),
            provides={"": frozenset({Capability.LOAD})},
            context=HostContext(NAME, FakeStore(), Surroundings(clock, alone, alone)),
            importer=self._importer,
        )
        slots = {(NAME, Capability.LOAD): POLL_S[Capability.LOAD]}
        self._task = ConnectionTask(device, Board(clock), alone, Schedule(slots, lambda: clock.now().mono_s, 0.0))
        self._runner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Neighbour:
        self._runner = asyncio.create_task(self._task.run(), name=NAME)
        await self.switched()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait({self._runner})
        self._importer.shutdown()
        self._world.close()

    async def switched(self) -> float:
        """Ask it for the other state, and wait until that was read back; the seconds it took."""
        self._on = on = not self._on
        answer: asyncio.Future[api.DeviceError | None] = asyncio.get_running_loop().create_future()

        async def call(part: Any) -> None:
            await part.switch(on)

        began = time.monotonic()
        wish = "on" if on else "off"
        self._task.post(
            Request(key=NAME, part=NAME, wish=wish, deadline_s=DEADLINE_S, call=call, done=answer.set_result)
        )
        error = await answer
        took_s = time.monotonic() - began
        if error is not None or self._world.is_on(NAME) is not on:
            raise Broken(f"neighbour: it could not be switched ({error})")
        return took_s
