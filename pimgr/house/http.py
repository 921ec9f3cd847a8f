"""HTTP for the servers of the house: requests in, answers out, with the faults of the line in between."""

from __future__ import annotations

import http
from collections.abc import Callable

import h11
import msgspec

from pimgr.house.faults import OVERSIZE_BYTES, Line

BODY_LIMIT = 64 * 1024


class Answer(msgspec.Struct, frozen=True):
    """What an HTTP server says."""

    status: int
    body: bytes
    cookies: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"


def json_answer(status: int, value: object) -> Answer:
    """JSON, or nothing at all for None."""
    return Answer(status, b"" if value is None else msgspec.json.encode(value))


async def serve_http(
    line: Line, answer: Callable[[h11.Request, bytes], Answer], refused: Callable[[str], None]
) -> None:
    """One connection, kept alive until the client goes. `refused` is told what wasn't HTTP."""
    http_line = h11.Connection(h11.SERVER)
    while True:
        try:
            request, body = await _request(http_line, line)
        except h11.RemoteProtocolError as error:
            refused(f"not HTTP: {error}")
            return
        if request is None:
            return
        head, content = _encoded(http_line, answer(request, body))
        await line.send(content, head=head, flood_head=_flood_head())
        if http_line.our_state is h11.MUST_CLOSE:
            return
        http_line.start_next_cycle()


async def _request(http_line: h11.Connection, line: Line) -> tuple[h11.Request | None, bytes]:
    """The next request with its body; None where the client left. Raises RemoteProtocolError for what isn't HTTP."""
    request: h11.Request | None = None
    body = b""
    while True:
        event = http_line.next_event()
        if event is h11.NEED_DATA:
            http_line.receive_data(await line.reader.read(65536))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > BODY_LIMIT:
                raise h11.RemoteProtocolError("body too long")
        elif isinstance(event, h11.EndOfMessage):
            return request, body
        else:
            return None, b""


def _encoded(http_line: h11.Connection, answer: Answer) -> tuple[bytes, bytes]:
    """Head and body as bytes, and the connection's state moved on."""
    headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body))), *answer.headers]
    headers += [("Set-Cookie", cookie) for cookie in answer.cookies]
    reason = http.HTTPStatus(answer.status).phrase.encode()
    head = http_line.send(h11.Response(status_code=answer.status, headers=headers, reason=reason))
    content = http_line.send(h11.Data(data=answer.body)) + http_line.send(h11.EndOfMessage())
    return head or b"", content


def _flood_head() -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {OVERSIZE_BYTES}\r\n\r\n".encode()
