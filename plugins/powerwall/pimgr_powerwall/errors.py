"""What went wrong with a gateway, as one of pimgr's four errors."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass

import aiohttp
from tesla_powerwall.error import AccessDeniedError, ApiError, PowerwallUnreachableError

from pimgr.api import DeviceError, Garbled, Refused, Unreachable, Unsupported

_STATUS = re.compile(r"API returned status code '(\d{3})")
"""The library keeps an HTTP status in its message only (tesla-powerwall 0.5.3, api.py)."""
_NOT_FOUND = "returned error 404"


class TooLargeError(Exception):
    """A reply grew past the bound."""


class RedirectedError(Exception):
    """A reply sent us elsewhere."""


@dataclass(frozen=True)
class Wanted:
    """What was asked of whom, for the message."""

    part: str
    wish: str
    address: str
    deadline_s: float


def as_device_error(wanted: Wanted, error: Exception) -> DeviceError:
    """The error of ours that says what happened, from anything that the library or aiohttp lets escape."""
    if isinstance(error, DeviceError):
        return error
    if isinstance(error, PowerwallUnreachableError):  # the library drops the cause into the context
        cause = error.__context__
        return _connection(wanted, cause if isinstance(cause, Exception) else error)
    if isinstance(error, AccessDeniedError):
        return Refused(
            wanted.part,
            wanted.wish,
            "the gateway refused the password or the session",
            "set the gateway's customer password: by default the last 5 characters of the one on its label",
        )
    if isinstance(error, ApiError):
        return _status(wanted, http_status(error))
    return _connection(wanted, error)


def http_status(error: ApiError) -> int:
    """The HTTP status behind the library's error; 0 where there was none."""
    text = str(error)
    found = _STATUS.search(text)
    return int(found[1]) if found else 404 if _NOT_FOUND in text else 0


def _status(wanted: Wanted, status: int) -> DeviceError:
    part, wish = wanted.part, wanted.wish
    if status == 404:
        fact = "it has no such local interface (HTTP 404): a Powerwall 3 has none"
        return Unsupported(part, wish, fact, "Powerwall 2 and Powerwall+ only; use another backend for a Powerwall 3")
    if status == 429:
        return Refused(part, wish, "it was asked too often (HTTP 429)", "let other programs ask it less often")
    if status >= 500:
        return Unreachable(part, wish, f"it is busy or starting (HTTP {status})", "it passes by itself")
    if status:
        return Refused(part, wish, f"it refused (HTTP {status})", "check that the address is the gateway's")
    return Garbled(part, wish, "it answered no JSON that a gateway sends", "check that the address is the gateway's")


_WHOSE = "check that the address is the gateway's"
_POWER = "check the address, the gateway's power and its network"


def _connection(wanted: Wanted, error: Exception) -> DeviceError:
    where = wanted.address
    kind: type[DeviceError] = Garbled
    match error:
        case aiohttp.ServerFingerprintMismatch():
            fact = f"its certificate has changed to sha256:{error.got.hex()}"
            cure = "if the gateway was replaced or reset, set fingerprint to this value; if not, something poses as it"
        case TimeoutError():
            kind, fact, cure = Unreachable, f"no complete answer in {wanted.deadline_s:.1f} s ({where})", _POWER
        case TooLargeError():
            fact, cure = "its answer is far too large", _WHOSE
        case RedirectedError():
            fact, cure = "it sent us to another address", _WHOSE
        case aiohttp.ClientPayloadError():
            fact, cure = "its answer was cut off", "check the gateway's network cable or Wi-Fi"
        case ssl.SSLError():
            fact, cure = f"it speaks no proper TLS ({where})", _WHOSE
        case aiohttp.ServerDisconnectedError():
            kind, fact, cure = Unreachable, f"it hung up ({where})", _POWER
        case aiohttp.ClientConnectionError() | OSError():
            system = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            reason = getattr(system, "strerror", None) or type(system).__name__
            kind, fact, cure = Unreachable, f"no connection to {where} ({reason})", _POWER
        case _:
            fact, cure = f"it answered what no gateway says ({type(error).__name__})", _WHOSE
    return kind(wanted.part, wanted.wish, fact, cure)
