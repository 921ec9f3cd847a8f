"""The gateway plugin against the house in a box: HTTPS on loopback, the library in between, faults on the wire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from pimgr_powerwall import GATEWAY, GatewayConfig
from pimgr_powerwall.gateway import Gateway, app_percent, grid_of, number

from pimgr.api import Deadlines, DeviceError, Garbled, Grid, Refused, Severity, SiteMode, Unreachable, Unsupported
from pimgr.house import Fault, House
from pimgr.testing import FakeContext, FakeStore

pytestmark = pytest.mark.slow

PASSWORD = "S3cr3t"
HOUSE = """
version = 1
charge = 42.0
solar_w = 1500.0
base_load_w = 400.0

[[device]]
id = "gateway"
kind = "gateway"
"""
QUICK = Deadlines(read_s=1.0)


@dataclass
class Home:
    house: House
    context: FakeContext
    gateway: Gateway

    def logins(self) -> list[str]:
        return [entry.value for entry in self.house.wire.of("login")]


@asynccontextmanager
async def home(
    *, house: House | None = None, store: FakeStore | None = None, password: str = PASSWORD, **keys: Any
) -> AsyncIterator[Home]:
    """A house with a gateway in it, and a connection to it that has not been used yet."""
    if house is None:
        async with House.from_toml(HOUSE) as own, home(house=own, store=store, password=password, **keys) as made:
            yield made
        return
    context = FakeContext("gateway", {"pw": password}, QUICK, store=store)
    table = {"address": f"127.0.0.1:{house.port('gateway')}", "password": {"secret": "pw"}, **keys}
    config = msgspec.convert(table, GatewayConfig)
    try:
        async with GATEWAY.open(config, context) as connection:
            assert isinstance(connection, Gateway)
            yield Home(house, context, connection)
    finally:
        context.close()


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def failure(call: Awaitable[object]) -> DeviceError:
    """What a call raises: one of the four errors, complete, without the password."""
    with pytest.raises(DeviceError) as caught:
        await call
    error = caught.value
    assert type(error) in (Unreachable, Refused, Garbled, Unsupported)
    assert error.part == "gateway"
    assert error.wish
    assert error.fact
    assert error.cure
    assert PASSWORD not in str(error)
    return error


# ------------------------------------------------------------------------------------------------------- readings


def test_tells_the_grid_and_the_site_in_house_units() -> None:
    async def test() -> None:
        async with home(capacity_wh=27000.0) as at:
            grid = await at.gateway.read_grid()
            site = await at.gateway.read_site()
            state = at.house.state()
        assert (grid.grid, grid.raw, grid.passing, grid.source) == (Grid.UP, "SystemGridConnected", False, "gateway")
        assert site.charge == pytest.approx(42.0, abs=0.1)
        assert site.charge_raw == pytest.approx(0.95 * 42.0 + 5.0, abs=0.1)
        assert site.solar_w == pytest.approx(state.solar_w)
        assert site.load_w == pytest.approx(state.load_w)
        assert site.grid_w == pytest.approx(state.grid_w)
        assert site.battery_w == pytest.approx(state.battery_w)
        assert (site.capacity_wh, site.mode) == (27000.0, SiteMode.SELF_CONSUMPTION)
        assert site.reserve == pytest.approx(20.0)

    run(test())


def test_capacity_is_the_gateways_own_where_none_is_configured() -> None:
    async def test() -> None:
        async with home() as at:
            site = await at.gateway.read_site()
            assert site.capacity_wh == pytest.approx(at.house.world.capacity_wh, rel=0.01)

    run(test())


@pytest.mark.parametrize(
    ("raw", "grid", "passing"),
    [
        ("SystemGridConnected", Grid.UP, False),
        ("SystemIslandedActive", Grid.DOWN, False),
        ("SystemMicroGridFaulted", Grid.DOWN, False),
        ("SystemWaitForUser", Grid.DOWN, False),
        ("SystemIslandedReady", Grid.UNKNOWN, True),
        ("SystemTransitionToGrid", Grid.UNKNOWN, True),
        ("SystemTransitionToIsland", Grid.UNKNOWN, True),
        ("SystemInventedInTheNextRelease", Grid.UNKNOWN, False),
        ("systemgridconnected", Grid.UNKNOWN, False),
    ],
)
def test_every_grid_word_means_up_down_or_unknown(raw: str, grid: Grid, passing: bool) -> None:
    async def test() -> None:
        async with home() as at:
            at.house.set_grid(raw)
            reading = await at.gateway.read_grid()
        assert (reading.grid, reading.passing, reading.raw) == (grid, passing, raw)

    assert grid_of(raw) == (grid, passing)
    run(test())


def test_reading_is_dated_no_later_than_its_request() -> None:
    async def test() -> None:
        async with home() as at:
            await at.gateway.read_grid()
            at.house.fault("gateway", Fault.SLOW)
            at.house.gate("gateway").times = msgspec.structs.replace(at.house.spec.faults, slow_s=0.4)
            asked = at.context.now()
            reading = await at.gateway.read_grid()
        assert reading.at.since(asked) < 0.3

    run(test())


def test_grid_is_seen_and_charge_is_read_while_the_meters_fail() -> None:
    async def test() -> None:
        async with home() as at:
            at.house.meters_broken(True)
            assert (await at.gateway.read_grid()).grid is Grid.UP
            site = await at.gateway.read_site()
        assert site.charge == pytest.approx(42.0, abs=0.1)
        assert site.grid_w is site.battery_w is site.solar_w is site.load_w is None

    run(test())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (0.5, 0.5),
        (True, None),
        ("1", None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (9, None),
    ],
)
def test_only_numbers_in_range_are_numbers(value: object, expected: float | None) -> None:
    assert number(value, 0.0, 5.0) == expected


def test_charge_is_shown_as_the_app_shows_it() -> None:
    assert [app_percent(raw) for raw in (0.0, 5.0, 52.5, 100.0)] == pytest.approx([0.0, 0.0, 50.0, 100.0])


# --------------------------------------------------------------------------------------------------- fault matrix


@pytest.mark.parametrize("connected", [False, True], ids=["at first", "in mid-session"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.REFUSING, Unreachable),
        (Fault.SILENT, Unreachable),
        (Fault.DEAD, Unreachable),
        (Fault.DRIPPING, Unreachable),
        (Fault.CUT, Garbled),
        (Fault.GARBAGE, Garbled),
        (Fault.NONSENSE, Garbled),
        (Fault.OVERSIZE, Garbled),
        (Fault.HTTP_401, Refused),
        (Fault.HTTP_403, Refused),
        (Fault.HTTP_404, Unsupported),
        (Fault.HTTP_429, Refused),
        (Fault.HTTP_500, Unreachable),
        (Fault.HTTP_502, Unreachable),
        (Fault.HTTP_503, Unreachable),
    ],
)
def test_each_fault_is_one_of_the_four_errors_in_time_and_passes(
    fault: Fault, expected: type[DeviceError], connected: bool
) -> None:
    async def test() -> None:
        async with home() as at:
            if connected:
                await at.gateway.read_grid()
            at.house.fault("gateway", fault)
            began = time.monotonic()
            assert type(await failure(at.gateway.read_grid())) is expected
            assert type(await failure(at.gateway.read_site())) is expected
            assert time.monotonic() - began < 2.5
            at.house.fault("gateway", Fault.NONE)
            at.context.clock.advance(301.0)
            assert (await at.gateway.read_grid()).grid is Grid.UP

    run(test())


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"5", b'"SystemGridConnected"', b"{}", b"<html>", b'{"grid_status": null}', b"\xff\xfe",
     b'{"grid_status": 1}', b'{"grid_status": ""}', b'{"error": "no"}', b"[" * 100_000],
)  # fmt: skip
def test_nonsense_instead_of_a_grid_status_is_garbled(body: bytes) -> None:
    async def test() -> None:
        async with home() as at:
            at.house.gateway_says("/api/system_status/grid_status", body)
            assert type(await failure(at.gateway.read_grid())) is Garbled

    run(test())


@pytest.mark.parametrize("figure", ["NaN", "1e999", "-1e999", "101", "-1", "true", '"50"', "null", "[]"])
def test_nonsense_instead_of_a_charge_is_garbled_never_clamped(figure: str) -> None:
    async def test() -> None:
        async with home() as at:
            at.house.gateway_says("/api/system_status/soe", f'{{"percentage": {figure}}}'.encode())
            assert type(await failure(at.gateway.read_site())) is Garbled

    run(test())


@pytest.mark.parametrize("body", [b"[]", b'{"site": 5}', b'{"site": {"instant_power": "x"}}', b'{"site": {}}', b"null"])
def test_nonsense_of_the_meters_is_no_power_and_no_error(body: bytes) -> None:
    async def test() -> None:
        async with home() as at:
            at.house.gateway_says("/api/meters/aggregates", body)
            site = await at.gateway.read_site()
        assert site.grid_w is None
        assert site.charge is not None

    run(test())


def test_a_powerwall_3_is_told_so() -> None:
    async def test() -> None:
        async with home() as at:
            at.house.gateway_answers(404)
            assert "Powerwall 3" in str(await failure(at.gateway.read_grid()))

    run(test())


def test_cancelling_a_read_takes_no_second_and_leaves_it_usable() -> None:
    async def test() -> None:
        async with home() as at:
            at.house.fault("gateway", Fault.SILENT)
            read = asyncio.create_task(at.gateway.read_grid())
            await asyncio.sleep(0)
            read.cancel()
            with pytest.raises(asyncio.CancelledError):
                async with asyncio.timeout(1.0):
                    await read
            at.house.fault("gateway", Fault.NONE)
            assert (await at.gateway.read_grid()).grid is Grid.UP

    run(test())


# ---------------------------------------------------------------------------------------------------------- login


def test_a_dropped_session_costs_one_login_and_no_reading() -> None:
    async def test() -> None:
        async with home() as at:
            await at.gateway.read_grid()
            at.house.expire_sessions()
            assert (await at.gateway.read_site()).load_w is not None
            assert at.logins() == ["ok", "ok"]

    run(test())


def test_a_wrong_password_is_tried_once_in_five_minutes_also_across_a_restart() -> None:
    async def test() -> None:
        store = FakeStore()
        async with home(store=store, password="wrong") as at:
            assert type(await failure(at.gateway.read_grid())) is Refused
            assert "no login for another" in str(await failure(at.gateway.read_grid()))
            assert at.logins() == ["refused"]
            async with home(house=at.house, store=store) as later:
                assert type(await failure(later.gateway.read_grid())) is Refused
                assert at.logins() == ["refused"]
                later.context.clock.advance(301.0)
                assert (await later.gateway.read_grid()).grid is Grid.UP
            assert at.logins() == ["refused", "ok"]

    run(test())


def test_a_rest_survives_no_reboot_into_an_earlier_wall_clock() -> None:
    async def test() -> None:
        store = FakeStore()
        async with home(store=store, password="wrong") as at:
            await failure(at.gateway.read_grid())
            async with home(house=at.house, store=store) as later:
                later.context.clock.boot = "boot-2"
                later.context.clock.wall_offset_s -= 86_400.0
                assert (await later.gateway.read_grid()).grid is Grid.UP

    run(test())


def test_a_page_that_no_login_may_read_takes_neither_grid_nor_charge_along() -> None:
    async def test() -> None:
        async with home() as at:
            at.house.controls("gateway").forbidden.add("/api/meters/aggregates")
            for _ in range(4):
                assert (await at.gateway.read_grid()).grid is Grid.UP
                site = await at.gateway.read_site()
                assert (site.load_w, site.mode) == (None, SiteMode.SELF_CONSUMPTION)
                at.context.clock.advance(10.0)
            assert at.logins() == ["ok", "ok"]

    run(test())


def test_a_login_asked_too_often_rests() -> None:
    async def test() -> None:
        text = HOUSE + "logins = 1\n"
        async with House.from_toml(text) as house, home(house=house) as at:
            await at.gateway.read_grid()
            house.expire_sessions()
            assert type(await failure(at.gateway.read_grid())) is Refused
            await failure(at.gateway.read_grid())
            assert at.logins() == ["ok", "429"]

    run(test())


def test_a_gateway_too_busy_to_answer_logins_gets_no_storm_of_them() -> None:
    async def test() -> None:
        async with home() as at:
            gateway = at.house.controls("gateway")
            taken = gateway._login

            def busy(body: bytes) -> Any:
                at.house.fault("gateway", Fault.SILENT)
                return taken(body)

            gateway._login = busy
            for _ in range(5):
                at.house.fault("gateway", Fault.NONE)
                error = await failure(at.gateway.read_grid())
                at.context.clock.advance(10.0)
            assert (type(error), len(at.logins())) == (Refused, 3)
            gateway._login = taken
            at.house.fault("gateway", Fault.NONE)
            at.context.clock.advance(300.0)
            assert (await at.gateway.read_grid()).grid is Grid.UP

    run(test())


def test_a_gateway_that_is_away_at_the_first_login_is_read_as_soon_as_it_is_back() -> None:
    async def test() -> None:
        async with home() as at:
            for fault in (Fault.SILENT, Fault.REFUSING, Fault.HTTP_503, Fault.REFUSING, Fault.HTTP_503):
                at.house.fault("gateway", fault)
                await failure(at.gateway.read_grid())
            at.house.fault("gateway", Fault.NONE)
            assert (await at.gateway.read_grid()).grid is Grid.UP

    run(test())


def test_a_restart_goes_on_with_the_session_it_had() -> None:
    async def test() -> None:
        store = FakeStore()
        async with home(store=store) as at:
            await at.gateway.read_grid()
            async with home(house=at.house, store=store) as later:
                await later.gateway.read_grid()
            assert at.logins() == ["ok"]

    run(test())


# ------------------------------------------------------------------------------------------------------- identity


def test_the_first_certificate_is_held_to_and_another_one_is_refused_before_the_password_is_said() -> None:
    async def test() -> None:
        store = FakeStore()
        async with home(store=store) as at:
            await at.gateway.read_grid()
            assert store.get("fingerprint") == f"sha256:{at.house.fingerprint('gateway')}"
            at.house.new_identity("gateway")
            async with home(house=at.house, store=store) as later:
                error = await failure(later.gateway.read_grid())
            assert type(error) is Garbled
            assert at.house.fingerprint("gateway") in str(error)
            assert "set fingerprint" in error.cure
            assert at.logins() == ["ok"]

    run(test())


def test_a_configured_fingerprint_is_enough_and_rules() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            shown = house.fingerprint("gateway")
            async with home(house=house, fingerprint=f"sha256:{shown.upper()}") as at:
                assert (await at.gateway.read_grid()).grid is Grid.UP
            async with home(house=house, fingerprint="sha256:" + "00" * 32) as at:
                assert type(await failure(at.gateway.read_grid())) is Garbled

    run(test())


# ---------------------------------------------------------------------------------------------------------- check


def test_check_reports_the_certificate_to_pin_and_what_is_not_well() -> None:
    async def test() -> None:
        async with home() as at:
            at.house.set_grid("SystemNew")
            at.house.meters_broken(True)
            findings = await at.gateway.check()
            assert any(at.house.fingerprint("gateway") in finding.cure for finding in findings)
        warnings = [finding.text for finding in findings if finding.severity is Severity.WARNING]
        assert ["SystemNew" in warnings[0], "meters" in warnings[1]] == [True, True]

    run(test())


def test_check_tells_what_keeps_it_from_the_gateway() -> None:
    async def test() -> None:
        async with home(password="wrong") as at:
            (finding,) = await at.gateway.check()
        assert finding.severity is Severity.CRITICAL
        assert "last 5 characters" in finding.cure

    run(test())


@pytest.mark.parametrize(
    "table",
    [
        {"address": "http://192.0.2.10"},
        {"address": ""},
        {"address": "a b"},
        {"address": "x:99999"},
        {"address": "user@192.0.2.10"},
        {"fingerprint": "sha256:12"},
        {"capacity_wh": 13.5},
        {"capacity_wh": float("nan")},
        {"pasword": 1},
    ],
)
def test_a_config_that_can_not_work_is_refused(table: dict[str, object]) -> None:
    good: dict[str, object] = {"address": "192.0.2.10", "password": {"secret": "pw"}}
    assert msgspec.convert(good, GatewayConfig).host == "192.0.2.10"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(good | table, GatewayConfig)
