"""One HTTP exchange that ends when it must: total deadline, bounded body, no redirect, nothing of the environment.

requests' own `timeout` is for each piece of an answer: a server that drips a byte a second, or a header that never
ends, keeps it for hours. So the socket itself is torn at the deadline, and the thread that reads it ends.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from pimgr.api import Context

MOST_BYTES = 256 * 1024
"""The longest honest answer, of an account with many products, is some 50 kB."""
_CHUNK = 16 * 1024
_CONNECT = 0.95
"""Share of the time after which connecting is given up by itself: there is no socket to be torn yet."""
_SLACK_S = 0.05
"""A torn exchange has this long to end before its thread is left behind: only a look-up or a connect hangs longer."""


class TooLargeError(Exception):
    """An answer grew past the bound."""


class NeverSentError(TimeoutError):
    """The time was over before there was a connection."""


class CutError(Exception):
    """An answer ended before its end."""


@dataclass(frozen=True)
class Ask:
    """A request. `json` or `form` is its body."""

    method: str
    url: str
    headers: Mapping[str, str]
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Reply:
    """An answer. `headers` with names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Grip:
    """The sockets of one exchange, which any thread may tear: whoever reads them then meets their end."""

    def __init__(self) -> None:
        self.torn = self.held = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def hold(self, connected: socket.socket) -> None:
        """A copy is kept: TLS takes the original's descriptor away before its handshake."""
        with self._lock:
            self.held = True
            self._sockets.append(socket.socket(fileno=os.dup(connected.fileno())))
        if self.torn:
            self.tear()

    def tear(self) -> None:
        with self._lock:
            self.torn = True
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()


class _Adapter(HTTPAdapter):
    """Connections whose sockets a grip holds."""

    def __init__(self, grip: Grip) -> None:
        self._grip = grip
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        grip = self._grip

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                made = super()._new_conn()
                grip.hold(made)
                return made

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                made = super()._new_conn()
                grip.hold(made)
                return made

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


class Wire:
    """Exchanges of one connection, each on the host's thread and with sockets of its own."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._grips: set[Grip] = set()

    async def exchange(self, ask: Ask, ends_s: float) -> Reply:
        """The answer, whole, before `ends_s` by the loop's clock. Raises TimeoutError, or what `_exchange` raises."""
        loop = asyncio.get_running_loop()
        left_s = ends_s - loop.time()
        if left_s <= 0.0:
            raise TimeoutError
        grip = Grip()
        self._grips.add(grip)
        torn = loop.call_later(left_s, grip.tear)
        try:
            async with asyncio.timeout(left_s + _SLACK_S):
                return await self._context.call(_exchange, ask, left_s * _CONNECT, grip)
        except (requests.RequestException, CutError, OSError, ValueError) as error:
            if grip.torn:
                raise (TimeoutError if grip.held else NeverSentError) from error
            raise
        finally:
            torn.cancel()
            grip.tear()
            self._grips.discard(grip)

    def close(self) -> None:
        """Tear whatever goes on."""
        for grip in self._grips:
            grip.tear()


def _exchange(ask: Ask, patience_s: float, grip: Grip) -> Reply:
    """The exchange itself, on the thread.

    Raises requests' errors, CutError, TooLargeError, and urllib3's as CutError.
    """
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close", **ask.headers}
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy, no .netrc, no other certificates because of somebody's environment
            for scheme in ("https://", "http://"):
                session.mount(scheme, _Adapter(grip))
            with session.request(
                ask.method,
                ask.url,
                headers=headers,
                json=ask.json,
                data=ask.form,
                timeout=patience_s,
                allow_redirects=False,
                stream=True,
            ) as reply:
                lowered = {name.lower(): value for name, value in reply.headers.items()}
                return Reply(reply.status_code, _body(reply), lowered)
    finally:
        grip.let_go()


def _body(reply: requests.Response) -> bytes:
    """The body as it came, not unpacked: a small answer may unpack to a large one."""
    body = bytearray()
    try:
        while chunk := reply.raw.read(_CHUNK, decode_content=False):
            body += chunk
            if len(body) > MOST_BYTES:
                raise TooLargeError
    except (TooLargeError, MemoryError):
        raise
    except Exception as error:  # urllib3 lets http.client's errors and its own through here
        raise CutError from error
    return bytes(body)
