"""Many outages, each under pimgr and under the others: a dozen lived through, and what is made of thousands."""

from __future__ import annotations

import asyncio
import math

import pytest

from bench.outages import RIVALS, Fate, figures, live_through, lost, share

DOZEN = 12


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_dozen_outages_are_lived_through_with_light_and_everything_is_given_back():
    fates = asyncio.run(live_through(DOZEN))
    assert [(f.number, f.policy) for f in fates] == [(n, policy) for n in range(DOZEN) for policy in RIVALS]
    for number in range(DOZEN):
        mine, *others = [f for f in fates if f.number == number]
        for other in others:
            assert (other.outage_h, other.charge) == pytest.approx((mine.outage_h, mine.charge))
    figure = {each.name: each for each in figures(fates)}
    shed = figure.pop("outages-shed")
    assert [each.name for each in figure.values() if not each.ok] == []
    assert figure["outages-dark"].limit is not None, "none of them was hard"
    assert shed.value < 0.7, "one long outage makes nearly all of these load hours, and in it pimgr sheds two thirds"


def fates(mine: float = 1.0, none: float = 5.0, all_off: float = 0.5, charge: float = 2.0, **more) -> list[Fate]:
    """Of one outage of 100 h, how long the house was dark under each policy."""
    usual = {"number": 7, "outage_h": 100.0, "shed_load_h": 40.0, "charge": 90.0, "left_off": 0, "wrong": 0}
    dark = dict(zip(RIVALS, (mine, none, all_off, charge), strict=True))
    return [
        Fate(**{**usual, **(more if policy == "pimgr" else {}), "policy": policy, "dark_h": h})
        for policy, h in dark.items()
    ]


@pytest.mark.parametrize(
    ("lived", "broken"),
    [
        (fates(shed_load_h=20.0), []),
        (fates(shed_load_h=20.1), ["outages-shed"]),
        (fates(mine=1.999, shed_load_h=1.0), []),
        (fates(mine=2.0, shed_load_h=1.0), ["outages-dark"]),
        (fates(mine=2.5, charge=3.0, shed_load_h=1.0), ["outages-dark-all-off"]),
        (fates(mine=1.0, none=1.0, shed_load_h=1.0), ["outages-dark-unshed"]),
        (fates(shed_load_h=1.0, left_off=1), ["outages-owed"]),
        (fates(shed_load_h=1.0, wrong=1), ["outages-owed"]),
        (fates(0.0, 0.0, 0.0, 0.0, shed_load_h=1.0), []),
        (fates(0.1, 0.0, 0.0, 0.0, shed_load_h=1.0), ["outages-dark", "outages-dark-unshed"]),
    ],
)
def test_a_promise_is_broken_exactly_where_it_is(lived, broken):
    assert [figure.name for figure in figures(lived) if not figure.ok] == broken


@pytest.mark.parametrize(
    ("hours", "mine", "best", "percent"),
    [(100.0, 3.0, 1.0, 200 / 99), (100.0, 1.0, 3.0, -200 / 97), (100.0, 100.0, 100.0, 0.0), (0.0, 0.0, 0.0, 0.0)],
)
def test_the_light_that_is_lost_is_of_what_there_was_at_best(hours, mine, best, percent):
    assert lost(hours, mine, best) == pytest.approx(percent)


def test_a_share_of_nothing_is_nothing_or_too_much():
    assert (share(1.0, 4.0), share(0.0, 0.0), share(0.1, 0.0)) == (0.25, 0.0, math.inf)
