"""The Total Connect Comfort portal as AIOSomecomfort sees it: a login form, a cookie, JSON about each thermostat.

Paths, the cookie, and which answers mean what: AIOSomecomfort 0.0.39 (its `__init__.py`). That a locked account is
told by a page in words, and its questions by 403: home-assistant/core#98763 and #98035. Plain HTTP: the real one's TLS
is for the real one to show.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, tzinfo
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import h11
import msgspec
from msgspec import Meta

from pimgr.house.faults import HTTP_FAULTS, Line
from pimgr.house.honeywell_stat import Stat, ThermostatSpec
from pimgr.house.house import House
from pimgr.house.http import Answer, json_answer, serve_http
from pimgr.house.kinds import DeviceSpec, Seconds, ServerKind

COOKIE = ".ASPXAUTH_TRUEHOME"
LOCATION = 501
BROKEN_EXPIRY = "expires=Fri, 31-Feb-2048 25:61:00 GMT"
"""The real cookie's expiry is one that aiohttp can't read (AIOSomecomfort 0.0.39)."""
_LOCKED = "<h2>Too many attempts</h2><p>You have exceeded the maximum number of attempts. Please try again in a few"
_LOGIN = '<form action="/portal" method="post"><input name="UserName"><input name="Password" type="password"></form>'
_HOME = "<h1>My Locations</h1>"


class HoneywellSpec(DeviceSpec, kw_only=True):
    """A portal with one account.

    `session_s`: how long a login lasts, 0 for ever. `logins`: how many within `lock_s` it takes before it locks the
    account until `lock_s` after the last try; 0 for no limit. `zone`: the local time of its thermostats. `now`: its
    clock, UTC in s; 0 is the real one.
    """

    username: str = "owner@example.org"
    password: str = "T0tal-C0mfort"  # noqa: S105 - of a house that does not exist
    thermostats: tuple[ThermostatSpec, ...] = ()
    session_s: Seconds = 0.0
    logins: Annotated[int, Meta(ge=0)] = 0
    lock_s: Seconds = 600.0
    zone: str = "UTC"
    now: Annotated[float, Meta(ge=0.0)] = 0.0


class Portal:
    """One portal. All may be set at any time.

    `password`: of the account. `html`: questions are answered by a page with status 200. `redirects`: who isn't
    logged in is sent to the login page instead of 401. `deaf`: changes are accepted and not made. `rejects`: they are
    refused. `swapped`: it answers for another thermostat. `denied`: thermostats that are answered 401 all the same.
    `says`: these bytes as JSON to each question, None for the truth.
    """

    def __init__(self, spec: HoneywellSpec, house: House) -> None:
        self.spec = spec
        self.password = spec.password
        self.html = self.redirects = self.deaf = self.rejects = self.swapped = False
        self.says: bytes | None = None
        self.denied: set[int] = set()
        zone: tzinfo = UTC if spec.zone == "UTC" else ZoneInfo(spec.zone)
        self.stats = {each.id: Stat(each, zone) for each in spec.thermostats}
        self._house = house
        self._ahead_s = spec.now - time.time() if spec.now else 0.0
        self._sessions: dict[str, float] = {}
        self._tries: list[float] = []
        self._locked_until = 0.0

    # ------------------------------------------------------------------------------------------------------ controls

    def now(self) -> float:
        """Its clock, UTC in s."""
        return time.time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Let time pass for the portal and its thermostats."""
        self._ahead_s += seconds

    def expire_sessions(self) -> None:
        """Nobody is logged in any more."""
        self._sessions.clear()

    def person(self, thermostat: int, **set_points: float) -> None:
        """A hand on a thermostat: `heat`, `cool` in its own unit."""
        self._house.wire.note(self.spec.id, str(thermostat), "person", str(set_points))
        self.stats[thermostat].person(self.now(), **set_points)

    @property
    def locked(self) -> bool:
        """Whether the account is locked now."""
        return self.now() < self._locked_until

    def lock(self) -> None:
        """Lock the account, as too many logins would."""
        self._locked_until = self.now() + self.spec.lock_s

    # ------------------------------------------------------------------------------------------------------- serving

    async def serve(self, line: Line) -> None:
        """One connection, kept alive until the client goes."""
        await serve_http(line, self._answer, lambda why: self._note("refused", "", why))

    def _answer(self, request: h11.Request, body: bytes) -> Answer:
        path, _, query = request.target.decode("latin-1").partition("?")
        method = request.method.decode("latin-1")
        status = self._house.gate(self.spec.id).fault.http_status
        if status:
            self._note("refused", path, str(status))
            return _page(status, HTTPStatus(status).phrase)
        if path.rstrip("/") == "/portal":
            return self._login(body) if method == "POST" else self._home(request)
        if path in ("/portal/Account/LogOff", "/portal/Account/Login"):
            self._sessions.pop(_token(request) if path.endswith("Off") else "", None)
            return _page(200, _LOGIN)
        if not self._logged_in(request):
            return self._stranger(path)
        self._note("query", path, method)
        return self._known(path, query, body)

    def _known(self, path: str, query: str, body: bytes) -> Answer:
        """A question of somebody who is logged in."""
        if path.startswith(f"/portal/{LOCATION}/"):
            return _page(200, _HOME)
        if self.html:
            return _page(200, "<h1>We are sorry</h1>")
        return Answer(status=200, body=self.says) if self.says is not None else self._question(path, query, body)

    def _question(self, path: str, query: str, body: bytes) -> Answer:
        if path == "/portal/Location/GetLocationListData/":
            return json_answer(200, self._locations() if "page=1" in query.split("&") else [])
        if path == "/portal/Device/SubmitControlScreenChanges":
            return self._submit(body)
        if path == "/portal/Device/Menu/GetData":
            return json_answer(200, {"Humidifier": None, "Dehumidifier": None})
        stem, _, number = path.rpartition("/")
        stat = self.stats.get(int(number)) if number.isdigit() else None
        if stem != "/portal/Device/CheckDataSession" or stat is None:
            return _page(404, "The resource cannot be found.")
        if stat.spec.id in self.denied:
            return json_answer(401, None)
        shown = stat.shown(self.now())
        if self.swapped:
            shown["latestData"]["uiData"]["DeviceID"] += 1
        return json_answer(200, shown)

    def _submit(self, body: bytes) -> Answer:
        try:
            wanted = msgspec.json.decode(body, type=dict[str, Any])
            stat = self.stats[int(wanted["DeviceID"])]
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            return _page(500, "Runtime Error")
        said = {name: value for name, value in wanted.items() if value is not None}
        self._house.wire.note(self.spec.id, str(stat.spec.id), "change", msgspec.json.encode(said).decode())
        done = not self.rejects and (self.deaf or not stat.connected or stat.change(wanted, self.now()))
        return json_answer(200, {"success": int(done)})

    def _locations(self) -> list[dict[str, Any]]:
        devices = [
            {"DeviceID": stat.spec.id, "MacID": f"00D02D{stat.spec.id:06X}", "Name": stat.spec.name, "GatewayID": 1}
            for stat in self.stats.values()
        ]
        return [{"LocationID": LOCATION, "Name": "Home", "Devices": devices}]

    # --------------------------------------------------------------------------------------------------------- login

    def _login(self, body: bytes) -> Answer:
        now = self.now()
        self._tries = [*(tried for tried in self._tries if now - tried < self.spec.lock_s), now]
        if self.locked or 0 < self.spec.logins < len(self._tries):
            self.lock()
            self._note("login", "locked", "")
            return _page(200, _LOCKED)
        form = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
        right = secrets.compare_digest(form.get("Password", "").encode(), self.password.encode())
        if not right or form.get("UserName") != self.spec.username:
            self._note("login", "refused", "")
            return _page(200, _LOGIN)
        token = secrets.token_hex(48)
        self._sessions[token] = self._house.real_s()
        self._note("login", "ok", "")
        return _page(200, _HOME, f"{COOKIE}={token}; {BROKEN_EXPIRY}; path=/; HttpOnly")

    def _home(self, request: h11.Request) -> Answer:
        """Where a browser goes after the login; who isn't logged in has the cookie taken away, with status 200."""
        if self.locked:
            return _page(200, _LOCKED)
        if not self._logged_in(request):
            return _page(200, _LOGIN, f"{COOKIE}=; path=/; HttpOnly")
        return Answer(302, b"", headers=(("Location", f"/portal/{LOCATION}/Zones"),), content_type="text/html")

    def _stranger(self, path: str) -> Answer:
        """A question without a session."""
        self._note("refused", path, "locked" if self.locked else "no session")
        if self.locked:
            return _page(403, _LOCKED)
        if self.redirects:
            return Answer(302, b"", headers=(("Location", "/portal/Account/Login"),), content_type="text/html")
        return json_answer(401, None)

    def _logged_in(self, request: h11.Request) -> bool:
        began_s = self._sessions.get(_token(request))
        return began_s is not None and not 0.0 < self.spec.session_s < self._house.real_s() - began_s

    def _note(self, what: str, value: str, raw: str) -> None:
        self._house.wire.note(self.spec.id, "", what, value or raw, raw=raw)


def _token(request: h11.Request) -> str:
    """The session's token from the cookie; empty where there is none."""
    for name, value in request.headers:
        for cookie in value.decode("latin-1").split(";") if name == b"cookie" else ():
            key, _, token = cookie.strip().partition("=")
            if key == COOKIE:
                return token.strip('"')
    return ""


def _page(status: int, text: str, *cookies: str) -> Answer:
    body = f"<!DOCTYPE html><html><head><title>Total Connect Comfort</title></head><body>{text}</body></html>"
    return Answer(status, body.encode(), cookies=cookies, content_type="text/html; charset=utf-8")


@asynccontextmanager
async def _serve(spec: HoneywellSpec, house: House) -> AsyncIterator[None]:
    portal = Portal(spec, house)
    house.offer(spec.id, portal)
    async with house.listening(spec.id, spec.port, portal.serve):
        yield


KIND = ServerKind(kind="honeywell", config=HoneywellSpec, serve=_serve, faults=HTTP_FAULTS, internet=True)
