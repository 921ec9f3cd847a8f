"""One GET of the charger's HTTP API, with a bound on everything, and the four errors from whatever happens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec

from pimgr.api import DeviceError, Garbled, Refused, Unreachable

MOST_BYTES = 16 * 1024
"""The longest answer that is read. The keys that are asked for take some 200 bytes, all keys some 10 kB."""


@dataclass(frozen=True)
class Wanted:
    """What was asked of whom, for the message; `deadline_s` is what it may take."""

    part: str
    wish: str
    address: str
    port: int
    deadline_s: float

    @property
    def where(self) -> str:
        return f"{self.address}:{self.port}"

    def unreachable(self, fact: str) -> Unreachable:
        return Unreachable(self.part, self.wish, fact, "check the charger's power, Wi-Fi and address")

    def garbled(self, fact: str) -> Garbled:
        return Garbled(self.part, self.wish, fact, "is it a go-e charger with the local HTTP API v2 switched on?")


class _Answer(msgspec.Struct, frozen=True):
    status: int
    body: bytes


async def get(wanted: Wanted, target: str) -> dict[str, Any]:
    """What the charger answers to GET `target`, a JSON object. Raises Unreachable, Refused or Garbled."""
    try:
        async with asyncio.timeout(wanted.deadline_s):
            answer = await _exchange(wanted, target)
    except TimeoutError:
        raise wanted.unreachable(f"no answer from {wanted.where} in {wanted.deadline_s:g} s") from None
    except OSError as error:
        raise wanted.unreachable(f"{wanted.where}: {error.strerror or error}") from None
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        raise wanted.garbled(f"{wanted.where} answers what is no whole HTTP answer of a sensible length") from None
    return _object(wanted, answer)


def _object(wanted: Wanted, answer: _Answer) -> dict[str, Any]:
    """The JSON object in an answer.

    A value out of range is 500 with the reason as the key's value, a key that this model hasn't got 400 with all the
    others. Source: evcc-io/evcc#15952; goecharger/go-eCharger-API-v2#312.
    """
    if answer.status in (401, 403):
        cure = "switch off the password of its web interface, or on the local HTTP API v2, in the maker's app"
        raise Refused(wanted.part, wanted.wish, f"it answers HTTP {answer.status}", cure)
    if answer.status == 429:
        raise Refused(wanted.part, wanted.wish, "it was asked too often (HTTP 429)", "ask other programs to wait")
    if answer.status == 404:
        raise _no_api(wanted)
    if answer.status not in (200, 400, 500):
        raise wanted.garbled(f"{wanted.where} answers HTTP {answer.status}")
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise wanted.garbled(f"{wanted.where} answers what no charger says") from None


def _no_api(wanted: Wanted) -> DeviceError:
    cure = "switch on the local HTTP API v2 in the maker's app"
    return Refused(wanted.part, wanted.wish, "it has no API there (HTTP 404)", cure)


async def _exchange(wanted: Wanted, target: str) -> _Answer:
    """One request on a connection of its own. Source: RFC 9112."""
    reader, writer = await asyncio.open_connection(wanted.address, wanted.port, limit=MOST_BYTES)
    try:
        host = f"Host: {wanted.address}\r\nConnection: close\r\nAccept: application/json\r\n"
        writer.write(f"GET {target} HTTP/1.1\r\n{host}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = head[0].split(" ", 2)
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        if not head[0].startswith("HTTP/1.") or len(status) < 2 or fields.get("transfer-encoding"):
            raise ValueError(head[0])
        length = int(fields["content-length"]) if "content-length" in fields else None
        if length is None:
            body = await reader.read(MOST_BYTES + 1)
        elif 0 <= length <= MOST_BYTES:
            body = await reader.readexactly(length)
        else:
            raise ValueError(length)
        return _Answer(int(status[1]), body)
    finally:
        writer.close()
