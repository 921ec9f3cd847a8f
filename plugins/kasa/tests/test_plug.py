"""The Kasa plugin against the house in a box: the legacy protocol on loopback, python-kasa in between."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from pimgr_kasa import PLUG, PlugConfig
from pimgr_kasa.plug import Outlet, Plug

from pimgr.api import Deadlines, DeviceError, Garbled, Refused, Severity, Unreachable, Unsupported
from pimgr.house import Fault, House
from pimgr.testing import FakeContext

pytestmark = pytest.mark.slow

HOUSE = """
version = 1

[[device]]
id = "plug"
kind = "kasa"
watts = 1100.0

[[device]]
id = "plain"
kind = "kasa"
metered = false

[[device]]
id = "strip"
kind = "kasa"
outlets = 6
watts = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
on = [true, true, true, false, true, true]
"""
QUICK = Deadlines(read_s=0.6, switch_s=0.6)


@dataclass
class Home:
    house: House
    context: FakeContext
    plug: Plug

    def outlet(self, key: str = "") -> Outlet:
        outlet = self.plug.parts[key]
        assert isinstance(outlet, Outlet)
        return outlet

    def switched(self, device: str) -> list[tuple[str, str]]:
        return [(entry.part, entry.value) for entry in self.house.wire.of("switch", device)]


@asynccontextmanager
async def home(device: str = "plug", *, house: House | None = None, **keys: Any) -> AsyncIterator[Home]:
    """A house with plugs in it, and a connection to one that has not been used yet."""
    if house is None:
        async with House.from_toml(HOUSE) as own, home(device, house=own, **keys) as made:
            yield made
        return
    context = FakeContext(device, {"user": "someone", "pw": "S3cr3t"}, QUICK)
    table = {"address": "127.0.0.1", "port": house.port(device), "outlets": 6 if device == "strip" else 0, **keys}
    try:
        async with PLUG.open(msgspec.convert(table, PlugConfig), context) as connection:
            assert isinstance(connection, Plug)
            yield Home(house, context, connection)
    finally:
        context.close()


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def failure(call: Awaitable[object], kind: type[DeviceError] = DeviceError) -> DeviceError:
    """What a call raises: one of the four errors, complete, without a secret."""
    with pytest.raises(kind) as caught:
        await call
    error = caught.value
    assert type(error) in (Unreachable, Refused, Garbled, Unsupported)
    assert error.part.split("/")[0] in ("plug", "plain", "strip")
    assert all((error.wish, error.fact, error.cure))
    assert "S3cr3t" not in str(error)
    return error


# ----------------------------------------------------------------------------------------- readings and commands


def test_a_plug_tells_its_relay_and_its_watts() -> None:
    async def test() -> None:
        async with home() as at:
            asked = at.context.now()
            reading = await at.outlet().read_load()
            assert (reading.on, reading.source) == (True, "plug")
            assert reading.power_w == pytest.approx(1100.0)
            assert asked.since(reading.at) == 0.0
            at.house.switch_by_person("plug", False)
            reading = await at.outlet().read_load()
            assert (reading.on, reading.power_w) == (False, 0.0)

    run(test())


def test_watts_that_are_not_metered_are_not_told() -> None:
    async def test() -> None:
        async with home("plain") as at:
            assert (await at.outlet().read_load()).power_w is None

    run(test())


def test_each_outlet_of_a_strip_is_a_load_of_its_own() -> None:
    async def test() -> None:
        async with home("strip") as at:
            readings = {key: await at.outlet(key).read_load() for key in at.plug.parts}
            assert [reading.on for reading in readings.values()] == [True, True, True, False, True, True]
            assert [reading.power_w for reading in readings.values()] == pytest.approx([10, 20, 30, 0, 50, 60])
            await at.outlet("3").switch(False)
            assert at.switched("strip") == [("3", "off")]
            assert (await at.outlet("3").read_load()).on is False
            assert (await at.outlet("2").read_load()).on is True

    run(test())


def test_a_command_states_what_is_wanted_however_often_it_is_said() -> None:
    async def test() -> None:
        async with home() as at:
            for wish in (False, False, True, True):
                await at.outlet().switch(wish)
                assert (await at.outlet().read_load()).on is wish
            assert at.switched("plug") == [("", "off"), ("", "off"), ("", "on"), ("", "on")]

    run(test())


def test_a_switch_that_the_plug_answers_well_and_ignores_is_seen_in_the_next_reading() -> None:
    async def test() -> None:
        async with home() as at:
            at.house.controls("plug").switch = lambda *_: None
            await at.outlet().switch(False)
            assert (await at.outlet().read_load()).on is True

    run(test())


def test_a_plug_is_opened_anew_in_another_event_loop() -> None:
    """The library's device can't move to another loop: nothing of it outlives the connection."""

    async def test() -> None:
        async with home() as at:
            assert (await at.outlet().read_load()).on is True

    for _ in range(2):
        run(test())


def test_the_first_call_may_be_a_command() -> None:
    async def test() -> None:
        async with home("strip") as at:
            await at.outlet("6").switch(False)
            assert at.house.is_on("strip/6") is False

    run(test())


def test_calls_at_once_do_not_mix() -> None:
    async def test() -> None:
        async with home("strip") as at:
            await asyncio.gather(*(at.outlet(key).switch(False) for key in at.plug.parts))
            assert not any(at.house.is_on(f"strip/{key}") for key in at.plug.parts)

    run(test())


def test_credentials_are_taken_from_the_secrets_and_do_no_harm() -> None:
    async def test() -> None:
        async with home(username={"secret": "user"}, password={"secret": "pw"}) as at:
            assert (await at.outlet().read_load()).on

    run(test())


# --------------------------------------------------------------------------------------------------- fault matrix


@pytest.mark.parametrize("connected", [False, True], ids=["at first", "later"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.REFUSING, {Unreachable}),
        (Fault.SILENT, {Unreachable}),
        (Fault.DEAD, {Unreachable}),
        (Fault.DRIPPING, {Unreachable}),
        (Fault.CUT, {Garbled}),
        (Fault.GARBAGE, {Garbled}),
        (Fault.NONSENSE, {Garbled}),
        (Fault.OVERSIZE, {Garbled}),
    ],
)
def test_each_fault_is_one_of_the_four_errors_in_time_and_passes(
    fault: Fault, expected: set[type[DeviceError]], connected: bool
) -> None:
    async def test() -> None:
        async with home() as at:
            if connected:
                await at.outlet().read_load()
            at.house.fault("plug", fault)
            began = time.monotonic()
            assert type(await failure(at.outlet().read_load())) in expected
            assert type(await failure(at.outlet().switch(False))) in expected
            assert time.monotonic() - began < 2.5
            at.house.fault("plug", Fault.NONE)
            await at.outlet().switch(True)
            assert (await at.outlet().read_load()).on is True

    run(test())


def test_an_answer_that_claims_a_gigabyte_is_not_collected() -> None:
    async def test() -> None:
        async with home() as at:
            at.house.fault("plug", Fault.OVERSIZE)
            began = time.monotonic()
            assert "too large" in str(await failure(at.outlet().read_load()))
            assert time.monotonic() - began < 0.8

    run(test())


def test_cancelling_takes_no_second_and_leaves_it_usable() -> None:
    async def test() -> None:
        async with home() as at:
            at.house.fault("plug", Fault.SILENT)
            call = asyncio.create_task(at.outlet().switch(False))
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                async with asyncio.timeout(1.0):
                    await call
            at.house.fault("plug", Fault.NONE)
            assert (await at.outlet().read_load()).on is True

    run(test())


# ------------------------------------------------------------------------------------------------------- identity


def test_another_device_at_the_address_is_neither_believed_nor_switched() -> None:
    async def test() -> None:
        async with home(device_id="00" * 20) as at:
            assert type(await failure(at.outlet().read_load())) is Garbled
            assert type(await failure(at.outlet().switch(False))) is Garbled
            assert at.switched("plug") == []

    run(test())


def test_a_device_exchanged_later_is_noticed_before_it_is_switched() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            server = house.controls("plug")
            async with home(house=house, device_id=server.device_id.lower()) as at:
                await at.outlet().switch(False)
                server.device_id = "11" * 20
                error = await failure(at.outlet().switch(True))
                assert type(error) is Garbled
                assert "11" * 20 in error.fact
                assert at.switched("plug") == [("", "off")]

    run(test())


@pytest.mark.parametrize(
    ("device", "outlets", "cure"),
    [("strip", 0, "outlets = 6"), ("strip", 7, "outlets = 6"), ("plug", 3, "outlets = 0")],
)
def test_a_strip_taken_for_a_plug_is_told_with_its_cure(device: str, outlets: int, cure: str) -> None:
    async def test() -> None:
        async with home(device, outlets=outlets) as at:
            key = next(iter(at.plug.parts))
            error = await failure(at.outlet(key).switch(False))
            assert type(error) is Unsupported
            assert cure in error.cure
            assert at.switched(device) == []

    run(test())


def test_a_bulb_is_no_load_that_a_house_may_shed() -> None:
    """A bulb's sysinfo as python-kasa recorded it: tests/fixtures/iot/KL110(US)_1.0_1.8.11.json, abridged."""

    async def test() -> None:
        async with home() as at:
            server = at.house.controls("plug")
            bulb = {"mic_type": "IOT.SMARTBULB", "model": "KL110(US)", "deviceId": server.device_id, "err_code": 0}
            server.answer = lambda _request: json.dumps({"system": {"get_sysinfo": bulb}}).encode()
            error = await failure(at.outlet().switch(False), Unsupported)
            assert "SMARTBULB" in error.fact

    run(test())


def test_check_tells_the_id_to_pin_and_the_weak_wifi() -> None:
    async def test() -> None:
        async with home() as at:
            (finding,) = await at.plug.check()
            assert finding.severity is Severity.INFO
            assert at.house.controls("plug").device_id in finding.cure
            assert at.switched("plug") == []
            at.house.fault("plug", Fault.REFUSING)
            (finding,) = await at.plug.check()
            assert finding.severity is Severity.CRITICAL
            assert "another protocol" in finding.cure

    run(test())


@pytest.mark.parametrize(
    "table",
    [{"address": ""}, {"address": "192.0.2.14:9999"}, {"port": 0}, {"outlets": -1}, {"outlets": 99}, {"outlet": 1},
     {"username": {"secret": "user"}}, {"device_id": " "}],
)  # fmt: skip
def test_a_config_that_can_not_work_is_refused(table: dict[str, object]) -> None:
    assert msgspec.convert({"address": "192.0.2.14", "outlets": 2}, PlugConfig).keys == ("1", "2")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"address": "192.0.2.14"} | table, PlugConfig)
