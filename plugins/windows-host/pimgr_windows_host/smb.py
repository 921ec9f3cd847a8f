"""Whether a Windows machine answers: the first message of SMB 2, which needs no account.

Source: [MS-SMB2] 2.2.1 (header), 2.2.3 (NEGOTIATE request), 2.2.4 (response), 2.1 (4 bytes of length ahead on TCP).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct

_HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")
_REQUEST = struct.Struct("<HHHHI16sQ")
_DIALECTS = (0x0202, 0x0210, 0x0300, 0x0302)
_LONGEST = 64 * 1024
_SHORTEST = _HEADER.size + 65


class NotSmbError(Exception):
    """It answered something else."""


class GoneError(Exception):
    """It ended the connection, or never answered."""


def negotiate() -> bytes:
    """The request, with its length ahead."""
    header = _HEADER.pack(b"\xfeSMB", 64, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, b"")
    body = _REQUEST.pack(36, len(_DIALECTS), 1, 0, 0, b"pimgr".ljust(16, b"\0"), 0)
    message = header + body + struct.pack(f"<{len(_DIALECTS)}H", *_DIALECTS)
    return struct.pack(">I", len(message)) + message


async def answers(address: str, port: int, deadline_s: float) -> None:
    """Returns if it speaks SMB 2 or 3. Raises GoneError, NotSmbError, or OSError where there is no connection."""
    try:
        async with asyncio.timeout(deadline_s):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                await _ask(reader, writer)
            finally:
                writer.transport.abort()
    except TimeoutError:
        raise GoneError("it never answered") from None
    except (asyncio.IncompleteReadError, ConnectionResetError, BrokenPipeError):
        raise GoneError("it broke the connection off") from None


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(negotiate())
    with contextlib.suppress(ConnectionResetError):
        await writer.drain()
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    if not _SHORTEST <= length <= _LONGEST:
        raise NotSmbError
    answer = await reader.readexactly(length)
    protocol, size, _, _, command, *_ = _HEADER.unpack_from(answer)
    if protocol != b"\xfeSMB" or size != 64 or command != 0:
        raise NotSmbError
