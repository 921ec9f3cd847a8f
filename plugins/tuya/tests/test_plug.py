"""The Tuya plugin against the house's plugs: tinytuya in between, each version of the protocol on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tinytuya
import tinytuya.scanner
from pimgr_tuya import PLUG, PlugConfig

from pimgr.api import Capability, Deadlines, Garbled, Refused, Severity, Unreachable, Unsupported
from pimgr.house import Fault
from pimgr.testing import FakeStore
from plugins.tuya.tests.homes import QUICK, VERSIONS, crowded, failure, home, house_of, run

pytestmark = pytest.mark.slow

# ---------------------------------------------------------------------------------- readings and commands


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_is_read_and_switched_at_home(version: str) -> None:
    async def test() -> None:
        async with house_of(version, "watts = 1100.0") as house, home(house) as at:
            asked = at.context.now()
            reading = await at.outlet().read_load()
            assert (reading.on, reading.source, reading.power_w) == (True, "plug", pytest.approx(1100.0))
            assert reading.at.since(asked) < 0.1
            await at.outlet().switch(False)
            assert house.is_on("plug") is False
            reading = await at.outlet().read_load()
            assert (reading.on, reading.power_w) == (False, 0.0)

    run(test())


def test_each_switch_of_a_strip_is_a_load_of_its_own() -> None:
    async def test() -> None:
        more = "switches = 4\nwatts = [10.0, 20.0, 30.0, 40.0]\non = [true, false, true, true]"
        async with house_of("3.4", more) as house, home(house, switches=4) as at:
            assert list(at.connection.parts) == ["1", "2", "3", "4"]
            readings = [await at.outlet(key).read_load() for key in at.connection.parts]
            assert [reading.on for reading in readings] == [True, False, True, True]
            assert {reading.power_w for reading in readings} == {None}  # the meter is of the whole strip
            await asyncio.gather(*(at.outlet(key).switch(False) for key in at.connection.parts))
            assert not any(house.is_on(f"plug/{key}") for key in "1234")

    run(test())


def test_switches_may_be_other_data_points_than_the_first() -> None:
    async def test() -> None:
        async with house_of("3.3", "switches = 3") as house, home(house, switches=["3"]) as at:
            await at.outlet().switch(False)
            assert (house.is_on("plug/1"), house.is_on("plug/3")) == (True, False)
            assert (await at.outlet().read_load()).on is False

    run(test())


def test_what_the_library_returns_proves_nothing_and_the_next_reading_does() -> None:
    async def test() -> None:
        async with house_of() as house, home(house) as at:
            await at.outlet().switch(True)  # it was on: the plug says "done", and the library None
            assert at.heard("switch") == [("", "on")]
            house.switch_by_person("plug", False)
            assert (await at.outlet().read_load()).on is False

    run(test())


def test_a_command_states_what_is_wanted_however_often_it_is_said() -> None:
    async def test() -> None:
        async with house_of("3.5") as house, home(house) as at:
            for wish in (False, False, True, True):
                began = time.monotonic()
                await at.outlet().switch(wish)
                assert time.monotonic() - began < 0.5  # "done" is enough; it doesn't wait for a push
                assert house.is_on("plug") is wish

    run(test())


def test_a_device22_is_asked_for_the_data_points_of_the_config() -> None:
    async def test() -> None:
        more = "device22 = true\nswitches = 2\non = [true, false]"
        async with house_of("3.3", more) as house, home(house, switches=2) as at:
            assert [(await at.outlet(key).read_load()).on for key in "12"] == [True, False]
            await at.outlet("2").switch(True)
            assert (await at.outlet("2").read_load()).on is True
            assert len(at.heard("query")) == 5  # only the first reading had to find out

    run(test())


def test_a_strips_missing_switch_is_told_with_what_there_is() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, switches=["7"]) as at:
            error = await failure(at.outlet().read_load())
            assert type(error) is Unsupported
            assert "only 1, 18, 19, 20" in error.fact
        async with house_of() as house, home(house, switches=["19"], cloud=True) as at:
            assert type(await failure(at.outlet().read_load())) is Garbled
            assert at.heard("query", "cloud") == []  # it answered: the cloud knows no better

    run(test())


# ---------------------------------------------------------------------------------- the library's ways


def test_a_refused_connection_is_told_at_once_and_not_after_20_s() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, deadlines=Deadlines()) as at:
            house.fault("plug", Fault.REFUSING)
            began = time.monotonic()
            error = await failure(at.outlet().read_load())
            assert type(error) is Unreachable
            assert "no connection" in error.fact
            assert time.monotonic() - began < 0.5

    run(test())


@pytest.mark.parametrize("version", VERSIONS)
def test_a_silent_plug_is_waited_for_no_longer_than_the_deadline_and_asked_once(version: str) -> None:
    async def test() -> None:
        async with house_of(version) as house, home(house) as at:
            house.fault("plug", Fault.SILENT)
            began = time.monotonic()
            error = await failure(at.outlet().read_load())
            assert type(error) is Unreachable
            assert "silent" in error.fact
            assert 0.8 < time.monotonic() - began < 1.0
            threads = [thread for thread in threading.enumerate() if thread.name == "pimgr pump"]
            assert len(threads) == 1

    run(test())


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (Fault.DRIPPING, "complete answer"),
        (Fault.OVERSIZE, "far more|can't read"),
        (Fault.GARBAGE, "can't read|wrong|cut off"),
    ],
)
@pytest.mark.parametrize("version", ["3.1", "3.5"])
def test_a_flood_a_drip_and_noise_end_in_time(version: str, fault: Fault, word: str) -> None:
    async def test() -> None:
        async with house_of(version) as house, home(house) as at:
            house.fault("plug", fault)
            began = time.monotonic()
            error = await failure(at.outlet().read_load())
            assert any(bit in error.fact for bit in word.split("|")), error
            assert time.monotonic() - began < 1.0
            house.fault("plug", Fault.NONE)
            assert (await at.outlet().read_load()).on is True

    run(test())


def test_a_flood_is_left_after_16_kb() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, deadlines=Deadlines()) as at:
            house.fault("plug", Fault.OVERSIZE)
            began = time.monotonic()
            assert type(await failure(at.outlet().read_load())) is Garbled
            assert time.monotonic() - began < 1.5

    run(test())


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_a_wrong_key_is_refused_by_newer_plugs(version: str) -> None:
    async def test() -> None:
        async with house_of(version) as house, home(house, secrets={"key": "fedcba9876543210"}) as at:
            for call in (at.outlet().read_load(), at.outlet().switch(False)):
                error = await failure(call)
                assert type(error) is Refused
                assert "local key" in error.cure
                assert "version" in error.cure
            assert house.is_on("plug")

    run(test())


def test_a_wrong_key_looks_like_silence_on_33_and_the_message_says_both() -> None:
    async def test() -> None:
        async with house_of("3.3") as house, home(house, secrets={"key": "fedcba9876543210"}) as at:
            error = await failure(at.outlet().read_load())
            assert type(error) is Unreachable
            assert "silent" in error.fact
            assert "local key" in error.cure
            assert "power and Wi-Fi" in error.cure
            assert at.heard("refused") == [("", "another key")]  # and it was said once

    run(test())


def test_a_wrong_key_on_31_reads_and_never_switches() -> None:
    async def test() -> None:
        async with house_of("3.1") as house, home(house, secrets={"key": "fedcba9876543210"}) as at:
            assert (await at.outlet().read_load()).on is True
            error = await failure(at.outlet().switch(False))
            assert type(error) is Unreachable
            assert "local key" in error.cure
            assert house.is_on("plug")

    run(test())


def test_a_wrong_version_is_told_and_not_taken_for_a_dead_plug() -> None:
    async def test() -> None:
        for version, said, kind in (("3.4", "3.3", Unreachable), ("3.3", "3.4", Unreachable), ("3.4", "3.5", Refused)):
            async with house_of(version) as house, home(house, version=said) as at:
                error = await failure(at.outlet().read_load())
                assert type(error) is kind, error
                assert "version" in error.cure

    run(test())


@pytest.mark.parametrize("key", ["", "short", "0123456789abcdef0", "0123456789abcde\u20ac"])
def test_a_key_that_can_be_none_is_refused_before_anything_is_sent(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    known = {"id": "bf0123456789abcdef0123", "key": "0123456789abcdef"}
    Path("devices.json").write_text(json.dumps([known]))

    async def test() -> None:
        more = 'device_id = "bf0123456789abcdef0123"\nkey = "0123456789abcdef"'
        async with house_of("3.3", more) as house, home(house, secrets={"key": key}) as at:
            assert type(await failure(at.outlet().read_load())) is Refused
            assert at.heard("query") == []  # the library would have taken the key from the file

    run(test())


def test_nothing_is_ever_searched_for_outside_the_wizard(monkeypatch: pytest.MonkeyPatch) -> None:
    def search(*_: Any, **__: Any) -> Any:
        raise AssertionError("it searches the network")

    monkeypatch.setattr(tinytuya.scanner, "devices", search)  # all its ways to search end there

    async def test() -> None:
        async with house_of() as house, home(house, version="auto") as at:
            await at.outlet().read_load()
            house.fault("plug", Fault.REFUSING)
            assert type(await failure(at.outlet().read_load())) is Unreachable

    run(test())


def test_the_library_logs_no_key_even_when_everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        with caplog.at_level(logging.DEBUG):
            async with house_of("3.5") as house, home(house) as at:
                await at.outlet().read_load()
                assert at.server.key not in caplog.text
                assert not [record for record in caplog.records if record.name.startswith("tinytuya")]

    run(test())


def test_one_client_at_a_time_is_heard_and_the_message_says_so() -> None:
    async def test() -> None:
        for version in ("3.3", "3.5"):
            async with house_of(version) as house, home(house) as at:
                with socket.create_connection(("127.0.0.1", house.port("plug"))):
                    await asyncio.sleep(0.05)
                    assert "app" in (await failure(at.outlet().read_load())).cure
                assert (await at.outlet().read_load()).on is True

    run(test())


def test_plugs_are_asked_rarely() -> None:
    assert PLUG.poll_s[Capability.LOAD] >= 60.0
    assert PLUG.floor_s >= 10.0


# ---------------------------------------------------------------------------------- old plugs that looks switch


def test_a_plug_that_each_look_switches_is_soon_left_alone_also_after_a_restart() -> None:
    async def test() -> None:
        async with house_of("3.1", "toggles_on_query = true") as house:
            store = FakeStore()
            async with home(house, store=store) as at:
                for _ in range(4):
                    await at.outlet().read_load()
                error = await failure(at.outlet().read_load())
                assert type(error) is Unsupported
                assert "quiet = true" in error.cure
                assert at.context.standing()["toggles"].cure == error.cure
                asked = len(at.heard("query"))
                await failure(at.outlet().read_load())
                assert len(at.heard("query")) == asked == 5
            async with home(house, store=store.after_power_cut()) as at:
                assert type(await failure(at.outlet().read_load())) is Unsupported
                assert len(at.heard("query")) == asked
            async with home(house, store=store.after_power_cut(), cloud=True) as at:
                assert (await at.outlet().read_load()).source == "cloud"
                assert "toggles" in at.context.standing()
            async with home(house, store=store, cloud=True, quiet=True) as at:
                assert (await at.outlet().read_load()).source == "cloud"
                assert at.context.standing() == {}
                assert len(at.heard("query")) == asked

    run(test())


def test_a_plug_that_persons_switch_is_not_taken_for_one_of_those() -> None:
    async def test() -> None:
        async with house_of("3.1") as house, home(house) as at:
            for on in (False, True, True, False, True, False, False, True):
                house.switch_by_person("plug", on)
                assert (await at.outlet().read_load()).on is on
            for on in (False, True) * 4:
                await at.outlet().switch(on)
                assert (await at.outlet().read_load()).on is on

    run(test())


def test_a_quiet_plug_is_told_at_home_and_asked_by_the_cloud() -> None:
    async def test() -> None:
        async with house_of("3.1", "toggles_on_query = true") as house, home(house, cloud=True, quiet=True) as at:
            for on in (False, True, False):
                await at.outlet().switch(on)
                reading = await at.outlet().read_load()
                assert (reading.on, reading.source) == (on, "cloud")
            assert at.heard("query") == []
            assert all("cloud" not in entry.raw for entry in house.wire.of("switch"))
            findings = await at.connection.check()
            assert at.heard("query") == []
            assert "quiet" in findings[0].text

    run(test())


# ---------------------------------------------------------------------------------- version by itself


@pytest.mark.parametrize("version", VERSIONS)
def test_the_version_is_found_out_and_remembered(version: str) -> None:
    async def test() -> None:
        async with house_of(version) as house:
            store = FakeStore()
            async with home(house, version="auto", store=store, deadlines=Deadlines()) as at:
                for _ in range(3):
                    try:
                        reading = await at.outlet().read_load()
                        break
                    except (Unreachable, Refused):
                        continue
                assert reading.on is True
            refused = len(house.wire.of("refused", "plug"))
            async with home(house, version="auto", store=store.after_power_cut()) as at:
                await at.outlet().switch(False)
                assert house.is_on("plug") is False
                assert len(house.wire.of("refused", "plug")) == refused

    run(test())


def test_a_version_that_firmware_changed_is_found_again() -> None:
    async def test() -> None:
        store = FakeStore()
        await store.put("version", "3.3")
        async with house_of("3.4") as house, home(house, version="auto", store=store, deadlines=Deadlines()) as at:
            for _ in range(3):
                assert "version" in (await failure(at.outlet().read_load())).cure
            assert (await at.outlet().read_load()).on is True
            assert store.get("version") == "3.4"

    run(test())


def test_no_version_at_all_is_said_so() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, version="auto") as at:
            house.fault("plug", Fault.SILENT)
            error = await failure(at.outlet().read_load())
            assert "none of the versions" in error.fact

    run(test())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("said", [b"[]", b'"x"', b"5", b"null", b'{"dps": []}', b'{"data": [1]}'])
def test_json_that_tells_no_state_is_garbled(version: str, said: bytes) -> None:
    async def test() -> None:
        async with house_of(version) as house, home(house) as at:
            at.server.says = said
            assert type(await failure(at.outlet().read_load())) is Garbled

    run(test())


# ---------------------------------------------------------------------------------- identity, deadlines


def test_another_plug_at_the_address_is_not_believed() -> None:
    async def test() -> None:
        for version in ("3.1", "3.3"):
            async with house_of(version) as house, home(house) as at:
                at.server.device_id = "bf00000000000000000000"
                error = await failure(at.outlet().read_load())
                assert type(error) is Garbled
                assert "another device" in error.fact

    run(test())


def test_a_cancelled_call_leaves_the_plug_free() -> None:
    async def test() -> None:
        async with house_of("3.4") as house, home(house) as at:
            house.gate("plug").times = msgspec.structs.replace(house.spec.faults, slow_s=30.0)
            house.fault("plug", Fault.SLOW)
            call = asyncio.create_task(at.outlet().read_load())
            await asyncio.sleep(0.1)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                async with asyncio.timeout(0.5):
                    await call
            house.gate("plug").set_fault(Fault.NONE)
            for thread in [thread for thread in threading.enumerate() if thread.name == "pimgr pump"]:
                await asyncio.to_thread(thread.join, 0.5)
            assert not [thread for thread in threading.enumerate() if thread.name == "pimgr pump"]

    run(test())


def test_a_name_that_no_server_knows_of_is_waited_for_no_longer_than_a_plug(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    real = socket.socket.connect

    def connect(line: socket.socket, address: Any) -> None:
        if address[0] == "plug.example.org":
            over.wait(20.0)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        real(line, address)

    monkeypatch.setattr(socket.socket, "connect", connect)

    async def test() -> None:
        async with house_of() as house, home(house, address="plug.example.org") as at:
            began = time.monotonic()
            async with asyncio.timeout(5.0):
                assert type(await failure(at.outlet().read_load())) is Unreachable
            assert time.monotonic() - began < 1.3
            over.set()

    run(test())


def test_an_unreachable_address_is_given_two_seconds_at_most() -> None:
    async def test() -> None:
        async with house_of() as house, home(house, deadlines=Deadlines(read_s=8.0)) as at:
            house.fault("plug", Fault.DEAD)
            with crowded(house.port("plug")):
                began = time.monotonic()
                error = await failure(at.outlet().read_load())
                assert 1.5 < time.monotonic() - began < 3.0
            assert "no connection" in error.fact

    run(test())


def test_what_a_slow_plug_told_is_dated_when_it_was_asked() -> None:
    async def test() -> None:
        async with house_of() as house, home(house) as at:
            house.gate("plug").times = msgspec.structs.replace(house.spec.faults, slow_s=0.3)
            house.fault("plug", Fault.SLOW)
            asked = at.context.now()
            reading = await at.outlet().read_load()
            assert reading.at.since(asked) < 0.15
            assert at.context.now().since(asked) >= 0.3

    run(test())


def test_check_tells_version_and_data_points_and_changes_nothing() -> None:
    async def test() -> None:
        async with house_of("3.5") as house, home(house, deadlines=QUICK) as at:
            findings = await at.connection.check()
            assert "version 3.5" in findings[0].text
            assert "1, 18, 19, 20" in findings[0].text
            assert "no cloud" in findings[1].text
            assert at.heard("switch") == []
            house.fault("plug", Fault.REFUSING)
            (finding,) = await at.connection.check()
            assert finding.severity is Severity.CRITICAL
            assert "internet" in finding.cure  # a plug that started without it may keep silent (localtuya#501, #574)

    run(test())


@pytest.mark.parametrize(
    "table",
    [
        {"address": ""}, {"address": "0.0.0.0"}, {"address": "Auto"}, {"address": "http://192.0.2.1"}, {"port": 0},
        {"device_id": ""}, {"device_id": "a b"}, {"version": "3.2"}, {"switches": 0}, {"switches": 9}, {"switches": []},
        {"switches": ["1", "1"]}, {"switches": ["one"]}, {"quiet": True}, {"cloud_region": "eu"}, {"power_unit_w": 0.0},
        {"cloud_region": "moon"}, {"trial_ends": "soon"}, {"cloud_endpoint": "http://openapi.tuyaeu.com"},
    ],
)  # fmt: skip
def test_a_config_that_can_not_work_is_refused(table: dict[str, Any]) -> None:
    good = {"address": "192.0.2.14", "device_id": "bf0123456789abcdef0123", "key": {"secret": "key"}}
    cloud = {"cloud_region": "eu", "cloud_key": {"secret": "id"}, "cloud_secret": {"secret": "s"}}
    config = msgspec.convert(good | cloud | {"switches": 2, "quiet": True}, PlugConfig)
    assert (config.dps, config.endpoint) == ({"1": "1", "2": "2"}, "https://openapi.tuyaeu.com")
    if "cloud_endpoint" in table:
        table = table | cloud
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(good | table, PlugConfig)
