"""The gateway is not crowded with connections, and a session that it ended is not offered to it again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from pimgr_powerwall import GATEWAY, GatewayConfig
from pimgr_powerwall.gateway import Gateway

from pimgr.api import Deadlines, Refused
from pimgr.house import Fault, House
from pimgr.testing import FakeContext

HOUSE = """
version = 1

[[device]]
id = "gateway"
kind = "gateway"
"""
PASSWORD = "S3cr3t"
ESTABLISHED = "01"


def connections(port: int) -> int:
    """Ours to this port, as the kernel counts them. Source: proc_net_tcp(5)."""
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return sum(words[2].endswith(f":{port:04X}") and words[3] == ESTABLISHED for words in lines)


def config(house: House) -> GatewayConfig:
    table = {"address": f"127.0.0.1:{house.port('gateway')}", "password": {"secret": "pw"}}
    return msgspec.convert(table, GatewayConfig)


def test_no_more_than_four_connections_at_once_however_much_is_asked() -> None:
    async def main() -> None:
        context = FakeContext("gateway", {"pw": PASSWORD}, Deadlines(read_s=5.0))
        async with House.from_toml(HOUSE) as house, GATEWAY.open(config(house), context) as gateway:
            assert isinstance(gateway, Gateway)
            await gateway.read_grid()
            house.gate("gateway").times = msgspec.structs.replace(house.spec.faults, slow_s=0.3)
            house.fault("gateway", Fault.SLOW)
            asking = [asyncio.create_task(gateway.read_grid()) for _ in range(8)]
            most = 0
            while not all(task.done() for task in asking):
                most = max(most, connections(house.port("gateway")))
                await asyncio.sleep(0.02)
            await asyncio.gather(*asking)
            assert 1 < most <= 4
        context.close()

    asyncio.run(main())


def test_a_session_that_the_gateway_ended_is_not_offered_again_after_a_restart() -> None:
    async def main() -> None:
        context = FakeContext("gateway", {"pw": PASSWORD}, Deadlines(read_s=5.0))
        async with House.from_toml(HOUSE) as house, GATEWAY.open(config(house), context) as gateway:
            assert isinstance(gateway, Gateway)
            await gateway.read_grid()
            assert context.store.get("cookies")
            context.secrets["pw"] = "another"
            house.expire_sessions("gateway")
            with pytest.raises(Refused):
                await gateway.read_grid()
            assert context.store.get("cookies") is None
        context.close()

    asyncio.run(main())
