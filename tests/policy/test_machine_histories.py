"""Whatever befalls a rack of machines: no outlet is cut under one that runs, order is kept, and all run again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimgr.api import Now
from pimgr.policy.model import Decision, Inputs, State, Switch
from tests.policy.histories import Event, befall, everything_is_given_back, happening
from tests.policy.profiles import ci, nightly
from tests.policy.rack import GRAPHS, MACHINES, OUTLETS, Plan, build, timing
from tests.policy.rack_watches import machines_run_again, rack_watches
from tests.policy.tally import Tally
from tests.policy.world import World

EXAMPLES = 150
EVENTUALLY_S = 5000.0
"""Three layers, each with its deadline, a stubborn machine, and wakes every 300 s at last."""

plans = st.builds(
    lambda after, deadline_s, cut_after_s, at_once, times: Plan(
        after=after, deadline_s=deadline_s, cut_after_s=cut_after_s, at_once=tuple(at_once), timing=timing(*times)
    ),
    st.sampled_from(GRAPHS),
    st.sampled_from([20.0, 100.0, 300.0]),
    st.sampled_from([0.0, 5.0, 30.0]),
    st.permutations(MACHINES).flatmap(lambda names: st.integers(2, 5).map(lambda n: names[:n])),
    st.tuples(st.sampled_from([0.0, 4.0]), st.sampled_from([0.0, 15.0]), st.sampled_from([0.0, 3.0])),
)
waits = st.sampled_from([0.3, 2.5, 7.0, 12.0, 25.0, 45.0, 70.0, 130.0])
machine, outlet = st.sampled_from(MACHINES), st.sampled_from(tuple(OUTLETS.values()))


events = st.one_of(
    happening("grid", st.booleans()),
    happening("outage", st.sampled_from([60.0, 200.0, 400.0])),
    happening("gateway", st.sampled_from(["answers", "silent"])),
    happening("charge", st.sampled_from([20.0, 49.0, 61.0, 90.0])),
    happening("network", st.booleans()),
    happening("reach", st.sampled_from(["pc1", "pc2", "box", "lamp", *OUTLETS.values()]), st.booleans()),
    happening("fate", machine | outlet, st.sampled_from(["request lost", "answer lost", "ignored", "no word"])),
    happening("press", machine | outlet, st.booleans()),
    happening("restart", machine),
    happening("mood", machine, st.sampled_from(["well", "refuses", "hangs", "hangs silently"])),
    happening("cycle", outlet),
    happening("crash", st.sampled_from([0.5, 40.0])),
    happening("crash at", st.sampled_from(["before", "committed", "half", "sent"]), st.sampled_from([0.5, 40.0])),
    happening("reboot", st.sampled_from([20.0, 90.0]), st.sampled_from([0.0, -3e8, 7200.0])),
    happening("forget", machine | outlet),
)
beginnings: st.SearchStrategy[list[tuple[Event, float]]] = st.sampled_from(
    [
        [],
        [(("outage", (400.0,)), 0.3), (("grid", (True,)), 25.0), (("grid", (False,)), 70.0)],
        [(("outage", (120.0,)), 0.3)],
        [(("charge", (49.0,)), 0.3), (("outage", (400.0,)), 0.3)],
    ]
)
histories = st.tuples(beginnings, st.lists(st.tuples(events, waits), max_size=20)).map(lambda h: h[0] + h[1])
seen = Tally()
racks = given(plans, st.frozensets(machine, max_size=2), st.sampled_from([10.0, 60.0, 140.0]), st.booleans(), histories)


def cuts(_world: World, _before: State, _inputs: Inputs, _now: Now, decision: Decision) -> None:
    seen["cut"] += sum(a.part in OUTLETS.values() and a.value == Switch(False) for a in decision.actions)


def live_through(
    plan: Plan, off: frozenset[str], shutdown_s: float, starts: bool, history: list[tuple[Event, float]]
) -> None:
    world = build(plan, off, (*rack_watches(), seen.watch, cuts), shutdown_s=shutdown_s, starts=starts)
    world.run(65.0)
    forgotten: set[object] = set()
    for event, wait_s in history:
        if befall(world, event, network=world.network, restart=world.restart_by_hand, mood=world.set_mood) is True:
            forgotten.add(event[1][0])
        world.run(wait_s)
    world.grid_up, world.gateway, world.crash_when = True, "answers", ""
    world.set_clock()
    world.mend(forgotten)
    world.run(2.0)
    assert world.run_until(lambda: everything_is_given_back(world), EVENTUALLY_S), world.state.claims
    world.run(200.0)
    assert everything_is_given_back(world)
    assert set(machines_run_again(world)) <= forgotten
    assert world.state.due == ()


@ci(EXAMPLES)
@racks
def in_ci(plan, off, shutdown_s, starts, history):
    live_through(plan, off, shutdown_s, starts, history)


def test_no_outlet_is_cut_under_a_machine_that_runs_and_in_the_end_all_run_again():
    """Though outlets are cut, deadlines go by, and persons turn machines on again."""
    seen.of(in_ci).more_than(taken=150, returned=150, cut=40, late=20, person=3)


@pytest.mark.nightly
@nightly(EXAMPLES)
@racks
def test_machines_keep_their_promises_in_many_more_histories(plan, off, shutdown_s, starts, history):
    live_through(plan, off, shutdown_s, starts, history)
