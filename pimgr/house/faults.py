"""Ways in which a device lets its house down, the same for every server: they act on the bytes of a connection.

A `Line` is one connection as a server sees it, with the fault of its `pimgr.house.gate.Gate` in between. Where there
is TLS, a fault that keeps quiet acts below it, the others on the text inside.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, cast

from msgspec import Meta

from pimgr.api import Config

if TYPE_CHECKING:
    from pimgr.house.gate import Gate

OVERSIZE_BYTES = 1 << 30
"""How much an OVERSIZE answer claims, and sends to whoever goes on reading."""
_CHUNK = b" " * 65536


class Fault(StrEnum):
    """How a device misbehaves. The last rows are answers of one sort of server, which reads `Gate.fault` itself."""

    NONE = "none"
    SILENT = "silent"
    """Connections are accepted; nothing that is said gets heard or answered, also on connections that were open."""
    DEAD = "dead"
    """As if its power were gone: no accepting either, and no UDP. Coming back resets what was open."""
    REFUSING = "refusing"
    """Nobody listens any more; open connections are reset."""
    DRIPPING = "dripping"
    """It obeys, and the answer comes at one byte a second."""
    SLOW = "slow"
    """It obeys, and the answer comes late."""
    CUT = "cut"
    """It obeys; the first half of the answer comes, and then the end of the connection."""
    GARBAGE = "garbage"
    """It obeys; the answer is noise, and then the end of the connection."""
    NONSENSE = "nonsense"
    """It obeys; the answer has the right length and framing, and noise as its content."""
    OVERSIZE = "oversize"
    """It obeys; the answer claims to be 1 GB long, and is."""

    HTTP_401 = "http-401"
    HTTP_403 = "http-403"
    HTTP_404 = "http-404"
    HTTP_429 = "http-429"
    HTTP_500 = "http-500"
    HTTP_502 = "http-502"
    HTTP_503 = "http-503"
    MAIL_TEMPORARY = "mail-temporary"
    MAIL_PERMANENT = "mail-permanent"

    @property
    def own(self) -> bool:
        """Whether it is an answer of one sort of server, which names it in `ServerKind.faults`."""
        return self.startswith(("http-", "mail-"))

    @property
    def hushed(self) -> bool:
        """Whether nothing that is said to the device gets through."""
        return self in (Fault.SILENT, Fault.DEAD, Fault.REFUSING)

    @property
    def http_status(self) -> int | None:
        """The status that an HTTP server answers everything with, if it is one of those."""
        return int(self.removeprefix("http-")) if self.startswith("http-") else None


HTTP_FAULTS = frozenset(fault for fault in Fault if fault.http_status)
"""What any HTTP server may answer everything with."""
MAIL_FAULTS = frozenset(fault for fault in Fault if fault.startswith("mail-"))


class FaultTimes(Config):
    """`slow_s`: how late SLOW answers; `drip_s`: s between two bytes of DRIPPING."""

    slow_s: Annotated[float, Meta(ge=0.0, le=3600.0)] = 3.0
    drip_s: Annotated[float, Meta(gt=0.0, le=3600.0)] = 1.0


class LineEnded(ConnectionError):
    """The connection is over, by the other side or by a fault. A server lets it pass."""


class Line(asyncio.Protocol):
    """One connection as the server sees it: `reader` to read from, `send` to answer by."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.closed = asyncio.Event()
        self.reader = asyncio.StreamReader(limit=1 << 20)
        self.spoilt = False
        """A fault ate or bent what was said here, so that it can't be mended: it is reset when the fault ends."""

    @property
    def fresh(self) -> bool:
        """Whether it never came to a connection, such as in a TLS handshake that failed."""
        return self._transport is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.reader.set_transport(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._gate.fault.hushed:
            self.spoilt = True
            return
        self.reader.feed_data(data)

    def eof_received(self) -> bool:
        self.reader.feed_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.reader.feed_eof()
        self._writable.set()
        self.closed.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def send(self, body: bytes, *, head: bytes = b"", flood_head: bytes | None = None) -> None:
        """Answer with `head` (the framing) and `body`, or with what the fault makes of them.

        `flood_head` is the framing of an answer of `OVERSIZE_BYTES`. Raises LineEnded where the connection is over.
        """
        if self._gate.fault is Fault.SLOW:
            await asyncio.sleep(self._gate.times.slow_s)
        fault = self._gate.fault
        if fault.hushed:
            self.spoilt = True
        elif fault is Fault.DRIPPING:
            await self._drip(head + body)
        elif fault is Fault.CUT:
            await self._last_words(head + body[: len(body) // 2])
        elif fault is Fault.GARBAGE:
            await self._last_words(self._gate.noise.randbytes(max(64, len(body))))
        elif fault is Fault.NONSENSE:
            self.spoilt = True
            await self._write(head + self._gate.noise.randbytes(len(body)))
        elif fault is Fault.OVERSIZE:
            await self._flood(head if flood_head is None else flood_head)
        else:
            await self._write(head + body)

    async def _write(self, data: bytes) -> None:
        if self._transport is None or self.closed.is_set() or self._transport.is_closing():
            raise LineEnded
        self._transport.write(data)
        await self._writable.wait()

    async def _drip(self, data: bytes) -> None:
        self.spoilt = True
        for byte in data:
            await self._write(bytes([byte]))
            await asyncio.sleep(self._gate.times.drip_s)

    async def _last_words(self, data: bytes) -> None:
        await self._write(data)
        self.close()
        raise LineEnded

    async def _flood(self, head: bytes) -> None:
        self.spoilt = True
        await self._write(head)
        for _ in range(OVERSIZE_BYTES // len(_CHUNK)):
            await self._write(_CHUNK)
            await asyncio.sleep(0)  # so that a client that went away is noticed

    def close(self) -> None:
        """Say goodbye after what is still to be sent."""
        if self._transport and not self._transport.is_closing():
            self._transport.close()

    def abort(self) -> None:
        """Reset it at once."""
        if self._transport:
            with suppress(AttributeError):  # Python 3.11.2: a TLS transport closed twice has no protocol
                self._transport.abort()
