"""Looking for Kasa devices on the home network, by a broadcast to which they answer.

What an answer claims is a hint and nothing more: it may come by way of a router and bear the router's address
(home-assistant/core#73640, read), and nobody signs it. Source of both datagrams: python-kasa 0.12, `discover.py`, and
`protocols/`; the newer probe without a key in it is what the library sent up to its version 0.7.
"""

# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from kasa.json import loads
from kasa.transports.xortransport import XorEncryption

_MOST_SIGHTINGS = 256
_PROBE = bytes.fromhex("020000010000000000000000463cb5d3")
_HEAD_BYTES = 16
_ASKED = XorEncryption.encrypt('{"system":{"get_sysinfo":{}}}')[4:]


class Ears(NamedTuple):
    """The UDP ports at which devices listen."""

    legacy: int = 9999
    newer: int = 20002


EARS = Ears()
EVERYBODY = "255.255.255.255"
REPEATS = 3
"""Datagrams get lost on a Wi-Fi."""


@dataclass(frozen=True)
class Sighting:
    """A device that answered. `device_id`: as after a login, empty where it doesn't tell. `mac`: twelve digits."""

    address: str
    device_id: str
    mac: str
    model: str
    alias: str
    outlets: int
    newer: bool


class Searcher(asyncio.DatagramProtocol):
    """Collects answers."""

    def __init__(self) -> None:
        self.sightings: asyncio.Queue[Sighting] = asyncio.Queue(_MOST_SIGHTINGS)
        self._seen: set[Sighting] = set()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        sighting = _read(data, str(addr[0]))
        if sighting is not None and sighting not in self._seen and len(self._seen) < _MOST_SIGHTINGS:
            self._seen.add(sighting)
            self.sightings.put_nowait(sighting)


def broadcast_for(address: str) -> str:
    """Where to ask for a device that should be at `address`: a search for one on this machine never leaves it."""
    with suppress(ValueError):
        if ipaddress.ip_address(address).is_loopback:
            return "127.255.255.255"
    return EVERYBODY


async def look_around(broadcast: str, within_s: float) -> AsyncGenerator[Sighting, None]:
    """What answers within `within_s`, each once. Raises OSError where this machine has no network."""
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + within_s
    transport, searcher = await loop.create_datagram_endpoint(Searcher, sock=_ear())
    asking = loop.create_task(_ask(transport, broadcast, within_s))
    try:
        while (left_s := ends_s - loop.time()) > 0:
            try:
                sighting = await asyncio.wait_for(searcher.sightings.get(), left_s)
            except TimeoutError:
                return
            yield sighting
    finally:
        asking.cancel()
        transport.close()


def _ear() -> socket.socket:
    ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    ear.setblocking(False)
    ear.bind(("", 0))
    return ear


async def _ask(transport: asyncio.DatagramTransport, broadcast: str, within_s: float) -> None:
    for _ in range(REPEATS):
        transport.sendto(_ASKED, (broadcast, EARS.legacy))
        transport.sendto(_PROBE, (broadcast, EARS.newer))
        await asyncio.sleep(within_s / (REPEATS + 1))


def _read(data: bytes, address: str) -> Sighting | None:
    """The sighting in a datagram; None where it is none of a plug or strip."""
    try:
        if data[:1] == b"\x02":
            return _newer(loads(data[_HEAD_BYTES:])["result"], address)
        return _legacy(loads(XorEncryption.decrypt(data))["system"]["get_sysinfo"], address)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _legacy(info: dict[str, Any], address: str) -> Sighting | None:
    children = info.get("children") or []
    if "relay_state" not in info and not children:
        return None
    mac = info.get("mac") or info.get("mic_mac") or ""
    return Sighting(
        address=address,
        device_id=str(info["deviceId"])[:64],
        mac=_mac(mac),
        model=str(info.get("model", ""))[:40],
        alias=str(info.get("alias", ""))[:60],
        outlets=len(children),
        newer=False,
    )


def _newer(result: dict[str, Any], address: str) -> Sighting | None:
    if "PLUG" not in str(result["device_type"]) and "SWITCH" not in str(result["device_type"]):
        return None
    return Sighting(
        address=address,
        device_id="",
        mac=_mac(result["mac"]),
        model=str(result.get("device_model", ""))[:40],
        alias="",
        outlets=0,
        newer=True,
    )


def _mac(text: Any) -> str:
    return "".join(each for each in str(text)[:40].upper() if each in "0123456789ABCDEF")
