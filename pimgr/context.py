"""What the host gives to one connection: clock, deadlines, secrets, durable store, and a thread for blocking calls."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from pimgr.api import Deadlines, Finding, Instant, Secret, Store, Unreachable
from pimgr.clock import Clock
from pimgr.worker import Worker

P = ParamSpec("P")
T = TypeVar("T")

MAX_HANGING = 3
"""Threads of one connection that may hang at once; past that it gets no new one until one of them ends."""


class SecretSource(Protocol):
    def text(self, reference: Secret) -> str: ...


class Voice(Protocol):
    """Who hears what connections have to say besides readings and errors; `connection` is the id of the speaker."""

    def tell(self, connection: str, key: str, finding: Finding | None) -> None: ...

    def record(self, connection: str, text: str) -> None: ...


@dataclass(frozen=True)
class Surroundings:
    """What all connections share."""

    clock: Clock
    secrets: SecretSource
    voice: Voice
    alert: Callable[[], bool] = lambda: False


class HostContext:
    """Implements `api.Context`. `release` lets go of the thread, which may be hanging in a vendor's call."""

    def __init__(self, connection: str, store: Store, around: Surroundings) -> None:
        self._connection, self._store, self._around = connection, store, around
        self._worker: Worker | None = None
        self._hanging: list[Worker] = []

    @property
    def connection(self) -> str:
        return self._connection

    @property
    def deadlines(self) -> Deadlines:
        return Deadlines()

    @property
    def store(self) -> Store:
        return self._store

    @property
    def alert(self) -> bool:
        return self._around.alert()

    def now(self) -> Instant:
        return self._around.clock.now().instant

    def secret(self, reference: Secret) -> str:
        return self._around.secrets.text(reference)

    def tell(self, key: str, finding: Finding | None) -> None:
        self._around.voice.tell(self._connection, key, finding)

    def record(self, text: str) -> None:
        self._around.voice.record(self._connection, text)

    async def call(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """On this connection's thread. A call that is cancelled keeps its thread; the next one gets another."""
        if self._worker is None:
            self._hanging = [w for w in self._hanging if w.busy]
            if len(self._hanging) >= MAX_HANGING:
                raise Unreachable(
                    self._connection, "an answer", f"{MAX_HANGING} earlier calls still hang in its library"
                )
            self._worker = Worker(self._connection)
        worker = self._worker
        try:
            return await asyncio.get_running_loop().run_in_executor(worker, functools.partial(fn, *args, **kwargs))
        except asyncio.CancelledError:
            if self._worker is worker:
                self.release()
            raise

    def release(self) -> None:
        """The thread ends with its present call, if that ever returns."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.shutdown()
            self._hanging.append(worker)
