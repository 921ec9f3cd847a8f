"""One task a connection: it owns open, every call and close, polls at its own rate, and takes requests from a mailbox.

A request pre-empts a poll; a newer request replaces an older one for the same aspect; a call that passed its deadline, or
was cut short, closes the connection, which is opened again for the next one. Nothing that a device does gets past here but
readings, outcomes and a reason.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from pimgr.api import (
    Capability,
    Config,
    Connection,
    DeviceError,
    DeviceType,
    Garbled,
    Instant,
    Part,
    Reading,
    Unreachable,
    Unsupported,
)
from pimgr.board import Board
from pimgr.context import HostContext
from pimgr.rates import Schedule
from pimgr.text import safe

log = logging.getLogger(__name__)

CLOSE_S = 2.0
"""What closing may take; then it is left behind."""
CANCEL_S = 1.0
"""What a cancelled call may take to end."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call to make: `key` names the aspect, so that a newer wish replaces an older one; `done` hears how it went."""

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


@dataclass(frozen=True)
class Health:
    """How a connection, or one thing that it reads, is doing, for people."""

    state: str
    reason: str
    since: Instant | None


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


READ = {
    Capability.GRID_SOURCE: "read_grid",
    Capability.SITE_METER: "read_site",
    Capability.LOAD: "read_load",
    Capability.HOST: "read_host",
}


class ConnectionTask:
    """Runs one connection for as long as `run` runs."""

    def __init__(self, device: Device, board: Board, watcher: Watcher, schedule: Schedule) -> None:
        self.device, self.board, self.watcher, self.schedule = device, board, watcher, schedule
        self._troubles: dict[str, Health] = {}
        self._answered = False
        self._mail: dict[str, Request] = {}
        self._wake = asyncio.Event()
        self._open: tuple[AbstractAsyncContextManager[Connection], Connection] | None = None

    # ----------------------------------------------------------------------------------------------- from outside

    def post(self, request: Request) -> None:
        """Put a request into the mailbox; an older one for the same aspect is dropped unheard."""
        self._mail.pop(request.key, None)
        self._mail[request.key] = request
        self._wake.set()

    def look(self, parts: set[str]) -> None:
        """Read these parts soon."""
        if self.schedule.hurry({p for p in parts if p in self.schedule.parts}):
            self._wake.set()

    def nudge(self) -> None:
        """The rates changed."""
        self._wake.set()

    # ---------------------------------------------------------------------------------------------------- the task

    async def run(self) -> None:
        """Poll and serve the mailbox until cancelled."""
        try:
            missing = await self._import()
            if missing is not None:
                self._ill("library", missing)
            while True:
                await self._turn()
        finally:
            await self._close()

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
        with suppress(TimeoutError):
            async with asyncio.timeout(self.schedule.rest_s()):
                await self._wake.wait()

    async def _poll(self, part: str, capability: Capability) -> None:
        """One read; given up at once when a request arrives."""
        reading = asyncio.ensure_future(self._read(part, capability))
        mail = asyncio.ensure_future(self._mail_came())
        try:
            await asyncio.wait({reading, mail}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            mail.cancel()
            if not reading.done():
                reading.cancel()
                await asyncio.wait({reading}, timeout=CANCEL_S + CLOSE_S)
        if reading.done() and not reading.cancelled():
            reading.result()

    async def _mail_came(self) -> None:
        while not self._mail:
            self._wake.clear()
            await self._wake.wait()

    async def _read(self, part: str, capability: Capability) -> None:
        """Read a part onto the board; a failure is a fact about the part, never an exception."""
        self.schedule.began(part, capability)
        deadlines = self.device.context.deadlines
        deadline_s = deadlines.cloud_s if self.device.type.cloud else deadlines.read_s
        got: list[Reading] = []

        async def call(target: Any) -> None:
            got.append(await getattr(target, READ[capability])())

        error = await self._attempt(part, "a reading", deadline_s, call)
        if error is None:
            refused = self.board.put(part, got[0])
            error = Garbled(part, "a reading", refused) if refused else None
        if error is None:
            self.schedule.succeeded(part, capability)
            self._well(f"{part} ({capability})")
        else:
            self.schedule.failed(part, capability, error)
            if capability is Capability.GRID_SOURCE:
                self.board.fail_grid(part)
            elif capability in (Capability.LOAD, Capability.HOST):
                self.board.fail(part, error.fact)
            self._ill(f"{part} ({capability})", error)
        self.watcher.arrived(part, capability is Capability.GRID_SOURCE)

    async def _serve(self, request: Request) -> None:
        """Make a request, read the part back, and then tell how it went."""
        error = await self._attempt(request.part, request.wish, request.deadline_s, request.call)
        what = f"{request.part} (requests)"
        if error is not None:
            self._ill(what, error)
        else:
            self._well(what)
        if request.read_back:
            for capability in self.schedule.readable(request.part):
                await self._read(request.part, capability)
        request.done(error)

    # ------------------------------------------------------------------------------------------------ the boundary

    async def _attempt(
        self, part: str, wish: str, deadline_s: float, call: Callable[[Any], Awaitable[None]]
    ) -> DeviceError | None:
        """One call under its deadline. The only place where a plugin's exceptions are caught, all of them.

        The call is a task of its own: one that ignores its cancellation is left behind, and holds up nothing.
        """

        async def attempt() -> None:
            await call(await self._target(part))

        task = asyncio.ensure_future(attempt())
        try:
            await asyncio.wait({task}, timeout=deadline_s)
            if task.done():
                task.result()
                return None
        except DeviceError as error:
            return error
        except Exception as error:
            log.exception("%s: its plugin failed", part)
            await self._close()
            return Garbled(part, wish, f"its plugin failed with {type(error).__name__}", "tell the plugin's author")
        finally:
            if not task.done():
                await self._abandon(task)
        return Unreachable(part, wish, f"no answer in {deadline_s:g} s", "check its power and network")

    async def _abandon(self, task: asyncio.Task[None]) -> None:
        """Cancel a call and close what it was talking to, in whatever state it left that."""
        task.cancel()
        task.add_done_callback(lambda t: t.cancelled() or t.exception())
        await asyncio.wait({task}, timeout=CANCEL_S)
        await self._close()

    async def _import(self) -> DeviceError | None:
        """The vendor's modules, imported before the first call, which would pay for them with its deadline."""
        loop = asyncio.get_running_loop()
        for module in self.device.type.vendor_modules:
            if module in sys.modules:
                continue
            try:
                await loop.run_in_executor(self.device.importer, importlib.import_module, module)
            except Exception as error:
                return Unsupported(self.device.id, "its library", f"importing {module} failed: {error}", "install it")
        return None

    async def _target(self, part: str) -> Part:
        """The part's object, on an open connection."""
        if self._open is None:
            manager = self.device.type.open(self.device.config, self.device.context)
            self._open = (manager, await manager.__aenter__())
        return self._open[1].parts[self.device.key(part)]

    async def _close(self) -> None:
        """Close, whatever state it is in; a close that hangs is left behind, and its thread let go."""
        if self._open is None:
            return
        manager, self._open = self._open[0], None
        try:
            async with asyncio.timeout(CLOSE_S):
                await manager.__aexit__(None, None, None)
        except Exception as error:
            log.warning("%s: closing failed (%s)", self.device.id, type(error).__name__)
        finally:
            self.device.context.release()

    # ------------------------------------------------------------------------------------------------------ health

    @property
    def health(self) -> Health:
        """How the connection is doing: "ok", "waiting" for its first answer, "partly" or "lost"."""
        if self._troubles:
            slots = len(self.schedule.slots)
            state = "lost" if len(self._troubles) >= max(1, slots) else "partly"
            first = min(self._troubles.values(), key=lambda t: t.since.mono_s if t.since else 0.0)
            return Health(state, "; ".join(t.reason for t in self._troubles.values()), first.since)
        return Health("ok" if self._answered else "waiting", "", None)

    def _well(self, what: str) -> None:
        self._answered = True
        trouble = self._troubles.pop(what, None)
        if trouble and trouble.since:
            away = self.device.context.now().since(trouble.since)
            log.info("%s: back after %.0f s", safe(what), away)

    def _ill(self, what: str, error: DeviceError) -> None:
        known = self._troubles.get(what)
        since = known.since if known else self.device.context.now()
        self._troubles[what] = Health("lost", str(error), since)
        if known is None:
            log.warning("%s: lost (%s)", safe(what), safe(error.fact))
