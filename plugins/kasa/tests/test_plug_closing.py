"""Closing leaves nothing behind, also in the middle of a call; and a call that is given up cuts off no other."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from pimgr_kasa import PLUG, PlugConfig

from pimgr.api import Connection, Deadlines, Unreachable
from pimgr.house import Fault, House
from pimgr.testing import FakeContext

pytestmark = pytest.mark.slow

SLOW_S = 0.2


@asynccontextmanager
async def strip(protocol: str) -> AsyncIterator[tuple[House, Any, FakeContext]]:
    spec = f'version = 1\n[[device]]\nid = "strip"\nkind = "kasa"\noutlets = 2\nprotocol = "{protocol}"\n'
    async with House.from_toml(spec) as house:
        way = "port" if protocol == "legacy" else "klap_port"
        spoken = "legacy" if protocol == "legacy" else "klap"
        table = {"address": "127.0.0.1", "outlets": 2, way: house.port("strip"), "protocol": spoken}
        context = FakeContext("strip", {}, Deadlines(read_s=5.0, switch_s=5.0))
        house.gate("strip").times = msgspec.structs.replace(house.spec.faults, slow_s=SLOW_S)
        try:
            yield house, PLUG.open(msgspec.convert(table, PlugConfig), context), context
        finally:
            context.close()


@pytest.mark.parametrize("protocol", ["legacy", "klap2"])
def test_closing_in_the_middle_of_a_call_leaves_no_session_behind(protocol: str) -> None:
    async def main() -> list[object]:
        complaints: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, about: complaints.append(about))
        async with strip(protocol) as (house, opening, _):
            async with opening as connection:
                house.fault("strip", Fault.SLOW)
                call = asyncio.create_task(connection.parts["1"].read_load())
                await asyncio.sleep(SLOW_S / 2)
            with pytest.raises(Unreachable, match="closed meanwhile"):
                await call
        del call, connection, opening
        gc.collect()
        return complaints

    assert asyncio.run(main()) == []


def test_a_call_that_is_given_up_while_it_waits_for_its_turn_cuts_off_no_other() -> None:
    async def main() -> None:
        async with strip("legacy") as (house, opening, _), opening as connection:
            await read(connection)
            house.fault("strip", Fault.SLOW)
            before = len(house.wire.of("query"))
            first = asyncio.create_task(read(connection))
            await asyncio.sleep(SLOW_S / 4)
            second = asyncio.create_task(read(connection))
            await asyncio.sleep(SLOW_S / 4)
            second.cancel()
            await first
            assert len(house.wire.of("query")) == before + 1, "it was cut off, and asked again"

    asyncio.run(main())


async def read(connection: Connection) -> None:
    await connection.parts["1"].read_load()  # type: ignore[union-attr]
