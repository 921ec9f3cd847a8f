"""Tiers by charge, and the estimate that carries an outage through when the meters are silent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimgr.api import replace
from pimgr.policy.model import BatteryPolicy, Phase, Tier
from pimgr.units import Percent, WattHours, Watts
from tests.policy.desk import Desk, asked, house
from tests.policy.profiles import ci

BATTERY = BatteryPolicy(capacity=WattHours(10_000.0), assumed_load=Watts(1000.0))


def desk_at(charge: float | None) -> Desk:
    """In an outage since 1000, everything on, at a measured charge."""
    desk = Desk(house(battery=BATTERY))
    desk.everything_on()
    if charge is not None:
        desk.charged(charge)
    desk.tick(1000, "down")
    return desk


@pytest.mark.parametrize(("charge", "low"), [(50.1, False), (50.0, False), (49.9, True), (0.0, True), (None, False)])
def test_a_tier_by_charge_goes_off_below_its_threshold_and_an_unknown_charge_moves_none(charge, low):
    desk = desk_at(charge)
    assert ("low" in desk.state.tiers) is low
    assert ("desk" in desk.claimed()) is low


def test_a_tier_by_charge_comes_back_at_its_upper_threshold_only():
    desk = desk_at(49.0)
    for t, charge, low in (
        (1010, 51, True),
        (1020, 59.9, True),
        (1030, 60, False),
        (1040, 50, False),
        (1050, 49, True),
    ):
        desk.t = t
        desk.charged(charge)
        desk.tick(grid="down")
        assert ("low" in desk.state.tiers) is low, charge


@ci(100)
@given(st.lists(st.floats(50.0, 59.9), max_size=60))
def test_a_charge_that_wavers_within_the_hysteresis_moves_nothing(charges):
    for start in (49.0, 65.0):
        desk = desk_at(start)
        tiers = desk.state.tiers
        for step, charge in enumerate(charges):
            desk.t = 1010 + step
            desk.charged(charge)
            desk.tick()
            assert desk.state.tiers == tiers


def test_where_the_config_names_no_upper_threshold_ten_points_hold():
    desk = Desk(replace(house(), tiers=(Tier(name="low", below=Percent(50.0), loads=("desk",)),)))
    desk.everything_on()
    for t, charge, low in ((1000, 49, True), (1001, 59.9, True), (1002, 60, False)):
        desk.t = t
        desk.charged(charge)
        desk.tick(grid="down")
        assert ("low" in desk.state.tiers) is low


def test_a_fall_past_two_thresholds_in_one_step_takes_both_tiers():
    more = Tier(name="lower", below=Percent(20.0), restore_above=Percent(30.0), loads=("heater",))
    low = Tier(name="low", below=Percent(50.0), restore_above=Percent(60.0), loads=("desk",))
    desk = Desk(replace(house(), tiers=(low, more)))
    desk.everything_on()
    desk.charged(15)
    assert [a.part for a in desk.tick(1000, "down").actions] == ["desk", "heater"]


def test_no_tier_is_in_force_without_an_outage():
    desk = Desk()
    desk.everything_on()
    desk.charged(5)
    assert desk.tick(1000, "up").actions == ()
    assert desk.state.tiers == ()


def test_while_settling_the_tiers_stay_as_they_are():
    desk = Desk(house(timing=replace(house().timing, settle_s=60.0)))
    desk.everything_on()
    desk.charged(55)
    desk.tick(1000, "down")
    desk.tick(1002, "up")
    desk.t = 1004
    desk.charged(20)
    desk.tick(grid="up")
    assert desk.state.tiers == ("at once",)
    assert desk.state.phase is Phase.SETTLING


def test_the_estimate_is_the_last_charge_less_the_time_since_at_the_assumed_load():
    desk = desk_at(80.0)
    decision = desk.tick(1000 + 3600, "down")  # 1 kW for an hour of 10 kWh
    assert decision.charge == pytest.approx(70.0)
    assert decision.charge_estimated


def test_the_estimate_takes_the_greater_of_the_net_load_and_the_assumed_one_without_the_sun():
    for load, solar, rate in ((3000.0, 0.0, 30.0), (3000.0, 500.0, 25.0), (500.0, 0.0, 10.0), (1000.0, 5000.0, 10.0)):
        desk = Desk(house(battery=BATTERY))
        desk.charged(80, load, solar)
        desk.tick(1000, "down")
        assert desk.tick(1000 + 3600).charge == pytest.approx(80.0 - rate)


def test_the_net_load_is_smoothed_over_five_minutes():
    desk = Desk(house(battery=BATTERY))
    for t, load in ((1000, 2000.0), (1030, 5000.0)):  # a kettle, for a tenth of the time constant
        desk.t = t
        desk.charged(80, load, 0.0)
        desk.tick(grid="down")
    mark = desk.state.memory.mark
    assert mark is not None
    assert mark.net_load_w == pytest.approx(2300.0)


def test_the_estimate_stops_at_nothing():
    assert desk_at(80.0).tick(1000 + 86400).charge == 0.0


def test_a_charge_counts_as_measured_for_a_minute():
    desk = desk_at(80.0)
    assert (desk.tick(1060).charge, desk.decision.charge_estimated) == (80.0, False)
    assert desk.tick(1060.1).charge_estimated


def test_an_outage_stays_open_without_readings_and_its_tiers_go_on_from_the_estimate():
    desk = desk_at(55.0)
    for t in range(1060, 1000 + 3600, 60):
        desk.t = t
        desk.load("desk", True, age=1)
        desk.tick()
        if desk.state.tiers == ("at once", "low"):
            break
    assert t == pytest.approx(1000 + 1800, abs=61)  # 5 points at 10 an hour
    assert desk.state.phase is Phase.OUTAGE
    assert "desk" in desk.claimed()


def test_outside_an_outage_nothing_is_estimated():
    desk = Desk(house(battery=BATTERY))
    desk.charged(80)
    desk.tick(1000, "up")
    assert (desk.tick(1200).charge, desk.decision.charge_estimated) == (None, False)


@ci(150)
@given(
    st.floats(0.0, 100.0),
    st.floats(0.0, 9000.0),
    st.lists(st.tuples(st.sampled_from(["wait", "restart", "reboot", "clock"]), st.floats(0.1, 5000.0)), max_size=30),
)
def test_the_estimate_never_rises_while_readings_are_missing(charge, load, tale):
    """Restarts, reboots and clocks set right included; a reboot may cost the last point of it."""
    desk = Desk(house(battery=BATTERY))
    desk.charged(charge, load, 0.0)
    last = desk.tick(1000, "down").charge or 0.0
    desk.site = None
    for what, seconds in tale:
        slack = 0.0
        if what == "reboot":
            desk.reboot(seconds)
            desk.wall_error, slack = -1e7 * seconds, 1.0
        elif what == "restart":
            desk.restart()
        elif what == "clock":
            desk.wall_error, desk.trusted = 0.0, True
        else:
            desk.t += seconds
        now = desk.tick().charge
        assert now is not None
        assert now <= last + slack
        last = now


def test_a_clock_set_right_after_a_reboot_makes_no_old_mark_older_than_it_is():
    desk = Desk(house(battery=BATTERY))
    desk.trusted, desk.wall_error = False, -4e8
    desk.charged(80)
    desk.tick(1000, "down")
    desk.reboot(20.0)
    desk.trusted, desk.wall_error = True, 0.0
    assert desk.tick(60).charge == pytest.approx(80.0, abs=1.0)


def test_a_charge_measured_in_the_future_is_not_believed():
    desk = Desk()
    desk.t = 99_999
    desk.charged(3)
    desk.tick(1000, "down")
    assert desk.state.memory.mark is None
    assert asked(desk.decision, "desk") == []


def test_readings_without_a_charge_keep_the_last_one():
    desk = desk_at(80.0)
    assert desk.site is not None
    desk.t = 1030
    desk.site = replace(desk.site, charge=None, at=desk.instant())
    assert desk.tick().charge == 80.0


def test_a_charge_measured_days_before_the_outage_loses_nothing_for_those_days():
    """The grid carried the house then: not knowing is no evidence that the battery is empty."""
    desk = Desk(house(battery=BatteryPolicy(capacity=WattHours(10_000.0), assumed_load=Watts(1000.0))))
    desk.t = 1000
    desk.charged(90)
    desk.tick(1000, "up")
    days = 1000 + 3 * 86400
    assert desk.tick(days, "down").charge == pytest.approx(90.0)
    after = desk.tick(days + 3600)
    assert after.charge == pytest.approx(80.0)
    assert after.charge_estimated
