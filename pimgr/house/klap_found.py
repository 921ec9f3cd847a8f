"""Being found on the network: a UDP socket beside a device's TCP port, and the answer to the newer probe (TDP).

The newer probe and its answer begin with 16 bytes: version 2, a type, a code (big-endian), the length of the JSON that
follows, flags, a byte of padding, a serial number, and the CRC-32 of it all with 0x5A6B7C8D in its own place. Source:
python-kasa 0.12, `discover.py`; the answer's shape: its `tests/fixtures/iot/HS100(UK)_4.1_1.1.0.json`
(python-kasa/python-kasa, a29d0610); `new_klap` and `lv`: python-kasa#1648, read. The id in it is not the one that the
device tells after the login; the MAC address is the same.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import md5
from typing import Any, Protocol, cast
from zlib import crc32

import msgspec

from pimgr.house.faults import Fault
from pimgr.house.gate import LOOPBACK, Gate
from pimgr.house.klap import Klap

BROADCAST = "127.255.255.255"
"""The broadcast address of the loopback: nothing that is sent there leaves the machine."""
HEAD = struct.Struct(">BBHHBBII")
_CRC_SEED = 0x5A6B7C8D


def tdp_frame(text: bytes = b"") -> bytes:
    """`text` behind its head of 16 bytes."""
    head = HEAD.pack(2, 0, 1, len(text), 0, 0, 0, _CRC_SEED)
    return head[:12] + crc32(head + text).to_bytes(4, "big") + text


def is_probe(data: bytes) -> bool:
    """Whether somebody asks who is there."""
    return len(data) >= HEAD.size and data[:4] == b"\x02\x00\x00\x01"


def probe_answer(probe: bytes, device_id: str, mac: str, version: Klap, dialect: str) -> bytes | None:
    """What a KLAP device says to the newer probe; None to anything else."""
    if not is_probe(probe):
        return None
    scheme: dict[str, Any] = {"encrypt_type": "KLAP", "http_port": 80, "is_support_https": False}
    if version is Klap.V2:
        scheme |= {"new_klap": 1, "lv": 2}
    result = {
        "device_id": md5(device_id.encode(), usedforsecurity=False).hexdigest(),
        "device_model": "KP125M(US)" if dialect == "smart" else "KP115(US)",
        "device_type": "SMART.KASAPLUG" if dialect == "smart" else "IOT.SMARTPLUGSWITCH",
        "factory_default": False,
        "hw_ver": "1.0",
        "ip": LOOPBACK,
        "mac": mac.replace(":", "-"),
        "mgt_encrypt_schm": scheme,
        "owner": "0" * 32,
    }
    return tdp_frame(msgspec.json.encode({"error_code": 0, "result": result}))


class Findable(Protocol):
    """What says who it is."""

    def found(self, probe: bytes) -> bytes | None: ...


class _Ear(asyncio.DatagramProtocol):
    """Answers datagrams while the device has power."""

    def __init__(self, gate: Gate, device: Findable) -> None:
        self._gate, self._device = gate, device
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if self._transport and self._gate.fault in (Fault.NONE, Fault.REFUSING):
            said = self._device.found(data)
            if said is not None:
                self._transport.sendto(said, addr)


@asynccontextmanager
async def answering_who_is_there(gate: Gate, device: Findable) -> AsyncIterator[None]:
    """Answer datagrams to the gate's port number, by its own address and by the loopback's broadcast address."""
    loop = asyncio.get_running_loop()
    ears: list[asyncio.DatagramTransport] = []
    try:
        for address in (LOOPBACK, BROADCAST):
            made, _ = await loop.create_datagram_endpoint(lambda: _Ear(gate, device), local_addr=(address, gate.port))
            ears.append(made)
        yield
    finally:
        for ear in ears:
            ear.close()
