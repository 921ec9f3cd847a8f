"""Clients of twenty lines, written from the protocols: the house is not tested by the libraries it must not know."""

from __future__ import annotations

import asyncio
import json
import ssl
import struct
from typing import Any

DEADLINE_S = 3.0


def scramble(text: bytes) -> bytes:
    key, out = 171, bytearray()
    for byte in text:
        key ^= byte
        out.append(key)
    return bytes(out)


def unscramble(wire: bytes) -> bytes:
    key, out = 171, bytearray()
    for byte in wire:
        out.append(key ^ byte)
        key = byte
    return bytes(out)


async def ask_kasa(port: int, request: dict[str, Any], deadline_s: float = DEADLINE_S) -> Any:
    """One request on a connection of its own."""
    async with asyncio.timeout(deadline_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            return await ask_again(reader, writer, request)
        finally:
            writer.close()


async def ask_again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: dict[str, Any]) -> Any:
    """One request on a connection that is open."""
    text = scramble(json.dumps(request).encode())
    writer.write(struct.pack(">I", len(text)) + text)
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    return json.loads(unscramble(await reader.readexactly(length)))


def relay(on: bool, *children: str) -> dict[str, Any]:
    """The request that switches."""
    request: dict[str, Any] = {"system": {"set_relay_state": {"state": int(on)}}}
    return {"context": {"child_ids": list(children)}, **request} if children else request


SYSINFO: dict[str, Any] = {"system": {"get_sysinfo": {}}}


class Browser:
    """HTTPS with one cookie, to a server whose certificate nobody vouches for. Each answer is (status, text)."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookie = ""
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    async def raw(self, request: bytes, deadline_s: float = DEADLINE_S) -> bytes:
        """Whatever comes back until the other side closes."""
        async with asyncio.timeout(deadline_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context)
            try:
                writer.write(request)
                return await reader.read(-1)
            finally:
                writer.close()

    async def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, str]:
        """One call on a connection of its own."""
        cookie = f"Cookie: AuthCookie={self.cookie}\r\n" if self.cookie else ""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        request = f"{method} {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n{cookie}{length}\r\n"
        head, _, text = (await self.raw(request.encode() + body)).partition(b"\r\n\r\n")
        for line in head.decode().split("\r\n"):
            if line.startswith("Set-Cookie: AuthCookie="):
                self.cookie = line.partition("=")[2].partition(";")[0]
        return int(head.split()[1]), text.decode()

    async def get(self, path: str) -> Any:
        """The JSON of a page that must be there."""
        status, text = await self.call("GET", path)
        assert status == 200, (path, status, text)
        return json.loads(text)

    async def log_in(self, password: str) -> int:
        """Log in as the owner; the status."""
        asked = {"username": "customer", "email": "", "password": password, "force_sm_off": False}
        status, _ = await self.call("POST", "/api/login/Basic", json.dumps(asked).encode())
        return status
