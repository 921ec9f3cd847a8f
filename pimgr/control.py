"""The control socket: what people ask of a running pimgr, one line of JSON each, answered with one.

Who may write to the socket may ask: its file is open to user and group only.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pimgr.api import Frozen

if TYPE_CHECKING:  # the command line must not pay for asyncio
    import asyncio

log = logging.getLogger(__name__)

NAME = "control.sock"
LIMIT = 65536
"""Longest request and reply in bytes."""
DEADLINE_S = 2.0
"""What a client may take to say its request."""
MAX_CLIENTS = 8
RETRY_S = 30.0


class Request(Frozen, kw_only=True, forbid_unknown_fields=True):
    """`do`: "reload", "drill", "forget", "give back", "keep", "let go", "disarm", "arm" or "ack"; some name a part.

    Or "count", see `pimgr.counting`. `on`, `for_s`: how a part is to be kept, and for how many seconds.
    """

    do: str
    part: str = ""
    key: str = ""
    value: str = ""
    """msgpack, in base64."""
    on: bool = False
    for_s: float = 0.0


class Reply(Frozen):
    """Whether it was done, and what to tell the person."""

    ok: bool
    text: str


class NotRunning(Exception):
    """Nobody answers; the text says why, and the cure."""


class Control:
    """Serves the socket in `folder`; `handle` runs in the event loop, and answers."""

    def __init__(self, folder: Path, handle: Callable[[Request], Awaitable[Reply]]) -> None:
        self._path = folder / NAME
        self._handle = handle
        self._clients = 0

    async def run(self) -> None:
        """Serve until cancelled. A socket left by a killed pimgr is replaced: the journal's lock says we are alone."""
        import asyncio

        while True:
            try:
                self._path.unlink(missing_ok=True)
                with _short(self._path) as path:
                    server = await asyncio.start_unix_server(self._serve, path, limit=LIMIT)
                self._path.chmod(0o660)
                async with server:
                    await server.serve_forever()
            except OSError as error:  # the house is protected without it
                log.error("no one can ask pimgr anything: %s: %s", self._path, error)
                await asyncio.sleep(RETRY_S)
            finally:
                self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import asyncio

        self._clients += 1
        try:
            reply = await self._answer(reader)
            writer.write(_cut(reply))
            async with asyncio.timeout(DEADLINE_S):
                await writer.drain()
        except (OSError, TimeoutError):
            pass  # it left: what it asked for was done, and is told by `pimgr status`
        finally:
            self._clients -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> Reply:
        import asyncio

        try:
            async with asyncio.timeout(DEADLINE_S):
                line = await reader.readline()
            request = msgspec.json.decode(line, type=Request)
        except TimeoutError:
            return Reply(False, f"no request within {DEADLINE_S:g} s")
        except ValueError as error:  # too long, not JSON, not UTF-8, not a request
            return Reply(False, f"not a request: {error}")
        if self._clients > MAX_CLIENTS:
            return Reply(False, "too many ask at once")
        try:
            return await self._handle(request)
        except Exception as error:
            log.exception("%s failed", request)
            return Reply(False, f"it failed: {error}; the log says more")


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for a socket's path that fits into the 107 bytes that Linux has for one."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _cut(reply: Reply) -> bytes:
    """The reply as a line of at most LIMIT bytes; only a text without end needs cutting."""
    line = msgspec.json.encode(reply)
    if len(line) >= LIMIT:
        line = msgspec.json.encode(Reply(reply.ok, reply.text[: LIMIT // 16] + " …"))  # a letter may need 6 bytes
    return line + b"\n"


def ask(folder: Path, request: Request, timeout_s: float = 30.0) -> Reply:
    """What the pimgr that runs with this runtime folder replies. Raises NotRunning. Blocks up to `timeout_s` a step."""
    path = folder / NAME
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
            talk.settimeout(timeout_s)
            with _short(path) as short:
                talk.connect(short)
            talk.sendall(msgspec.json.encode(request) + b"\n")
            data = b""
            while not data.endswith(b"\n") and len(data) <= LIMIT and (more := talk.recv(LIMIT)):
                data += more
        return msgspec.json.decode(data, type=Reply)
    except PermissionError:
        raise NotRunning(f"{path} is not open to this user; try again with sudo") from None
    except TimeoutError:
        raise NotRunning(f"pimgr didn't answer within {timeout_s:g} s; see `pimgr status`") from None
    except (FileNotFoundError, ConnectionError):
        raise NotRunning("pimgr is not running; start it with `sudo systemctl start pimgr`") from None
    except (OSError, ValueError) as error:
        raise NotRunning(f"no answer that makes sense at {path}: {error}") from None
