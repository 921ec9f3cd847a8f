"""No plug keeps us waiting, not by its name, not by its silence; what it told is dated no later than it was asked."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from pimgr_kasa import PLUG, PlugConfig
from pimgr_kasa.plug import Outlet

from pimgr.api import Deadlines, Unreachable
from pimgr.house import Fault, House
from pimgr.testing import FakeContext

HOUSE = """
version = 1

[[device]]
id = "plug"
kind = "kasa"

[[device]]
id = "strip"
kind = "kasa"
outlets = 3
watts = [10.0, 20.0, 30.0]
on = [true, true, true]
"""
QUICK = Deadlines(read_s=0.5, switch_s=0.5)


@asynccontextmanager
async def outlet(house: House, key: str = "", **keys: Any) -> AsyncIterator[tuple[Outlet, FakeContext]]:
    device = "strip" if key else "plug"
    table = {"address": "127.0.0.1", "port": house.port(device), "outlets": 3 if key else 0, **keys}
    context = FakeContext(device, {}, QUICK)
    try:
        async with PLUG.open(msgspec.convert(table, PlugConfig), context) as connection:
            one = connection.parts[key]
            assert isinstance(one, Outlet)
            yield one, context
    finally:
        context.close()


@pytest.fixture
def dead_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No name server answers."""
    over = threading.Event()

    def look_up(*_: Any, **__: Any) -> Any:
        over.wait(20.0)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield
    over.set()


def test_a_name_that_no_server_knows_of_is_waited_for_no_longer_than_a_plug(dead_names: None) -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, outlet(house, address="plug.example.org") as (plug, _):
            began = time.monotonic()
            async with asyncio.timeout(5.0):
                with pytest.raises(Unreachable, match="no complete answer"):
                    await plug.read_load()
            assert time.monotonic() - began < 1.5

    asyncio.run(main())


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.DEAD])
def test_a_silent_plug_is_asked_once_and_not_for_long(fault: Fault) -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, outlet(house) as (plug, _):
            house.fault("plug", fault)
            began = time.monotonic()
            with pytest.raises(Unreachable):
                await plug.read_load()
            assert time.monotonic() - began < 2.5

    asyncio.run(main())


def test_outlets_of_a_silent_strip_that_are_asked_at_once_are_all_told_in_time() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, outlet(house, "1") as (first, context):
            await first.read_load()
            house.fault("strip", Fault.SILENT)
            began = time.monotonic()
            calls = [Outlet(first._plug, key).read_load() for key in ("1", "2", "3")]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(answer) for answer in answers] == [Unreachable] * 3
            assert time.monotonic() - began < 0.8
            context.close()

    asyncio.run(main())


def test_what_a_slow_plug_told_is_dated_when_it_was_asked() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, outlet(house) as (plug, context):
            await plug.read_load()
            house.gate("plug").times = msgspec.structs.replace(house.spec.faults, slow_s=0.2)
            house.fault("plug", Fault.SLOW)
            asked = context.now()
            reading = await plug.read_load()
            assert reading.at.mono_s < asked.mono_s + 0.15
            assert context.now().mono_s >= asked.mono_s + 0.2

    asyncio.run(main())


def test_the_watts_of_an_outlet_are_of_this_moment_and_not_of_the_last_connection() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, outlet(house, "2") as (second, _):
            reading = await second.read_load()
            assert (reading.on, reading.power_w) == (True, 20.0)
            house.switch_by_person("strip/2", False)
            reading = await second.read_load()
            assert (reading.on, reading.power_w) == (False, 0.0)

    asyncio.run(main())
