"""The login budget: the portal locks accounts that log in often, so failures and restarts may not become a storm."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pimgr.api import Deadlines, Garbled, Refused, Unreachable
from pimgr.house import Fault, House
from pimgr.testing import FakeClock, FakeStore

sys.path.insert(0, str(Path(__file__).parent))
from honeywell_homes import BEDROOM, HOUSE, NOON, PASSWORD, Given, Home, failure, home, run

pytestmark = pytest.mark.slow

STRICT = HOUSE.replace('kind = "honeywell"', 'kind = "honeywell"\nlogins = 2')
"""The account is locked at the third login within ten minutes."""


def expires(at: Home) -> None:
    at.portal.expire_sessions()


def sends_to_the_login_page(at: Home) -> None:
    at.portal.redirects = True
    at.portal.expire_sessions()


def refuses_the_password(at: Home) -> None:
    at.portal.password = "another"
    at.portal.expire_sessions()


def answers_pages(at: Home) -> None:
    at.portal.html = True


def is_cut_off(at: Home) -> None:
    at.house.fault("portal", Fault.CUT)


def is_asked_too_often(at: Home) -> None:
    at.house.fault("portal", Fault.HTTP_429)


def denies_everything(at: Home) -> None:
    at.portal.denied = set(at.portal.stats)


@pytest.mark.parametrize(
    "trouble",
    [
        expires,
        sends_to_the_login_page,
        refuses_the_password,
        answers_pages,
        is_cut_off,
        is_asked_too_often,
        denies_everything,
    ],
)
def test_a_thousand_failing_reads_in_five_hours_with_twenty_restarts_are_31_logins_at_most(
    trouble: Callable[[Home], None],
) -> None:
    async def scene() -> None:
        store, clock = FakeStore(), FakeClock(NOON - 1000.0)
        async with House.from_toml(STRICT) as house:
            given = Given(house=house, store=store, clock=clock, deadlines=Deadlines(cloud_s=5.0))
            for _ in range(20):
                store = given.store = store.after_power_cut()
                async with home(given) as at:
                    for number in range(50):
                        trouble(at)
                        with suppress(Refused, Garbled, Unreachable):
                            await (at.hall, at.bedroom)[number % 2].read_thermostat()
                        at.pass_time(18.0)
                    assert not at.portal.locked
            logins = [entry for entry in house.wire if entry.what == "login" or entry.value == "/portal"]
            assert 1 <= len(logins) <= 31

    asyncio.run(scene())


def test_a_login_is_counted_before_it_is_tried() -> None:
    async def scene() -> None:
        store, clock = FakeStore(), FakeClock(NOON - 1000.0)
        async with House.from_toml(HOUSE) as house:
            house.fault("portal", Fault.SILENT)
            async with home(Given(house=house, store=store, clock=clock)) as at:
                task = asyncio.create_task(at.hall.read_thermostat())
                await asyncio.wait({task}, timeout=0.3)
                died = store.after_power_cut()  # in the middle of the login
                task.cancel()
                await asyncio.wait({task})
            house.fault("portal", Fault.NONE)
            async with home(Given(house=house, store=died, clock=clock)) as at:
                error = await failure(at.hall.read_thermostat())
                assert type(error) is Unreachable
                assert "no answer" in error.fact
                assert at.logins() == []
                at.pass_time(601.0)
                assert (await at.hall.read_thermostat()).indoor > 0.0

    asyncio.run(scene())


def test_a_restart_waits_for_its_login_and_says_why() -> None:
    async def scene() -> None:
        store, clock = FakeStore(), FakeClock(NOON - 1000.0)
        async with House.from_toml(HOUSE) as house:
            async with home(Given(house=house, store=store, clock=clock)) as at:
                await at.hall.read_thermostat()
                at.pass_time(120.0)
            async with home(Given(house=house, store=store.after_power_cut(), clock=clock)) as at:
                error = await failure(at.hall.read_thermostat())
                assert type(error) is Refused
                assert "one login in ten minutes" in error.fact
                assert "in 8 min" in error.fact
                at.pass_time(481.0)
                assert (await at.hall.read_thermostat()).indoor > 0.0
                assert at.logins() == ["ok", "ok"]

    asyncio.run(scene())


def test_a_clock_that_went_back_over_a_blackout_costs_one_pause_and_no_storm() -> None:
    async def scene() -> None:
        store, clock = FakeStore(), FakeClock(NOON - 1000.0)
        async with House.from_toml(HOUSE) as house:
            async with home(Given(house=house, store=store, clock=clock)) as at:
                await at.hall.read_thermostat()
            clock.reboot("boot-2", off_s=-40 * 86400.0)
            async with home(Given(house=house, store=store, clock=clock)) as at:
                assert type(await failure(at.hall.read_thermostat())) is Refused
                clock.advance(599.0)
                assert type(await failure(at.hall.read_thermostat())) is Refused
                clock.advance(2.0)
                assert (await at.hall.read_thermostat()).indoor > 0.0
                assert at.logins() == ["ok", "ok"]

    asyncio.run(scene())


def test_a_login_that_never_left_this_box_is_not_counted() -> None:
    async def test(at: Home) -> None:
        at.house.fault("portal", Fault.REFUSING)
        for _ in range(3):
            assert type(await failure(at.hall.read_thermostat())) is Unreachable
        at.house.fault("portal", Fault.NONE)
        assert (await at.hall.read_thermostat()).indoor > 0.0

    run(test)


@pytest.mark.parametrize("redirects", [False, True])
def test_a_session_that_the_portal_ended_costs_one_login_and_no_reading(redirects: bool) -> None:
    async def test(at: Home) -> None:
        await at.hall.read_thermostat()
        at.portal.redirects = redirects
        for _ in range(3):
            at.pass_time(700.0)
            at.portal.expire_sessions()
            assert (await at.hall.read_thermostat()).indoor > 0.0
            assert (await at.bedroom.read_thermostat()).indoor > 0.0
        assert at.logins() == ["ok"] * 4

    run(test)


def test_a_command_survives_the_end_of_a_session() -> None:
    async def test(at: Home) -> None:
        await at.hall.read_thermostat()
        at.pass_time(700.0)
        at.portal.expire_sessions()
        await at.hall.resume()
        assert len(at.changes()) == 1

    run(test)


def test_of_many_questions_at_once_one_logs_in() -> None:
    async def test(at: Home) -> None:
        await asyncio.gather(*(each.read_thermostat() for each in (at.hall, at.bedroom) * 3))
        assert at.logins() == ["ok"]
        at.pass_time(700.0)
        at.portal.expire_sessions()
        await asyncio.gather(*(each.read_thermostat() for each in (at.hall, at.bedroom) * 3))
        assert at.logins() == ["ok", "ok"]

    run(test)


def test_one_thermostat_that_is_denied_does_not_take_the_others_along() -> None:
    async def test(at: Home) -> None:
        at.portal.denied = {BEDROOM}
        for _ in range(24):  # two hours
            at.pass_time(300.0)
            assert (await at.hall.read_thermostat()).indoor > 0.0
            assert type(await failure(at.bedroom.read_thermostat())) is Refused
        assert len(at.logins()) <= 4

    run(test)


# ----------------------------------------------------------------------------------------------------------- passwords


def test_a_refused_password_is_not_tried_again_for_an_hour_and_a_person_is_told() -> None:
    async def test(at: Home) -> None:
        assert type(await failure(at.hall.read_thermostat())) is Refused
        (finding,) = at.context.standing().values()
        assert "refuses the login" in finding.text
        assert finding.cure
        for _ in range(5):
            at.pass_time(660.0)
            error = await failure(at.hall.read_thermostat())
            assert type(error) is Refused
            assert "user name or password" in error.fact
        assert at.logins() == ["refused"]
        at.pass_time(400.0)
        await failure(at.hall.read_thermostat())
        assert at.logins() == ["refused", "refused"]

    run(test, Given(password="wrong"))


def test_another_password_is_tried_as_soon_as_the_budget_allows() -> None:
    async def test(at: Home) -> None:
        await failure(at.hall.read_thermostat())
        at.context.secrets["pw"] = PASSWORD
        assert type(await failure(at.hall.read_thermostat())) is Refused
        assert at.logins() == ["refused"]
        at.pass_time(601.0)
        assert (await at.hall.read_thermostat()).indoor > 0.0
        assert at.logins() == ["refused", "ok"]
        assert at.context.standing() == {}

    run(test, Given(password="wrong"))


def test_the_third_refusal_does_not_lock_the_library_for_whoever_corrects_the_password() -> None:
    async def test(at: Home) -> None:
        for _ in range(3):
            await failure(at.hall.read_thermostat())
            at.pass_time(3601.0)
        assert at.logins() == ["refused"] * 3
        at.context.secrets["pw"] = PASSWORD
        assert (await at.hall.read_thermostat()).indoor > 0.0

    run(test, Given(password="wrong"))


def test_what_is_kept_of_a_refused_password_does_not_tell_it() -> None:
    async def test(at: Home) -> None:
        await failure(at.hall.read_thermostat())
        kept = at.context.store.texts()
        assert "hunter2" not in kept
        assert at.context.store.get("password")["mark"].partition(":")[2]

    run(test, Given(password="hunter2"))


def test_a_secret_that_is_missing_costs_no_login() -> None:
    async def test(at: Home) -> None:
        at.context.secrets.clear()
        error = await failure(at.hall.read_thermostat())
        assert type(error) is Refused
        at.context.secrets["pw"] = PASSWORD
        assert (await at.hall.read_thermostat()).indoor > 0.0

    run(test)


# ----------------------------------------------------------------------------------------------------- locks and limits


def test_a_locked_account_is_told_and_left_alone_for_half_an_hour_also_across_a_restart() -> None:
    async def scene() -> None:
        store, clock = FakeStore(), FakeClock(NOON - 1000.0)
        async with House.from_toml(STRICT) as house:
            portal = house.controls("portal")
            portal.lock()  # somebody else has tried too often
            async with home(Given(house=house, store=store, clock=clock)) as at:
                error = await failure(at.hall.read_thermostat())
                assert type(error) is Refused
                assert "too many attempts" in error.fact
                (finding,) = at.context.standing().values()
                assert "too many attempts" in finding.text
                assert "other programs" in finding.cure
            asked = len(house.wire)
            async with home(Given(house=house, store=store.after_power_cut(), clock=clock)) as at:
                for _ in range(17):
                    at.pass_time(100.0)
                    error = await failure(at.hall.read_thermostat())
                    assert type(error) is Refused
                    assert "locked" in error.fact
                assert len(house.wire) == asked
                at.pass_time(200.0)
                assert (await at.hall.read_thermostat()).indoor > 0.0
                assert at.context.told[-1] == ("locked", None)

    asyncio.run(scene())


def test_an_account_that_is_locked_in_mid_session_is_known_by_its_page() -> None:
    async def test(at: Home) -> None:
        await at.hall.read_thermostat()
        at.portal.expire_sessions()
        at.portal.lock()
        error = await failure(at.hall.read_thermostat())
        assert type(error) is Refused
        assert "too many attempts" in error.fact

    run(test, Given(text=STRICT))


def test_after_429_nothing_is_asked_for_a_quarter_of_an_hour_also_across_a_restart() -> None:
    async def scene() -> None:
        store, clock = FakeStore(), FakeClock(NOON - 1000.0)
        async with House.from_toml(HOUSE) as house:
            async with home(Given(house=house, store=store, clock=clock)) as at:
                await at.hall.read_thermostat()
                house.fault("portal", Fault.HTTP_429)
                assert "429" in (await failure(at.hall.read_thermostat())).fact
                house.fault("portal", Fault.NONE)
            asked = len(house.wire)
            async with home(Given(house=house, store=store.after_power_cut(), clock=clock)) as at:
                for _ in range(8):
                    at.pass_time(100.0)
                    error = await failure(at.bedroom.read_thermostat())
                    assert type(error) is Refused
                    assert "too often" in error.fact
                assert len(house.wire) == asked
                at.pass_time(101.0)
                assert (await at.bedroom.read_thermostat()).indoor == 22.5

    asyncio.run(scene())


def test_a_disk_that_takes_nothing_keeps_the_budget_in_memory() -> None:
    async def test(at: Home) -> None:
        at.context.store.full = True
        await at.hall.read_thermostat()
        at.portal.expire_sessions()
        assert type(await failure(at.hall.read_thermostat())) is Refused
        assert at.logins() == ["ok"]

    run(test)
