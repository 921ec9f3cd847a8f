"""The Kasa plugin where a login is asked for: python-kasa's client against the house's KLAP, in both versions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from pimgr_kasa import PLUG, PlugConfig
from pimgr_kasa.plug import Outlet, Plug

from pimgr.api import Deadlines, DeviceError, Garbled, Refused, Severity, Unreachable, Unsupported
from pimgr.house import Fault, House
from pimgr.testing import FakeContext, FakeStore

pytestmark = pytest.mark.slow

ACCOUNT = 'username = "someone@example.org"\npassword = "S3cr3t"'
HOUSE = f"""
version = 1
[[device]]
id = "legacy"
kind = "kasa"
[[device]]
id = "klap1"
kind = "kasa"
protocol = "klap1"
watts = 60.0
{ACCOUNT}
[[device]]
id = "klap2"
kind = "kasa"
protocol = "klap2"
watts = 70.0
{ACCOUNT}
[[device]]
id = "strip"
kind = "kasa"
protocol = "klap2"
outlets = 3
watts = [10.0, 20.0, 30.0]
on = [true, false, true]
{ACCOUNT}
[[device]]
id = "fresh"
kind = "kasa"
protocol = "klap2"
"""
HOUSE += f"""
[[device]]
id = "smart"
kind = "kasa"
protocol = "klap2"
dialect = "smart"
watts = 80.0
alias = "Pümpe"
discovery = true
{ACCOUNT}
[[device]]
id = "smart-strip"
kind = "kasa"
protocol = "klap2"
dialect = "smart"
outlets = 3
on = [true, false, true]
{ACCOUNT}
"""
CLOSED_PORT = 1
QUICK = Deadlines(read_s=0.6, switch_s=0.6)
LOGIN = {"username": {"secret": "user"}, "password": {"secret": "pw"}}


@dataclass
class Home:
    house: House
    context: FakeContext
    plug: Plug

    def outlet(self, key: str = "") -> Outlet:
        outlet = self.plug.parts[key]
        assert isinstance(outlet, Outlet)
        return outlet


@asynccontextmanager
async def plug_of(house: House, device: str, store: FakeStore | None = None, **keys: Any) -> AsyncIterator[Home]:
    """A connection to a device of the house, by KLAP on its port; nobody listens on the legacy one."""
    context = FakeContext(device, {"user": "someone@example.org", "pw": "S3cr3t"}, QUICK, store=store)
    outlets = 3 if device.endswith("strip") else 0
    table = {"address": "127.0.0.1", "port": CLOSED_PORT, "klap_port": house.port(device), "outlets": outlets, **LOGIN}
    table = {key: value for key, value in {**table, **keys}.items() if value is not None}
    try:
        async with PLUG.open(msgspec.convert(table, PlugConfig), context) as connection:
            assert isinstance(connection, Plug)
            yield Home(house, context, connection)
    finally:
        context.close()


async def failure(call: Awaitable[object], kind: type[DeviceError]) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        await call
    assert type(caught.value) is kind, caught.value
    assert "S3cr3t" not in str(caught.value)
    return caught.value


def logins(house: House, device: str) -> int:
    return len(house.wire.of("login", device))


@pytest.mark.parametrize(("device", "watts"), [("klap1", 60.0), ("klap2", 70.0)])
@pytest.mark.parametrize("protocol", ["auto", "klap"])
def test_a_plug_of_either_login_is_read_and_switched(device: str, watts: float, protocol: str) -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, device, protocol=protocol) as at:
            reading = await at.outlet().read_load()
            assert (reading.on, reading.power_w) == (True, watts)
            await at.outlet().switch(False)
            reading = await at.outlet().read_load()
            assert (reading.on, reading.power_w) == (False, 0.0)
            assert logins(house, device) == 1

    asyncio.run(main())


def test_each_outlet_of_a_strip_behind_a_login_is_read_with_its_watts_and_switched() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "strip") as at:
            readings = [await at.outlet(key).read_load() for key in at.plug.parts]
            assert [(each.on, each.power_w) for each in readings] == [(True, 10.0), (False, 0.0), (True, 30.0)]
            await at.outlet("3").switch(False)
            assert [house.is_on(f"strip/{number}") for number in (1, 2, 3)] == [True, False, False]

    asyncio.run(main())


def test_a_device_that_was_given_no_account_needs_none_configured() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "fresh", username=None, password=None) as at:
            assert (await at.outlet().read_load()).on

    asyncio.run(main())


def test_a_device_that_went_back_to_its_default_login_still_works() -> None:
    """Devices switch between the owner's and the default account by themselves (python-kasa 0.12, klaptransport.py)."""

    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "klap2") as at:
            await at.outlet().read_load()
            door = house.controls("klap2").door
            door.belong_to("kasa@tp-link.net", "kasaSetup")
            door.expire_sessions()
            assert (await at.outlet().read_load()).on

    asyncio.run(main())


# ------------------------------------------------------------------------------------------- the newer dialect: SMART


def test_a_plug_of_the_newer_dialect_is_read_with_its_watts_and_switched() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "smart") as at:
            reading = await at.outlet().read_load()
            assert (reading.on, reading.power_w) == (True, 80.0)
            await at.outlet().switch(False)
            assert not house.is_on("smart")
            reading = await at.outlet().read_load()
            assert (reading.on, reading.power_w) == (False, 0.0)
            assert logins(house, "smart") == 1
            (finding,) = await at.plug.check()
            assert "KP125M" in finding.text
            assert "Pümpe" in finding.text

    asyncio.run(main())


def test_the_outlets_of_a_strip_of_the_newer_dialect_are_numbered_as_on_its_case() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "smart-strip") as at:
            readings = [await at.outlet(key).read_load() for key in at.plug.parts]
            assert [(each.on, each.power_w) for each in readings] == [(True, None), (False, None), (True, None)]
            await at.outlet("1").switch(False)
            await at.outlet("2").switch(True)
            assert [house.is_on(f"smart-strip/{number}") for number in (1, 2, 3)] == [False, True, True]

    asyncio.run(main())


def test_a_login_of_the_newer_dialect_that_ran_out_is_made_anew_within_the_same_call() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "smart") as at:
            await at.outlet().read_load()
            house.controls("smart").door.expire_sessions()
            await at.outlet().switch(False)
            assert not house.is_on("smart")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("device", "outlets", "cure"), [("smart-strip", 0, "outlets = 3"), ("smart", 2, "outlets = 0")]
)
def test_a_strip_of_the_newer_dialect_taken_for_a_plug_is_told_with_its_cure(
    device: str, outlets: int, cure: str
) -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, device, outlets=outlets) as at:
            key = next(iter(at.plug.parts))
            assert cure in (await failure(at.outlet(key).switch(False), Unsupported)).cure
            assert house.wire.of("switch") == []

    asyncio.run(main())


def test_a_silent_plug_of_the_newer_dialect_is_asked_once_and_not_for_long() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "smart") as at:
            await at.outlet().read_load()
            house.fault("smart", Fault.SILENT)
            began = time.monotonic()
            await failure(at.outlet().read_load(), Unreachable)
            assert time.monotonic() - began < 2.5

    asyncio.run(main())


def test_another_device_of_the_newer_dialect_is_not_switched() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "smart") as at:
            await at.outlet().read_load()
            house.controls("smart").new_identity()
            await failure(at.outlet().switch(False), Garbled)
            assert house.is_on("smart")

    asyncio.run(main())


# --------------------------------------------------------------------------------------------- one login, many calls


def test_a_login_that_ran_out_is_made_anew_within_the_same_call() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "klap1") as at:
            await at.outlet().read_load()
            house.controls("klap1").door.expire_sessions()
            await at.outlet().switch(False)
            assert not house.is_on("klap1")
            assert logins(house, "klap1") == 2

    asyncio.run(main())


def test_two_clients_do_not_log_each_other_out() -> None:
    async def main() -> None:
        async with (
            House.from_toml(HOUSE) as house,
            plug_of(house, "klap2") as one,
            plug_of(house, "klap2") as other,
        ):
            for _ in range(3):
                await asyncio.gather(one.outlet().read_load(), other.outlet().read_load())
            assert logins(house, "klap2") == 2

    asyncio.run(main())


# ------------------------------------------------------------------------------------------------- firmware that flips


def test_firmware_that_goes_from_version_1_to_version_2_by_itself_is_followed_in_the_same_call() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "klap1") as at:
            await at.outlet().read_load()
            door = house.controls("klap1").door
            door.version = house.controls("klap2").door.version
            door.belong_to("someone@example.org", "S3cr3t")
            door.expire_sessions()
            assert (await at.outlet().read_load()).on
            assert [entry.value for entry in house.wire.of("login", "klap1")] == ["klap1", "klap2"]

    asyncio.run(main())


def test_what_worked_last_is_asked_first_also_after_a_restart() -> None:
    async def main() -> None:
        store = FakeStore()
        async with House.from_toml(HOUSE) as house:
            both: dict[str, Any] = {"port": house.port("legacy"), "klap_port": house.port("klap2")}
            async with plug_of(house, "legacy", store, **both, protocol="klap") as at:
                await at.outlet().read_load()
            async with plug_of(house, "legacy", store, **both) as at:
                await at.outlet().read_load()
            assert house.wire.of("query", "legacy") == []
            assert store.get("spoken") == "klap"

    asyncio.run(main())


@pytest.mark.parametrize("silent", [Fault.REFUSING, Fault.SILENT])
def test_firmware_that_leaves_the_legacy_protocol_costs_at_most_one_call(silent: Fault) -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house:
            house.controls("klap2").device_id = house.controls("legacy").device_id
            both: dict[str, Any] = {"port": house.port("legacy"), "klap_port": house.port("klap2")}
            async with plug_of(house, "legacy", **both, follow=False) as at:
                await at.outlet().read_load()
                house.fault("legacy", silent)
                if silent is Fault.SILENT:
                    await failure(at.outlet().read_load(), Unreachable)
                assert (await at.outlet().read_load()).power_w == 70.0
                assert at.context.store.get("spoken") == "klap"

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------------- wrong passwords


def test_a_wrong_password_names_every_cause_that_looks_the_same() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house:
            for device in ("klap1", "klap2"):
                async with plug_of(house, device) as at:
                    at.context.secrets["pw"] = "s3cr3t"
                    for call in (at.outlet().read_load(), at.outlet().switch(False)):
                        error = await failure(call, Refused)
                        assert "both versions of its login" in error.fact
                        assert "upper and lower case" in error.cure
                        assert "Third-Party Compatibility" in error.cure
                        assert "power cut" in error.cure
                assert house.is_on(device)

    asyncio.run(main())


def test_a_login_that_is_missing_from_the_config_is_told_as_such() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "klap1", username=None, password=None) as at:
            (finding,) = await at.plug.check()
            assert finding.severity is Severity.CRITICAL
            assert "none is configured" in finding.text
            assert "username and password" in finding.cure

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (403, Refused, "Third-Party Compatibility"),
        (401, Refused, "Third-Party Compatibility"),
        (429, Refused, "too often"),
        (503, Refused, "HTTP 503"),
        (404, Garbled, "doesn't know KLAP"),
    ],
)
def test_each_refusal_by_http_is_told_with_its_cure(status: int, kind: type[DeviceError], told: str) -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "klap2", protocol="klap") as at:
            house.controls("klap2").refuses = status
            assert told in str(await failure(at.outlet().read_load(), kind))
            house.controls("klap2").refuses = 0
            assert (await at.outlet().read_load()).on

    asyncio.run(main())


def test_a_strange_web_server_on_port_80_does_not_hide_that_the_plug_is_gone() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "klap2") as at:
            house.controls("klap2").refuses = 404
            await failure(at.outlet().read_load(), Unreachable)

    asyncio.run(main())


# -------------------------------------------------------------------------------------------------------- in trouble


@pytest.mark.parametrize("connected", [False, True], ids=["at first", "later"])
@pytest.mark.parametrize(("fault", "expected"), [(Fault.DEAD, {Unreachable}), (Fault.NONSENSE, {Garbled, Refused})])
def test_each_fault_beyond_the_matrix_is_one_of_the_four_errors_in_time_and_passes(
    fault: Fault, expected: set[type[DeviceError]], connected: bool
) -> None:
    """Noise where a proof of the account should be can't be told from a wrong account: that one may be Refused."""

    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "klap2") as at:
            if connected:
                await at.outlet().read_load()
            house.fault("klap2", fault)
            began = time.monotonic()
            with pytest.raises(DeviceError) as caught:
                await at.outlet().read_load()
            assert type(caught.value) in expected, caught.value
            assert time.monotonic() - began < 1.4
            house.fault("klap2", Fault.NONE)
            await at.outlet().switch(False)
            assert (await at.outlet().read_load()).on is False

    asyncio.run(main())


def test_an_answer_of_a_gigabyte_is_not_collected() -> None:
    async def main() -> None:
        async with House.from_toml(HOUSE) as house, plug_of(house, "klap1", protocol="klap") as at:
            await at.outlet().read_load()
            house.fault("klap1", Fault.OVERSIZE)
            began = time.monotonic()
            assert "too large" in str(await failure(at.outlet().read_load(), Garbled))
            assert time.monotonic() - began < 0.8

    asyncio.run(main())
