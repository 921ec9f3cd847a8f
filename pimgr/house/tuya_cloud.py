"""Tuya's cloud as a project of iot.tuya.com sees it: a token, signed requests, and the Tuya plugs of this house.

The signature is HMAC-SHA256 over client id, token, time, nonce and the request, in upper-case hex (Tuya's
documentation, "Sign Requests for Cloud Authorization"; requests like tinytuya 1.20.0's `Cloud.py`). Error codes: Tuya's
"Global Error Codes", and for the 28841xxx, which that page lacks, what users were told (see `Step`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import h11
import msgspec

from pimgr.house.faults import HTTP_FAULTS, Fault, Line
from pimgr.house.house import House
from pimgr.house.http import Answer, json_answer, serve_http
from pimgr.house.kinds import DeviceSpec, ServerKind
from pimgr.house.spec import part_name
from pimgr.house.tuya import Plug

TOKEN_S = 7200
SKEW_S = 300.0
"""A request may be this old."""
Refusal = tuple[int, str]
SIGN, TOKEN, TIME = (1004, "sign invalid"), (1010, "token invalid"), (1013, "request time is invalid")
CLIENT, DENIED, PATH = (1005, "clientId invalid"), (1106, "permission deny"), (1108, "uri path invalid")
OFFLINE, NO_FUNCTION = (2001, "device is offline"), (2008, "command or value not support")
ILLEGAL = (1109, "param is illegal, please check it")


class Step(StrEnum):
    """A step of the set-up that its owner missed, or that has run out; the cloud refuses accordingly."""

    DONE = "done"
    EXPIRED = "expired"
    """The trial is over (TuyaAPI/cli#169, localtuya#2183)."""
    QUOTA = "quota"
    """The trial's calls of this month are used up (localtuya#2079)."""
    NOT_SUBSCRIBED = "not-subscribed"
    """The project has no such service (tuya-homebridge#114)."""
    NOT_AUTHORIZED = "not-authorized"
    """The service isn't authorized for the project (tuya-home-assistant's wiki, "Error code and Troubleshooting")."""
    SUSPENDED = "suspended"
    """The data centre is switched off in the project (localtuya#1719)."""
    WRONG_DATA_CENTRE = "wrong-data-centre"
    """Asked at another data centre than the project's (TuyaAPI/cli#169)."""
    WHITELIST = "whitelist"
    """The project lets in other addresses only."""
    NOT_LINKED = "not-linked"
    """The app account isn't linked to the project."""
    TOO_OFTEN = "too-often"


REFUSALS: Mapping[Step, Refusal] = {
    Step.EXPIRED: (28841002, "No permissions. Your subscription to cloud development plan has expired."),
    Step.QUOTA: (28841004, "No permissions. Your quota of Trial Edition is used up."),
    Step.NOT_SUBSCRIBED: (28841101, "No permissions. This API is not subscribed."),
    Step.NOT_AUTHORIZED: (28841105, "No permissions. This project is not authorized to call this API"),
    Step.SUSPENDED: (28841107, "No permission. The data center is suspended. Please go to the cloud development "
                               "platform to enable the data center."),
    Step.WRONG_DATA_CENTRE: (2007, "your ip(192.0.2.1) cross-region access is not allowed"),
    Step.WHITELIST: (1114, "your ip(192.0.2.1) don't have access to this API"),
    Step.NOT_LINKED: DENIED,
    Step.TOO_OFTEN: (1199, "your requests are too frequent"),
}  # fmt: skip
AT_TOKEN = frozenset({Step.WRONG_DATA_CENTRE, Step.WHITELIST})
"""Steps that already the request for a token meets; it has no service and no device to ask for."""


class CloudSpec(DeviceSpec, kw_only=True):
    """The cloud with one project in it. `tls`: HTTPS, signed by the house's authority, as the real one is."""

    client_id: str = "p8nrhsq5tkcbd9wfm7ax"
    secret: str = "c0ffee5ec2e7c0ffee5ec2e7c0ffee5e"  # noqa: S105 - of a project that does not exist
    tls: bool = False
    missed: Step = Step.DONE


def signature(secret: str, text: str) -> str:
    """How a request is signed."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest().upper()


def to_sign(method: str, body: bytes, signed: str, url: str) -> str:
    """The request's part of the signed text. `signed`: a line "name:value" for each signed header; `url`: from "/"."""
    return f"{method}\n{hashlib.sha256(body).hexdigest()}\n{signed}\n{url}"


class Cloud:
    """The server. `missed`: what its owner has forgotten; `offline`: plugs that it has lost sight of, by id."""

    def __init__(self, spec: CloudSpec, house: House) -> None:
        self.spec = spec
        self._house = house
        self.missed = spec.missed
        self.offline: set[str] = set()
        self.secret = spec.secret
        self.token_s = TOKEN_S
        self._tokens: dict[str, float] = {}
        self.tls: ssl.SSLContext | None = None
        if spec.tls:
            identity = house.authority.issue("openapi.example.org")
            house.identify(spec.id, identity)
            self.tls = identity.server_context()

    async def serve(self, line: Line) -> None:
        """One connection."""
        await serve_http(line, self._answer, lambda what: self._note("refused", what))

    def expire_tokens(self) -> None:
        """Every token has run out."""
        self._tokens.clear()

    # ------------------------------------------------------------------------------------------------------- requests

    def _answer(self, request: h11.Request, body: bytes) -> Answer:
        fault = self._house.gate(self.spec.id).fault
        if fault.http_status:
            self._note("refused", str(fault.http_status))
            return json_answer(fault.http_status, {"success": False, "msg": "refused"})
        said = self._say(request.method.decode(), request.target.decode(), _headers(request), body)
        return json_answer(200, {"t": round(time.time() * 1000), "tid": secrets.token_hex(8), **said})

    def _say(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        path = urlsplit(url).path
        token = headers.get("access_token", "")
        refusal = self._wrong(method, url, headers, body)
        if refusal is None and path == "/v1.0/token":
            refusal = REFUSALS.get(self.missed) if self.missed in AT_TOKEN else None
            return self._refused(path, refusal) if refusal else self._token()
        if refusal is None and self._tokens.get(token, 0.0) < time.time():
            refusal = TOKEN
        refusal = refusal or REFUSALS.get(self.missed)
        return self._refused(path, refusal) if refusal else self._do(method, path, body)

    def _wrong(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Refusal | None:
        """What is wrong with how a request is signed."""
        names = [name for name in headers.get("signature-headers", "").split(":") if name.lower() in headers]
        signed = "".join(f"{name}:{headers[name.lower()]}\n" for name in names)
        before = "".join(headers.get(name, "") for name in ("client_id", "access_token", "t", "nonce"))
        wanted = signature(self.secret, before + to_sign(method, body, signed, url))
        if headers.get("client_id") != self.spec.client_id:
            return CLIENT
        if not hmac.compare_digest(headers.get("sign", ""), wanted):
            return SIGN
        at = headers.get("t", "")
        return None if at.isdigit() and abs(int(at) / 1000 - time.time()) <= SKEW_S else TIME

    def _refused(self, path: str, refusal: Refusal) -> dict[str, Any]:
        self._note("refused", str(refusal[0]), raw=path)
        return {"success": False, "code": refusal[0], "msg": refusal[1]}

    def _token(self) -> dict[str, Any]:
        self._note("login", "ok")
        token = secrets.token_hex(16)
        self._tokens[token] = time.time() + self.token_s
        result = {
            "access_token": token,
            "refresh_token": secrets.token_hex(16),
            "expire_time": self.token_s,
            "uid": "bay1",
        }
        return {"success": True, "result": result}

    # -------------------------------------------------------------------------------------------------------- devices

    def _plugs(self) -> dict[str, Plug]:
        """The Tuya plugs of this house, by the ids that Tuya gave them."""
        plugs = [self._house.controls(each.id) for each in self._house.spec.device if each.kind == "tuya"]
        return {plug.device_id: plug for plug in plugs}

    def _do(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        plugs = self._plugs()
        match method, path.removeprefix("/").split("/"):
            case "GET", ["v1.0", "users", _, "devices"]:
                result: Any = [self._told(plug) for plug in plugs.values()]
            case "GET", ["v1.0", "devices", "factory-infos"]:
                result = []
            case "GET", ["v1.0", "devices", device] if device in plugs:
                result = self._queried(plugs[device])
            case "GET", ["v1.0", "iot-03", "devices", device, "status"] if device in plugs:
                result = self._queried(plugs[device])["status"]
            case "POST", ["v1.0", "iot-03", "devices", device, "commands"] if device in plugs:
                refusal = self._command(plugs[device], body)
                return self._refused(path, refusal) if refusal else {"success": True, "result": True}
            case _, ["v1.0", "devices", _] | ["v1.0", "iot-03", "devices", _, _]:
                return self._refused(path, DENIED)
            case _:
                return self._refused(path, PATH)
        return {"success": True, "result": result}

    def _queried(self, plug: Plug) -> dict[str, Any]:
        self._note("query", plug.spec.id)
        return self._told(plug)

    def _online(self, plug: Plug) -> bool:
        """Whether the plug has power and was not lost sight of; a plug that is deaf at home may well be seen here."""
        return plug.spec.id not in self.offline and self._house.gate(plug.spec.id).fault is not Fault.DEAD

    def _told(self, plug: Plug) -> dict[str, Any]:
        spec = plug.spec
        status: list[dict[str, Any]] = [
            {"code": f"switch_{number}", "value": self._house.is_on(part_name(spec.id, part))}
            for number, part in plug.parts.items()
        ]
        if spec.metered:
            watts = sum(self._house.world.load(part_name(spec.id, part)).watts for part in plug.parts.values())
            status.append({"code": "cur_power", "value": round(watts * 10)})
        return {
            "id": plug.device_id, "name": spec.id, "local_key": plug.key, "online": self._online(plug), "uid": "bay1",
            "category": "cz", "product_id": "house", "product_name": "Plug", "sub": False, "icon": "smart/icon/1.png",
            "ip": "192.0.2.1", "status": status, "update_time": int(time.time()),
        }  # fmt: skip

    def _command(self, plug: Plug, body: bytes) -> Refusal | None:
        """Switch what a command names; what is wrong with it otherwise."""
        try:
            wanted = msgspec.json.decode(body, type=dict[str, list[dict[str, Any]]])["commands"]
        except (msgspec.DecodeError, KeyError):
            return ILLEGAL
        if not self._online(plug):
            return OFFLINE
        codes = {f"switch_{number}": part for number, part in plug.parts.items()}
        if not wanted or any(one.get("code") not in codes or not isinstance(one.get("value"), bool) for one in wanted):
            return NO_FUNCTION
        for one in wanted:
            part, on = codes[one["code"]], one["value"]
            self._house.wire.note(plug.spec.id, part, "switch", "on" if on else "off", raw=f"cloud {body.decode()}")
            self._house.world.switch(part_name(plug.spec.id, part), on)
        return None

    def _note(self, what: str, value: str, raw: str = "") -> None:
        self._house.wire.note(self.spec.id, "", what, value, raw=raw)


def _headers(request: h11.Request) -> dict[str, str]:
    return {name.decode().lower(): value.decode() for name, value in request.headers}


@asynccontextmanager
async def _serve(spec: CloudSpec, house: House) -> AsyncIterator[None]:
    cloud = Cloud(spec, house)
    house.offer(spec.id, cloud)
    async with house.listening(spec.id, spec.port, cloud.serve, cloud.tls):
        yield


KIND = ServerKind(kind="tuya-cloud", config=CloudSpec, serve=_serve, faults=HTTP_FAULTS, internet=True)
