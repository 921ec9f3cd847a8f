"""What went wrong with the forecast, as one of pimgr's four errors."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass

import requests
import urllib3.exceptions as urllib3

from pimgr.api import DeviceError, Garbled, Refused, Unreachable, Unsupported
from pimgr_weather.wire import Reply, TooLargeError

_NET = "check the internet connection; pimgr tries again by itself"
_WHOSE = "check base_url; if it is not set, a proxy or captive portal may stand in between"
_WORDS = 200
"""Characters of a server's own words that are passed on."""
WISH = "forecast"


@dataclass(frozen=True)
class Asked:
    """Who asked whom, for the message."""

    part: str
    host: str
    deadline_s: float


def from_status(asked: Asked, reply: Reply) -> DeviceError:
    """The error behind a status that is not 200. Source of the words: open-meteo.com/en/docs, "Errors"."""
    status, reason = reply.status, _reason(reply.body)
    kind: type[DeviceError] = Refused
    match status:
        case 400:
            kind, fact, cure = Unsupported, f"it says: {reason}", "check latitude, longitude, timezone and base_url"
        case 429:
            fact, cure = f"it was asked too often ({reason})", "the free service allows 10,000 calls a day; wait"
        case 401 | 403:
            fact, cure = f"it refused (HTTP {status}: {reason})", _WHOSE
        case _ if status >= 500:
            kind, fact, cure = Unreachable, f"it is out of order (HTTP {status})", "it passes by itself"
        case _ if 300 <= status < 400:
            kind, fact, cure = Garbled, "it sent us to another address", _WHOSE
        case _:
            kind, fact, cure = Garbled, f"it has no forecast at this address (HTTP {status})", _WHOSE
    return kind(asked.part, WISH, fact, cure)


def as_device_error(asked: Asked, error: Exception) -> DeviceError:
    """The error of ours that says what happened, from anything that requests and urllib3 let escape."""
    if isinstance(error, DeviceError):
        return error
    root = _root(error)
    kind: type[DeviceError] = Garbled
    match root:
        case urllib3.NewConnectionError():  # a kind of time-out to urllib3, also where it was refused at once
            reason = getattr(root.__cause__, "strerror", None) or "no reason given"
            kind, fact, cure = Unreachable, f"no connection to {asked.host} ({reason})", _NET
        case TimeoutError() | requests.Timeout() | urllib3.TimeoutError():
            kind, fact, cure = Unreachable, f"no complete answer in {asked.deadline_s:.1f} s ({asked.host})", _NET
        case TooLargeError():
            fact, cure = "its answer is far too large", _WHOSE
        case ssl.SSLCertVerificationError():
            fact, cure = f"its certificate is not {asked.host}'s ({root.verify_message})", _WHOSE
        case http.client.IncompleteRead() | urllib3.IncompleteRead():
            fact, cure = "its answer was cut off", _NET
        case ssl.SSLError():
            fact, cure = "it speaks no proper TLS", _WHOSE
        case urllib3.NameResolutionError():
            kind, fact, cure = Unreachable, f"its name {asked.host} was not found", _NET
        case OSError():
            reason = getattr(root, "strerror", None) or type(root).__name__
            kind, fact, cure = Unreachable, f"no connection to {asked.host} ({reason})", _NET
        case _:
            fact, cure = f"it answered what no forecast is ({type(root).__name__})", _WHOSE
    return kind(asked.part, WISH, fact, cure)


def _root(error: BaseException) -> BaseException:
    """The first cause: requests wraps urllib3, which wraps http.client, which wraps the socket."""
    for _ in range(8):
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((each for each in reversed(error.args) if isinstance(each, BaseException)), None)
        if inner is None or isinstance(error, urllib3.NameResolutionError | urllib3.TimeoutError):
            break
        error = inner
    return error


def _reason(body: bytes) -> str:
    """The server's own words, made harmless."""
    try:
        reason = json.loads(body)["reason"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return "no reason given"
    return "".join(c for c in str(reason) if c.isprintable())[:_WORDS] or "no reason given"
