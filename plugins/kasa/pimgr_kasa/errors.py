"""What happened, as one of the four errors, from anything that the library lets escape."""

# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from kasa.exceptions import AuthenticationError, KasaException
from kasa.exceptions import TimeoutError as KasaTimeoutError

from pimgr.api import DeviceError, Garbled, Refused, Unreachable, Unsupported
from pimgr_kasa.wire import NoKlapError, StatusError, TooLargeError

_CURE = "check its power and its Wi-Fi"
_NEWER = "check its power and Wi-Fi; after an update of its firmware it may speak another protocol"
_OTHER = "check that the address is the Kasa device's"
_NO_KLAP = f"{_OTHER}; Tapo and Kasa devices with the older AES login are not supported"
_SWITCH = (
    "look whether Third-Party Compatibility is on in the Kasa or Tapo app: it may go back to off after a power cut or "
    "an update"
)


@dataclass(frozen=True)
class Wanted:
    """What was asked of whom, for the message. `ends_s`: when it must be over, by the loop's clock."""

    part: str
    wish: str
    where: str
    deadline_s: float
    ends_s: float
    login: bool = False
    """Whether a user name and password are configured."""

    def left_s(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.ends_s - asyncio.get_running_loop().time())


class AnotherDevice(Garbled):
    """Somebody else answers at the address."""


class Silent(Unreachable):
    """It was waited for until the end: it may still be there."""


class NotSpoken(Garbled):
    """A server answers that doesn't speak this protocol: in itself no sign of the device."""


def as_device_error(wanted: Wanted, error: BaseException) -> DeviceError:
    """The error of ours that says what happened."""
    if isinstance(error, DeviceError):
        return error
    root = _root(error)
    match root:
        case TimeoutError() | KasaTimeoutError():
            kind, fact, cure = _unanswered(wanted)
        case StatusError():
            kind, fact, cure = _status(root)
        case AuthenticationError():
            kind, fact, cure = _login(wanted)
        case aiohttp.ServerDisconnectedError():
            kind, fact, cure = Unreachable, f"it hung up without an answer ({wanted.where})", _NEWER
        case asyncio.IncompleteReadError() if not root.partial and root.expected == 4:
            kind, fact, cure = Unreachable, f"it hung up without an answer ({wanted.where})", _NEWER
        case asyncio.IncompleteReadError() | aiohttp.ClientPayloadError():
            kind, fact, cure = Garbled, "its answer was cut off", _CURE
        case OSError():
            kind, fact, cure = _no_connection(wanted, root)
        case _:
            kind, fact, cure = _nonsense(root)
    return kind(wanted.part, wanted.wish, fact, cure)


_Told = tuple[type[DeviceError], str, str]


def _unanswered(wanted: Wanted) -> _Told:
    return Silent, f"no complete answer in {wanted.deadline_s:.1f} s ({wanted.where})", _CURE


def _no_connection(wanted: Wanted, error: OSError) -> _Told:
    if error.errno == errno.ECONNREFUSED:
        return Unreachable, f"it refused the connection ({wanted.where})", _NEWER
    reason = error.strerror or type(error).__name__
    return Unreachable, f"no connection to {wanted.where} ({reason})", _CURE


def _login(wanted: Wanted) -> _Told:
    """Both versions were tried: a device of the other version, or with its switch off, looks like a wrong password."""
    if not wanted.login:
        cure = f"add username and password of your TP-Link account (both are case-sensitive); and {_SWITCH}"
        return Refused, "it asks for a login, and none is configured", cure
    fact = "it refused the user name or password, by both versions of its login"
    cure = (
        "check both (upper and lower case count; a device keeps those it was set up with, until it is removed from the "
        f"app and added again). If they are right, its firmware expects another login: {_SWITCH}"
    )
    return Refused, fact, cure


def _status(error: StatusError) -> _Told:
    if error.status in (401, 403):
        return Refused, f"it refuses local control (HTTP {error.status})", _SWITCH
    if error.status == 429:
        return Refused, "it was asked too often (HTTP 429)", "let nothing else ask it so often"
    if error.status >= 500:
        return Refused, f"it answered with an error (HTTP {error.status})", "restart it; if it lasts, please report it"
    return NotSpoken, f"a web server answers that doesn't know KLAP (HTTP {error.status})", _NO_KLAP


def _nonsense(error: BaseException) -> _Told:
    match error:
        case TooLargeError():
            return Garbled, "its answer claims to be far too large", _OTHER
        case NoKlapError():
            return NotSpoken, "a web server answers that doesn't know KLAP", _NO_KLAP
        case KasaException():
            return Refused, "it answered with an error code", "restart it; if it lasts, please report it"
        case _:
            return Garbled, f"it answered what no Kasa device says ({type(error).__name__})", _OTHER


def most_telling(failures: Sequence[DeviceError]) -> DeviceError:
    """The failure that helps most, of several ways that were tried."""
    order = (Refused, Unsupported, AnotherDevice, Garbled, Unreachable, NotSpoken)

    def rank(failure: DeviceError) -> int:
        kinds = [NotSpoken] if isinstance(failure, NotSpoken) else [k for k in order if isinstance(failure, k)]
        return order.index(kinds[0])

    return min(failures, key=rank)


def gone(error: DeviceError) -> bool:
    """Whether nobody is there any more where it was, which was told at once."""
    return isinstance(error, Unreachable) and not isinstance(error, Silent)


def plain(error: DeviceError) -> DeviceError:
    """As one of the four themselves, which is all that pimgr wants to know."""
    kind = Unreachable if isinstance(error, Silent) else Garbled
    if isinstance(error, AnotherDevice | NotSpoken | Silent):
        return kind(error.part, error.wish, error.fact, error.cure)
    return error


def _root(error: BaseException) -> BaseException:
    """The first cause: the library wraps what happened in up to three exceptions of its own."""
    while isinstance(error, KasaException) and not isinstance(error, KasaTimeoutError) and error.__cause__ is not None:
        error = error.__cause__
    return error
