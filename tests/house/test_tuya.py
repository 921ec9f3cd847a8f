"""The Tuya devices of the house, spoken to by tinytuya itself; its cloud, by tinytuya's own cloud client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import tinytuya

from pimgr.house import Fault, House
from pimgr.house.spec import SpecError
from pimgr.house.tuya_cloud import REFUSALS, Step, signature, to_sign

pytestmark = pytest.mark.slow

VERSIONS = ("3.1", "3.3", "3.4", "3.5")


def house(version: str = "3.3", more: str = "") -> House:
    return House.from_toml(
        f'version = 1\n[[device]]\nid = "strip"\nkind = "tuya"\nversion = "{version}"\nswitches = 2\n{more}\n'
        'watts = [100.0, 50.0]\non = [true, false]\n[[device]]\nid = "cloud"\nkind = "tuya-cloud"\ntls = true\n'
    )


@asynccontextmanager
async def plug(at: House, **keys: Any) -> AsyncIterator[Callable[..., Any]]:
    """A function that calls a method of tinytuya's device, each time on a connection of its own."""
    server = at.controls("strip")

    def call(name: str, *given: Any, **named: Any) -> Any:
        settings = {"local_key": server.key, "version": float(server.spec.version), "port": at.port("strip"), **keys}
        device = tinytuya.OutletDevice(
            server.device_id,
            "127.0.0.1",
            connection_timeout=0.3,
            connection_retry_limit=1,
            connection_retry_delay=0,
            **settings,
        )
        try:
            return getattr(device, name)(*given, **named)
        finally:
            device.close()

    async def later(name: str, *given: Any, **named: Any) -> Any:
        return await asyncio.to_thread(call, name, *given, **named)

    yield later


@pytest.mark.parametrize("version", VERSIONS)
def test_tinytuya_reads_and_switches_each_version(version: str) -> None:
    async def test() -> None:
        async with house(version) as at, plug(at) as call:
            assert (await call("status"))["dps"] == {"1": True, "2": False, "18": 833, "19": 1000, "20": 1200}
            assert (await call("turn_on", switch=2))["dps"] == {"2": True}
            assert at.is_on("strip/2")
            assert (await call("status"))["dps"]["19"] == 1500
            assert await call("turn_on", switch=2) is None  # nothing changed: "done" and no more
            assert [(entry.part, entry.value) for entry in at.wire.of("switch")] == [("2", "on"), ("2", "on")]
            assert await call("heartbeat", nowait=False) is None

    asyncio.run(test())


@pytest.mark.parametrize(("version", "error"), [("3.1", "902"), ("3.3", "902"), ("3.4", "914"), ("3.5", "914")])
def test_a_wrong_key_is_met_as_by_a_real_plug(version: str, error: str) -> None:
    async def test() -> None:
        async with house(version) as at, plug(at, local_key="0123456789abcdef") as call:
            assert (await call("turn_off", switch=1))["Err"] == error
            assert at.is_on("strip/1")
            told = await call("status")
            assert told.get("Err") == (None if version == "3.1" else error)

    asyncio.run(test())


def test_another_version_is_not_understood() -> None:
    async def test() -> None:
        for version in VERSIONS:
            async with house(version) as at:
                for other in (v for v in VERSIONS if v != version):
                    async with plug(at, version=float(other)) as call:
                        assert "Err" in await call("status"), (version, other)

    asyncio.run(test())


def test_one_client_at_a_time_is_heard() -> None:
    async def test() -> None:
        async with house() as at, plug(at) as call:
            with socket.create_connection(("127.0.0.1", at.port("strip"))):
                await asyncio.sleep(0.05)
                assert "Err" in await call("status")
            assert (await call("status"))["dps"]["1"] is True

    asyncio.run(test())


def test_an_old_plug_is_switched_by_each_look() -> None:
    async def test() -> None:
        async with house("3.1", "toggles_on_query = true") as at, plug(at) as call:
            assert (await call("status"))["dps"]["1"] is False
            assert not at.is_on("strip/1")
            assert (await call("status"))["dps"]["1"] is True

    asyncio.run(test())


def test_a_device22_wants_its_data_points_named() -> None:
    async def test() -> None:
        async with house("3.3", "device22 = true") as at, plug(at) as call:
            assert (await call("status"))["dps"] == {"1": True}  # tinytuya finds out, and asks for "1"

    asyncio.run(test())


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.CUT, Fault.GARBAGE, Fault.REFUSING])
def test_its_faults_reach_the_client(fault: Fault) -> None:
    async def test() -> None:
        async with house() as at, plug(at) as call:
            at.fault("strip", fault)
            assert "Err" in await call("status")
            at.fault("strip", Fault.NONE)
            assert (await call("status"))["dps"]["1"] is True

    asyncio.run(test())


def test_a_spec_that_can_not_be_is_refused() -> None:
    for more in ('key = "short"', 'version = "3.2"', "on = [true, true]"):
        with pytest.raises(SpecError):
            House.from_toml(f'version = 1\n[[device]]\nid = "a"\nkind = "tuya"\n{more}\n')


# ------------------------------------------------------------------------------------------------------------ the cloud


def test_requests_are_signed_as_in_tuyas_own_example() -> None:
    # developer.tuya.com, "Sign Requests for Cloud Authorization", examples of a token and of a business request
    secret, before = "4OHBOnWOqaEC1mWXOpVL3yV50s0qGSRC", "1KAD46OrT9HafiKdsXeg"
    at = "1588925778000" + "5138cc3a9033d69856923fd07b491173"
    signed = "area_id:29a33e8796834b1efa6\ncall_id:8afdb70ab2ed11eb85290242ac130003\n"
    token = to_sign("GET", b"", signed, "/v1.0/token?grant_type=1")
    assert signature(secret, before + at + token) == "9E48A3E93B302EEECC803C7241985D0A34EB944F40FB573C7B5C2A82158AF13E"
    asked = to_sign("GET", b"", signed, "/v2.0/apps/schema/users?page_no=1&page_size=50")
    whole = before + "3f4eda2bdec17232f67c0b188af3eec1" + at + asked
    assert signature(secret, whole) == "AE4481C692AA80B25F3A7E12C3A5FD9BBF6251539DD78E565A1A72A508A88784"


@asynccontextmanager
async def cloud(
    at: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str = ""
) -> AsyncIterator[tinytuya.Cloud]:
    """tinytuya's own client, on loopback: it builds its address from `urlhost`, and asks for a token when refused."""
    authority = tmp_path / "authority.pem"
    authority.write_text(at.ca_pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    spec = at.controls("cloud").spec
    client = tinytuya.Cloud("us", spec.client_id, secret or spec.secret, initial_token="none yet")
    client.urlhost = f"127.0.0.1:{at.port('cloud')}"
    yield client


def test_tinytuyas_cloud_client_reads_and_switches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with house() as at, cloud(at, tmp_path, monkeypatch) as client:
            server = at.controls("strip")
            told = await asyncio.to_thread(client.getstatus, server.device_id)
            assert {"code": "switch_1", "value": True} in told["result"]
            assert await asyncio.to_thread(client.getconnectstatus, server.device_id) is True
            commands = {"commands": [{"code": "switch_1", "value": False}]}
            assert (await asyncio.to_thread(client.sendcommand, server.device_id, commands))["success"]
            assert not at.is_on("strip/1")
            client.apiDeviceID = server.device_id
            (device,) = await asyncio.to_thread(client.getdevices)
            assert (device["id"], device["key"]) == (server.device_id, server.key)
            at.controls("cloud").expire_tokens()
            assert await asyncio.to_thread(client.getconnectstatus, server.device_id) is True
            assert len(at.wire.of("login", "cloud")) == 2
            at.controls("cloud").offline.add("strip")
            assert await asyncio.to_thread(client.getconnectstatus, server.device_id) is False
            assert "offline" in (await asyncio.to_thread(client.sendcommand, server.device_id, commands))["Payload"]

    asyncio.run(test())


def test_each_missed_step_is_told_by_its_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with house() as at, cloud(at, tmp_path, monkeypatch) as client:
            for step, (_, text) in REFUSALS.items():
                at.controls("cloud").missed = step
                at.controls("cloud").expire_tokens()
                client.token = "an old one"
                await asyncio.to_thread(client.getstatus, at.controls("strip").device_id)
                noted = at.wire.of("refused", "cloud")[-1]
                assert noted.value == str(REFUSALS[step][0]), (step, text)

    asyncio.run(test())


def test_a_wrong_secret_signs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with house() as at, cloud(at, tmp_path, monkeypatch, secret="0" * 32) as client:
            assert await asyncio.to_thread(client.getstatus, at.controls("strip").device_id) is not None
            assert {entry.value for entry in at.wire.of("refused", "cloud")} == {"1004"}
            assert Step.DONE not in REFUSALS

    asyncio.run(test())


def test_the_internets_absence_takes_the_cloud_away_and_not_the_plug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with house() as at, plug(at) as call:
            at.internet_up(False)
            assert at.gate("cloud").fault is Fault.DEAD
            assert (await call("status"))["dps"]["1"] is True

    asyncio.run(test())
