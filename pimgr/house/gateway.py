"""A Powerwall 2 gateway as its local clients see it: HTTPS with a self-signed certificate, a login, JSON.

Paths and shapes are those that tesla-powerwall 0.5.3 reads (its `api.py` and `responses.py`), values are the world's.
"""

from __future__ import annotations

import http
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import h11
import msgspec
from msgspec import Meta

from pimgr.api import SiteMode, replace
from pimgr.house.certificates import Identity, from_pem, self_signed
from pimgr.house.faults import HTTP_FAULTS, Line
from pimgr.house.gateway_pages import PAGES, Page, Site
from pimgr.house.house import House
from pimgr.house.http import Answer, json_answer, serve_http
from pimgr.house.kinds import DeviceSpec, Seconds, ServerKind

_NO_ACCESS = {"code": 403, "error": "Unable to GET to resource", "message": "User does not have adequate access rights"}
_BAD_LOGIN = {"code": 401, "error": "bad credentials", "message": "Login Error"}
_TOO_MANY = {"code": 429, "error": "too many requests", "message": "Rate limit exceeded"}


class GatewaySpec(DeviceSpec, kw_only=True):
    """A gateway. `certificate_pem`: key and certificate, so that a pinned fingerprint stays; made anew where empty.

    `session_s`: how long a login lasts, 0 for ever. `logins`: how many it takes before it answers 429, 0 for no limit.
    `mode`, `reserve`: what the site has at first, where it isn't the world's own.
    """

    password: str = "S3cr3t"  # noqa: S105 - of a house that does not exist
    site_name: str = "House in a box"
    certificate_pem: str = ""
    session_s: Seconds = 0.0
    logins: int = 0
    mode: SiteMode | None = None
    reserve: Annotated[float, Meta(ge=0.0, le=100.0)] | None = None
    device_type: str = "teg"


class Gateway:
    """One gateway's server: its sessions, and what it answers."""

    def __init__(self, spec: GatewaySpec, house: House) -> None:
        self.spec = spec
        self.meters_broken = False
        self.forbidden: set[str] = set()
        """Paths that a customer may not read, logged in or not."""
        self._house = house
        self._said: dict[str, bytes] = {}
        self._sessions: dict[str, float] = {}
        self._logins = 0
        self.identity = from_pem(spec.certificate_pem) if spec.certificate_pem else self_signed(spec.id)
        house.identify(spec.id, self.identity)

    def says(self, path: str, body: bytes | None) -> None:
        """Answer a path with these bytes, or (None) properly again."""
        self._said.pop(path, None)
        if body is not None:
            self._said[path] = body

    def expire_sessions(self) -> None:
        """Nobody is logged in any more."""
        self._sessions.clear()

    def new_identity(self) -> Identity:
        """Show another certificate to every new connection; connections that are open keep the old one."""
        self.show(self_signed(self.spec.id))
        return self.identity

    def show(self, identity: Identity) -> None:
        """Show this certificate to every new connection."""
        self.identity = identity
        self._house.identify(self.spec.id, identity)
        self._house.gate(self.spec.id).tls = identity.server_context()

    async def serve(self, line: Line) -> None:
        """One connection, kept alive until the client goes."""
        await serve_http(line, self._answer, lambda why: self._note("refused", "", why))

    def _answer(self, request: h11.Request, body: bytes) -> Answer:
        """What to say to one request."""
        path = request.target.decode("latin-1").partition("?")[0]
        method = request.method.decode("latin-1")
        status = self._house.gate(self.spec.id).fault.http_status
        if status:
            self._note("refused", path, str(status))
            return json_answer(status, {"code": status, "error": http.HTTPStatus(status).phrase, "message": "told to"})
        if path == "/api/login/Basic" and method == "POST":
            return self._login(body)
        if path == "/api/logout":
            self._sessions.pop(self._token(request), None)
            return json_answer(200, None)
        if path != "/api/status" and (path in self.forbidden or not self._logged_in(request)):
            self._note("refused", path, "no session")
            return json_answer(403, _NO_ACCESS)
        self._note("query", path, method)
        if path in self._said:
            return Answer(status=200, body=self._said[path])
        return self._page(path, method)

    def _page(self, path: str, method: str) -> Answer:
        page: Page | None = PAGES.get(path) if method == "GET" else None
        if page is None:
            return json_answer(404, {"code": 404, "error": "File Not Found", "message": path})
        if self.meters_broken and path.startswith("/api/meters"):
            return json_answer(500, {"code": 500, "error": "meter error", "message": "meters do not answer"})
        spec = self.spec
        site = Site(self._house.world, spec.site_name, spec.device_type)
        return json_answer(200, page(site))

    def _login(self, body: bytes) -> Answer:
        self._logins += 1
        if self.spec.logins and self._logins > self.spec.logins:
            self._note("login", "", "429")
            return json_answer(429, _TOO_MANY)
        try:
            asked = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError:
            asked = {}
        right = secrets.compare_digest(str(asked.get("password")).encode(), self.spec.password.encode())
        if not right or asked.get("username") != "customer":
            self._note("login", "", "refused")
            return json_answer(401, _BAD_LOGIN)
        token = secrets.token_urlsafe(32)
        self._sessions[token] = self._house.real_s()
        self._note("login", "", "ok")
        welcome = {
            "email": str(asked.get("email", "")),
            "firstname": "Tesla",
            "lastname": "Energy",
            "roles": ["Home_Owner"],
            "token": token,
            "provider": "Basic",
            "loginTime": "2026-01-01T00:00:00.000000000-00:00",
        }
        cookies = (f"AuthCookie={token}; Path=/", f"UserRecord={secrets.token_urlsafe(16)}; Path=/")
        return Answer(status=200, body=msgspec.json.encode(welcome), cookies=cookies)

    def _token(self, request: h11.Request) -> str:
        """The session's token, from the cookie or from "Authorization: Bearer"; empty where there is neither."""
        for name, value in request.headers:
            if name == b"cookie":
                for cookie in value.decode("latin-1").split(";"):
                    key, _, token = cookie.strip().partition("=")
                    if key == "AuthCookie":
                        return token.strip('"')
            if name == b"authorization" and value.startswith(b"Bearer "):
                return value[len(b"Bearer ") :].decode("latin-1").strip()
        return ""

    def _logged_in(self, request: h11.Request) -> bool:
        began_s = self._sessions.get(self._token(request))
        return began_s is not None and not 0.0 < self.spec.session_s < self._house.real_s() - began_s

    def _note(self, what: str, value: str, raw: str) -> None:
        self._house.wire.note(self.spec.id, "", what, value or raw, raw=raw)


@asynccontextmanager
async def _serve(spec: GatewaySpec, house: House) -> AsyncIterator[None]:
    gateway = Gateway(spec, house)
    at_first = house.world.settings
    reserve = at_first.reserve if spec.reserve is None else spec.reserve
    house.world.set_site(replace(at_first, reserve=reserve, mode=spec.mode or at_first.mode))
    house.offer(spec.id, gateway)
    async with house.listening(spec.id, spec.port, gateway.serve, gateway.identity.server_context()):
        yield


KIND = ServerKind(kind="gateway", config=GatewaySpec, serve=_serve, faults=HTTP_FAULTS)
