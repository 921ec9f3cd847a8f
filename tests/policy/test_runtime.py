"""How long the battery lasts, by hand and against a step-by-step simulation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimgr.api import ForecastHour, ForecastReading, replace
from pimgr.policy.calendar import Calendar, Day
from pimgr.policy.model import BatteryPolicy
from pimgr.policy.shedding.runtime import Sun, Supply, lasts_s, prospect, reaches, reduction_needed, supply
from pimgr.units import Celsius, Percent, WattHours, Watts
from tests.policy.desk import Desk, a_day, house
from tests.policy.profiles import ci
from tests.policy.world import EPOCH, GATEWAY

HOUR = 3600.0


def battery(energy: float, *sun: tuple[float, float], capacity: float = 10_000.0, later: float = 0.0) -> Supply:
    steps = tuple(Sun(hours * HOUR, Watts(watts)) for hours, watts in sun)
    return Supply(energy_wh=WattHours(energy), capacity_wh=WattHours(capacity), sun=steps, later_w=Watts(later))


@pytest.mark.parametrize(
    ("has", "load", "hours"),
    [
        (battery(8000.0), 1000.0, 8.0),
        (battery(8000.0), 0.0, None),
        (battery(0.0), 500.0, 0.0),
        (battery(8000.0, later=1000.0), 1000.0, None),  # the sun carries the house
        (battery(8000.0, later=600.0), 1000.0, 20.0),
        (battery(1000.0, (1.0, 3000.0)), 1000.0, 4.0),  # an hour of sun puts 2 kWh in
        (battery(9500.0, (1.0, 3000.0)), 1000.0, 11.0),  # no more than a full battery holds
        (battery(500.0, (1.0, 0.0), (9.0, 9000.0)), 1000.0, 0.5),  # the sun comes too late
        (battery(1000.0, (1.0, 0.0), (2.0, 9000.0)), 1000.0, 10.0),  # or just in time
    ],
)
def test_hours_by_hand(has, load, hours):
    lasts = lasts_s(has, load)
    assert lasts == (None if hours is None else pytest.approx(hours * HOUR))


suns = st.lists(st.tuples(st.floats(0.2, 3.0), st.floats(0.0, 6000.0)), max_size=6)


@ci(100)
@given(st.floats(0.0, 13_500.0), suns, st.floats(300.0, 5000.0))
def test_it_lasts_as_long_as_a_battery_that_is_emptied_second_by_second(energy, sun, load):
    ends = [sum(hours for hours, _ in sun[: n + 1]) for n in range(len(sun))]
    has = battery(energy, *zip(ends, (watts for _, watts in sun), strict=True), capacity=13_500.0)
    lasts = lasts_s(has, load)
    assert lasts is not None
    step, t, left = 60.0, 0.0, energy
    while left > 0.0 and t < lasts + 10 * HOUR:
        now = next((watts for end, (_, watts) in zip(ends, sun, strict=True) if t < end * HOUR), 0.0)
        left, t = min(13_500.0, left - (load - now) * step / HOUR), t + step
    assert t == pytest.approx(lasts, abs=0.02 * lasts + 15 * step + HOUR * 60.0 / load)


@ci(300)
@given(st.floats(0.0, 13_500.0), suns, st.floats(10.0, 9000.0), st.floats(60.0, 30 * HOUR))
def test_the_reduction_reaches_the_goal_and_a_watt_less_would_not(energy, sun, load, for_s):
    ends = [sum(hours for hours, _ in sun[: n + 1]) for n in range(len(sun))]
    has = battery(energy, *zip(ends, (watts for _, watts in sun), strict=True), capacity=13_500.0)
    need = reduction_needed(has, load, for_s)
    assert 0.0 <= need <= load
    assert reaches(has, load - need, for_s)
    if need > 0.0:
        assert not reaches(has, load - need + 1.0, for_s)


# --------------------------------------------------------------------------------------------------- out of the ring


def desk(**policy: object) -> Desk:
    """On grid at noon, 80 % of 10 kWh, 1 kW drawn and no sun, read every 10 s for half a minute."""
    at = Desk(house(battery=BatteryPolicy(capacity=WattHours(10_000.0)), **policy))
    for t in range(1000, 1031, 10):
        at.t = t
        at.charged(80, 1000.0, 0.0)
        at.tick(grid="up")
    return at


def inputs_of(at: Desk):
    from pimgr.policy.model import Inputs

    return Inputs(site=at.site, calendar=at.calendar, forecast=at.forecast)


def left(at: Desk):
    return prospect(at.state, inputs_of(at), at.policy, at.now())


def test_what_is_in_the_battery_and_what_is_drawn_now():
    found = left(desk())
    assert found is not None
    assert (found.supply.energy_wh, found.load_w, found.measured) == (8000.0, 1000.0, True)
    assert lasts_s(found.supply, found.load_w) == pytest.approx(8 * HOUR)


def test_a_capacity_that_a_meter_tells_counts_more_than_the_configs():
    at = desk()
    at.site = replace(at.site, capacity_wh=WattHours(20_000.0))
    found = left(at)
    assert found is not None
    assert found.supply.energy_wh == 16_000.0


def test_nobody_knows_how_long_it_lasts_until_a_change_of_ours_was_measured_for_a_while():
    at = desk()
    at.everything_on()
    at.tick(1040, "down")
    assert left(at) is None
    for t in (1050, 1060, 1070, 1080):
        at.t = t
        at.charged(80, 700.0, 0.0)
        at.tick(grid="down")
    found = left(at)
    assert found is not None
    assert found.load_w == pytest.approx(700.0)  # nothing of the 1000 W before


def test_an_unknown_load_or_charge_is_no_prospect():
    at = Desk(house())
    assert left(at) is None
    for t in range(1000, 1040, 10):
        at.t = t
        at.charged(80)
        at.tick(grid="up")
    assert left(at) is None


def test_without_meters_an_outage_goes_on_at_no_less_than_the_assumed_load_and_without_the_sun():
    at = Desk(house(battery=BatteryPolicy(capacity=WattHours(10_000.0), assumed_load=Watts(2000.0))))
    at.charged(80, 1000.0, 900.0)
    at.tick(1000, "down")
    at.tick(1000 + 3600)
    found = left(at)
    assert found is not None
    assert (found.measured, found.load_w, found.supply.later_w) == (False, 2000.0, 0.0)
    assert found.supply.energy_wh == pytest.approx(6000.0)


def test_the_sun_that_shines_now_stays_where_nobody_knows_better():
    at = desk()
    at.t = 1040
    at.charged(80, 1000.0, 600.0)
    at.tick(grid="up")
    found = left(at)
    assert found is not None
    assert 0.0 < found.supply.later_w <= 600.0
    assert found.supply.sun == ()


def day(start: float, sunrise: float, sunset: float) -> Day:
    return a_day(start, sunrise=sunrise, sunset=sunset)


def test_it_fades_evenly_until_sunset_where_that_is_known():
    at = Desk(house(battery=BatteryPolicy(capacity=WattHours(10_000.0))))
    at.calendar = Calendar(days=(day(EPOCH - 40_000.0, EPOCH - 20_000.0, EPOCH + 1000.0 + 4 * HOUR),))
    at.t = 1000
    at.charged(50, 1000.0, 800.0)
    at.tick(grid="up")
    has = supply(at.state, inputs_of(at), at.policy, at.now())
    assert has is not None
    assert [(s.until_s / HOUR, s.watts) for s in has.sun] == [
        (1.0, pytest.approx(700.0)),
        (2.0, pytest.approx(500.0)),
        (3.0, pytest.approx(300.0)),
        (4.0, pytest.approx(100.0)),
    ]
    assert has.later_w == 0.0


def hour(start: float, sun: float) -> ForecastHour:
    return ForecastHour(start, Celsius(20.0), Percent(0.0), sun, 1.0)


def test_a_forecast_counts_by_its_scale_from_now_on_and_not_at_all_without_one():
    for scale, steps in ((4.0, [(0.5, 400.0), (1.5, 0.0), (2.5, 1600.0)]), (None, [])):
        at = desk()
        at.policy = replace(at.policy, battery=replace(at.policy.battery, solar_w_per_w_m2=scale))
        wall = at.now().wall
        hours = (hour(wall - 2 * HOUR, 900.0), hour(wall - HOUR / 2, 100.0), hour(wall + 1.5 * HOUR, 400.0))
        at.forecast = ForecastReading(at=at.instant(), source="weather", hours=hours)
        has = supply(at.state, inputs_of(at), at.policy, at.now())
        assert has is not None
        assert [(s.until_s / HOUR, s.watts) for s in has.sun] == steps
        at.trusted = False
        assert supply(at.state, inputs_of(at), at.policy, at.now()).sun == ()  # nobody knows which hour it is


def test_the_mean_of_what_is_drawn_forgets_a_kettle():
    at = desk()
    for t in range(1040, 1400, 10):
        at.t = t
        at.charged(80, 3000.0 if t == 1390 else 1000.0, 0.0)
        at.tick(grid="up")
    found = left(at)
    assert found is not None
    assert found.load_w == pytest.approx(1000.0 + 2000.0 / 30, abs=5.0)


def test_a_reading_that_arrives_late_changes_nothing():
    at = desk()
    before = at.state.memory.draw
    at.site = replace(at.site, at=at.instant(1005.0), load_w=Watts(9000.0))
    at.tick(1031, "up")
    assert at.state.memory.draw == before


def test_readings_of_an_earlier_boot_say_nothing_of_the_load():
    at = desk()
    at.reboot()
    assert left(at) is None
    assert at.site is not None
    assert at.site.source == GATEWAY
