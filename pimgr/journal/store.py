"""The durable key-value area of one connection: tokens, login budgets, pinned fingerprints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pimgr.api import Storable
from pimgr.journal.entries import Stored, decode, encode

PLAIN = (bool, int, float, str, bytes)


class ConnectionStore:
    """Implements `api.Store`. Reads come from memory; what was put is there at once, even if not on the disk."""

    def __init__(
        self, connection: str, known: dict[tuple[str, str], bytes], put: Callable[[Stored], Awaitable[None]]
    ) -> None:
        self._connection, self._known, self._put = connection, known, put

    def get(self, key: str) -> Storable:
        packed = self._known.get((self._connection, key))
        return None if packed is None else decode(packed)

    async def put(self, key: str, value: Storable) -> bool:
        """True after the fsync. Raises `NotStored` if the disk took nothing, TypeError for what isn't storable."""
        check(value)
        packed = encode(value)
        encode(key)
        self._known[self._connection, key] = packed
        await self._put(Stored(self._connection, key, packed))
        return True


def check(value: object) -> None:
    """Raise TypeError unless it is None, bool, int, float, str, bytes, or a list or str-keyed dict of these."""
    if type(value) is list:
        for item in value:
            check(item)
    elif type(value) is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError(f"a stored dict may have only str keys, not {type(key).__name__}")
            check(item)
    elif value is not None and type(value) not in PLAIN:
        raise TypeError(f"a {type(value).__name__} can't be stored: it would not come back as it went in")
