"""One question over HTTP that ends at its deadline, whatever the other side does, and reads no more than is honest."""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

MOST_BYTES = 256 * 1024
"""Three days by the hour are some 5 kB."""
CONNECT_SHARE = 0.4
"""Of the deadline, for connecting to one address; a name may have two."""
_LEAST_S = 0.001


class TooLargeError(Exception):
    """The reply is larger than any honest one."""


@dataclass(frozen=True)
class Reply:
    """An HTTP status and what came with it."""

    status: int
    body: bytes


class _Timed(io.RawIOBase):
    """What a socket says, until `ends_s` of time.monotonic(): a socket's own time-out begins anew with every byte."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, ends_s: float) -> None:
        self._raw, self._sock, self._ends_s = raw, sock, ends_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(max(_LEAST_S, self._ends_s - time.monotonic()))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedReply(http.client.HTTPResponse):
    """A reply whose head and body must both be there by `ends_s`."""

    ends_s = 0.0

    def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock, self.ends_s))


class _Adapter(HTTPAdapter):
    """Gives every connection the one deadline. Source of the seams: urllib3 2.8, `pool_classes_by_scheme`."""

    def __init__(self, ends_s: float) -> None:
        self._ends_s = ends_s
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        super().init_poolmanager(*args, **named)

        class Reply(_TimedReply):
            ends_s = self._ends_s

        class Plain(HTTPConnection):
            response_class = Reply

        class Secure(HTTPSConnection):
            response_class = Reply

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


def fetch(url: str, asked: Mapping[str, str], deadline_s: float) -> Reply:
    """What a GET brings. Blocking, and over after `deadline_s` at the latest, but for a name server that hangs.

    Follows no redirect, uses no proxy or password of the environment. Raises TooLargeError, and what requests and
    urllib3 raise.
    """
    adapter = _Adapter(time.monotonic() + deadline_s)
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        with session.get(
            url,
            params=asked,
            headers={"Accept-Encoding": "identity", "User-Agent": "pimgr", "Connection": "close"},
            timeout=(deadline_s * CONNECT_SHARE, deadline_s),
            allow_redirects=False,
            stream=True,
        ) as answer:
            body = answer.raw.read(MOST_BYTES + 1, decode_content=False)
            if len(body) > MOST_BYTES:
                raise TooLargeError
            return Reply(answer.status_code, body)
