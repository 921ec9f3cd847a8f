"""python-kasa's protocols, each with a bound on what is read and no retries of its own."""

# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import secrets
import socket
import struct
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import aiohttp
from kasa import Credentials, DeviceConfig
from kasa.credentials import DEFAULT_CREDENTIALS, get_default_credentials
from kasa.exceptions import AuthenticationError, _RetryableError
from kasa.httpclient import get_cookie_jar
from kasa.json import loads
from kasa.protocols import IotProtocol
from kasa.transports import KlapTransport, KlapTransportV2, XorTransport
from kasa.transports.klaptransport import KlapEncryptionSession
from kasa.transports.xortransport import XorEncryption

from pimgr.api import Context

MOST_BYTES = 256 * 1024
"""A strip of six answers some 5 kB. The library would collect up to the 4 GB that a header can claim."""
_LENGTH = struct.Struct(">I")
_SEED_BYTES = 16
_CHALLENGE_BYTES = _SEED_BYTES + 32
"""A seed and a hash. Source: python-kasa 0.12, `transports/klaptransport.py`."""


class Spoken(StrEnum):
    """What a device speaks."""

    LEGACY = "legacy"
    KLAP = "klap"


class TooLargeError(Exception):
    """An answer claims to be longer than any device's."""


class NoKlapError(Exception):
    """A web server answers that doesn't know KLAP."""


class StatusError(Exception):
    """An HTTP answer that is no success."""

    def __init__(self, status: int, path: str) -> None:
        super().__init__(status, path)
        self.status, self.path = status, path


class BoundedTransport(XorTransport):
    """The library's transport, which refuses an answer that claims more than `MOST_BYTES`."""

    async def _execute_send(self, request: str) -> dict[str, Any]:
        reader, writer = self.reader, self.writer
        if reader is None or writer is None:
            raise ConnectionResetError
        writer.write(XorEncryption.encrypt(request))
        await writer.drain()
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > MOST_BYTES:
            raise TooLargeError
        answer = loads(XorEncryption.decrypt(await reader.readexactly(length)))
        if not isinstance(answer, dict):
            raise ValueError("not an object")
        return answer


class BoundedResponse(aiohttp.ClientResponse):
    """An HTTP answer, of which no more than `MOST_BYTES` are collected."""

    async def read(self) -> bytes:
        body = bytearray()
        async for chunk in self.content.iter_any():
            body += chunk
            if len(body) > MOST_BYTES:
                self.close()
                raise TooLargeError
        if self.status == 200 and self.url.path.endswith("/handshake1") and len(body) != _CHALLENGE_BYTES:
            raise NoKlapError
        return bytes(body)


async def _only_success(response: aiohttp.ClientResponse) -> None:
    """Raise StatusError for an HTTP error, but for 403 to a request: that is a login which ran out."""
    path = response.url.path
    if response.status != 200 and not (response.status == 403 and path.endswith("/request")):
        raise StatusError(response.status, path)


class EitherKlapTransport(KlapTransport):
    """The library's transport, in whichever version the device's own proof of the account shows.

    Firmware goes from version 1 to 2 by itself, and for a Kasa plug the library knows 1 only (python-kasa#1648, #1740).
    The library's own handshakes also fetch a TLS context, of which plain HTTP has no use, from the loop's executor,
    where lookups by dead name servers may be in front of it.
    """

    _version: type[KlapTransport] = KlapTransport

    async def perform_handshake1(self) -> tuple[bytes, bytes, bytes]:
        local = secrets.token_bytes(_SEED_BYTES)
        _, answer = await self._post("handshake1", local)
        remote, proof = answer[:_SEED_BYTES], answer[_SEED_BYTES:]
        for version in (KlapTransportV2, KlapTransport):
            for account in self._accounts():
                known = version.generate_auth_hash(account)
                if version.handshake1_seed_auth_hash(local, remote, known) == proof:
                    self._version = version
                    return local, remote, known
        raise AuthenticationError("neither version of the login fits")

    async def perform_handshake2(
        self, local_seed: bytes, remote_seed: bytes, auth_hash: bytes
    ) -> KlapEncryptionSession:
        await self._post("handshake2", self._version.handshake2_seed_auth_hash(local_seed, remote_seed, auth_hash))
        return KlapEncryptionSession(local_seed, remote_seed, auth_hash)

    async def send(self, request: str) -> dict[str, Any]:  # type: ignore[override]  # as the library's own
        if not self._handshake_done or self._handshake_session_expired():
            await self.perform_handshake()
        session = self._encryption_session
        if session is None:
            raise ConnectionResetError
        sealed, number = session.encrypt(request)
        status, body = await self._post("request", sealed, {"seq": number})
        if status == 403:
            self._handshake_done = False
            raise _RetryableError("the session is over")
        answer = loads(session.decrypt(body))
        if not isinstance(answer, dict):
            raise ValueError("not an object")
        return answer

    async def _post(self, path: str, body: bytes, params: dict[str, Any] | None = None) -> tuple[int, bytes]:
        cookies = None if path == "handshake1" else self._session_cookie
        url = self._app_url / path
        status, answer = await self._http_client.post(url, params=params, data=body, cookies_dict=cookies)
        return status, answer if isinstance(answer, bytes) else b""

    def _accounts(self) -> Iterator[Credentials]:
        """The configured account, then those of devices that were given none: some go back to these by themselves."""
        yield self._credentials or Credentials()
        for default in DEFAULT_CREDENTIALS.values():
            yield get_default_credentials(default)
        yield Credentials()


class OnceProtocol(IotProtocol):
    """The library's protocol, trying once: with its own four tries a silent plug blocked 11 s."""

    async def query(self, request: str | dict[str, Any], retry_count: int = 0) -> dict[str, Any]:
        return await super().query(request, 0)

    async def rest(self) -> None:
        """Between two calls: no connection stays open, since one that is only half there would hang."""
        await self.close()


class KlapProtocol(OnceProtocol):
    """The same over KLAP. A login lasts for a day and longer than a connection; one that ran out is made anew."""

    def __init__(self, settings: DeviceConfig) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True),
            cookie_jar=get_cookie_jar(),
            response_class=BoundedResponse,
            raise_for_status=_only_success,
        )
        settings.http_client = self._session
        super().__init__(transport=EitherKlapTransport(config=settings))

    async def query(self, request: str | dict[str, Any], retry_count: int = 0) -> dict[str, Any]:
        try:
            return await super().query(request)
        except _RetryableError:  # the session is over, and forgotten
            return await super().query(request)

    async def rest(self) -> None:
        """Each request had a connection of its own already; the login stays."""

    async def close(self) -> None:
        await super().close()
        await self._session.close()


def protocol_for(spoken: Spoken, settings: DeviceConfig) -> OnceProtocol:
    """A protocol that connects with its first query."""
    if spoken is Spoken.LEGACY:
        return OnceProtocol(transport=BoundedTransport(config=settings))
    return KlapProtocol(settings)


async def numeric_address(context: Context, host: str) -> str:
    """`host` as an IP address. Names are looked up on the connection's own thread: dead DNS fills the loop's."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        found = await context.call(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        return str(found[0][4][0])
