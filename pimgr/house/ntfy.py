"""A server of ntfy as its publishers see it: JSON by POST to its root, or a text by POST to a topic.

Source: docs.ntfy.sh/publish ("Publish as JSON", "Access tokens", error codes 40101 and 42901).
"""

from __future__ import annotations

import http
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import h11
import msgspec

from pimgr.house.faults import HTTP_FAULTS, Line
from pimgr.house.house import House
from pimgr.house.http import Answer, json_answer, serve_http
from pimgr.house.kinds import DeviceSpec, ServerKind


class NtfySpec(DeviceSpec, kw_only=True):
    """A server. With a `token` it takes only messages that carry it."""

    token: str = ""


class Ntfy:
    """One server. What it takes is in the wire log, as "message" with its title, and its text as `raw`."""

    def __init__(self, spec: NtfySpec, house: House) -> None:
        self._house, self._spec = house, spec
        self.token = spec.token
        self._count = 0

    async def serve(self, line: Line) -> None:
        """One connection, kept alive until the client goes."""
        await serve_http(line, self._answer, lambda why: self._note("refused", why, ""))

    def _answer(self, request: h11.Request, body: bytes) -> Answer:
        status = self._house.gate(self._spec.id).fault.http_status
        if status:
            self._note("refused", str(status), "")
            return _error(status * 100 + 1, http.HTTPStatus(status).phrase.lower())
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        if self.token and headers.get("authorization") != f"Bearer {self.token}":
            self._note("refused", "401", "")
            return _error(40101, "unauthorized")
        if request.method != b"POST":
            return _error(40401, "page not found")
        return self._take(request, body)

    def _take(self, request: h11.Request, body: bytes) -> Answer:
        topic = request.target.decode("latin-1").partition("?")[0].strip("/")
        message: dict[str, Any] = {"topic": topic, "message": body.decode(errors="replace")}
        if not topic:
            try:
                message = msgspec.json.decode(body, type=dict[str, Any])
            except msgspec.DecodeError:
                return _error(40024, "invalid request: body must be valid JSON")
        if not message.get("topic"):
            return _error(40009, "invalid request: topic invalid")
        self._count += 1
        self._note("message", str(message.get("title", "")), str(message.get("message", "")))
        taken = {"id": f"m{self._count}", "time": 1767225600, "event": "message", "topic": message["topic"]}
        return json_answer(200, taken)

    def _note(self, what: str, value: str, raw: str) -> None:
        self._house.wire.note(self._spec.id, "", what, value, raw=raw)


def _error(code: int, words: str) -> Answer:
    return json_answer(code // 100, {"code": code, "http": code // 100, "error": words})


@asynccontextmanager
async def _serve(spec: NtfySpec, house: House) -> AsyncIterator[None]:
    server = Ntfy(spec, house)
    house.offer(spec.id, server)
    async with house.listening(spec.id, spec.port, server.serve):
        yield


KIND = ServerKind(kind="ntfy", config=NtfySpec, serve=_serve, faults=HTTP_FAULTS, internet=True)
