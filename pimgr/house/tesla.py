"""The Tesla cloud as a house sees it: products, live status, settings, commands, and tokens that work once.

Plain HTTP on loopback stands for its HTTPS. Fleet API and Owner API have the same paths; tokens are given out by the
same server, at /oauth2/v3/token. What is written takes effect in the world: the battery does what was asked.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Annotated, Any

import h11
import msgspec
from msgspec import Meta

from pimgr.api import Config, SiteMode, replace
from pimgr.house.faults import HTTP_FAULTS, Line, LineEnded
from pimgr.house.house import House
from pimgr.house.http import Answer, json_answer, serve_http
from pimgr.house.kinds import DeviceSpec, Seconds, ServerKind
from pimgr.house.tesla_pages import WISHES, Product, live_status, moment, products, site_info, told
from pimgr.house.tesla_tokens import Authority, Refusal

SITE = 2_252_147_638_651_575
"""The energy site of the house; real ones are as long."""
READ, WRITE = "energy_device_data", "energy_cmds"
RETRY_AFTER_S = 120
API = "/api/1/energy_sites/"


class Personality(Config, kw_only=True):
    """How the cloud lets a house down, beyond the faults of every device; all may be changed while it serves.

    `ignores`: commands are accepted and nothing happens (pypowerwall#281). `most_reserve`: a higher one is clamped.
    `stale_s`: real s for which a live status stays as it was. `refuses_access`: every call is answered 401, also with
    a token fresh from a refresh. `drops`: that many answers to a refresh are lost after the token was used up.
    `calls`: after so many it answers 429, 0 for no limit.
    """

    ignores: bool = False
    most_reserve: Annotated[float, Meta(ge=0.0, le=100.0)] = 100.0
    stale_s: Seconds = 0.0
    refuses_access: bool = False
    drops: int = 0
    calls: int = 0


class TeslaSpec(DeviceSpec, kw_only=True):
    """An account with one energy site. Settings are the world's where they aren't given here.

    `refresh_token`: the first one, as the owner's authorisation gave it. `access_s`: life of an access token.
    `grace_s`: how long a used refresh token is still taken while nothing came of its successor. `owner`: the Owner
    API, whose refresh tokens don't rotate. `scopes`: what the owner granted. `carries_load`: see
    `pimgr.house.world.Settings`.
    """

    client_id: str = "house-client"
    client_secret: str = "H0use-s3cret"  # noqa: S105 - of an account that does not exist
    refresh_token: str = "first-refresh-token"  # noqa: S105
    access_s: Seconds = 28_800.0
    grace_s: Seconds = 86_400.0
    owner: bool = False
    scopes: tuple[str, ...] = (READ, WRITE)
    site: int = SITE
    site_name: str = "House in a box"
    mode: SiteMode | None = None
    reserve: Annotated[float, Meta(ge=0.0, le=100.0)] | None = None
    grid_charging: bool | None = None
    storm_watch: bool | None = None
    carries_load: bool | None = None
    personality: Personality = Personality()


class Tesla:
    """The cloud's server, and the controls of a test: `personality`, `authority`, `sites`, `says`."""

    def __init__(self, spec: TeslaSpec, house: House) -> None:
        self.spec, self.personality = spec, spec.personality
        self.authority = Authority(
            (spec.client_id, spec.client_secret),
            spec.access_s,
            spec.grace_s,
            house.real_s,
            rotates=not spec.owner,
            scopes=spec.scopes,
        )
        self.authority.authorise(spec.refresh_token)
        self.sites: tuple[Product, ...] = (Product(spec.site, spec.site_name),)
        self._house = house
        self._said: dict[str, bytes] = {}
        self._calls = 0
        self._live: tuple[float, dict[str, Any]] | None = None

    def be(self, **traits: Any) -> None:
        """Change some of the personality."""
        self.personality = msgspec.structs.replace(self.personality, **traits)
        self._live, self._calls = None, 0

    def says(self, path: str, body: bytes | None) -> None:
        """Answer the path that ends with `path` with these bytes, or (None) properly again."""
        self._said.pop(path, None)
        if body is not None:
            self._said[path] = body

    async def serve(self, line: Line) -> None:
        """One connection, kept alive until the client goes."""
        await serve_http(line, self._dated, lambda why: self._note("refused", why))

    # -------------------------------------------------------------------------------------------------------- inside

    def _dated(self, request: h11.Request, body: bytes) -> Answer:
        """The answer with the server's own time, as every HTTP server of Tesla's sends it."""
        answer = self._answer(request, body)
        return msgspec.structs.replace(answer, headers=(*answer.headers, ("Date", formatdate(usegmt=True))))

    def _answer(self, request: h11.Request, body: bytes) -> Answer:
        path = request.target.decode("latin-1").partition("?")[0]
        method = request.method.decode("latin-1")
        fault = self._house.gate(self.spec.id).fault.http_status
        if fault:
            self._note("refused", str(fault), path)
            return _error(fault, "told to")
        if path == "/oauth2/v3/token":
            return self._refresh(body)
        if (refusal := self._refusal(request, path, method)) is not None:
            self._note("refused", str(refusal.status), path)
            return refusal
        for end, said in self._said.items():
            if path.endswith(end):
                return Answer(200, said)
        return self._get(path) if method == "GET" else self._command(path, body)

    def _refusal(self, request: h11.Request, path: str, method: str) -> Answer | None:
        """Why a call is not let in; None where it is."""
        self._calls += 1
        if 0 < self.personality.calls < self._calls:
            return _error(429, "rate limited")
        if self.personality.refuses_access or not self.authority.valid(_bearer(request)):
            return _error(401, "token expired (401)")
        if not self.authority.permits(READ if method == "GET" else WRITE):
            return _error(403, "Unauthorized missing scopes")
        return None

    def _refresh(self, body: bytes) -> Answer:
        given = self.authority.refresh(body)
        if isinstance(given, Refusal):
            self._note("refresh", given.error)
            return json_answer(given.status, given.body())
        if self.personality.drops > 0:
            self.personality = msgspec.structs.replace(self.personality, drops=self.personality.drops - 1)
            self._note("refresh", "dropped")
            raise LineEnded
        self._note("refresh", "ok")
        return json_answer(200, given)

    def _get(self, path: str) -> Answer:
        self._note("query", path)
        if path == "/api/1/products":
            listed = products(self.sites)
            return json_answer(200, {"response": listed, "count": len(listed)})
        site, page = self._site(path)
        if site is not None and page == "live_status":
            return _response(self._status())
        if site is not None and page == "site_info":
            return _response(site_info(self._house.world, site))
        return _error(404, "not found")

    def _status(self) -> dict[str, Any]:
        """The live status, as old as this cloud lets it become."""
        now_s = self._house.real_s()
        if self._live is None or now_s - self._live[0] >= self.personality.stale_s:
            self._live = (now_s, live_status(self._house.world, moment(time.time())))
        return self._live[1]

    def _command(self, path: str, body: bytes) -> Answer:
        site, command = self._site(path)
        if site is None or command not in WISHES:
            return _error(404, "not found")
        try:
            asked = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError:
            asked = {}
        becomes = told(self._house.world.settings, command, asked)
        if becomes is None:
            self._note("refused", command, path)
            return _error(400, "invalid_field")
        words, settings = becomes
        self._note(WISHES[command], words, command)
        if not self.personality.ignores:
            most = min(settings.reserve, self.personality.most_reserve)
            self._house.world.set_site(replace(settings, reserve=most))
        return _response({"code": 201, "message": "Updated"})

    def _site(self, path: str) -> tuple[Product | None, str]:
        """The site that a path names, if the account has it, and what is asked of it."""
        number, _, page = path.removeprefix(API).partition("/") if path.startswith(API) else ("", "", "")
        return next((each for each in self.sites if str(each.site) == number), None), page

    def _note(self, what: str, value: str, raw: str = "") -> None:
        self._house.wire.note(self.spec.id, "", what, value, raw=raw)


def _bearer(request: h11.Request) -> str:
    given = next((value for name, value in request.headers if name == b"authorization"), b"")
    return given.decode("latin-1").removeprefix("Bearer ")


def _response(value: Any) -> Answer:
    return json_answer(200, {"response": value})


def _error(status: int, error: str) -> Answer:
    answer = json_answer(status, {"response": None, "error": error, "error_description": ""})
    if status == 429:
        return msgspec.structs.replace(answer, headers=(("Retry-After", str(RETRY_AFTER_S)),))
    return answer


@asynccontextmanager
async def _serve(spec: TeslaSpec, house: House) -> AsyncIterator[None]:
    tesla = Tesla(spec, house)
    given = {
        name: value
        for name in ("mode", "reserve", "grid_charging", "storm_watch", "carries_load")
        if (value := getattr(spec, name)) is not None
    }
    house.world.set_site(replace(house.world.settings, **given))
    house.offer(spec.id, tesla)
    async with house.listening(spec.id, spec.port, tesla.serve):
        yield


KIND = ServerKind(kind="tesla", config=TeslaSpec, serve=_serve, faults=HTTP_FAULTS, internet=True)
