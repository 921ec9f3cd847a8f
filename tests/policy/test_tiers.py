"""Tiers by time, by charge and by runtime: any condition is enough, each with its hysteresis, and words for all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimgr.api import GridReading, replace
from pimgr.policy.model import Goal, Grid, Inputs, Phase, Tier
from pimgr.policy.said import duration
from pimgr.policy.shedding import conditions
from pimgr.policy.shedding.tiers import age_s
from pimgr.units import Percent, Watts
from tests.policy.desk import Desk, house
from tests.policy.evening import HOUR, Evening, policy
from tests.policy.profiles import ci
from tests.policy.world import GATEWAY, switch

LOADS = {"dryer": 2000.0, "tv": 200.0}


def living(charge: float = 80.0, **tier: object) -> Evening:
    """A dryer in one tier with these conditions; the TV is in none."""
    of = policy(Tier(name="it", loads=("dryer",), **tier), parts={"tv": switch()})  # type: ignore[arg-type]
    return Evening(of, LOADS, charge=charge)


# ------------------------------------------------------------------------------------------------------------ by time


def test_a_tier_by_time_goes_off_when_the_outage_has_lasted_so_long_and_not_before():
    house = living(after_s=600.0)
    house.run(600)
    assert house.off() == set()
    house.run(10)
    assert house.off() == {"dryer"}


def test_it_asks_to_be_woken_for_that():
    house = living(after_s=600.0)
    house.run(10)
    left = (house.desk.decision.wake_at or 0.0) - house.desk.t
    assert left == pytest.approx(600.0)


def test_it_stays_off_until_the_grid_is_back_whatever_the_battery_does():
    house = living(after_s=60.0)
    house.run(120)
    house.charge = 100.0
    house.sun = lambda _t: 9000.0
    house.run(2 * HOUR)
    assert house.off() == {"dryer"}
    house.grid = "up"
    house.run(60)
    assert house.off() == set()


def test_the_age_of_an_outage_goes_on_through_a_reboot_of_the_box():
    desk = Desk(replace(house(), tiers=(Tier(name="late", loads=("pump",), after_s=600.0),)))
    desk.load("pump", True)
    desk.tick(1000, "down")
    clock = desk.instant().wall
    desk.reboot(20.0)
    desk.wall_error += clock + 400.0 - desk.instant().wall
    desk.load("pump", True)
    desk.tick(grid="down")
    assert age_s(desk.state, desk.now()) == pytest.approx(20.0)  # nobody trusts that clock yet
    desk.trusted = True
    desk.load("pump", True)
    desk.tick(grid="down")
    assert age_s(desk.state, desk.now()) == pytest.approx(400.0)
    assert desk.state.tiers == ()
    desk.t += 200.0
    desk.load("pump", True)
    assert [a.part for a in desk.tick(grid="down").actions] == ["pump"]


def test_a_clock_that_was_wrong_when_it_began_makes_no_outage_old():
    desk = Desk(replace(house(), tiers=(Tier(name="late", loads=("pump",), after_s=600.0),)))
    desk.trusted, desk.wall_error = False, -3e8
    desk.tick(1000, "down")
    desk.reboot(20.0)
    desk.trusted, desk.wall_error = True, 0.0
    desk.tick(grid="down")
    assert desk.state.tiers == ()


@pytest.mark.parametrize(
    "tier",
    [{}, {"after_s": 600.0}, {"below": Percent(70.0), "restore_above": Percent(80.0)}, {"below_runtime_s": 2 * HOUR}],
)
def test_storm_watch_never_stops_a_tier_nor_what_comes_back(tier: dict[str, object]) -> None:
    """Netzero refuses grid-loss automations while it is active (netzero#362)."""
    lives = []
    for storm in (False, True):
        house = living(75.0, **tier)
        house.storm = storm
        house.run(2 * HOUR)
        assert house.off() == {"dryer"}
        house.charge = 100.0
        house.run(1200)
        house.grid = "up"
        house.run(60)
        assert house.off() == set()
        lives.append((house.steps, house.backs))
    assert lives[0] == lives[1]


def test_the_next_outage_counts_from_its_own_beginning():
    house = living(after_s=600.0)
    house.run(500)
    house.grid = "up"
    house.run(30)
    house.grid = "down"
    house.run(590)
    assert house.off() == set()


# --------------------------------------------------------------------------------------------------------- by runtime


def test_a_tier_by_runtime_goes_off_when_no_more_hours_are_left():
    house = living(65.0, below_runtime_s=2 * HOUR)  # 6.5 kWh at 2.5 kW: 2.6 h
    house.run(600)
    assert house.off() == set()
    while house.off() == set():
        house.step()
    assert house.charge * 100.0 / 2500.0 == pytest.approx(2.0, abs=0.05)


def test_it_comes_back_only_when_the_battery_lasts_long_enough_with_it_on():
    """Without the dryer it lasts ten times as long: that alone must not bring it back."""
    house = living(40.0, below_runtime_s=2 * HOUR)
    house.run(600)
    assert house.off() == {"dryer"}
    house.run(600)
    assert house.backs == []
    house.charge = 74.0
    house.run(300)
    assert house.backs == []
    house.charge = 78.0  # 3 h at 2.5 kW
    house.run(300)
    assert [part for _, part in house.backs] == ["dryer"]
    assert len(house.steps) == 1


def test_what_nobody_measured_as_it_went_off_does_not_come_back_by_runtime():
    house = living(40.0, below_runtime_s=2 * HOUR)
    house.metered = False
    house.run(600)
    house.charge = 100.0
    house.run(600)
    assert house.off() == {"dryer"}
    assert len(house.steps) == 1


def test_but_at_a_charge_if_one_is_given():
    house = living(40.0, below_runtime_s=2 * HOUR, restore_above=Percent(90.0))
    house.metered = False
    house.run(600)
    house.charge = 95.0
    house.run(600)
    assert house.off() == set()


def test_runtime_is_looked_at_every_minute_though_nothing_is_told():
    house = living(40.0, below_runtime_s=HOUR)
    house.run(60)
    assert (house.desk.decision.wake_at or 0.0) - house.desk.t <= 60.0


def test_without_meters_it_goes_on_from_the_estimate():
    house = living(60.0, below_runtime_s=2 * HOUR)
    house.run(60)
    house.meters = False
    for _ in range(600):
        house.step(60.0)
        if house.off():
            break
    assert house.off() == {"dryer"}
    assert house.desk.decision.charge_estimated


def test_an_unknown_runtime_puts_nothing_in_or_out_of_force():
    house = living(40.0, below_runtime_s=2 * HOUR)
    house.meters = False
    house.run(1200)
    assert house.off() == set()


# ------------------------------------------------------------------------------------------------------ several of them


@pytest.mark.parametrize(
    ("tier", "charge", "wait_s"),
    [
        ({"after_s": 300.0, "below": Percent(20.0)}, 80.0, 310.0),
        ({"after_s": 9000.0, "below": Percent(70.0)}, 69.0, 20.0),
        ({"below": Percent(20.0), "below_runtime_s": 4 * HOUR}, 80.0, 60.0),
    ],
)
def test_any_condition_is_enough(tier, charge, wait_s):
    house = living(charge, **tier)
    house.run(wait_s)
    assert house.off() == {"dryer"}


def test_it_comes_back_when_none_of_them_holds_any_more():
    house = living(40.0, below=Percent(50.0), below_runtime_s=2 * HOUR)
    house.run(300)
    house.charge = 61.0  # enough by charge; 2.4 h are not enough by runtime
    house.run(120)
    assert house.off() == {"dryer"}
    house.charge = 79.0
    house.run(120)
    assert house.off() == set()


@pytest.mark.parametrize("tier", [{}, {"after_s": 60.0}])
def test_with_an_upper_charge_it_comes_back_once_the_sun_has_filled_a_battery_that_was_used(tier):
    house = living(100.0, restore_above=Percent(90.0), **tier)
    house.run(120)
    assert house.off() == {"dryer"}  # a full battery is no reason: it wasn't used yet
    house.charge = 88.0
    house.run(60)
    house.charge = 91.0  # nor is one that wavers
    house.run(60)
    assert house.off() == {"dryer"}
    house.charge = 70.0
    house.run(60)
    house.charge = 90.5
    house.run(60)
    assert house.off() == set()
    house.charge = 81.0
    house.run(60)
    assert house.off() == set()
    house.charge = 79.0
    house.run(60)
    assert house.off() == {"dryer"}


def test_what_the_battery_did_in_one_outage_is_forgotten_in_the_next():
    house = living(70.0, restore_above=Percent(90.0))
    house.run(60)
    house.charge = 95.0
    house.run(60)
    assert house.desk.state.budget.refilled == ("it",)
    house.grid = "up"
    house.run(30)
    house.grid = "down"
    house.run(30)
    assert house.off() == {"dryer"}


def test_two_outages_within_one_tick_are_two():
    desk = Desk(replace(house(), tiers=(Tier(name="low", loads=("pump",), below=Percent(50.0)),)))
    desk.charged(40.0)
    desk.tick(1000, "down")
    assert desk.state.tiers == ("low",)
    desk.t = 1020
    desk.charged(55.0)
    readings = tuple(
        GridReading(at=desk.instant(t), source=GATEWAY, grid=grid)
        for t, grid in ((1012.0, Grid.UP), (1014.0, Grid.UP), (1018.0, Grid.DOWN))
    )
    desk.decide(Inputs(grid=readings, site=desk.site))
    assert (desk.state.phase, desk.state.episode, desk.state.tiers) == (Phase.OUTAGE, "outage-2", ())


tiers = st.builds(
    Tier,
    name=st.just("it"),
    loads=st.just(("dryer",)),
    after_s=st.none() | st.sampled_from([30.0, 600.0]),
    below=st.none() | st.sampled_from([Percent(30.0), Percent(60.0)]),
    restore_above=st.none() | st.just(Percent(75.0)),
    below_runtime_s=st.none() | st.sampled_from([HOUR, 3 * HOUR]),
    keep=st.none() | st.just(Goal()),
)


@ci(60)
@given(tiers, st.lists(st.floats(0.0, 100.0), max_size=12))
def test_whatever_its_conditions_everything_comes_back_with_the_grid(tier, charges):
    house = Evening(policy(tier, parts={"tv": switch()}), LOADS)
    for charge in charges:
        house.charge = charge
        house.run(120)
    house.grid = "up"
    house.run(60)
    assert house.off() == set()
    assert (house.desk.state.tiers, house.desk.state.claims) == ((), ())


# ----------------------------------------------------------------------------------------------------------- in words


@pytest.mark.parametrize(
    ("tier", "begins", "why", "returns"),
    [
        ({}, "now", "the grid is down", "when the grid has been back for 5 min"),
        (
            {"after_s": 600.0},
            "after 10 min",
            "the grid is down and has been for 10 min",
            "when the grid has been back for 5 min",
        ),
        (
            {"below": Percent(30.0)},
            "below 30 %",
            "the grid is down and the battery fell below 30 %",
            "when the grid has been back for 5 min, or the battery is at 40 % again",
        ),
        (
            {"below_runtime_s": 4 * HOUR},
            "when less than 4 h are left",
            "the grid is down and the battery has less than 4 h left",
            "when the grid has been back for 5 min, or the battery lasts 6 h with it on",
        ),
        (
            {"after_s": 5400.0, "below": Percent(30.0), "restore_above": Percent(80.0)},
            "after 1 h 30 min or below 30 %",
            "the grid is down and has been for 1 h 30 min, or the battery fell below 30 %",
            "when the grid has been back for 5 min, or the battery is at 80 % again",
        ),
        (
            {"keep": Goal(sunrise=True)},
            "as needed so that the battery lasts until sunrise",
            "the grid is down, and with it on the battery would not last until sunrise",
            "when the grid has been back for 5 min, or the battery lasts until sunrise with it on",
        ),
        (
            {"keep": Goal(), "below": Percent(60.0)},
            "below 60 %, as needed so that the battery lasts for 8 h",
            "the grid is down, and with it on the battery would not last for 8 h",
            "when the grid has been back for 5 min, or the battery lasts for 8 h with it on",
        ),
    ],
)
def test_each_condition_has_its_words(tier, begins, why, returns):
    it = Tier(name="it", loads=("dryer",), **tier)
    of = policy(it)
    of = replace(of, timing=replace(of.timing, settle_s=300.0))
    assert (conditions.begins(it), conditions.why(it), conditions.returns(it, of)) == (begins, why, returns)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0 s"), (30.0, "30 s"), (60.0, "1 min"), (300.0, "5 min"), (3600.0, "1 h"), (9000.0, "2 h 30 min"),
     (4000.0, "1 h 7 min"), (100.0, "2 min"), (86400.0, "24 h"), (7 * 86400.0, "7 days"), (180_000.0, "2 days 2 h")],
)  # fmt: skip
def test_durations_are_said_as_a_person_says_them(seconds, said):
    assert duration(seconds) == said


def test_the_mail_of_an_outage_says_when_each_tier_goes_off():
    tiers = (
        Tier(name="big", loads=("dryer",)),
        Tier(name="late", loads=("tv",), after_s=600.0),
        Tier(name="rest", loads=("lamp",), keep=Goal(sunrise=True)),
    )
    desk = Desk(policy(*tiers))
    for part in ("dryer", "tv", "lamp"):
        desk.load(part, True, watts=Watts(100.0))
    text = desk.tick(1000, "down").notices[0].text
    assert "Going off now: dryer." in text
    assert "after 10 min: tv." in text
    assert "as needed so that the battery lasts until sunrise: lamp." in text
