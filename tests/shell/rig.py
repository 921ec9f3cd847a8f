"""The shell around scripted devices, in virtual time: a board, connections, and what was heard of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pimgr import api
from pimgr.api import Capability, DeviceError, DeviceType, LoadReading, Secret
from pimgr.board import Board
from pimgr.connections import ConnectionTask, Device, Request
from pimgr.context import HostContext, Surroundings
from pimgr.rates import Schedule, poll_s
from pimgr.reads import readable
from pimgr.testing import FakeClock, FakeStore, World
from pimgr.testing.scripted import DEVICE_TYPES
from pimgr.worker import Worker

TYPES = {type_.name: type_ for type_ in DEVICE_TYPES}
_numbers = itertools.count(1)


class Unheard:
    """What connections tell here is nobody's business."""

    def tell(self, connection: str, key: str, finding: api.Finding | None) -> None:
        raise AssertionError(f"{connection} told {key} {finding}")

    def record(self, connection: str, text: str) -> None:
        raise AssertionError(f"{connection} recorded {text}")


class NoSecrets:
    def text(self, reference: Secret) -> str:
        raise api.Refused("house", reference.secret, "there are no secrets here")


@dataclass
class Arrival:
    at_s: float
    part: str
    grid: bool


class Shell:
    """Connections run while the `async with` block does. `add` before or within it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.world = World(f"shell-{next(_numbers)}", now=lambda: self.clock.now().instant)
        self.board = Board(self.clock)
        self.importer = Worker("imports")
        self.tasks: dict[str, ConnectionTask] = {}
        self.runners: dict[str, asyncio.Task[None]] = {}
        self.arrivals: list[Arrival] = []
        self._running = False

    async def __aenter__(self) -> Shell:
        self._running = True
        for id in self.tasks:
            self._start(id)
        return self

    async def __aexit__(self, *_: object) -> None:
        for runner in self.runners.values():
            runner.cancel()
        if self.runners:
            await asyncio.wait(self.runners.values(), timeout=20.0)
        self.importer.shutdown()
        self.world.close()
        for id, runner in self.runners.items():
            assert runner.cancelled(), f"the task of {id} ended by itself: {runner}"

    def arrived(self, part: str, grid: bool) -> None:
        self.arrivals.append(Arrival(self.now_s, part, grid))

    @property
    def now_s(self) -> float:
        return self.clock.now().mono_s

    def add(
        self, id: str, type_: DeviceType[Any] | str, config: api.Config | None = None, **table: Any
    ) -> ConnectionTask:
        """A connection, by its device type or a scripted type's name."""
        if isinstance(type_, str):
            type_ = TYPES[f"scripted.{type_}"]
            config = type_.config(world=self.world.name, **table)
        assert config is not None
        provides = {key: frozenset(what) for key, what in type_.provides(config).items()}
        context = HostContext(id, FakeStore(), Surroundings(self.clock, NoSecrets(), Unheard()))
        device = Device(id=id, type=type_, config=config, provides=provides, context=context, importer=self.importer)
        slots = {
            (device.part(key), capability): poll_s(capability, dict(type_.poll_s), type_.cloud)
            for key, what in provides.items()
            for capability in readable(what)
        }
        schedule = Schedule(slots, lambda: self.clock.now().mono_s, type_.floor_s)
        self.tasks[id] = ConnectionTask(device, self.board, self, schedule)
        if self._running:
            self._start(id)
        return self.tasks[id]

    def _start(self, id: str) -> None:
        self.runners[id] = asyncio.create_task(self.tasks[id].run(), name=id)

    def switch(self, part: str, on: bool, *, deadline_s: float = 5.0, key: str = "switch") -> Asked:
        """Ask for a load on or off, as the dispatcher does."""
        asked = Asked()

        def done(error: DeviceError | None) -> None:
            view = self.board.views().get(part)
            asked.seen = view.reading if view else None
            asked.at_s = self.now_s
            asked.answer.set_result(error)

        async def call(target: Any) -> None:
            await target.switch(on)

        wish = "on" if on else "off"
        request = Request(key=f"{part} {key}", part=part, wish=wish, deadline_s=deadline_s, call=call, done=done)
        self.tasks[part.partition("/")[0]].post(request)
        return asked

    async def settle(self, seconds: float = 0.5) -> None:
        """Let the house run for a while."""
        await asyncio.sleep(seconds)

    async def until(self, fact: Callable[[], bool], timeout_s: float = 600.0) -> float:
        """Wait until something is so; the seconds that took. Fails when it never becomes so."""
        began, steps = self.now_s, 0.0
        while not fact():
            assert self.now_s - began < timeout_s, "it never came to that"
            steps = min(0.05, steps + 0.001)
            await asyncio.sleep(steps)
        return self.now_s - began


class Asked:
    """A request that was posted. `seen`: what the board had of the part when the answer came; `at_s`: when that was."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[DeviceError | None] = asyncio.get_running_loop().create_future()
        self.seen: object = None
        self.at_s = 0.0

    def __await__(self) -> Any:
        return self.answer.__await__()


# ------------------------------------------------------------------------------------------------- devices gone wrong


class OddConfig(api.Config):
    pass


async def _nothing(context: api.Context) -> None:
    """As it should be."""


async def _on(context: api.Context) -> Any:
    return LoadReading(at=context.now(), source="odd", on=True)


async def _done(context: api.Context, on: bool) -> None:
    """As it should be."""


@dataclass
class Odd:
    """A plug whose plugin does what a test wants of it. Each may be replaced, also while it runs."""

    opening: Callable[[api.Context], Awaitable[None]] = _nothing
    closing: Callable[[api.Context], Awaitable[None]] = _nothing
    read: Callable[[api.Context], Awaitable[Any]] = _on
    switch: Callable[[api.Context, bool], Awaitable[None]] = _done
    opens: int = 0
    closes: int = 0
    switched: list[tuple[int, bool]] = field(default_factory=list)
    """Through which opening of the connection, and to what."""

    def type(self, **changes: Any) -> DeviceType[Any]:
        odd = self

        class Part:
            def __init__(self, context: api.Context, opening: int) -> None:
                self.context, self.opening = context, opening

            async def read_load(self) -> Any:
                return await odd.read(self.context)

            async def switch(self, on: bool) -> None:
                await odd.switch(self.context, on)
                odd.switched.append((self.opening, on))

        class Connection:
            def __init__(self, context: api.Context, opening: int) -> None:
                self.parts = {"": Part(context, opening)}

            async def check(self) -> list[api.Finding]:
                return []

        @asynccontextmanager
        async def opens(config: OddConfig, context: api.Context) -> AsyncIterator[Any]:
            odd.opens += 1
            opening = odd.opens
            await odd.opening(context)
            try:
                yield Connection(context, opening)
            finally:
                odd.closes += 1
                await odd.closing(context)

        settings: dict[str, Any] = {
            "name": "odd.plug",
            "summary": "A plug gone wrong",
            "config": OddConfig,
            "provides": lambda config: {"": frozenset({Capability.LOAD})},
            "open": opens,
            "floor_s": 0.0,
        }
        return DeviceType(**(settings | changes))
