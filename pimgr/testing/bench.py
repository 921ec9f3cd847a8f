"""Runs one rule of the contract in an event loop of its own, and watches what no rule can see from inside the loop."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

import msgspec

from pimgr import api
from pimgr.testing.context import FakeContext, FakeStore, encode_storable
from pimgr.testing.subject import METHODS, Broken, NotApplicable, Subject, Trouble, Vendor
from pimgr.testing.time import FakeClock

CONNECTION = "subject"
BLOCKED_S = 3.0
"""A loop that stood still so long is torn out of whatever blocks it."""
CANCEL_S = 1.0
"""How long a call may take to end once it was cancelled."""
CLOSE_S = 1.0
"""How long closing may take."""
RULE_S = 60.0
"""A rule that takes longer has met a plugin that never ends."""
NETWORK_EVENTS = (
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "subprocess.Popen",
)


class LoopBlocked(BaseException):
    """Raised into whatever blocks the loop; no plugin's `except Exception` can keep it."""


class ToleratingStore(FakeStore):
    """Keeps what the host's store would refuse, and the reason; one rule judges it."""

    def __init__(self) -> None:
        super().__init__()
        self.objections: list[str] = []
        self._odd: dict[str, Any] = {}

    def get(self, key: str) -> api.Storable:
        return self._odd[key] if key in self._odd else super().get(key)

    async def put(self, key: str, value: api.Storable) -> bool:
        self._odd.pop(key, None)
        try:
            encode_storable(value)
        except TypeError as error:
            self.objections.append(f"{key}: {error}")
            self._odd[key] = value
            return True
        return await super().put(key, value)


class Bench:
    """One subject on the bench, with its vendor's side running. Made anew for each rule."""

    def __init__(self, subject: Subject, vendor: Vendor) -> None:
        self.subject = subject
        self.vendor = vendor
        self.type = subject.device_type
        self.store = ToleratingStore()
        self.clock = FakeClock()
        self.config: api.Config = msgspec.convert(dict(vendor.config), self.type.config)
        self.provides = dict(self.type.provides(self.config))
        self.contexts: list[FakeContext] = []

    def context(self, *, wrong_secrets: bool = False) -> FakeContext:
        secrets = (self.subject.wrong_secrets if wrong_secrets else None) or self.subject.secrets
        context = FakeContext(CONNECTION, secrets, self.subject.deadlines, clock=self.clock, store=self.store)
        self.contexts.append(context)
        return context

    @asynccontextmanager
    async def connected(self, *, wrong_secrets: bool = False) -> AsyncIterator[api.Connection]:
        """An open connection, with a context of its own on the same store."""
        context = self.context(wrong_secrets=wrong_secrets)
        opened = self.type.open(self.config, context)
        connection = await opened.__aenter__()
        try:
            yield connection
        finally:
            await close(opened)
            context.close()

    def trouble(self, trouble: Trouble) -> None:
        """Let the vendor's side misbehave, or answer again. Raises NotApplicable if it can't."""
        if trouble not in self.vendor.troubles:
            raise NotApplicable(f"the subject's vendor has no way to be {trouble.value}")
        self.vendor.troubles[trouble]()

    def heal(self) -> None:
        """Everything answers again, and whatever rest the plugin gave itself is over."""
        self.trouble(Trouble.NONE)
        self.clock.advance(self.subject.rest_s)

    def reads(self, connection: api.Connection) -> Iterator[tuple[str, str, Coroutine[Any, Any, api.Reading]]]:
        """Each part's key, reading method, and a call of it."""
        for key, capabilities in self.provides.items():
            for capability in sorted(capabilities):
                name = METHODS[capability].read
                if name:
                    yield key, name, getattr(connection.parts[key], name)()


async def run_bounded(call: Coroutine[Any, Any, Any], seconds: float) -> tuple[Any, BaseException | None]:
    """Result or error of `call`; after `seconds` it is cancelled, and after one more given up (TimeoutError)."""
    task = asyncio.ensure_future(call)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=CANCEL_S)
    if not done:
        return None, TimeoutError("it can't even be cancelled")
    if task.cancelled():
        return None, TimeoutError()
    error = task.exception()
    if isinstance(error, LoopBlocked):
        raise error
    return (None, error) if error is not None else (task.result(), None)


async def close(opened: AbstractAsyncContextManager[Any]) -> Exception | None:
    """Leave a connection's context, in the task that entered it; the error of that, TimeoutError after a second."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await opened.__aexit__(None, None, None)
    except Exception as error:
        return error
    return None


class Lag:
    """The longest time for which the loop stood still while it was watched, in s."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def watch(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            self.longest_s = max(self.longest_s, time.monotonic() - before - 0.005)


@contextmanager
def unblocking(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Raise LoopBlocked into what blocks the loop for BLOCKED_S; only where Python allows it, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    beat = [time.monotonic()]
    over = threading.Event()

    def torn(signum: int, frame: FrameType | None) -> None:
        raise LoopBlocked(f"the event loop stood still for {BLOCKED_S} s")

    def alive() -> None:
        beat[0] = time.monotonic()
        if not loop.is_closed():
            loop.call_later(0.05, alive)

    def watch() -> None:
        while not over.wait(0.1):
            if time.monotonic() - beat[0] > BLOCKED_S:
                beat[0] = time.monotonic()
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR2)

    previous = signal.signal(signal.SIGUSR2, torn)
    watcher = threading.Thread(target=watch, name="contract: is the loop alive?", daemon=True)
    alive()
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        signal.signal(signal.SIGUSR2, previous)


def run_in_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` in a new loop; a task that ignores its cancelling is left behind rather than waited for."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # left-over tasks are judged by a rule, not on stderr
    try:
        with unblocking(loop):
            task = loop.create_task(main)
            loop.run_until_complete(asyncio.wait({task}, timeout=RULE_S))
            left = asyncio.all_tasks(loop)
            for other in left:
                other.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=1.0))
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
    if not task.done() or task.cancelled():
        raise Broken(f"it did not end within {RULE_S:.0f} s")
    try:
        task.result()
    except LoopBlocked as error:
        raise Broken(f"{error}: a blocking call, outside context.call") from None


class _Network:
    """What the process did with the network since `seen` was cleared; audit hooks can't be removed, so there is one."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.watching = False
        self._hooked = False

    @contextmanager
    def watch(self) -> Iterator[list[str]]:
        """Collect the network events of the block."""
        if not self._hooked:
            sys.addaudithook(self._audit)
            self._hooked = True
        self.seen, self.watching = [], True
        try:
            yield self.seen
        finally:
            self.watching = False

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if self.watching and event in NETWORK_EVENTS:
            self.seen.append(event)


network = _Network()
