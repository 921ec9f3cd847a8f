"""powerwall.cloud against the Tesla cloud of the house in a box: readings, settings, personalities, budget, check."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from pimgr.api import (
    Deadlines,
    DeviceError,
    Garbled,
    Grid,
    Refused,
    Severity,
    SiteMode,
    Unreachable,
    Unsupported,
    replace,
)
from pimgr.house import Fault, House
from pimgr.house.tesla_pages import Product
from pimgr.testing import FakeStore

from .cloud_home import FIRST, HALF_LIFE_S, HOUSE, Home, context_for, failure, home, joined, run

pytestmark = pytest.mark.slow


# ------------------------------------------------------------------------------------------------------------ readings


def test_tells_the_grid_and_the_site_in_house_units() -> None:
    async def test() -> None:
        async with home() as at:
            grid, site, state = await at.cloud.read_grid(), await at.cloud.read_site(), at.house.state()
        assert (grid.grid, grid.raw, grid.source) == (Grid.UP, "on_grid", "cloud")
        assert site.charge == pytest.approx(42.0, abs=0.1)
        assert site.solar_w == pytest.approx(state.solar_w)
        assert site.load_w == pytest.approx(state.load_w)
        assert site.grid_w == pytest.approx(state.grid_w)
        assert site.battery_w == pytest.approx(state.battery_w)
        assert (site.reserve, site.mode) == (20.0, SiteMode.SELF_CONSUMPTION)
        assert (site.grid_charging, site.storm_watch, site.storm) == (False, False, False)
        assert site.capacity_wh == 13_500.0

    run(test())


def test_an_outage_is_seen_with_its_raw_word() -> None:
    async def test() -> None:
        async with home() as at:
            at.house.grid_up(False)
            reading = await at.cloud.read_grid()
        assert (reading.grid, reading.raw) == (Grid.DOWN, "off_grid_unintentional")

    run(test())


def test_a_status_that_the_cloud_keeps_for_minutes_is_dated_when_it_was_measured() -> None:
    async def test() -> None:
        async with home() as at:
            at.tesla.be(stale_s=300.0)
            first = await at.cloud.read_grid()
            at.house.grid_up(False)
            await asyncio.sleep(1.1)
            at.context.clock.advance(60.0)
            now, second = at.context.now(), await at.cloud.read_grid()
            assert second.grid is Grid.UP, "the cloud does not know better"
            assert first.grid is Grid.UP
            assert now.since(second.at) > 0.9
            at.tesla.be(stale_s=0.0)
            at.context.clock.advance(60.0)
            assert (await at.cloud.read_grid()).grid is Grid.DOWN

    run(test())


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'{"response": null}', b'{"response": []}', b"<html>",
                                  b'{"response": ""}', b'{"response": {}}', b"[" * 50_000, b"\xff\xfe"])  # fmt: skip
def test_nonsense_instead_of_a_status_is_garbled(body: bytes) -> None:
    async def test() -> None:
        async with home() as at:
            at.tesla.says("live_status", body)
            assert type(await failure(at.cloud.read_grid())) is Garbled
            assert type(await failure(at.cloud.read_site())) is Garbled

    run(test())


def test_nan_in_a_status_is_a_missing_figure() -> None:
    async def test() -> None:
        async with home() as at:
            at.tesla.says("live_status", b'{"response": {"percentage_charged": NaN, "battery_power": 5}}')
            site = await at.cloud.read_site()
        assert (site.charge, site.battery_w) == (None, 5.0)

    run(test())


def test_settings_that_cannot_be_read_hide_no_charge() -> None:
    async def test() -> None:
        async with home() as at:
            at.tesla.says("site_info", b"broken")
            site = await at.cloud.read_site()
        assert (site.reserve, site.mode) == (None, None)
        assert site.charge is not None

    run(test())


# ------------------------------------------------------------------------------------------------------------ settings


def test_each_setting_reaches_the_battery_and_is_read_back() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.set_reserve(70.0)
            await at.cloud.set_mode(SiteMode.AUTONOMOUS)
            await at.cloud.set_grid_charging(True)
            await at.cloud.set_storm_watch(True)
            site = await at.cloud.read_site()
            assert (site.reserve, site.mode) == (70.0, SiteMode.AUTONOMOUS)
            assert (site.grid_charging, site.storm_watch) == (True, True)
            assert at.house.state().battery_w == -5_000.0, "it charges toward its reserve"
            wishes = [(entry.what, entry.value) for entry in at.house.wire if entry.device == "tesla"]
            for wish in [("reserve", "70"), ("mode", "autonomous"), ("grid-charging", "True"), ("storm-watch", "True")]:
                assert wish in wishes
            await at.cloud.set_grid_charging(False)
            assert (await at.cloud.read_site()).grid_charging is False

    run(test())


@pytest.mark.parametrize("percent", [80.5, 81.0, 99.0, 99.9, -1.0, 101.0, float("nan"), float("inf")])
def test_a_reserve_that_firmware_refuses_is_never_sent(percent: Any) -> None:
    async def test() -> None:
        async with home() as at:
            error = await failure(at.cloud.set_reserve(percent))
            assert type(error) is Unsupported
            assert "25.18.4" in error.fact
            assert not at.house.wire.of("reserve")

    run(test())


@pytest.mark.parametrize("percent", [0.0, 80.0, 100.0])
def test_the_reserves_that_firmware_takes_are_sent(percent: Any) -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.set_reserve(percent)
            assert at.house.world.settings.reserve == percent

    run(test())


def test_a_write_that_is_accepted_and_ignored_is_seen_in_the_next_reading() -> None:
    async def test() -> None:
        async with home() as at:
            at.tesla.be(ignores=True)
            await at.cloud.set_reserve(70.0)
            assert (await at.cloud.read_site()).reserve == 20.0

    run(test())


def test_a_reserve_that_is_clamped_is_read_as_it_became() -> None:
    async def test() -> None:
        async with home() as at:
            at.tesla.be(most_reserve=50.0)
            await at.cloud.set_reserve(70.0)
            assert (await at.cloud.read_site()).reserve == 50.0

    run(test())


def test_a_write_that_the_cloud_refuses_in_its_body_is_refused() -> None:
    async def test() -> None:
        async with home() as at:
            at.tesla.says("backup", b'{"response": {"code": 412, "message": "no"}}')
            assert type(await failure(at.cloud.set_reserve(30.0))) is Refused

    run(test())


def test_settings_read_before_a_command_are_not_told_after_it() -> None:
    """With a small budget settings are read rarely, but a command's own effect is looked for at once."""

    async def test() -> None:
        async with home(calls_a_day=200) as at:
            assert (await at.cloud.read_site()).reserve == 20.0
            await at.cloud.set_reserve(30.0)
            assert (await at.cloud.read_site()).reserve == 30.0

    run(test())


def test_a_command_that_the_battery_obeys_minutes_later_is_seen_to_be_obeyed() -> None:
    """Though settings are read each 70 minutes only: after a command, the cloud is asked each round for a while."""

    async def test() -> None:
        async with home(calls_a_day=200) as at:
            at.tesla.be(ignores=True)
            await at.cloud.set_reserve(30.0)
            told = at.context.now()
            assert (await at.cloud.read_site()).reserve == 20.0
            at.context.clock.advance(290.0)
            at.house.world.set_site(replace(at.house.world.settings, reserve=30.0))
            site = await at.cloud.read_site()
            assert site.reserve == 30.0
            assert site.at.since(told) > 0.0, "measured after the command"
            calls = at.queries()
            at.context.clock.advance(1_000.0)
            await at.cloud.read_site()
            at.context.clock.advance(290.0)
            await at.cloud.read_site()
            assert at.queries() - calls == 1, "then seldom again"

    run(test())


# ------------------------------------------------------------------------------------------------------- personalities


def test_permission_that_is_missing_is_refused_with_the_scopes_to_grant() -> None:
    async def test() -> None:
        async with home(HOUSE + 'scopes = ["energy_device_data"]\n') as at:
            await at.cloud.read_site()
            error = await failure(at.cloud.set_reserve(30.0))
            assert type(error) is Refused
            assert "energy_cmds" in error.cure
            findings = await at.cloud.check()
            (warning,) = [each for each in findings if each.severity is Severity.WARNING]
            assert "energy_cmds" in warning.text

    run(test())


def test_after_too_many_calls_it_rests_as_long_as_it_was_told_also_across_a_restart() -> None:
    async def test() -> None:
        async with home() as at:
            at.tesla.be(calls=1)
            assert type(await failure(at.cloud.read_grid())) is Refused
            asked = len(at.house.wire)
            assert "another 120 s" in str(await failure(at.cloud.read_grid()))
            later = context_for(at.context.store.after_power_cut(), clock=at.context.clock)
            async with joined(at.house, later) as again:
                assert "left alone" in str(await failure(again.cloud.read_grid()))
                assert len(at.house.wire) == asked
                at.tesla.be(calls=0)
                at.context.clock.advance(121.0)
                await again.cloud.read_grid()

    run(test())


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.HTTP_401, Refused),
        (Fault.HTTP_403, Refused),
        (Fault.HTTP_404, Garbled),
        (Fault.HTTP_429, Refused),
        (Fault.HTTP_500, Unreachable),
        (Fault.HTTP_502, Unreachable),
        (Fault.HTTP_503, Unreachable),
        (Fault.NONSENSE, Garbled),
        (Fault.DEAD, Unreachable),
    ],
)
def test_each_answer_of_trouble_is_one_of_the_four_errors(fault: Fault, expected: type[DeviceError]) -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_site()
            at.house.fault("tesla", fault)
            at.context.clock.advance(61.0)
            for call in (at.cloud.read_grid, at.cloud.read_site, lambda: at.cloud.set_reserve(30.0)):
                assert type(await failure(call())) is expected
                at.context.clock.advance(130.0)
            at.house.fault("tesla", Fault.NONE)
            await at.cloud.read_grid()

    run(test())


def test_with_the_internet_gone_it_is_unreachable_and_comes_back() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.house.internet_up(False)
            assert type(await failure(at.cloud.read_grid())) is Unreachable
            at.house.internet_up(True)
            assert (await at.cloud.read_grid()).grid is Grid.UP

    run(test())


def test_a_dripping_answer_ends_at_the_deadline_and_its_thread_with_it() -> None:
    """requests' own timeout would never end it."""

    async def test() -> None:
        async with home() as at:
            at.context.deadlines = Deadlines(cloud_s=2.0)  # longer than it takes from byte to byte
            await at.cloud.read_grid()
            at.house.fault("tesla", Fault.DRIPPING)
            threads, began = own_threads(), time.monotonic()
            assert type(await failure(at.cloud.read_grid())) is Unreachable
            assert time.monotonic() - began < 2.0
            at.house.fault("tesla", Fault.NONE)
            await at.cloud.read_grid()
            assert own_threads() == threads, "its own thread was not left behind"

    run(test())


def own_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "pimgr cloud"]


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that swallows connections: its queue is full, and nobody takes any out of it."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


async def called_into(black_hole: int) -> tuple[list[threading.Thread], list[threading.Thread], float]:
    """Two calls that nobody answers: the threads after each, and how long the first took."""
    url = f"http://127.0.0.1:{black_hole}"
    async with home(base_url=url, auth_url=url) as at:
        began = time.monotonic()
        assert type(await failure(at.cloud.read_grid())) is Unreachable
        took_s, first = time.monotonic() - began, own_threads()
        assert type(await failure(at.cloud.read_grid())) is Unreachable
        return first, own_threads(), took_s


def test_a_network_that_swallows_connections_holds_no_thread(black_hole: int) -> None:
    first, second, _ = asyncio.run(called_into(black_hole))
    assert len(first) == 1
    assert first == second


def test_a_call_on_a_network_that_swallows_connections_ends_at_its_deadline(black_hole: int) -> None:
    async def test() -> None:
        async with asyncio.timeout(8.0):
            assert (await called_into(black_hole))[2] < 1.0

    run(test())


def test_an_answer_without_end_is_not_collected() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.house.fault("tesla", Fault.OVERSIZE)
            error = await failure(at.cloud.read_grid())
            assert (type(error), "too large" in error.fact) == (Garbled, True)

    run(test())


def test_closing_tears_a_call_that_hangs() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            context = context_for()
            async with joined(house, context) as at:
                await at.cloud.read_grid()
                house.fault("tesla", Fault.SILENT)
                hanging = asyncio.create_task(at.cloud.read_grid())
                await asyncio.sleep(0.05)
                began = time.monotonic()
            assert time.monotonic() - began < 0.5
            assert type(await failure(hanging)) is Unreachable

    run(test())


# ------------------------------------------------------------------------------------------------------------ the site


def test_of_several_sites_none_is_guessed_and_all_are_listed() -> None:
    async def test() -> None:
        async with home() as at:
            at.tesla.sites = (Product(1, "Home"), Product(2, "Cabin"))
            error = await failure(at.cloud.set_reserve(30.0))
            assert type(error) is Refused
            assert ("1 (Home)" in error.fact, "2 (Cabin)" in error.fact) == (True, True)
            assert not at.house.wire.of("reserve")

    run(test())


def test_a_configured_site_is_the_one_that_is_set() -> None:
    async def test() -> None:
        async with home(site=2) as at:
            at.tesla.sites = (Product(1, "Home"), Product(2, "Cabin"))
            await at.cloud.set_reserve(30.0)
            assert len(at.house.wire.of("reserve")) == 1
            assert at.queries("products") == 0

    run(test())


def test_the_first_site_is_held_to_and_no_other_house_is_ever_set_instead() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.tesla.sites = (Product(4711, "Somebody's house"),)
            error = await failure(at.cloud.set_reserve(30.0))
            assert (type(error), "no such energy site" in error.fact) == (Garbled, True)
            assert not at.house.wire.of("reserve")
            async with joined(at.house, context_for(at.context.store)) as later:
                assert type(await failure(later.cloud.read_grid())) is Garbled
            assert at.queries("products") == 1

    run(test())


# -------------------------------------------------------------------------------------------------------------- budget


async def a_healthy_day(at: Home) -> int:
    """pimgr's own polls, every 300 s for a day; how many calls were made."""
    before = at.queries()
    for _ in range(288):
        await at.cloud.read_grid()
        await at.cloud.read_site()
        at.context.clock.advance(300.0)
    return at.queries() - before


def test_a_healthy_day_stays_within_what_tesla_gives_free() -> None:
    async def test() -> None:
        async with home(calls_a_day=200) as at:
            calls = await a_healthy_day(at)
        assert 130 < calls <= 165, "5,000 a month are 166 a day"

    run(test())


def test_readings_in_between_keep_the_date_they_were_measured() -> None:
    async def test() -> None:
        async with home(calls_a_day=200) as at:
            first = await at.cloud.read_grid()
            at.context.clock.advance(300.0)
            second = await at.cloud.read_grid()
            assert second.at == first.at
            at.context.clock.advance(300.0)
            third = await at.cloud.read_grid()
            assert third.at.since(first.at) > 590.0

    run(test())


def test_calls_are_counted_across_restarts_and_none_is_forgotten() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            store, made = FakeStore(), 0
            for _ in range(40):
                context = context_for(store.after_power_cut() if made else store)
                store = context.store
                with suppress(Refused):
                    async with joined(house, context, calls_a_day=60) as at:
                        await at.cloud.read_grid()
                        made += 1
            async with joined(house, context_for(store), calls_a_day=60) as at:
                assert "60 calls a day" in (await failure(at.cloud.read_grid())).fact
            assert 20 <= made <= 48, "a crash rounds up, but not by much"

    run(test())


def test_a_used_up_budget_keeps_a_share_for_commands_and_a_new_day_is_a_new_one() -> None:
    async def test() -> None:
        async with home(calls_a_day=60) as at:
            await at.cloud.read_grid()
            at.context.clock.advance(86_400.0 - at.context.now().wall % 86_400.0)
            await at.context.store.put("calls", {"day": int(at.context.now().wall // 86_400.0), "calls": 48})
            async with joined(at.house, context_for(at.context.store, clock=at.context.clock), calls_a_day=60) as late:
                error = await failure(late.cloud.read_grid())
                assert (type(error), "calls_a_day" in error.cure) == (Refused, True)
                await late.cloud.set_reserve(30.0)
                assert at.house.world.settings.reserve == 30.0
                at.context.clock.advance(86_400.0)
                await late.cloud.read_grid()

    run(test())


def test_in_an_outage_it_is_asked_more_often_than_on_a_healthy_day() -> None:
    async def test() -> None:
        async with home(calls_a_day=200) as at:
            at.house.grid_up(False)
            await at.cloud.read_grid()
            before = at.queries("live_status")
            for _ in range(20):
                at.context.clock.advance(30.0)
                await at.cloud.read_grid()
            during = at.queries("live_status") - before
        assert 2 <= during <= 4, "each 150 s, or as what is left of the day allows"

    run(test())


@pytest.mark.parametrize("fault", [Fault.REFUSING, Fault.HTTP_503])
def test_what_tesla_never_answered_costs_none_of_the_days_calls(fault: Fault) -> None:
    """Tesla bills answers below 500; an internet that is away for hours is asked for each half a minute."""

    async def test() -> None:
        async with home(calls_a_day=60) as at:
            await at.cloud.read_site()
            at.house.fault("tesla", fault)
            at.context.clock.advance(2000.0)
            for _ in range(70):
                assert type(await failure(at.cloud.read_grid())) is Unreachable
                at.context.clock.advance(30.0)
            at.house.fault("tesla", Fault.NONE)
            await at.cloud.read_grid()
            await at.cloud.set_reserve(30.0)

    run(test())


def test_a_clock_that_is_wrong_for_a_while_locks_no_budget_up() -> None:
    async def test() -> None:
        async with home(calls_a_day=60) as at:
            await at.context.store.put("calls", {"day": 40_000, "calls": 60})
            async with joined(at.house, context_for(at.context.store), calls_a_day=60) as later:
                await later.cloud.read_grid()

    run(test())


# --------------------------------------------------------------------------------------------------------------- check


def test_check_names_the_site_the_rights_and_the_age_of_the_token() -> None:
    async def test() -> None:
        async with home() as at:
            texts = [finding.text for finding in await at.cloud.check()]
        assert any("House in a box" in text for text in texts)
        assert any("to read the site and to set it" in text for text in texts)
        assert any("expires in 90 days" in text for text in texts)

    run(test())


def test_a_check_beside_a_pimgr_that_runs_uses_up_no_refresh_token() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            context = context_for()
            context.store.full = True  # as in a check: what it would keep is kept nowhere
            async with joined(house, context) as at:
                (finding,) = await at.cloud.check()
                assert "not looked at" in finding.text
                assert at.tesla.authority.uses == []
                context.store.full = False
                await at.cloud.read_grid()
                context.store.full = True
                assert len(await at.cloud.check()) > 1
                context.clock.advance(HALF_LIFE_S)
                assert len(await at.cloud.check()) > 1
                at.tesla.authority.expire_access()
                (finding,) = await at.cloud.check()
                assert "not looked at" in finding.text
                assert at.tesla.authority.uses == [FIRST]

    run(test())


def test_check_tells_a_site_that_the_account_has_not() -> None:
    async def test() -> None:
        async with home(site=5) as at:
            worst = [finding for finding in await at.cloud.check() if finding.severity is Severity.CRITICAL]
        assert "House in a box" in worst[0].text

    run(test())
