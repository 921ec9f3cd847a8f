"""An HTTP session for the library: its cookies in memory only, every reply bounded, and nobody sends us elsewhere."""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from pimgr.api import Context
from pimgr_honeywell import is_loopback
from pimgr_honeywell.errors import LockedError, RedirectedError, TooLargeError

MOST_BYTES = 1_000_000
"""A page of the portal has some 60 kB; nothing honest is larger than this."""
_TOO_MANY = (b"too many attempts", b"exceeded the maximum number of attempts")
"""How the portal says that an account is locked, on a page with status 200.

Source: home-assistant/core#98763, #98035. The library takes that page for a login that worked.
"""

Judge = Callable[[aiohttp.ClientSession, SimpleNamespace, aiohttp.TraceRequestRedirectParams], Awaitable[None]]

logging.getLogger("somecomfort").disabled = True  # it logs cookies (DEBUG) and the user's name (ERROR)


class _BoundedResponse(aiohttp.ClientResponse):
    """A reply that is cut off when it grows past `MOST_BYTES`, and a page whose words say "locked" is an error."""

    async def read(self) -> bytes:
        if self._body is None:
            body = bytearray()
            try:
                async for chunk in self.content.iter_any():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise TooLargeError
            except BaseException:
                self.close()
                raise
            self._body = bytes(body)
            if self.content_type == "text/html" and any(words in self._body.lower() for words in _TOO_MANY):
                raise LockedError
        return await super().read()


class _Resolver(AbstractResolver):
    """Looks names up on the connection's own thread: dead DNS fills the loop's default executor (39.8 s measured)."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._context.call(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        return [
            ResolveResult(
                hostname=host, host=str(address[0]), port=port, family=kind, proto=proto, flags=socket.AI_NUMERICHOST
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


def http_session(base_url: str, context: Context) -> aiohttp.ClientSession:
    """A session for one login. TLS is verified; no proxy or password of the environment is used."""
    redirects = aiohttp.TraceConfig()
    redirects.on_request_redirect.append(_stays(URL(base_url).origin()))
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=_Resolver(context)),
        cookie_jar=aiohttp.CookieJar(unsafe=is_loopback(urlsplit(base_url).hostname or "")),
        response_class=_BoundedResponse,
        trace_configs=[redirects],
        timeout=aiohttp.ClientTimeout(total=context.deadlines.cloud_s),  # discover() has none of its own in one call
    )


def _stays(origin: URL) -> Judge:
    """The portal sends to its own pages after a login; anybody else would be handed the session."""

    async def judge(
        _session: aiohttp.ClientSession, _trace: SimpleNamespace, asked: aiohttp.TraceRequestRedirectParams
    ) -> None:
        there = asked.url.join(URL(asked.response.headers.get("Location") or asked.response.headers.get("URI") or ""))
        if there.origin() != origin:
            raise RedirectedError

    return judge
