"""One task a connection: it polls at its own rate, and takes requests from a mailbox.

A request pre-empts a poll; a newer request replaces an older one for the same aspect; a call that passed its deadline,
or was cut short, closes the connection, which is opened again for the next one. Nothing that a device does gets past
here but readings, outcomes and a reason.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from pimgr.api import (
    Capability,
    Config,
    Connection,
    DeviceError,
    DeviceType,
    Garbled,
    Refused,
    Unreachable,
    Unsupported,
)
from pimgr.board import Board
from pimgr.context import HostContext
from pimgr.health import LIBRARY, Health, Troubles, requests
from pimgr.link import CANCEL_S, CLOSE_S, Link, Overdue
from pimgr.rates import Schedule
from pimgr.reads import READ, READING
from pimgr.text import safe

FACT_LENGTH = 500
"""Longest text that is taken over from a plugin's error: it goes into the journal and the snapshot."""
REST_S = 0.001
"""The shortest rest: a timer may fire a little before the poll is due by the other clock."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call to make: `key` names the aspect, so that a newer wish replaces an older; `done` hears how it went."""

    key: str
    part: str
    wish: str
    deadline_s: float
    call: Callable[[Any], Awaitable[None]]
    done: Callable[[DeviceError | None], None]
    read_back: bool = True


class Watcher(Protocol):
    """Who hears of what arrived."""

    def arrived(self, part: str, grid: bool) -> None: ...


@dataclass(kw_only=True)
class Device:
    """What a task needs to run a connection: its type, its typed config, its parts by key, and the house's context."""

    id: str
    type: DeviceType[Any]
    config: Config
    provides: dict[str, frozenset[Capability]]
    context: HostContext
    importer: Executor
    """The one thread on which vendor libraries are imported, off the event loop."""

    def part(self, key: str) -> str:
        """The address of a part in the house."""
        return f"{self.id}/{key}" if key else self.id

    def key(self, part: str) -> str:
        return part[len(self.id) + 1 :]


class ConnectionTask:
    """Runs one connection for as long as `run` runs."""

    def __init__(self, device: Device, board: Board, watcher: Watcher, schedule: Schedule) -> None:
        self.device, self.board, self.watcher, self.schedule = device, board, watcher, schedule
        self._troubles = Troubles()
        self._no_library = ""
        self._mail: dict[str, Request] = {}
        self._wake = asyncio.Event()
        self._link = Link(device.id, lambda: device.type.open(device.config, device.context), device.context.release)

    # ----------------------------------------------------------------------------------------------- from outside

    def post(self, request: Request) -> None:
        """Put a request into the mailbox, in place of an older one for the same aspect, which is dropped unheard."""
        self._mail[request.key] = request
        self._wake.set()

    def look(self, parts: set[str]) -> None:
        """Read these parts soon."""
        if self.schedule.hurry(parts & self.schedule.parts):
            self._wake.set()

    def nudge(self) -> None:
        """The rates changed."""
        self._wake.set()

    @property
    def health(self) -> Health:
        """How the connection is doing: "ok", "waiting" for its first answer, "partly" or "lost"."""
        return self._troubles.health({_slot(part, capability) for part, capability in self.schedule.slots})

    # ---------------------------------------------------------------------------------------------------- the task

    async def run(self) -> None:
        """Poll and serve the mailbox until cancelled; whoever still waits for an answer then gets one."""
        try:
            await self._import()
            while True:
                await self._turn()
        except asyncio.CancelledError:
            while self._mail:
                request = self._mail.pop(next(iter(self._mail)))
                request.done(_closed(request))
            raise
        finally:
            await self._link.close()

    async def _turn(self) -> None:
        """The next thing to do: a request before a poll, a poll before a rest."""
        self._wake.clear()
        if self._mail:
            await self._serve(self._mail.pop(next(iter(self._mail))))
        elif (due := self.schedule.due()) is not None:
            await self._poll(*due)
        else:
            await self._rest()

    async def _rest(self) -> None:
        rest_s = self.schedule.rest_s()
        with suppress(TimeoutError):
            async with asyncio.timeout(None if rest_s is None else max(REST_S, rest_s)):
                await self._wake.wait()

    async def _poll(self, part: str, capability: Capability) -> None:
        """One read; given up at once when a request arrives, and then made up for."""
        reading = asyncio.ensure_future(self._read(part, capability))
        mail = asyncio.ensure_future(self._mail_came())
        try:
            await asyncio.wait({reading, mail}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            mail.cancel()
            if not reading.done():
                reading.cancel()
                self.schedule.cut(part, capability)
                await asyncio.wait({reading}, timeout=2 * (CANCEL_S + CLOSE_S))
        if reading.done() and not reading.cancelled() and reading.result():
            self._troubles.polled(part, self.device.context.now())

    async def _mail_came(self) -> None:
        while not self._mail:
            self._wake.clear()
            await self._wake.wait()

    async def _read(self, part: str, capability: Capability) -> bool:
        """Read a part onto the board; a failure is a fact about the part, never an exception."""
        self.schedule.began(part, capability)
        got: list[object] = []

        async def call(target: Any) -> None:
            got.append(await getattr(target, READ[capability])())

        error = await self._attempt(part, "a reading", self.device.context.deadlines.read_s, call)
        if error is None:
            error = self._take(part, capability, got[0])
        now = self.device.context.now()
        if error is None:
            self.schedule.succeeded(part, capability)
            self._troubles.well(_slot(part, capability), now)
        else:
            self.schedule.failed(part, capability, error)
            self._missed(part, capability, error.fact)
            self._troubles.ill(_slot(part, capability), error, now)
        self.watcher.arrived(part, capability is Capability.GRID_SOURCE)
        return error is None

    def _missed(self, part: str, capability: Capability, fact: str) -> None:
        """A read gave nothing: whatever the board holds of the part is older than it should be."""
        match capability:
            case Capability.GRID_SOURCE:
                self.board.fail_grid(part)
            case Capability.LOAD | Capability.GRADED_LOAD | Capability.HOST | Capability.THERMOSTAT:
                self.board.fail(part, fact)
            case Capability.FORECAST:
                self.board.fail_forecast(part, fact)

    def _take(self, part: str, capability: Capability, reading: object) -> DeviceError | None:
        """Put what was read onto the board, unless it is nothing that a device of this kind could say."""
        kind = READING[capability]
        if not isinstance(reading, kind):
            return Garbled(part, "a reading", f"it gave a {type(reading).__name__} for a {kind.__name__}")
        refused = self.board.put(part, reading)
        return Garbled(part, "a reading", refused) if refused else None

    async def _serve(self, request: Request) -> None:
        """Make a request, read the part back, and then tell how it went."""
        error: DeviceError | None = _closed(request)
        try:
            error = await self._attempt(request.part, request.wish, request.deadline_s, request.call)
            now = self.device.context.now()
            if error is not None:
                self._troubles.ill(requests(request.part), error, now)
            else:
                self._troubles.well(requests(request.part), now)
            if request.read_back:
                for capability in self.schedule.readable(request.part):
                    await self._read(request.part, capability)
        finally:
            request.done(error)

    # ------------------------------------------------------------------------------------------------ the boundary

    async def _attempt(
        self, part: str, wish: str, deadline_s: float, call: Callable[[Any], Awaitable[None]]
    ) -> DeviceError | None:
        """One call to a part under its deadline; what went wrong is one of the four errors, in words cut to length."""
        if self._no_library:
            return Unsupported(part, wish, self._no_library, "install it, and restart pimgr")
        if self.device.type.cloud:
            deadline_s = max(deadline_s, self.device.context.deadlines.cloud_s)

        async def attempt(connection: Connection) -> None:
            await call(connection.parts[self.device.key(part)])

        error = await self._link.attempt(attempt, deadline_s)
        match error:
            case None:
                return None
            case DeviceError():
                return _plain(error)
            case Overdue():
                return Unreachable(part, wish, f"no answer in {deadline_s:g} s", "check its power and network")
            case _:
                found = Garbled(part, wish, f"its plugin failed with {type(error).__name__}", "tell its author")
                found.__cause__ = error
                return found

    async def _import(self) -> None:
        """The vendor's modules, imported before the first call, which would pay for them with its deadline."""
        loop = asyncio.get_running_loop()
        for module in self.device.type.vendor_modules:
            if module in sys.modules:
                continue
            self._no_library = await loop.run_in_executor(self.device.importer, _import, module)
            if self._no_library:
                error = Unsupported(self.device.id, "its library", self._no_library, "install it, and restart pimgr")
                self._troubles.ill(LIBRARY, error, self.device.context.now())
                return


def _slot(part: str, capability: Capability) -> str:
    return f"{part} ({capability})"


def _closed(request: Request) -> DeviceError:
    return Unreachable(request.part, request.wish, "its connection was closed meanwhile", "pimgr asks again")


def _plain(error: DeviceError) -> DeviceError:
    """A plugin's error as one of the four, its words as one harmless line, whatever the plugin put there.

    A lone surrogate would be more than ugly: no journal and no snapshot can be written with one in it.
    """
    kind = next((k for k in (Unreachable, Refused, Unsupported) if isinstance(error, k)), Garbled)
    part, wish, fact, cure = (safe(str(w), FACT_LENGTH) for w in (error.part, error.wish, error.fact, error.cure))
    return kind(part, wish, fact, cure)


def _import(module: str) -> str:
    """Import it, on the importing thread; why that failed, or ""."""
    try:
        importlib.import_module(module)
    except BaseException as error:
        return safe(f"importing {module} failed ({type(error).__name__}: {error})", FACT_LENGTH)
    return ""
