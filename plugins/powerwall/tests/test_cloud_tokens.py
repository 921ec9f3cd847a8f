"""Tokens that work once: never lost by a power cut, never used twice, never thrown away for an error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimgr.api import Deadlines, Refused, Severity, Unreachable
from pimgr.house import Fault, House
from pimgr.testing import FakeClock, FakeContext, FakeStore

from .cloud_home import FIRST, HALF_LIFE_S, HOUSE, context_for, failure, home, joined, run

pytestmark = pytest.mark.slow

DAY_S = 86_400.0


class PowerCut(BaseException):
    """The box is dark."""


class Steps:
    """What the box does that a power cut may come before or after; at number `cut` it comes."""

    def __init__(self, cut: int = 0) -> None:
        self.names: list[str] = []
        self.cut = cut

    def __call__(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self.cut:
            raise PowerCut


class CutStore(FakeStore):
    def __init__(self, before: FakeStore, steps: Steps) -> None:
        super().__init__()
        self._kept, self._durable = before._kept, before._durable
        self._steps = steps

    async def put(self, key: str, value: Any) -> bool:
        self._steps(f"put {key}")
        done = await super().put(key, value)
        self._steps(f"did put {key}")
        return done


class CutContext(FakeContext):
    steps: Steps

    async def call(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.steps("ask")
        answer = await super().call(fn, *args, **kwargs)
        self.steps("asked")
        return answer


def cut_context(store: FakeStore, steps: Steps, clock: FakeClock | None = None) -> FakeContext:
    context = context_for(CutStore(store, steps), CutContext, clock=clock)
    assert isinstance(context, CutContext)
    context.steps = steps
    return context


async def cut_at(house: House, store: FakeStore, steps: Steps, clock: FakeClock) -> bool:
    """Read the grid until the power fails at its step; whether it failed. What is durable stays in `store`."""
    context = cut_context(store, steps, clock)
    try:
        async with joined(house, context) as at:
            await at.cloud.read_grid()
    except PowerCut:
        return True
    return False


# -------------------------------------------------------------------------------------------------------- power cuts


@pytest.mark.parametrize("age_s", [0.0, HALF_LIFE_S, 30_000.0], ids=["first", "half of its life", "run out"])
def test_a_power_cut_at_any_step_of_a_refresh_loses_no_token(age_s: float) -> None:
    """Before and after every write to the store, and before and after every request."""

    async def once(cut: int) -> bool:
        async with House.from_toml(HOUSE) as house:
            store, clock = FakeStore(), FakeClock()
            if age_s:
                assert not await cut_at(house, store, Steps(), clock)
            clock.advance(age_s)
            failed = await cut_at(house, store, Steps(cut), clock)
            async with joined(house, context_for(store.after_power_cut(), clock=clock)) as at:
                await at.cloud.read_grid()
                clock.advance(HALF_LIFE_S)
                await at.cloud.read_grid()
                assert at.refreshes()[-1] == "ok"
                assert at.context.store.get("tokens")["refresh"] == at.tesla.authority.current
            return failed

    cut = 1
    while asyncio.run(once(cut)):
        cut += 1
    assert cut > 10, "a refresh and a reading have more steps than that"


def test_new_tokens_are_durable_before_anything_is_asked_with_them() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            store, clock, steps = FakeStore(), FakeClock(), Steps()
            await cut_at(house, store, Steps(), clock)
            clock.advance(HALF_LIFE_S)
            await cut_at(house, store, steps, clock)
        names = steps.names
        asked = names.index("asked")
        assert "did put refreshing" in names[: names.index("ask")]
        assert "did put tokens" in names[asked : names.index("ask", asked)]
        assert store.get("refreshing") is None

    run(test())


def test_the_refresh_token_before_is_kept_until_the_new_tokens_worked() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            used = at.tesla.authority.current
            assert at.context.store.get("tokens")["previous"] == ""
            at.context.clock.advance(HALF_LIFE_S)
            at.tesla.be(refuses_access=True)
            assert type(await failure(at.cloud.read_grid())) is Refused
            kept = at.context.store.get("tokens")
            assert (kept["previous"], kept["refresh"]) == (used, at.tesla.authority.current)
            at.tesla.be(refuses_access=False)
            await at.cloud.read_grid()
            assert at.context.store.get("tokens")["previous"] == ""

    run(test())


def test_where_the_newest_is_refused_the_one_before_is_tried() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            used = at.tesla.authority.current
            at.context.clock.advance(HALF_LIFE_S)
            at.tesla.be(refuses_access=True)
            await failure(at.cloud.read_grid())
            at.tesla.be(refuses_access=False)
            at.tesla.authority.authorise(used)  # the cloud knows nothing of the newest
            at.context.clock.advance(30_000.0)
            await at.cloud.read_grid()
            assert at.refreshes()[-2:] == ["login_required", "ok"]

    run(test())


def test_a_command_that_cuts_a_reading_short_loses_no_refresh() -> None:
    """pimgr cancels a poll for a command, and closes the connection: the refresh in it ends first."""

    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            context = context_for()
            async with joined(house, context) as at:
                house.gate("tesla").times = type(house.spec.faults)(slow_s=0.2)
                house.fault("tesla", Fault.SLOW)
                reading = asyncio.create_task(at.cloud.read_grid())
                await house.wire.wait_for(lambda entry: entry.what == "refresh", 2.0)
                reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
            assert context.store.get("tokens")["refresh"] == at.tesla.authority.current
            house.fault("tesla", Fault.NONE)
            async with joined(house, context_for(context.store)) as later:
                await later.cloud.read_grid()
            assert at.refreshes() == ["ok"]

    run(test())


def test_closing_waits_for_a_refresh_less_than_a_second() -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            house.fault("tesla", Fault.SILENT)
            context = context_for()
            context.deadlines = Deadlines(cloud_s=3.0)
            async with joined(house, context) as at:
                reading = asyncio.create_task(at.cloud.read_grid())
                await asyncio.wait({reading}, timeout=0.1)
                reading.cancel()
                began = time.monotonic()
            assert time.monotonic() - began < 1.0

    run(test())


def test_tokens_are_dated_when_they_were_asked_for() -> None:
    """A slow answer is no younger for it: the life of an access token is counted by Tesla from its making."""

    async def test() -> None:
        async with home() as at:
            at.house.gate("tesla").times = type(at.house.spec.faults)(slow_s=0.2)
            at.house.fault("tesla", Fault.SLOW)
            asked = at.context.now()
            await at.cloud.read_grid()
            assert at.context.store.get("tokens")["got"]["mono_s"] - asked.mono_s < 0.15

    run(test())


def test_a_renewal_that_was_cut_off_and_can_not_be_repeated_is_told_as_that() -> None:
    """Where Tesla takes a used token no second time, a person learns that it was the power cut, not the password."""

    async def test() -> None:
        async with House.from_toml(HOUSE + "grace_s = 0.0\n") as house:
            context = context_for()
            async with joined(house, context) as at:
                at.tesla.be(drops=1)
                await failure(at.cloud.read_grid())
            async with joined(house, context_for(context.store.after_power_cut())) as later:
                error = await failure(later.cloud.read_grid())
                assert (type(error), "cut off" in error.fact) == (Refused, True)
                assert later.context.standing()["token"].severity is Severity.CRITICAL

    run(test())


def test_a_used_token_that_is_refused_is_not_said_to_be_cut_off_later() -> None:
    async def test() -> None:
        async with home() as at:
            at.tesla.authority.revoke()
            assert "cut off" not in (await failure(at.cloud.read_grid())).fact
            at.context.clock.advance(1801.0)
            assert "cut off" not in (await failure(at.cloud.read_grid())).fact
            assert at.refreshes() == ["login_required", "login_required"]

    run(test())


def test_a_revoked_token_is_told_while_the_access_token_works_yet() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.context.clock.advance(HALF_LIFE_S)
            at.tesla.authority.current = "another"
            for _ in range(3):
                await at.cloud.read_grid()
            assert at.refreshes() == ["ok", "login_required"]
            assert at.context.standing()["token"].severity is Severity.CRITICAL

    run(test())


def test_many_readers_at_once_refresh_once() -> None:
    async def test() -> None:
        async with home() as at:
            await asyncio.gather(*(at.cloud.read_grid() for _ in range(5)), *(at.cloud.read_site() for _ in range(5)))
            assert at.refreshes() == ["ok"]
            assert at.tesla.authority.uses == [FIRST]

    run(test())


# ---------------------------------------------------------------------------------------------------- random histories

DEEDS = ("read", "read", "crash", "drop", "unreachable", "broken", "restart", "revoke", "authorise")


class History:
    """One house, one box that is switched off now and then, and what is promised of its tokens."""

    def __init__(self, house: House) -> None:
        self.house, self.store, self.clock = house, FakeStore(), FakeClock()
        self.secret = FIRST
        self.revoked = False
        self.spent: set[str] = set()

    @property
    def tesla(self) -> Any:
        return self.house.controls("tesla")

    async def read(self, steps: Steps) -> str:
        """One reading, by a box that has just started; how it ended."""
        context = cut_context(self.store, steps, self.clock)
        context.secrets["first"] = self.secret
        try:
            async with joined(self.house, context) as at:
                await at.cloud.read_grid()
        except PowerCut:
            return "cut"
        except (Refused, Unreachable) as error:
            return type(error).__name__
        return "ok"

    async def do(self, deed: str, number: int) -> None:
        self.clock.advance(HALF_LIFE_S if number % 2 else 30_000.0)
        before = len(self.tesla.authority.uses)
        clean = deed in ("read", "restart", "revoke", "authorise")
        if deed == "drop":
            self.tesla.be(drops=1)
        elif deed == "unreachable":
            self.house.fault("tesla", Fault.REFUSING)
        elif deed == "broken":
            self.house.fault("tesla", Fault.HTTP_503)
        elif deed == "revoke":
            self.tesla.authority.revoke()
            self.revoked = True
        elif deed == "authorise":
            self.secret = self.tesla.authority.authorise()
            self.revoked = False
        ended = await self.read(Steps(number if deed == "crash" else 0))
        self.house.fault("tesla", Fault.NONE)
        self.tesla.be(drops=0)
        uses = self.tesla.authority.uses[before:]
        assert not self.spent & set(uses), "a refresh token was used that had given its successor"
        if clean and not self.revoked:
            assert ended == "ok", f"{deed} ended as {ended}"
            assert len(uses) == len(set(uses))
            self.spent |= set(uses)
        if clean and self.revoked:
            assert ended == "Refused"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(1, 14)), max_size=10))
def test_whatever_happens_a_token_is_left_that_works_unless_it_was_revoked(deeds: list[tuple[str, int]]) -> None:
    async def test() -> None:
        async with House.from_toml(HOUSE) as house:
            history = History(house)
            for deed, number in deeds:
                await history.do(deed, number)
            await history.do("read", 1)

    run(test())


# --------------------------------------------------------------------------------------------------------- rejections


def test_a_refused_refresh_changes_nothing_that_is_kept() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            kept = at.context.store.get("tokens")
            at.context.clock.advance(30_000.0)
            for fault in (Fault.HTTP_401, Fault.HTTP_403, Fault.HTTP_500, Fault.NONSENSE, Fault.CUT):
                at.house.fault("tesla", fault)
                await failure(at.cloud.read_grid())
                assert at.context.store.get("tokens") == kept
            at.house.fault("tesla", Fault.NONE)
            at.tesla.authority.revoke()
            await failure(at.cloud.read_grid())
            assert at.context.store.get("tokens") == kept

    run(test())


def test_revoked_is_told_from_unreachable_and_a_new_authorisation_mends_it() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.context.clock.advance(30_000.0)
            at.house.fault("tesla", Fault.REFUSING)
            assert type(await failure(at.cloud.read_grid())) is Unreachable
            assert "token" not in at.context.standing()
            at.house.fault("tesla", Fault.NONE)
            at.tesla.authority.revoke()
            error = await failure(at.cloud.read_grid())
            assert type(error) is Refused
            assert '"first"' in error.cure
            assert at.context.standing()["token"].severity is Severity.CRITICAL
            asked = len(at.tesla.authority.uses)
            await failure(at.cloud.read_grid())
            assert len(at.tesla.authority.uses) == asked, "a refused token is not shown again and again"
            at.context.secrets["first"] = at.tesla.authority.authorise()
            await at.cloud.read_grid()
            assert "token" not in at.context.standing()

    run(test())


def test_a_wrong_new_authorisation_leaves_the_old_one_in_force() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.context.secrets["first"] = "mistyped"
            await at.cloud.read_grid()
            assert at.context.standing()["token"].severity is Severity.WARNING
            at.context.clock.advance(HALF_LIFE_S)
            await at.cloud.read_grid()
            assert at.context.standing()["token"].severity is Severity.WARNING

    run(test())


def test_a_wrong_client_is_told_from_a_revoked_token() -> None:
    async def test() -> None:
        async with home(client_id="somebody-else") as at:
            error = await failure(at.cloud.read_grid())
            assert type(error) is Refused
            assert "client_id" in error.cure
            assert "token" not in at.context.standing()

    run(test())


# --------------------------------------------------------------------------------------------- when, and what is told


def test_a_token_is_renewed_at_half_of_its_life_and_not_before() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.context.clock.advance(14_000.0)
            await at.cloud.read_grid()
            assert at.refreshes() == ["ok"]
            at.context.clock.advance(500.0)
            await at.cloud.read_grid()
            assert at.refreshes() == ["ok", "ok"]

    run(test())


def test_a_token_is_renewed_when_the_grid_is_first_seen_down() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.context.clock.advance(600.0)
            at.house.grid_up(False)
            await at.cloud.read_grid()
            assert at.refreshes() == ["ok"]
            await at.cloud.read_site()
            assert at.refreshes() == ["ok", "ok"]
            at.context.clock.advance(600.0)
            await at.cloud.read_grid()
            await at.cloud.read_site()
            assert at.refreshes() == ["ok", "ok"], "once an outage"

    run(test())


def test_a_token_is_renewed_when_somebody_nearer_sees_the_grid_go_before_the_cloud_knows() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.context.clock.advance(120.0)
            await at.cloud.read_grid()
            assert at.refreshes() == ["ok"]
            at.context.alert = True
            await at.cloud.read_grid()
            assert at.refreshes() == ["ok", "ok"]
            at.context.clock.advance(120.0)
            await at.cloud.read_grid()
            assert at.refreshes() == ["ok", "ok"], "once an outage"

    run(test())


def test_a_token_that_works_is_not_renewed_while_the_disk_does_not_take_the_next() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.context.clock.advance(HALF_LIFE_S)
            at.context.store.full = True
            await at.cloud.read_grid()
            assert at.refreshes() == ["ok"]
            at.context.store.full = False
            at.context.clock.advance(601.0)
            await at.cloud.read_grid()
            assert at.refreshes() == ["ok", "ok"]

    run(test())


def test_while_tokens_cannot_be_renewed_the_present_one_is_used_and_not_retried_at_once() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.context.clock.advance(HALF_LIFE_S)
            at.tesla.be(drops=9)
            for _ in range(3):
                await at.cloud.read_grid()
            assert at.refreshes() == ["ok", "dropped"]

    run(test())


def test_a_call_refused_for_its_token_is_made_again_with_a_new_one() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.context.clock.advance(120.0)
            at.tesla.authority.expire_access()
            await at.cloud.read_grid()
            assert at.refreshes() == ["ok", "ok"]

    run(test())


def test_a_cloud_that_refuses_every_token_is_not_asked_for_ever_more_of_them() -> None:
    async def test() -> None:
        async with home() as at:
            at.tesla.be(refuses_access=True)
            for _ in range(5):
                assert type(await failure(at.cloud.read_grid())) is Refused
                at.context.clock.advance(300.0)
            assert at.refreshes() == ["ok"]

    run(test())


def test_a_token_from_under_a_wrong_clock_shuts_nobody_out_after_a_reboot() -> None:
    """The clock was ten years ahead when the token was given: it is not young for ten years."""

    async def test() -> None:
        async with home() as at:
            right = at.context.clock.wall_offset_s
            at.context.clock.wall_offset_s += 3650 * DAY_S
            await at.cloud.read_grid()
            clock = FakeClock(right, boot="boot-2")
            async with joined(at.house, context_for(at.context.store.after_power_cut(), clock=clock)) as later:
                at.tesla.authority.expire_access()
                await later.cloud.read_grid()
                assert "expiry" not in later.context.standing()

    run(test())


def test_a_clock_that_jumps_ahead_makes_no_refresh_token_old() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.context.clock.wall_offset_s += 3650 * DAY_S
            await at.cloud.read_site()
            assert "expiry" not in at.context.standing()

    run(test())


def test_authorisation_is_told_once_renewals_are_recorded_only() -> None:
    async def test() -> None:
        async with home() as at:
            for _ in range(4):
                await at.cloud.read_grid()
                at.context.clock.advance(HALF_LIFE_S)
            told = [finding for _, finding in at.context.told if finding is not None]
            assert [finding.severity for finding in told] == [Severity.INFO]
            assert at.context.recorded.count("its token was renewed") == 4

    run(test())


def test_fifteen_days_before_the_refresh_token_expires_a_person_is_told() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_grid()
            at.house.fault("tesla", Fault.HTTP_503)
            at.context.clock.advance(74 * DAY_S)
            await failure(at.cloud.read_grid())
            assert "expiry" not in at.context.standing()
            at.context.clock.advance(1.5 * DAY_S)
            await failure(at.cloud.read_grid())
            first = at.context.standing()["expiry"]
            assert "14 days" in first.text
            at.context.clock.advance(2 * DAY_S)
            await failure(at.cloud.read_grid())
            later = at.context.standing()["expiry"]
            assert ("12 days" in later.text, later.cure) == (True, first.cure)
            at.house.fault("tesla", Fault.NONE)
            await at.cloud.read_grid()
            assert "expiry" not in at.context.standing()

    run(test())


def test_no_token_is_ever_told_or_recorded() -> None:
    async def test() -> None:
        async with home() as at:
            await at.cloud.read_site()
            at.tesla.authority.revoke()
            at.context.clock.advance(30_000.0)
            await failure(at.cloud.read_site())
            kept = at.context.store.get("tokens")
            said = repr(at.context.told) + repr(at.context.recorded)
            assert not [token for token in (FIRST, kept["access"], kept["refresh"]) if token in said]

    run(test())


def test_the_owner_apis_refresh_token_that_stays_the_same_works_too() -> None:
    async def test() -> None:
        text = HOUSE + 'owner = true\nclient_id = "ownerapi"\n'
        async with House.from_toml(text) as house:
            context = context_for()
            async with joined(house, context, api="owner", client_id="", client_secret=None) as at:
                await at.cloud.read_grid()
                at.context.clock.advance(HALF_LIFE_S)
                await at.cloud.read_grid()
                assert at.refreshes() == ["ok", "ok"]
                assert at.tesla.authority.uses == [FIRST, FIRST]

    run(test())
