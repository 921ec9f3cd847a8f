"""Each fault is what its name says, on the bytes, on new and on open connections, and can be taken back."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
import time
import warnings

import pytest

from pimgr.house import Fault, House
from pimgr.house.faults import OVERSIZE_BYTES
from pimgr.house.gate import LOOPBACK
from tests.house.clients import SYSINFO, Browser, ask_again, ask_kasa, relay, scramble

HOUSE = """
version = 1
[faults]
slow_s = 0.2
drip_s = 0.02
[[device]]
id = "pump"
kind = "kasa"
[[device]]
id = "gateway"
kind = "gateway"
"""
QUIET_S = 0.15
"""How long a client waits for an answer that must not come."""
REQUEST = scramble(b'{"system":{"get_sysinfo":{}}}')
FRAMED = struct.pack(">I", len(REQUEST)) + REQUEST


async def said(port: int, limit: int = 1 << 20) -> bytes:
    """What a plug answers on a new connection until it closes, or until it was quiet for a while."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(FRAMED)
    heard = b""
    try:
        while len(heard) < limit:
            async with asyncio.timeout(QUIET_S):
                if not (data := await reader.read(65536)):
                    break
            heard += data
    except TimeoutError:
        pass
    finally:
        writer.close()
    return heard


async def well(house: House) -> None:
    """The plug answers as it should."""
    assert (await ask_kasa(house.port("pump"), SYSINFO))["system"]["get_sysinfo"]["err_code"] == 0


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.DEAD])
def test_silent_and_dead_say_nothing_obey_nothing_and_recover(fault: Fault) -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            reader, writer = await asyncio.open_connection(LOOPBACK, house.port("pump"))
            await ask_again(reader, writer, SYSINFO)
            house.fault("pump", fault)
            assert await said(house.port("pump")) == b""
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(QUIET_S):
                    await ask_again(reader, writer, relay(False))
            assert house.is_on("pump"), "it heard nothing"
            house.fault("pump", Fault.NONE)
            async with asyncio.timeout(1.0):
                assert await reader.read(-1) == b"", "a connection that was spoilt is reset"
            writer.close()
            await well(house)

    asyncio.run(scene())


def test_refusing_refuses_new_connections_resets_open_ones_and_keeps_its_port() -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            port = house.port("pump")
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            await ask_again(reader, writer, SYSINFO)
            house.fault("pump", Fault.REFUSING)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(LOOPBACK, port)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                async with asyncio.timeout(1.0):
                    await ask_again(reader, writer, SYSINFO)
            writer.close()
            house.fault("pump", Fault.NONE)
            assert house.port("pump") == port
            await well(house)

    asyncio.run(scene())


def test_dripping_comes_byte_by_byte_and_obeys() -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            house.fault("pump", Fault.DRIPPING)
            reader, writer = await asyncio.open_connection(LOOPBACK, house.port("pump"))
            writer.write(FRAMED)
            sizes = [len(await reader.read(65536)) for _ in range(5)]
            assert sizes == [1] * 5
            writer.close()

    asyncio.run(scene())


def test_slow_is_late_but_right() -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            house.fault("pump", Fault.SLOW)
            began_s = time.monotonic()
            await well(house)
            assert time.monotonic() - began_s >= 0.2

    asyncio.run(scene())


def test_cut_is_the_first_half_and_then_the_end() -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            house.fault("pump", Fault.CUT)
            half = await said(house.port("pump"))
            (length,) = struct.unpack(">I", half[:4])
            assert len(half) == 4 + length // 2
            house.fault("pump", Fault.NONE)
            whole = await said(house.port("pump"))
            assert whole.startswith(half)

    asyncio.run(scene())


def test_garbage_is_noise_from_the_first_byte_and_nonsense_keeps_the_framing() -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            whole = await said(house.port("pump"))
            house.fault("pump", Fault.GARBAGE)
            garbage = await said(house.port("pump"))
            house.fault("pump", Fault.NONSENSE)
            nonsense = await said(house.port("pump"))
            assert garbage[:4] != whole[:4]
            assert len(garbage) == len(whole) - 4
            assert nonsense[:4] == whole[:4]
            assert len(nonsense) == len(whole)
            assert nonsense != whole

    asyncio.run(scene())


def test_oversize_claims_a_gigabyte_and_goes_on_sending() -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            house.fault("pump", Fault.OVERSIZE)
            heard = await said(house.port("pump"), limit=8 << 20)
            assert struct.unpack(">I", heard[:4]) == (OVERSIZE_BYTES,)
            assert len(heard) >= 8 << 20
            house.fault("pump", Fault.NONE)
            await well(house)

    asyncio.run(scene())


@pytest.mark.parametrize(
    "fault", [Fault.DRIPPING, Fault.SLOW, Fault.CUT, Fault.GARBAGE, Fault.NONSENSE, Fault.OVERSIZE]
)
def test_a_device_that_answers_badly_has_still_obeyed(fault: Fault) -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            house.fault("pump", fault)
            reader, writer = await asyncio.open_connection(LOOPBACK, house.port("pump"))
            request = scramble(b'{"system":{"set_relay_state":{"state":0}}}')
            writer.write(struct.pack(">I", len(request)) + request)
            await house.wire.wait_for(lambda entry: entry.what == "truth" and entry.value == "off", 2.0)
            writer.close()
            del reader

    asyncio.run(scene())


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.DEAD])
def test_a_quiet_gateway_does_not_even_shake_hands(fault: Fault) -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            house.fault("gateway", fault)
            browser = Browser(house.port("gateway"))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(QUIET_S):
                    await asyncio.open_connection(LOOPBACK, browser.port, ssl=browser.context)
            house.fault("gateway", Fault.NONE)
            assert (await browser.call("GET", "/api/status"))[0] == 200

    asyncio.run(scene())


def test_oversize_of_the_gateway_claims_a_gigabyte_in_its_head() -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            house.fault("gateway", Fault.OVERSIZE)
            browser = Browser(house.port("gateway"))
            reader, writer = await asyncio.open_connection(LOOPBACK, browser.port, ssl=browser.context)
            writer.write(b"GET /api/status HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert f"Content-Length: {OVERSIZE_BYTES}".encode() in head
            await reader.readexactly(1 << 20)
            writer.close()

    asyncio.run(scene())


def test_one_devices_fault_is_no_others() -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            house.fault("gateway", Fault.DEAD)
            await well(house)
            assert {name: str(fault) for name, fault in house.state().faults.items()} == {
                "gateway": "dead",
                "pump": "none",
            }

    asyncio.run(scene())


def test_a_fault_can_be_there_from_the_start() -> None:
    async def scene() -> None:
        for fault, seen in (("refusing", ConnectionRefusedError), ("silent", TimeoutError), ("dead", TimeoutError)):
            text = HOUSE.replace('id = "pump"', f'id = "pump"\nfault = "{fault}"')
            async with House.from_toml(text) as house:
                with pytest.raises(seen):
                    await ask_kasa(house.port("pump"), SYSINFO, deadline_s=QUIET_S)

    asyncio.run(scene())


def test_a_device_has_only_faults_of_its_kind() -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            for device, fault in (("pump", Fault.HTTP_401), ("gateway", Fault.MAIL_PERMANENT)):
                with pytest.raises(ValueError, match=fault):
                    house.fault(device, fault)
            with pytest.raises(KeyError):
                house.fault("nobody", Fault.SILENT)

    asyncio.run(scene())


def test_leaving_the_house_closes_every_port_and_connection() -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            port = house.port("pump")
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            await ask_again(reader, writer, SYSINFO)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await ask_again(reader, writer, SYSINFO)
        writer.close()
        assert [task.get_name() for task in asyncio.all_tasks() if "house" in task.get_name()] == []

    asyncio.run(scene())


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            taken = HOUSE.replace('id = "gateway"', f'id = "gateway"\nport = {house.port("pump")}')
            with pytest.raises(OSError, match="in use"):
                async with House.from_toml(taken):
                    pass
        assert [task.get_name() for task in asyncio.all_tasks() if "house" in task.get_name()] == []

    asyncio.run(scene())


def test_a_connection_that_is_reset_before_it_began_leaves_no_socket_behind() -> None:
    async def scene() -> None:
        async with House.from_toml(HOUSE) as house:
            with socket.create_connection((LOOPBACK, house.port("pump"))):
                house.gate("pump")._accept()  # as the loop does; in the same step, before the connection is served
                house.fault("pump", Fault.REFUSING)
                await asyncio.sleep(0)
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always", ResourceWarning)
                await asyncio.sleep(0)
                gc.collect()
            assert [str(each.message) for each in told] == []

    asyncio.run(scene())
