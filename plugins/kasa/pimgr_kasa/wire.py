"""python-kasa's legacy protocol, with a bound on each answer and no retries of its own."""

# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from dataclasses import dataclass
from typing import Any

from kasa.exceptions import AuthenticationError, KasaException
from kasa.exceptions import TimeoutError as KasaTimeoutError
from kasa.json import loads
from kasa.protocols import IotProtocol
from kasa.transports import XorTransport
from kasa.transports.xortransport import XorEncryption

from pimgr.api import Context, DeviceError, Garbled, Refused, Unreachable

MOST_BYTES = 256 * 1024
"""A strip of six answers some 5 kB. The library would collect up to the 4 GB that a header can claim."""
_LENGTH = struct.Struct(">I")


class TooLargeError(Exception):
    """An answer claims to be longer than any device's."""


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


class OnceProtocol(IotProtocol):
    """The library's protocol, trying once: with its own four tries a silent plug blocked 11 s."""

    async def query(self, request: str | dict[str, Any], retry_count: int = 0) -> dict[str, Any]:
        return await super().query(request, 0)


@dataclass(frozen=True)
class Wanted:
    """What was asked of whom, for the message."""

    part: str
    wish: str
    where: str
    deadline_s: float


async def numeric_address(context: Context, host: str) -> str:
    """`host` as an IP address. Names are looked up on the connection's own thread: dead DNS fills the loop's."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        found = await context.call(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        return str(found[0][4][0])


_CURE = "check its power and its Wi-Fi"
_NEWER = "check its power and Wi-Fi; with newer firmware it may not speak the legacy protocol any more"
_OTHER = "check that the address is the Kasa device's"


def as_device_error(wanted: Wanted, error: Exception) -> DeviceError:
    """The error of ours that says what happened, from anything that the library lets escape."""
    if isinstance(error, DeviceError):
        return error
    root = _root(error)
    kind: type[DeviceError] = Garbled
    match root:
        case TimeoutError() | KasaTimeoutError():
            kind, fact, cure = Unreachable, f"no complete answer in {wanted.deadline_s:.1f} s ({wanted.where})", _CURE
        case TooLargeError():
            fact, cure = "its answer claims to be far too large", _OTHER
        case asyncio.IncompleteReadError() if not root.partial and root.expected == _LENGTH.size:
            kind, fact, cure = Unreachable, f"it hung up without an answer ({wanted.where})", _NEWER
        case asyncio.IncompleteReadError():
            fact, cure = "its answer was cut off", _CURE
        case ConnectionRefusedError():
            kind, fact, cure = Unreachable, f"it refused the connection ({wanted.where})", _NEWER
        case OSError():
            reason = root.strerror or type(root).__name__
            kind, fact, cure = Unreachable, f"no connection to {wanted.where} ({reason})", _CURE
        case AuthenticationError():
            kind, fact = Refused, "it refused the user name or password"
            cure = "check both, and that Third-Party Compatibility is on in the Kasa app"
        case KasaException():
            kind, fact, cure = Refused, "it answered with an error code", "restart it; if it lasts, please report it"
        case _:
            fact, cure = f"it answered what no Kasa device says ({type(root).__name__})", _OTHER
    return kind(wanted.part, wanted.wish, fact, cure)


def _root(error: BaseException) -> BaseException:
    """The first cause: the library wraps what happened in up to three exceptions of its own."""
    while isinstance(error, KasaException) and not isinstance(error, KasaTimeoutError) and error.__cause__ is not None:
        error = error.__cause__
    return error
