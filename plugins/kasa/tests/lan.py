"""A home network of its own, in a network namespace: run by `unshare`, prints what the plugin made of it as JSON.

192.0.2.15 is a plug of the legacy protocol, 192.0.2.16 one that speaks KLAP, and 192.0.2.1 a router that passes the
plug's answer on under its own address, and has another device's port behind it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
from pimgr_kasa import PLUG, PlugConfig, discovery
from pimgr_kasa.plug import Outlet

from pimgr.api import Deadlines, DeviceError
from pimgr.house import House
from pimgr.testing import FakeContext

HOUSE = """
version = 1
[[device]]
id = "plug"
kind = "kasa"
[[device]]
id = "klap"
kind = "kasa"
protocol = "klap2"
[[device]]
id = "other"
kind = "kasa"
"""
NETWORK = (
    "link set lo up",
    "link add lan0 type veth peer name lan1",
    "address add 192.0.2.2/24 broadcast + dev lan0",
    "address add 192.0.2.15/24 dev lan0",
    "address add 192.0.2.16/24 dev lan0",
    "address add 192.0.2.1/24 dev lan0",
    "link set lan0 up",
    "link set lan1 up",
    "route add default dev lan0",
)
LEGACY, NEWER = 9999, 20002


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def forwarded(address: str, port: int, to: int) -> AsyncIterator[None]:
    """What is said to `address` is said to a device of the house."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", to)
        await asyncio.gather(carry(reader, there_writer), carry(there_reader, writer))

    async with await asyncio.start_server(pass_on, address, port):
        yield


@asynccontextmanager
async def ear(port: int, answers: dict[str, Any]) -> AsyncIterator[None]:
    """Answers broadcasts to `port`, in order, from each address what `answers` makes of it."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("255.255.255.255", port))
        mouths = {}
        for address in answers:
            mouths[address] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            mouths[address].bind((address, port))

        def answer() -> None:
            data, sender = heard.recvfrom(4096)
            for address, found in answers.items():
                if (said := found(data)) is not None:
                    mouths[address].sendto(said, sender)

        loop.add_reader(heard, answer)
        try:
            yield
        finally:
            loop.remove_reader(heard)
            for mouth in mouths.values():
                mouth.close()


async def follow(store_of: FakeContext, address: str) -> dict[str, Any]:
    """One reading and one switching off, with what is known from before."""
    context = FakeContext("plug", {}, Deadlines(read_s=2.0, switch_s=2.0), store=store_of.store, clock=store_of.clock)
    config = msgspec.convert({"address": address}, PlugConfig)
    try:
        async with PLUG.open(config, context) as connection:
            part = connection.parts[""]
            assert isinstance(part, Outlet)
            try:
                on: Any = (await part.read_load()).on
                await part.switch(False)
            except DeviceError as error:
                on = str(error)
    finally:
        context.close()
    told = [finding.text for _, finding in context.told if finding is not None]
    return {"on": on, "told": told, "followed": context.store.get("followed")}


async def main() -> dict[str, Any]:
    async with House.from_toml(HOUSE) as house, AsyncExitStack() as stack:
        plug, klap = house.controls("plug"), house.controls("klap")
        result: dict[str, Any] = {"ids": {"plug": plug.device_id, "other": house.controls("other").device_id}}
        await stack.enter_async_context(forwarded("192.0.2.15", LEGACY, house.port("plug")))
        await stack.enter_async_context(forwarded("192.0.2.16", 80, house.port("klap")))
        await stack.enter_async_context(forwarded("192.0.2.1", LEGACY, house.port("other")))
        context = FakeContext("wizard")
        assert PLUG.discover is not None
        discovery.LISTEN_S = 1.0
        async with ear(LEGACY, {"192.0.2.15": plug.found}), ear(NEWER, {"192.0.2.16": klap.found}):
            result["found"] = [msgspec.to_builtins(found) async for found in PLUG.discover(context)]
        known = FakeContext("plug", {}, Deadlines(read_s=2.0, switch_s=2.0))
        result["first"] = await follow(known, "192.0.2.15")
        house.switch_by_person("plug", True)
        known.clock.advance(3600.0)
        async with ear(LEGACY, {"192.0.2.1": plug.found}):
            result["router"] = await follow(known, "192.0.2.99")
        known.clock.advance(3600.0)
        async with ear(LEGACY, {"192.0.2.1": plug.found, "192.0.2.15": plug.found}):
            result["moved"] = await follow(known, "192.0.2.99")
        result["switched"] = [(entry.device, entry.value) for entry in house.wire.of("switch")]
        return result


if __name__ == "__main__":
    for line in NETWORK:
        subprocess.run(["ip", *line.split()], check=True)
    print(json.dumps(asyncio.run(main())))
