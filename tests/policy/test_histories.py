"""Whatever befalls the house, at every tick all of `watches` hold, and in the end everything is given back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimgr.policy.model import Policy
from tests.policy.histories import (
    PARTS,
    Event,
    all_is_well_again,
    befall,
    build,
    everything_is_given_back,
    histories,
    policies,
    still_off_by_us,
)
from tests.policy.profiles import ci, nightly
from tests.policy.tally import Tally

EXAMPLES = 250
seen = Tally()
houses = given(policies, st.frozensets(st.sampled_from(PARTS)), st.sampled_from([5.0, 60.0, 140.0]), histories)
LONGEST_S = 600.0
"""What a person asked for lasts 240 s at most, and a little longer where the box restarts."""
EVENTUALLY_S = 1500.0
"""A stubborn host is given up after 300 s, a lost wake is repeated every 30 s and later every 300 s."""


def live_through(policy: Policy, on: frozenset[str], shutdown_s: float, history: list[tuple[Event, float]]) -> None:
    world = build(policy, on, shutdown_s)
    world.watches = (*world.watches, seen.watch)
    world.run(45.0)
    forgotten = set()
    for event, wait_s in history:
        if befall(world, event) is True and event[0] == "forget":
            forgotten.add(event[1][0])
        world.run(wait_s)
    all_is_well_again(world)
    world.run(2.0)
    assert world.run_until(lambda: not (world.state.leases or world.state.disarmed), LONGEST_S)
    assert world.run_until(lambda: everything_is_given_back(world), EVENTUALLY_S), world.state.claims
    world.run(200.0)
    assert everything_is_given_back(world)
    assert set(still_off_by_us(world)) <= forgotten


@ci(EXAMPLES)
@houses
def in_ci(policy, on, shutdown_s, history):
    live_through(policy, on, shutdown_s, history)


def test_every_promise_holds_at_every_tick_and_in_the_end_everything_is_given_back():
    """Though loads are taken and given back, and persons keep some, disarm pimgr, and write debts off."""
    seen.of(in_ci).more_than(taken=80, returned=80, lease=20, disarm=20, person=2, forgotten=2)


@pytest.mark.nightly
@nightly(EXAMPLES)
@houses
def test_every_promise_holds_in_many_more_histories(policy, on, shutdown_s, history):
    live_through(policy, on, shutdown_s, history)
