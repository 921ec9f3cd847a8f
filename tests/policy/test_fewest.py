"""The fewest loads that save enough: equal to trying out every set."""

from __future__ import annotations

import time
from itertools import combinations, product
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimgr.policy.shedding.fewest import fewest
from tests.policy.profiles import ci


def by_brute_force(watts: list[float], need: float) -> tuple[int, ...]:
    """Every set of loads, judged by the objective as it is said: count, then the most important load first."""
    if need <= 0.0:
        return ()
    places = range(len(watts))
    sets = [s for n in range(len(watts) + 1) for s in combinations(places, n) if fsum(watts[p] for p in s) >= need]
    return min(sets, key=lambda s: (len(s), sorted(s, reverse=True)), default=tuple(places))


loads = st.lists(st.integers(5, 60).map(lambda w: w * 10.0) | st.floats(5.0, 4000.0), max_size=12)


@ci(400)
@given(loads, st.floats(0.0, 1.2), st.data())
def test_the_fewest_loads_are_what_trying_out_every_set_of_up_to_twelve_finds(watts, share, data):
    exact = fsum(data.draw(st.lists(st.sampled_from(watts), max_size=6, unique=True))) if watts else 0.0
    for need in (share * fsum(watts), exact):
        assert fewest(watts, need) == by_brute_force(watts, need)


def test_so_are_all_small_cases_without_exception():
    for count in range(6):
        for watts in product((1.0, 2.0, 3.0), repeat=count):
            for need in range(3 * count + 3):
                assert fewest(watts, float(need)) == by_brute_force(list(watts), float(need)), (watts, need)


@pytest.mark.parametrize(
    ("watts", "need", "chosen"),
    [
        ([100.0, 500.0, 2000.0], 1500.0, (2,)),  # one large load rather than two small ones
        ([100.0, 2000.0, 500.0], 400.0, (1,)),  # of two that would do, the less important
        ([500.0, 300.0, 300.0, 900.0], 800.0, (3,)),
        ([500.0, 300.0, 300.0, 700.0], 800.0, (0, 1)),  # none alone: the two least important that do
        ([200.0, 200.0], 900.0, (0, 1)),  # not enough at all: everything that helps
        ([], 900.0, ()),
        ([200.0], 0.0, ()),
    ],
)
def test_a_few_cases_by_hand(watts, need, chosen):
    assert fewest(watts, need) == chosen


def test_five_hundred_loads_are_chosen_from_in_no_time():
    watts = [5.0 + (37 * n) % 500 for n in range(500)]
    began = time.process_time()
    chosen = fewest(watts, 0.6 * fsum(watts))
    assert time.process_time() - began < 5.0
    assert fsum(watts[place] for place in chosen) >= 0.6 * fsum(watts)
