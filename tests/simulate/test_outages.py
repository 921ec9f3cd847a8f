"""The generator makes the outages that its citation tells of."""

from __future__ import annotations

import math
import statistics
from random import Random

import pytest

from pimgr.simulate import outages
from pimgr.simulate.outages import EVERYDAY, MAJOR, SHORTEST_S, YEAR_S, Outage, joined, one, within

YEARS = 20_000


@pytest.fixture(scope="module")
def many() -> tuple[Outage, ...]:
    return within(YEARS * YEAR_S, "test")


def test_customers_are_interrupted_as_often_as_eia_tells(many):
    """SAIFI with major events, mean of 2014 to 2023: 1.355 a year. Of two that meet, one is left."""
    assert len(many) / YEARS == pytest.approx(1.355, rel=0.02)
    assert sum(o.major for o in many) / YEARS == pytest.approx(0.308, rel=0.03)


def test_customers_are_without_power_for_as_long_as_eia_tells(many):
    """SAIDI with major events: 349.6 min a year; without them 120.8."""
    assert sum(o.length_s for o in many) / YEARS / 60.0 == pytest.approx(349.6, rel=0.05)
    everyday = [o.length_s / 60.0 for o in many if not o.major]
    assert sum(everyday) / YEARS == pytest.approx(120.8, rel=0.03)
    assert statistics.mean(everyday) == pytest.approx(115.4, rel=0.03)


@pytest.mark.parametrize("kind", [EVERYDAY, MAJOR])
def test_lengths_are_lognormal_with_the_published_mean(kind):
    random = Random("lengths")
    lengths = [kind.length_s(random) for _ in range(40_000)]
    logs = [math.log(length - SHORTEST_S) for length in lengths]
    assert min(lengths) > SHORTEST_S
    assert statistics.stdev(logs) == pytest.approx(kind.sigma, rel=0.02)
    assert statistics.mean(lengths) == pytest.approx(kind.mean_s, rel=0.05)
    middle = statistics.mean(logs)
    skew = statistics.mean(((x - middle) / kind.sigma) ** 3 for x in logs)
    assert abs(skew) < 0.05


def test_the_generator_is_the_one_that_every_published_figure_was_made_with():
    """Fixed before any tuning: whoever changes it must make all figures again."""
    assert [(k.per_year, round(k.mean_s), k.sigma) for k in outages.KINDS] == [(1.047, 6924, 1.0), (0.308, 44580, 1.2)]
    assert [round(o.length_s) for o in within(10 * YEAR_S, "1")][:3] == FIRST


FIRST = [7152, 2557, 2472]


def test_the_same_seed_makes_the_same_outages_and_another_seed_others():
    assert within(YEAR_S * 50, "a") == within(YEAR_S * 50, "a")
    assert within(YEAR_S * 50, "a") != within(YEAR_S * 50, "b")


def test_two_outages_that_meet_are_one():
    met = [Outage(start=5.0, end=9.0), Outage(start=0.0, end=6.0, major=True), Outage(start=20.0, end=21.0)]
    assert joined(met) == (Outage(start=0.0, end=9.0, major=True), Outage(start=20.0, end=21.0))


def test_without_outages_there_are_none():
    assert within(YEAR_S * 100, "1", often=0.0) == ()


def test_the_next_outage_of_anybody_is_a_major_one_in_two_of_nine_cases():
    random = Random("next")
    assert statistics.mean(one(random).major for _ in range(20_000)) == pytest.approx(0.308 / 1.355, rel=0.05)
