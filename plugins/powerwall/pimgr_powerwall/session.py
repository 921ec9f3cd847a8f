"""One HTTPS session with the gateway: its certificate pinned, logged in, every reply bounded in time and size."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from tesla_powerwall.api import API
from tesla_powerwall.error import AccessDeniedError, ApiError
from tesla_powerwall.powerwall import Powerwall
from yarl import URL

from pimgr.api import Context, Garbled, Instant, Refused
from pimgr_powerwall import GatewayConfig
from pimgr_powerwall.errors import RedirectedError, TooLargeError, Wanted, as_device_error, http_status

MOST_BYTES = 1_000_000
"""The largest reply of a gateway is some 20 kB; nothing honest is larger than this."""
REST_S = 300.0
"""No login for so long after one failed: login storms lock the gateway.

Sources: alandtse/tesla#584, home-assistant/core#128506."""
MOST_UNANSWERED = 3
"""Logins in a row that may get no answer: a gateway that is too busy to answer in time gets no storm of them either."""
_USER = "customer"
_PATIENCE = 0.9
"""Share of the host's deadline after which we say ourselves what hung."""


@dataclass(frozen=True)
class Answer:
    """A JSON object, and the moment its request was sent: it was measured no earlier."""

    at: Instant
    body: dict[str, Any]


class _BoundedResponse(aiohttp.ClientResponse):
    """A reply that is cut off when it grows past `MOST_BYTES`."""

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


class Session:
    """Connects, pins and logs in with the first question, and again after the gateway dropped the session."""

    def __init__(self, config: GatewayConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._http: aiohttp.ClientSession | None = None
        self._api: API | None = None
        self._turn = asyncio.Lock()
        self._logins = 0
        self._sent, self._unanswered = False, 0

    async def get(self, wish: str, fetch: Callable[[API], Awaitable[Any]], share: float = _PATIENCE) -> Answer:
        """The answer to one question as a JSON object, within `share` of the host's deadline for a read.

        Raises the four errors only, whatever the library lets escape.
        """
        deadline_s = self._context.deadlines.read_s * share
        wanted = Wanted(self._context.connection, wish, self._config.address, deadline_s)
        try:
            async with asyncio.timeout(deadline_s):
                return await self._ask(wanted, fetch)
        except (
            Exception
        ) as error:  # the library's own hierarchy leaks: TimeoutError, ValueError, AttributeError, aiohttp's
            raise as_device_error(wanted, error) from None

    def pinned(self) -> str:
        """The fingerprint that the gateway is held to, as the config writes it; "" before it was ever seen."""
        return self._config.fingerprint or str(self._context.store.get("fingerprint") or "")

    async def close(self) -> None:
        """Close all connections. Safe to repeat."""
        http, self._http, self._api = self._http, None, None
        if http is not None:
            await http.close()

    async def _ask(self, wanted: Wanted, fetch: Callable[[API], Awaitable[Any]]) -> Answer:
        async with self._turn:
            api = await self._connected(wanted)
        logins = self._logins
        try:
            return await self._answer(wanted, api, fetch)
        except AccessDeniedError:
            await self._log_in_again(wanted, api, logins)
        try:
            return await self._answer(wanted, api, fetch)
        except AccessDeniedError:
            await self._rest("it refuses what a fresh login asks")
            raise

    async def _answer(self, wanted: Wanted, api: API, fetch: Callable[[API], Awaitable[Any]]) -> Answer:
        at = self._context.now()
        body = await fetch(api)
        if not isinstance(body, dict):
            raise Garbled(wanted.part, wanted.wish, "it answered no JSON object", "if it lasts, please report it")
        return Answer(at, body)

    # ------------------------------------------------------------------------------------------------ connecting

    async def _connected(self, wanted: Wanted) -> API:
        """The library's client on our session, logged in."""
        if self._api is not None:
            return self._api
        pin = aiohttp.Fingerprint(bytes.fromhex(await self._pin()))
        await self.close()
        traces = aiohttp.TraceConfig()
        traces.on_request_redirect.append(_refuse_redirect)
        traces.on_request_headers_sent.append(self._note_sent)
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=pin, resolver=_Resolver(self._context), limit=4),
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # cookies of an IP address count as unsafe
            response_class=_BoundedResponse,
            trace_configs=[traces],
            headers={"Accept-Encoding": "identity"},
        )
        # verify_ssl=True makes the library leave the certificate to the connector, which checks the fingerprint
        api = Powerwall(f"https://{self._config.address}", http_session=self._http, verify_ssl=True).get_api()
        kept = self._context.store.get("cookies")
        if isinstance(kept, dict):
            self._http.cookie_jar.update_cookies(kept, self._url())
        if not api.is_authenticated():
            await self._log_in(wanted, api)
        self._api = api
        return api

    async def _pin(self) -> str:
        """Hex digest of the certificate to hold the gateway to: the configured one, else the first one ever seen."""
        pinned = self.pinned()
        if not pinned:
            pinned = "sha256:" + await self._seen_certificate()
            await self._context.store.put("fingerprint", pinned)
        return pinned.partition(":")[2].replace(":", "")

    async def _seen_certificate(self) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # self-signed: only looked at here
        where = await _Resolver(self._context).resolve(self._config.host, self._config.port)
        _, writer = await asyncio.open_connection(
            where[0]["host"], self._config.port, ssl=context, server_hostname=self._config.host
        )
        try:
            certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        finally:
            writer.transport.abort()
        return sha256(certificate).hexdigest()

    def _url(self) -> URL:
        return URL(f"https://{self._config.address}/")

    # --------------------------------------------------------------------------------------------------- login

    async def _log_in_again(self, wanted: Wanted, api: API, logins: int) -> None:
        """One new login, however many questions found the session gone at once."""
        async with self._turn:
            if self._logins == logins and self._http is not None:
                self._may_log_in(wanted)  # until then the session is kept: it may still answer other questions
                self._http.cookie_jar.clear()
                await self._context.store.put("cookies", None)
                self._api = None
                await self._log_in(wanted, api)
                self._api = api

    def _may_log_in(self, wanted: Wanted) -> None:
        """Raises Refused while no login may be tried."""
        left_s, why = self._rest_left()
        if left_s > 0:
            fact = f"no login for another {left_s:.0f} s, since {why}"
            raise Refused(wanted.part, wanted.wish, fact, "pimgr tries again by itself")

    async def _log_in(self, wanted: Wanted, api: API) -> None:
        if self._unanswered >= MOST_UNANSWERED:
            self._unanswered = 0
            await self._rest(f"it did not answer {MOST_UNANSWERED} logins")
        self._may_log_in(wanted)
        password = self._context.secret(self._config.password)
        self._sent = False
        try:
            await api.login(_USER, self._config.email, password)
        except AccessDeniedError:
            await self._rest("it refused the password")
            raise
        except ApiError as error:
            if http_status(error) == 429:
                await self._rest("it was asked to log in too often")
            raise
        except BaseException:  # our own deadline among them
            self._unanswered += self._sent
            raise
        self._unanswered = 0
        if not api.is_authenticated() or self._http is None:
            raise Garbled(
                wanted.part, wanted.wish, "it accepted the login without giving a session", "restart the gateway"
            )
        self._logins += 1
        cookies = self._http.cookie_jar.filter_cookies(self._url())
        await self._context.store.put("cookies", {name: cookie.value for name, cookie in cookies.items()})

    async def _note_sent(self, *_: object) -> None:
        self._sent = True

    async def _rest(self, why: str) -> None:
        """No login for `REST_S`, also across a restart."""
        now = self._context.now()
        await self._context.store.put("rest", {"mono_s": now.mono_s, "wall": now.wall, "boot": now.boot, "why": why})

    def _rest_left(self) -> tuple[float, str]:
        """Seconds of rest still to come, and why."""
        rest, now = self._context.store.get("rest"), self._context.now()
        if not isinstance(rest, dict):
            return 0.0, ""
        since = Instant(rest["mono_s"], rest["wall"], rest["boot"])
        if since.boot != now.boot and now.wall < since.wall:
            return 0.0, ""  # the wall clock went back over a blackout: it can't say how long the rest was
        return REST_S - now.since(since), str(rest["why"])


async def _refuse_redirect(_session: object, _trace: object, _params: object) -> None:
    """A gateway never sends elsewhere; following would carry the password along."""
    raise RedirectedError
