"""Plugs and strips obey Kasa's protocol, and everything that switches them is on record."""

from __future__ import annotations

import asyncio
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimgr.house import House
from pimgr.house.gate import LOOPBACK
from pimgr.house.kasa import scrambled, unscrambled
from tests.house.clients import SYSINFO, ask_again, ask_kasa, relay, scramble, unscramble

PLUGS = """
version = 1
[[device]]
id = "pump"
kind = "kasa"
watts = 1100.0
discovery = true
[[device]]
id = "strip"
kind = "kasa"
outlets = 6
watts = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
on = [true, true, true, true, true, false]
[[device]]
id = "simple"
kind = "kasa"
metered = false
"""


@given(st.binary(max_size=200))
def test_scrambling_is_the_autokey_xor_and_can_be_undone(text: bytes) -> None:
    assert scrambled(text) == scramble(text)
    assert unscrambled(scrambled(text)) == text


def test_scrambling_matches_the_published_bytes() -> None:
    """The first bytes of a get_sysinfo on the wire, as published with the protocol's analysis: d0 f2 81 f8."""
    assert scrambled(b'{"system":{"get_sysinfo":{}}}')[:4] == bytes.fromhex("d0f281f8")


def test_a_plug_switches_and_tells_its_watts() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            port = house.port("pump")
            sysinfo = (await ask_kasa(port, SYSINFO))["system"]["get_sysinfo"]
            assert (sysinfo["relay_state"], sysinfo["err_code"], sysinfo["feature"]) == (1, 0, "TIM:ENE")
            realtime = (await ask_kasa(port, {"emeter": {"get_realtime": {}}}))["emeter"]["get_realtime"]
            assert realtime["power_mw"] == 1_100_000
            answer = await ask_kasa(port, relay(False))
            assert answer == {"system": {"set_relay_state": {"err_code": 0}}}
            assert not house.is_on("pump")
            realtime = (await ask_kasa(port, {"emeter": {"get_realtime": {}}}))["emeter"]["get_realtime"]
            assert realtime["power_mw"] == 0

    asyncio.run(scene())


def test_a_strips_outlet_is_addressed_by_its_child_id() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            port = house.port("strip")
            children = (await ask_kasa(port, SYSINFO))["system"]["get_sysinfo"]["children"]
            assert [child["state"] for child in children] == [1, 1, 1, 1, 1, 0]
            third = children[2]["id"]
            await ask_kasa(port, relay(False, third))
            assert [house.is_on(f"strip/{number}") for number in range(1, 7)] == [True, True, False, True, True, False]
            metered = {"context": {"child_ids": [children[3]["id"]]}, "emeter": {"get_realtime": {}}}
            assert (await ask_kasa(port, metered))["emeter"]["get_realtime"]["power_mw"] == 40_000
            unknown = await ask_kasa(port, relay(False, "nobody"))
            assert unknown["system"]["set_relay_state"]["err_code"] != 0

    asyncio.run(scene())


def test_each_command_is_on_record_and_each_change_beside_it() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            child = (await ask_kasa(house.port("strip"), SYSINFO))["system"]["get_sysinfo"]["children"][4]["id"]
            for _ in range(2):
                await ask_kasa(house.port("strip"), relay(False, child))
            house.switch_by_person("strip/5", True)
            told = [(entry.device, entry.part, entry.what, entry.value) for entry in house.wire if entry.part]
            assert told == [
                ("strip", "5", "switch", "off"),
                ("strip", "5", "truth", "off"),
                ("strip", "5", "switch", "off"),
                ("strip", "5", "person", "on"),
                ("strip", "5", "truth", "on"),
            ]

    asyncio.run(scene())


def test_one_connection_carries_many_requests() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            reader, writer = await asyncio.open_connection(LOOPBACK, house.port("pump"))
            for on in (False, True, False):
                await ask_again(reader, writer, relay(on))
                assert house.is_on("pump") is on
            writer.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    "text",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"system": 3}',
        b'{"system": {"set_relay_state": {"state": 7}}}',
        b'{"system": {"set_relay_state": 0}}',
        b'{"context": {"child_ids": 3}, "system": {"set_relay_state": {}}}',
        b'{"system": {"set_relay_state": {"state": [0]}}}',
    ],
)
def test_a_foolish_request_switches_nothing_and_is_answered(text: bytes) -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            async with asyncio.timeout(3.0):
                reader, writer = await asyncio.open_connection(LOOPBACK, house.port("pump"))
                writer.write(struct.pack(">I", len(text)) + scramble(text))
                (length,) = struct.unpack(">I", await reader.readexactly(4))
                json.loads(unscramble(await reader.readexactly(length)))
                writer.close()
            assert house.is_on("pump")
            assert not house.wire.of("switch")

    asyncio.run(scene())


def test_a_request_of_a_gigabyte_is_hung_up_on() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house, asyncio.timeout(3.0):
            reader, writer = await asyncio.open_connection(LOOPBACK, house.port("pump"))
            writer.write(struct.pack(">I", 1 << 30))
            assert await reader.read(-1) == b""
            writer.close()
            assert house.wire.of("refused")

    asyncio.run(scene())


def test_a_plug_without_a_meter_says_so() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            answer = await ask_kasa(house.port("simple"), {**SYSINFO, "emeter": {"get_realtime": {}}})
            assert answer["system"]["get_sysinfo"]["feature"] == "TIM"
            assert answer["emeter"]["get_realtime"]["err_code"] == -1

    asyncio.run(scene())


class _Ears(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.heard.done():
            self.heard.set_result(data)


def test_a_plug_is_found_by_udp_on_the_same_port_number() -> None:
    async def scene() -> None:
        async with House.from_toml(PLUGS) as house:
            address = (LOOPBACK, house.port("pump"))
            udp, ears = await asyncio.get_running_loop().create_datagram_endpoint(_Ears, remote_addr=address)
            udp.sendto(scramble(json.dumps(SYSINFO).encode()))
            async with asyncio.timeout(3.0):
                found = json.loads(unscramble(await ears.heard))
            udp.close()
            assert found["system"]["get_sysinfo"]["alias"] == "pump"

    asyncio.run(scene())
