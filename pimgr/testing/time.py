"""Virtual time: hours of a house pass in milliseconds, and the same way each time.

An event loop of ours rather than the `looptime` library (0.9, MIT, kept up, runs on 3.13): that one lets time jump
while a socket is waited for, and each jump costs it 42 turns of the loop.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

from pimgr import api

T = TypeVar("T")

STALL_S = 30.0
"""Real seconds without any event and without a timer after which the loop says that it hangs."""
THREADS_FREE_S = 0.5
"""Real seconds that threads may work while virtual time stands still: a commit to disk costs no virtual time."""


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that jumps to the next timer, unless something outside (a thread, a socket) may answer first."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.calls: set[asyncio.Future[Any]] = set()
        self._free_s = THREADS_FREE_S
        self._watched: set[int] = set()
        self._own: int | None = None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        if self._own is None:
            self._own = key.fd  # the loop's own pipe is registered first
        elif not _listens(key.fd):
            self._watched.add(key.fd)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = super().unregister(fileobj)
        self._watched.discard(key.fd)
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if not self.calls:
            self._free_s = THREADS_FREE_S
        if timeout is not None and not self.calls and not self._watched:
            self.now_s += timeout
            return ready
        return self._wait(timeout)

    def _wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait really, at most `timeout` s; virtual time then passes as fast as real time."""
        free = self._free_s if self.calls and not self._watched else 0.0
        began = time.monotonic()
        ready = super().select(STALL_S if timeout is None else timeout + free)
        if timeout is None:
            if not ready:
                raise RuntimeError(f"nothing happened for {STALL_S} s, and no timer is set: the program waits for ever")
            return ready
        took = time.monotonic() - began
        used = min(free, took)
        self._free_s -= used
        self.now_s += min(timeout, took - used)
        return ready


def _listens(fd: int) -> bool:
    """Whether it is a listening socket: nobody waits for an answer there, so it doesn't hold time back."""
    try:
        with socket.socket(fileno=os.dup(fd)) as copy:
            return copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    except OSError:
        return False


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer whenever there is nothing else to do.

    While a call made by `run_in_executor` is awaited, or a connected socket or a pipe is watched, it waits really.
    Other threads are not seen: hand work to a thread by `run_in_executor` with an executor of your own.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-6  # else a timer due at a large time never counts as due (cpython#116342)

    def time(self) -> float:
        return self._jumping.now_s

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        call = super().run_in_executor(executor, func, *args)
        self._jumping.calls.add(call)
        call.add_done_callback(self._jumping.calls.discard)
        return call


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in a virtual loop that begins at 0 s. Raises RuntimeError when it waits for ever."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class FakeClock:
    """The house's clocks, following the running loop's time (virtual or real), plus what a test adds.

    `wall_offset_s`: wall clock minus boot clock in s; `wall_trusted`, `boot`: as in `api.Now`. All may be
    set at any time. Outside a loop it stands still until `advance`.
    """

    def __init__(
        self, wall_offset_s: float = 1_800_000_000.0, *, wall_trusted: bool = True, boot: str = "boot-1"
    ) -> None:
        self.wall_offset_s = wall_offset_s
        self.wall_trusted = wall_trusted
        self.boot = boot
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_began_s = 0.0
        self._added_s = 1000.0

    def now(self) -> api.Now:
        """The present; may be called from any thread once it was called in the loop."""
        mono_s = self._elapsed_s() + self._added_s
        return api.Now(mono_s, self.wall_offset_s + mono_s, self.boot, wall_trusted=self.wall_trusted)

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks without the loop's knowledge, as a suspended box does."""
        self._added_s += seconds

    def reboot(self, boot: str, *, off_s: float = 0.0, wall_trusted: bool = False) -> None:
        """A power cut of `off_s` seconds: another boot, the boot clock begins near 0, the wall clock went on."""
        wall = self.now().wall + off_s
        self._added_s = 10.0 - self._elapsed_s()
        self.boot, self.wall_trusted = boot, wall_trusted
        self.wall_offset_s = wall - 10.0

    def _elapsed_s(self) -> float:
        loop = _running_loop() or self._loop
        if loop is None:
            return 0.0
        if loop is not self._loop:
            before = 0.0 if self._loop is None else self._loop.time() - self._loop_began_s
            self._loop, self._loop_began_s = loop, loop.time() - before
        return loop.time() - self._loop_began_s


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
