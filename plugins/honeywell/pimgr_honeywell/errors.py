"""What went wrong with the portal, as one of pimgr's four errors."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass

import aiohttp
import aiosomecomfort.exceptions as portal

from pimgr.api import DeviceError, Garbled, Refused, Unreachable

_STATUS = re.compile(r"\b([1-5]\d\d)\b")
"""The library keeps an HTTP status in its messages only (AIOSomecomfort 0.0.39)."""
NET = "check the internet connection, and whether the portal works in a browser"
_WHOSE = "check base_url; if it is not set, a proxy or Wi-Fi login page may stand in between"
_LATER = "it is mostly the portal's own trouble: look whether it works in a browser"


class TooLargeError(Exception):
    """A reply grew past the bound."""


class RedirectedError(Exception):
    """A reply sent us to another server."""


class LockedError(Exception):
    """A page of the portal says that there were too many attempts."""


@dataclass(frozen=True)
class Wanted:
    """What was asked of whom, for the message."""

    part: str
    wish: str
    host: str
    deadline_s: float


def http_status(error: Exception) -> int:
    """The HTTP status behind the library's error; 0 where there was none."""
    found = _STATUS.search(str(error)) if isinstance(error, portal.SomeComfortError) else None
    return int(found[1]) if found else 0


def root_of(error: Exception) -> Exception:
    """The first cause: the library wraps aiohttp's errors while it logs in, and only then."""
    cause = error.__cause__
    return cause if isinstance(error, portal.SomeComfortError) and isinstance(cause, Exception) else error


def never_left(error: Exception) -> bool:
    """Whether nothing was said to the portal, because no connection came about."""
    return isinstance(root_of(error), aiohttp.ClientConnectorError)


def session_gone(error: Exception) -> bool:
    """Whether the portal wants a login: 401 or 403, or it sent us to its login page (a redirect that ended with 200).

    Source: AIOSomecomfort 0.0.39, `_request_json`: any redirect is its ConnectionError, with the last status.
    """
    if isinstance(error, portal.UnauthorizedError):
        return True
    return isinstance(error, portal.ConnectionError) and error.__cause__ is None and http_status(error) == 200


def as_device_error(wanted: Wanted, error: Exception) -> DeviceError:
    """The error of ours that says what happened, from anything that the library or aiohttp lets escape."""
    error = root_of(error)
    if isinstance(error, DeviceError):
        return error
    if isinstance(error, portal.SomeComfortError):
        return _of_library(wanted, error)
    return _of_connection(wanted, error)


def _of_library(wanted: Wanted, error: portal.SomeComfortError) -> DeviceError:
    status, kind = http_status(error), Refused
    match error:
        case portal.APIRateLimited():
            fact, cure = "the library lets nobody log in after three failures", "pimgr tries again by itself"
        case portal.AuthError() | portal.UnauthorizedError():
            fact = "the portal refused the login"
            cure = "check user name and password in a browser; then set the secret again"
        case portal.APIError():
            fact, cure = "the portal rejected the settings", "try the same in Honeywell's app"
        case _:
            return _of_status(wanted, status)
    return kind(wanted.part, wanted.wish, fact, cure)


def _of_status(wanted: Wanted, status: int) -> DeviceError:
    part, wish = wanted.part, wanted.wish
    if status == 429:
        return Refused(part, wish, "the portal was asked too often (HTTP 429)", "let other programs ask it less often")
    if status == 404:
        cure = "check the id in `thermostats`: pimgr check --connect lists those of the account"
        return Refused(part, wish, "the portal knows no such thermostat (HTTP 404)", cure)
    if status in (401, 403):
        return Refused(
            part, wish, f"the portal refused (HTTP {status})", "the account may be locked: wait half an hour"
        )
    if status >= 500:
        return Unreachable(part, wish, f"the portal is out of order (HTTP {status})", _LATER)
    return Garbled(part, wish, f"the portal answered a page instead of data (HTTP {status})", _LATER)


def _of_connection(wanted: Wanted, error: Exception) -> DeviceError:
    kind: type[DeviceError] = Garbled
    match error:
        case TimeoutError():
            kind, cure = Unreachable, NET
            fact = f"no complete answer in {wanted.deadline_s:.1f} s ({wanted.host})"
        case LockedError():
            kind, fact, cure = Refused, "the portal says that there were too many attempts", LOCKED_CURE
        case TooLargeError():
            fact, cure = "its answer is far too large", _WHOSE
        case RedirectedError():
            fact, cure = "it sent us to another server", _WHOSE
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            fact, cure = f"its certificate is not {wanted.host}'s", _WHOSE
        case aiohttp.ClientPayloadError():
            fact, cure = "its answer was cut off", NET
        case ssl.SSLError() | aiohttp.ClientConnectorSSLError():
            fact, cure = "it speaks no proper TLS", _WHOSE
        case aiohttp.ServerDisconnectedError():
            kind, fact, cure = Unreachable, f"it hung up ({wanted.host})", NET
        case aiohttp.ClientConnectionError() | OSError():
            system = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            reason = getattr(system, "strerror", None) or type(system).__name__
            kind, fact, cure = Unreachable, f"no connection to {wanted.host} ({reason})", NET
        case _:
            fact, cure = f"it answered what no portal says ({type(error).__name__})", _WHOSE
    return kind(wanted.part, wanted.wish, fact, cure)


LOCKED_CURE = "let nothing else log in to this account for an hour (other programs, phones); then it opens by itself"
