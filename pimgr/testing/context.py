"""A stand-in for what pimgr gives to a connection, for a plugin author's tests."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

import msgspec

from pimgr import api
from pimgr.testing.time import FakeClock
from pimgr.worker import Worker

P = ParamSpec("P")
T = TypeVar("T")


class FakeStore:
    """The durable key-value area, in memory; give the same one to the next context to play a restart.

    `failure`: raised by the next puts until it is set to None. `full`: the disk takes nothing.
    """

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}
        self._durable: dict[str, bytes] = {}
        self.full = False
        self.failure: Exception | None = None

    def get(self, key: str) -> api.Storable:
        kept = self._kept.get(key)
        return None if kept is None else msgspec.msgpack.decode(kept)

    async def put(self, key: str, value: api.Storable) -> bool:
        """Raises TypeError for a value that isn't storable, and `failure` if one is set. False while `full`."""
        encoded = encode_storable(value)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self._kept[key] = encoded
        if not self.full:
            self._durable[key] = encoded
        return not self.full

    def after_power_cut(self) -> FakeStore:
        """A store with what was durable, as the next start finds it."""
        store = FakeStore()
        store._kept, store._durable = dict(self._durable), dict(self._durable)
        return store

    def keys(self) -> list[str]:
        return sorted(self._kept)

    def texts(self) -> str:
        """Everything that was stored, as one text to search in."""
        return " ".join(f"{key}={self.get(key)!r}" for key in self.keys())


def encode_storable(value: api.Storable) -> bytes:
    """`value` as msgpack. Raises TypeError where reading it back would give another value or type."""
    _check_storable(value)
    return msgspec.msgpack.encode(value)


def _check_storable(value: object) -> None:
    """Raise TypeError unless it is None, bool, int, float, str, bytes, or a list or str-keyed dict of these."""
    if type(value) is list:
        for item in value:
            _check_storable(item)
    elif type(value) is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError(f"a key of a stored dict is {type(key).__name__}, not str")
            _check_storable(item)
    elif value is not None and type(value) not in (bool, int, float, str, bytes):
        raise TypeError(f"{type(value).__name__} is not storable: it would not come back as it went in")


class FakeContext:
    """Implements `api.Context`: in-memory store, secrets from a dict, a settable clock, one worker thread of its own.

    A call that is cancelled while it runs leaves its thread behind; the next call gets a new one, as in pimgr.
    `close` tells its threads to end after what they are doing. `told`: every `tell`, oldest first;
    `recorded`: likewise.
    """

    def __init__(
        self,
        connection: str = "device",
        secrets: Mapping[str, str] | None = None,
        deadlines: api.Deadlines | None = None,
        *,
        clock: FakeClock | None = None,
        store: FakeStore | None = None,
    ) -> None:
        self.connection = connection
        self.deadlines = deadlines or api.Deadlines()
        self.store = store or FakeStore()
        self.clock = clock or FakeClock()
        self.secrets = dict(secrets or {})
        self.told: list[tuple[str, api.Finding | None]] = []
        self.recorded: list[str] = []
        self.alert = False
        self._worker: Worker | None = None

    def now(self) -> api.Instant:
        return self.clock.now().instant

    def secret(self, reference: api.Secret) -> str:
        if reference.secret not in self.secrets:
            wish, fact = f"secret {reference.secret}", "it isn't among the test's secrets"
            raise api.Refused(self.connection, wish, fact, "add it to FakeContext(secrets=...)")
        return self.secrets[reference.secret]

    def tell(self, key: str, finding: api.Finding | None) -> None:
        self.told.append((key, finding))

    def standing(self) -> dict[str, api.Finding]:
        """What was told and isn't over, by key."""
        last = dict(self.told)
        return {key: finding for key, finding in last.items() if finding is not None}

    def record(self, text: str) -> None:
        self.recorded.append(text)

    async def call(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        self.now()  # so that the clock knows this loop when the thread asks for the time
        if self._worker is None:
            self._worker = Worker(self.connection)
        worker = self._worker
        try:
            bound = functools.partial(fn, *args, **kwargs)
            return await asyncio.get_running_loop().run_in_executor(worker, bound)
        except asyncio.CancelledError:
            worker.shutdown(wait=False)
            if self._worker is worker:
                self._worker = None
            raise

    def close(self) -> None:
        """Tell the worker thread to end; may be called twice."""
        if self._worker is not None:
            self._worker.shutdown(wait=False)
            self._worker = None
