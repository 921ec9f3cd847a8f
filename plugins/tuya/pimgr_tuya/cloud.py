"""Tuya's cloud, as far as one plug needs it: is it online, what does it say, what is its key, switch it.

tinytuya has a client, too; it gives `requests` no time-out, follows redirects, collects any answer, and logs the secret
when it debugs. A time-out of `requests` or urllib would not do either: it is for each piece, and never fires on an
answer that drips. So this is Python's own `http.client` on a socket that is ours to cut, from another thread, at the
end of the patience.

Source: Tuya's documentation, "Sign Requests for Cloud Authorization", "Get a Token", "Get Device Details", "Send
Commands"; the paths are those of tinytuya 1.20.0 (`Cloud.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import socket
import ssl
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from pimgr.api import Frozen, Garbled, Refused, Unreachable
from pimgr_tuya.advice import TOKEN_CODES, refused
from pimgr_tuya.failure import Failed

MOST_BYTES = 256 * 1024
"""A device's details are some 2 kB."""
_LONGEST_S = 7 * 86_400
"""A token lasts two hours."""
_NO_TOKEN_S = 60.0
"""A token is renewed so long before it ends."""
_INTERNET = "check the house's internet"


class Seen(Frozen):
    """What the cloud knows of the plug. `online`: it is connected to the cloud now; else the rest is of earlier."""

    online: bool
    key: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Project:
    """A project of the owner at Tuya, with its Access ID and Access Secret."""

    endpoint: str
    client_id: str
    secret: str


class Cut:
    """The end of a call's patience: `now`, from any thread, ends whatever its sockets wait for."""

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self.over = False
        self._sockets: list[socket.socket] = []

    def add(self, line: socket.socket) -> None:
        """Watch over a connection; by a handle of its own, since TLS takes the first one away."""
        self._sockets.append(line.dup())
        if self.over:
            self.now()

    def now(self) -> None:
        """Everything ends."""
        self.over = True
        sockets, self._sockets = self._sockets, []
        for line in sockets:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()


class Cloud:
    """The cloud of one project. Its methods block; they raise Failed. One thread at a time."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._token, self._token_ends_s = "", 0.0

    def look(self, device_id: str, cut: Cut) -> Seen:
        """All that it knows of the plug, by one call: GET /v1.0/devices/{id}."""
        told = self._asked("GET", f"/v1.0/devices/{device_id}", None, cut)
        if not isinstance(told, dict) or not isinstance(told.get("online"), bool):
            raise _garbled("its answer is no device's")
        status = told.get("status") or []
        if not isinstance(status, list):
            raise _garbled("its answer is no device's")
        values = {
            one["code"]: one.get("value")
            for one in status
            if isinstance(one, dict) and isinstance(one.get("code"), str)
        }
        key = told.get("local_key")
        return Seen(online=told["online"], key=key if isinstance(key, str) else "", values=values)

    def switch(self, device_id: str, code: str, on: bool, cut: Cut) -> None:
        """Ask that a switch be on or off: POST /v1.0/iot-03/devices/{id}/commands."""
        commands = {"commands": [{"code": code, "value": on}]}
        self._asked("POST", f"/v1.0/iot-03/devices/{device_id}/commands", commands, cut)

    def _asked(self, method: str, path: str, content: Any, cut: Cut) -> Any:
        """The `result` of a call, with a new token where the old one has run out."""
        body = b"" if content is None else json.dumps(content).encode()
        fresh = self._token == "" or time.monotonic() > self._token_ends_s
        if fresh:
            self._renew(cut)
        answer = self._call(method, path, body, cut)
        if answer.get("success") is not True and str(answer.get("code")) in TOKEN_CODES and not fresh:
            self._renew(cut)
            answer = self._call(method, path, body, cut)
        if answer.get("success") is not True:
            raise refused(answer.get("code"), answer.get("msg"))
        return answer.get("result")

    def _renew(self, cut: Cut) -> None:
        self._token = ""
        answer = self._call("GET", "/v1.0/token?grant_type=1", b"", cut)
        if answer.get("success") is not True:
            raise refused(answer.get("code"), answer.get("msg"))
        result = answer.get("result")
        token = result.get("access_token") if isinstance(result, dict) else None
        lasts = result.get("expire_time") if isinstance(result, dict) else None
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise _garbled("its answer is no token")
        if not isinstance(lasts, int) or lasts > _LONGEST_S:
            raise _garbled("its answer is no token")
        self._token, self._token_ends_s = token, time.monotonic() + lasts - _NO_TOKEN_S

    def _call(self, method: str, path: str, body: bytes, cut: Cut) -> dict[str, Any]:
        """One request, signed, and its answer as an object."""
        try:
            answer = json.loads(_exchange(self._project.endpoint, self._signed(method, path, body), cut))
        except Failed:
            raise
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            raise _failed(error, cut) from None
        if not isinstance(answer, dict):
            raise _garbled("its answer is no object")
        return answer

    def _signed(self, method: str, path: str, body: bytes) -> Request:
        at = str(int(time.time() * 1000))
        project = self._project
        text = f"{method}\n{hashlib.sha256(body).hexdigest()}\n\n{path}"
        sign = hmac.new(project.secret.encode(), f"{project.client_id}{self._token}{at}{text}".encode(), hashlib.sha256)
        headers = {
            "client_id": project.client_id,
            "sign": sign.hexdigest().upper(),
            "sign_method": "HMAC-SHA256",
            "t": at,
            "lang": "en",
            "Content-Type": "application/json",
            "Connection": "close",
        }
        if self._token:
            headers["access_token"] = self._token
        return Request(method, path, body, headers)


@dataclass(frozen=True)
class Request:
    """What goes over the line."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]


def _exchange(endpoint: str, request: Request, cut: Cut) -> bytes:
    """One request on a connection of its own. No redirect is followed, and no more is collected than `MOST_BYTES`."""
    url = urlsplit(endpoint)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    if cut.over:
        raise TimeoutError
    line = socket.create_connection((host, port), timeout=cut.patience_s)
    connection = HTTPConnection(host, port)
    try:
        cut.add(line)
        if url.scheme == "https":
            line = ssl.create_default_context().wrap_socket(line, server_hostname=host)
        connection.sock = line
        connection.request(request.method, request.path, body=request.body or None, headers=request.headers)
        with connection.getresponse() as response:
            _check_status(response)
            content = response.read(MOST_BYTES + 1)
            if len(content) > MOST_BYTES:
                raise _garbled("its answer is far too large")
            if response.length:
                raise _garbled("its answer was cut off")
        return content
    finally:
        line.close()
        connection.close()


def _check_status(response: HTTPResponse) -> None:
    status = response.status
    if status == 429:
        raise Failed(Refused, "it was asked too often (HTTP 429)", "let other programs ask it less often")
    if status >= 500:
        raise Failed(Unreachable, f"it has trouble of its own (HTTP {status})", "it passes by itself")
    if status != 200:
        raise Failed(Refused, f"it refused (HTTP {status})", "check cloud_region and cloud_endpoint")


def _failed(error: Exception, cut: Cut) -> Failed:
    """What went wrong on the line."""
    if cut.over or isinstance(error, TimeoutError):
        return Failed(Unreachable, f"no complete answer in {cut.patience_s:.1f} s", _INTERNET)
    match error:
        case ssl.SSLError():
            cure = "check the box's clock, and that nothing in the house poses as the cloud"
            return Failed(Garbled, "it has no proper certificate", cure)
        case OSError():
            return Failed(Unreachable, f"no connection ({error.strerror or type(error).__name__})", _INTERNET)
    return _garbled(f"it answered what no cloud says ({type(error).__name__})")


def _garbled(fact: str) -> Failed:
    return Failed(Garbled, fact, f"{_INTERNET}, cloud_region and cloud_endpoint")
