"""What went wrong with Tesla's cloud, as one of pimgr's four errors. No token is ever in one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import BadStatusLine, HTTPException, RemoteDisconnected
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from pimgr.api import DeviceError, Garbled, Refused, Unreachable
from pimgr_powerwall.cloud.wire import CutError, NeverSentError, Reply, TooLargeError

_INTERNET = "check the box's internet connection"
_LASTS = "if it lasts, Tesla has changed something: please report it"
_AGAIN = "authorise pimgr again and put the new refresh token into the secret (docs/plugins/powerwall.md)"


@dataclass(frozen=True)
class Wanted:
    """What was asked of whom, for the message. `ends_s`: by the loop's clock, when the answer must be there."""

    part: str
    wish: str
    url: str
    deadline_s: float
    ends_s: float

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


def as_device_error(wanted: Wanted, error: Exception) -> DeviceError:
    """The error of ours for whatever an exchange raised."""
    kind: type[DeviceError] = Unreachable
    causes = _causes(error)
    match error:
        case DeviceError():
            return error
        case TimeoutError():
            fact, cure = f"no complete answer in {wanted.deadline_s:.1f} s ({wanted.host})", _INTERNET
        case TooLargeError():
            kind, fact, cure = Garbled, "its answer is far too large", _LASTS
        case CutError():
            kind, fact, cure = Garbled, "its answer was cut off", _INTERNET
        case requests.exceptions.SSLError():
            kind, fact = Garbled, f"{wanted.host} shows no certificate that can be trusted"
            cure = "check the box's clock, and that no hotspot's login page stands in the way"
        case requests.ConnectionError() if any(isinstance(cause, NameResolutionError) for cause in causes):
            fact, cure = f"the name {wanted.host} was not found", "check the box's internet connection and its DNS"
        case requests.ConnectionError() if any(_nonsense(cause) for cause in causes):
            kind, fact, cure = Garbled, "it answered no HTTP", "check that no hotspot's login page stands in the way"
        case requests.ConnectionError() | requests.Timeout():
            fact, cure = f"no connection to {wanted.host} ({_reason(causes)})", _INTERNET
        case _:
            kind, fact, cure = Garbled, f"it answered what no cloud says ({type(error).__name__})", _LASTS
    return kind(wanted.part, wanted.wish, fact, cure)


def refused(wanted: Wanted, reply: Reply) -> DeviceError:
    """The error of ours for an HTTP status that isn't 2xx.

    Sources of the meanings: Tesla's developer documentation, "Response Codes"; tesla-fleet-api 1.18 `exceptions.py`.
    """
    part, wish, status = wanted.part, wanted.wish, reply.status
    kind: type[DeviceError] = Refused
    match status:
        case 401:
            fact, cure = "it refuses a token that it has just given (HTTP 401)", _AGAIN
        case 402:
            fact, cure = "it wants to be paid (HTTP 402)", "look into billing at developer.tesla.com"
        case 403:
            fact = f"it permits that to this application no more (HTTP 403{error_word(reply)})"
            cure = "grant energy_device_data and energy_cmds when you authorise; the Owner API lets few clients in"
        case 404:
            kind, fact = Garbled, "the account has no such energy site (HTTP 404)"
            cure = "set site to the number that the account has now (pimgr check --connect lists them)"
        case 412 | 421:
            fact, cure = f"this region does not know the application (HTTP {status})", 'set region to "na" or "eu"'
        case 429:
            fact, cure = "it was asked too often (HTTP 429)", "pimgr waits as long as it was told to"
        case _ if status == 408 or status >= 500:
            kind, fact, cure = Unreachable, f"it is out of order (HTTP {status})", "it passes by itself"
        case _ if status < 400:
            kind, fact, cure = Garbled, f"it sent us elsewhere (HTTP {status})", _LASTS
        case _:
            fact, cure = f"it refused (HTTP {status}{error_word(reply)})", _LASTS
    return kind(part, wish, fact, cure)


def json_object(wanted: Wanted, reply: Reply) -> dict[str, Any]:
    """The body as a JSON object. Raises Garbled; NaN passes, whoever takes a number must test it."""
    try:
        body = json.loads(reply.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Garbled(wanted.part, wanted.wish, "it answered no JSON object", _LASTS)
    return body


def error_word(reply: Reply) -> str:
    """The error code of an answer, such as ", login_required"; "" where there is none that reads like one."""
    try:
        word = json.loads(reply.body).get("error")
    except (ValueError, RecursionError, AttributeError):
        return ""
    plain = isinstance(word, str) and len(word) <= 40 and word.replace("_", "").replace(" ", "").isalnum()
    return f", {word}" if plain else ""


def _causes(error: BaseException) -> list[BaseException]:
    """An error and all that led to it; requests and urllib3 wrap each other's in arguments."""
    found: list[BaseException] = []
    todo: list[Any] = [error]
    while todo:
        each = todo.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            todo += [*each.args, each.__cause__, each.__context__, getattr(each, "reason", None)]
    return found


def never_sent(error: Exception) -> bool:
    """Whether nothing was asked, because no connection came about."""
    unmade = NewConnectionError | ConnectTimeoutError | NeverSentError | requests.exceptions.SSLError
    return any(isinstance(cause, unmade) for cause in _causes(error))


def _nonsense(cause: BaseException) -> bool:
    if isinstance(cause, RemoteDisconnected):
        return False
    return isinstance(cause, BadStatusLine | HTTPException)


def _reason(causes: list[BaseException]) -> str:
    system = next((cause for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    return str(system.strerror) if system is not None else type(causes[-1]).__name__
