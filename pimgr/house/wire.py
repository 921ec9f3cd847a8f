"""Everything that was said to the house, in order: the witness that a rehearsal is judged by.

A supervisor may believe what it likes; what it *did* is here. `what` is one of

* "switch", "shut_down", "wake", "mail": a command over the wire (`value`: "on", "off", a host's boot id, a subject);
* "login", "query", "refused": what else came over the wire;
* "person": a hand in the house; "fault": a fault that was set; "truth": something *changed*, whoever did it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, overload

import msgspec

from pimgr.api import Frozen

RAW_LIMIT = 2_000
"""Characters of `raw` that are kept."""


class WireEntry(Frozen):
    """One line. `wall`: UTC in s; `mono_s`: CLOCK_BOOTTIME in s, comparable with `pimgr.api.Instant`."""

    seq: int
    wall: float
    mono_s: float
    device: str
    part: str
    what: str
    value: str
    raw: str = ""


class WireLog(Sequence[WireEntry]):
    """A growing list of entries, optionally also a file of JSON lines, flushed line by line."""

    def __init__(self, path: Path | None = None) -> None:
        self._entries: list[WireEntry] = []
        self._waiters: list[tuple[Callable[[WireEntry], bool], asyncio.Future[WireEntry]]] = []
        self._file: IO[bytes] | None = path.open("ab", buffering=0) if path else None

    @overload
    def __getitem__(self, index: int) -> WireEntry: ...
    @overload
    def __getitem__(self, index: slice) -> list[WireEntry]: ...
    def __getitem__(self, index: int | slice) -> WireEntry | list[WireEntry]:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[WireEntry]:
        return iter(self._entries)

    def note(self, device: str, part: str, what: str, value: str, *, raw: str = "") -> WireEntry:
        """Write one entry, now."""
        mono_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        entry = WireEntry(len(self._entries), time.time(), mono_s, device, part, what, value, raw[:RAW_LIMIT])
        self._entries.append(entry)
        if self._file:
            self._file.write(msgspec.json.encode(entry) + b"\n")
        for predicate, waiter in self._waiters:
            if not waiter.done() and predicate(entry):
                waiter.set_result(entry)
        return entry

    def of(self, what: str, device: str | None = None) -> list[WireEntry]:
        """The entries of one sort, of one device or of all."""
        return [entry for entry in self._entries if entry.what == what and device in (None, entry.device)]

    async def wait_for(self, predicate: Callable[[WireEntry], bool], timeout_s: float, *, since: int = 0) -> WireEntry:
        """The first entry from number `since` on for which `predicate` holds; TimeoutError when none comes in time."""
        for entry in self._entries[since:]:
            if predicate(entry):
                return entry
        waiter: asyncio.Future[WireEntry] = asyncio.get_running_loop().create_future()
        pending = (predicate, waiter)
        self._waiters.append(pending)
        try:
            async with asyncio.timeout(timeout_s):
                return await waiter
        finally:
            self._waiters.remove(pending)

    def close(self) -> None:
        """Close the file; the list stays."""
        if self._file:
            self._file.close()
            self._file = None


def read_wire(path: Path) -> list[WireEntry]:
    """The entries of a file that a house wrote; a last line that was cut off is left out."""
    whole = path.read_bytes().split(b"\n")[:-1]
    return [msgspec.json.decode(line, type=WireEntry) for line in whole]
