"""Whatever the library or aiohttp lets escape is one of the four errors, with a cure; and no login storm follows."""

from __future__ import annotations

import json

import aiohttp
import aiosomecomfort.exceptions as portal
import pytest
from pimgr_honeywell.errors import LockedError, RedirectedError, TooLargeError, Wanted, as_device_error, session_gone

from pimgr.api import DeviceError, Garbled, Refused, Unreachable, Unsupported

WANTED = Wanted("honeywell/hall", "a reading", "portal.example.org", 27.0)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "fact"),
    [
        (portal.AuthError("Null cookie connection error 200"), Refused, "refused the login"),
        (portal.UnauthorizedError("401 Error at update (Key Expired?)."), Refused, "refused the login"),
        (portal.APIRateLimited("Rate limit on login: Waiting 0:10:00"), Refused, "nobody log in"),
        (portal.APIError("API rejected thermostat settings"), Refused, "rejected the settings"),
        (portal.UnexpectedResponse("API returned 429, /portal/Device"), Refused, "429"),
        (portal.UnexpectedResponse("API returned 200, /portal/Device"), Garbled, "page instead of data"),
        (portal.UnexpectedResponse("API returned 404, /portal/Device"), Refused, "no such thermostat"),
        (portal.ConnectionError("Connection error 429"), Refused, "too often"),
        (portal.ConnectionError("Connection error 503"), Unreachable, "503"),
        (portal.ConnectionError("Service Unavailable 502."), Unreachable, "out of order"),
        (
            caused(portal.ConnectionError("Connection Timeout"), aiohttp.ServerDisconnectedError()),
            Unreachable,
            "hung up",
        ),
        (caused(portal.ConnectionError("Connection Timeout"), aiohttp.ClientPayloadError()), Garbled, "cut off"),
        (portal.SomeComfortError("Setpoint outside range 40-90"), Garbled, "page"),
        (TimeoutError(), Unreachable, "no complete answer in 27.0 s"),
        (aiohttp.ClientPayloadError(), Garbled, "cut off"),
        (ConnectionResetError(104, "Connection reset by peer"), Unreachable, "Connection reset by peer"),
        (json.JSONDecodeError("no", "x", 0), Garbled, "what no portal says"),
        (KeyError("uiData"), Garbled, "what no portal says"),
        (TooLargeError(), Garbled, "far too large"),
        (RedirectedError(), Garbled, "another server"),
        (LockedError(), Refused, "too many attempts"),
        (Unsupported("honeywell/hall", "a hold", "of its own", "cure"), Unsupported, "of its own"),
    ],
)
def test_every_error_is_one_of_the_four_with_part_wish_and_cure(
    error: Exception, kind: type[DeviceError], fact: str
) -> None:
    told = as_device_error(WANTED, error)
    assert type(told) is kind
    assert fact in told.fact
    assert told.part == "honeywell/hall"
    assert told.wish
    assert told.cure


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (portal.UnauthorizedError("403 Error at update (Key Expired?)."), True),
        (portal.ConnectionError("Service Unavailable 200."), True),
        (portal.ConnectionError("Service Unavailable 503."), False),
        (caused(portal.ConnectionError("Connection Timeout 200"), aiohttp.ClientPayloadError()), False),
        (portal.UnexpectedResponse("API returned 200, /portal/Device"), False),
        (portal.APIRateLimited("Rate limit on login"), False),
        (TimeoutError(), False),
    ],
)
def test_only_what_a_login_can_mend_asks_for_one(error: Exception, gone: bool) -> None:
    assert session_gone(error) is gone
