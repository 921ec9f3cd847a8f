"""Random histories in which the budget has much to do: it takes, gives back and regrets, and wrongs nobody."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pimgr.api import Now, replace
from pimgr.policy.model import Decision, Goal, Inputs, Phase, State, Tier
from pimgr.policy.shedding.allowance import BudgetPolicy
from tests.policy.histories import (
    FATES,
    METERED,
    MOMENTS,
    PARTS,
    all_is_well_again,
    befall,
    build,
    everything_is_given_back,
    happening,
    policies,
    still_off_by_us,
)
from tests.policy.profiles import SHARE, ci
from tests.policy.world import World

METERS = st.sampled_from(sorted(METERED))
events = st.one_of(
    happening("charge", st.sampled_from([15.0, 40.0, 100.0, 100.0])),
    happening("outage", st.sampled_from([60.0, 120.0])),
    happening("grid", st.booleans()),
    happening("meters", st.booleans()),
    happening("gateway", st.sampled_from(["answers", "silent", "unknown"])),
    happening("reach", METERS, st.booleans()),
    happening("fate", METERS, FATES),
    happening("press", METERS, st.booleans()),
    happening("cycle", METERS),
    happening("crash at", MOMENTS, st.sampled_from([0.5, 40.0])),
    happening("reboot", st.sampled_from([20.0, 90.0]), st.sampled_from([0.0, -3e8, 7200.0])),
    happening("forget", METERS),
)
histories = st.lists(st.tuples(events, st.sampled_from([1.0, 12.0, 40.0, 70.0])), max_size=20)
QUICK = BudgetPolicy(most=2, step_s=5.0, ease_s=10.0)
SHORT = Tier(name="as needed", loads=tuple(METERED), keep=Goal(for_s=2 * 3600.0))
seen: Counter[str] = Counter()


def counts(_world: World, before: State, _inputs: Inputs, _now: Now, decision: Decision) -> None:
    old, new = before.budget, decision.state.budget
    out = decision.state.phase is Phase.OUTAGE and old.episode == new.episode
    seen["taken"] += out and bool(set(new.chosen) - set(old.chosen))
    seen["given back"] += out and new.easing and bool(set(old.chosen) - set(new.chosen))
    seen["regretted"] += new.regrets > old.regrets
    seen["alarmed"] += new.alarmed and not old.alarmed


@ci(150)
@given(policies, st.frozensets(st.sampled_from(PARTS)), st.sampled_from([15.0, 40.0, 80.0]), histories)
def live_through(policy, on, charge, history):
    tiers = (*(tier for tier in policy.tiers if tier.keep is None), SHORT)
    world = build(replace(policy, budget=QUICK, tiers=tiers), on | set(METERED), 5.0)
    world.watches = (*world.watches, counts)
    world.load_w, world.charge = 1200.0, charge
    world.run(45.0)
    befall(world, ("outage", (90.0,)))
    forgotten = set()
    for event, wait_s in history:
        if befall(world, event) is True:
            forgotten.add(event[1][0])
        world.run(wait_s)
    all_is_well_again(world)
    world.run(2.0)
    assert world.run_until(lambda: everything_is_given_back(world), 1500.0), world.state.claims
    assert set(still_off_by_us(world)) <= forgotten


def test_a_busy_budget_gives_back_exactly_what_it_took():
    """And it was busy, where all examples are tried: else the promise would be kept by never choosing anything."""
    seen.clear()
    live_through()
    if SHARE >= 1.0:
        assert seen["taken"] > 50
        assert seen["given back"] > 5
        assert seen["alarmed"] > 5, seen
