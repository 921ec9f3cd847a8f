"""Puts a ready-made server, which wants a socket of its own, behind a `Line`, so that it has the faults of all."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from pimgr.house.faults import Line


async def relay(line: Line, attach: Callable[[socket.socket], Awaitable[object]]) -> None:
    """Carry bytes both ways between the client and the server that `attach` starts on a socket, until one ends."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    server = asyncio.ensure_future(attach(theirs))
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        await carry(line, reader, writer)
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


async def carry(line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes both ways between the client and a server, until one ends. Closes the server's side."""
    up = asyncio.create_task(_up(line, writer))
    down = asyncio.create_task(_down(reader, line))
    try:
        await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
    finally:
        writer.close()
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)


async def _up(line: Line, writer: asyncio.StreamWriter) -> None:
    while data := await line.reader.read(65536):
        writer.write(data)
        await writer.drain()


async def _down(reader: asyncio.StreamReader, line: Line) -> None:
    while data := await reader.read(65536):
        await line.send(data)
