"""The house neither makes nor loses energy, and goes dark exactly when it must."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from pimgr.house.physics import Battery, Demand, Energy, charge_of, flows, step
from pimgr.units import WattHours

watts = st.floats(0.0, 20_000.0)
batteries = st.builds(Battery, capacity_wh=st.floats(100.0, 50_000.0), power_w=st.floats(100.0, 15_000.0))
marks = st.one_of(st.just(0.0), st.just(float("inf")), st.floats(0.0, 60_000.0))
demands = st.builds(Demand, load_w=watts, sun_w=watts, connected=st.booleans(), floor_wh=marks, fill_wh=marks)
shares = st.floats(0.0, 1.0)
spans = st.lists(st.tuples(demands, st.floats(0.0, 86_400.0)), max_size=12)


def run(battery: Battery, share: float, history: list[tuple[Demand, float]]) -> tuple[Energy, Energy]:
    start = Energy(WattHours(battery.capacity_wh * share))
    end = start
    for demand, elapsed_s in history:
        end = step(end, battery, demand, elapsed_s)
    return start, end


@given(batteries, shares, spans)
def test_energy_is_conserved(battery: Battery, share: float, history: list[tuple[Demand, float]]) -> None:
    start, end = run(battery, share, history)
    meters = end.meters
    assert math.isclose(
        meters.imported_wh + meters.solar_wh + meters.discharged_wh,
        meters.exported_wh + meters.load_wh + meters.charged_wh,
        rel_tol=1e-9,
        abs_tol=1e-6,
    )
    assert math.isclose(
        end.stored_wh, start.stored_wh + meters.charged_wh - meters.discharged_wh, rel_tol=1e-9, abs_tol=1e-6
    )


@given(batteries, shares, spans)
def test_the_battery_stays_between_empty_and_full(
    battery: Battery, share: float, history: list[tuple[Demand, float]]
) -> None:
    _, end = run(battery, share, history)
    assert 0.0 <= end.stored_wh <= battery.capacity_wh
    assert 0.0 <= charge_of(end.stored_wh, battery) <= 100.0


@given(batteries, shares, demands)
def test_powers_balance_and_have_their_signs(battery: Battery, share: float, demand: Demand) -> None:
    now = flows(battery.capacity_wh * share, battery, demand)
    assert math.isclose(now.grid_w + now.solar_w + now.battery_w, now.load_w, abs_tol=1e-6)
    assert abs(now.battery_w) <= battery.power_w
    assert 0.0 <= now.solar_w <= demand.sun_w + 1e-9
    assert now.load_w in (0.0, demand.load_w)
    assert demand.connected or now.grid_w == 0.0


@given(batteries, shares, demands, st.floats(0.0, 86_400.0), shares)
def test_one_long_step_equals_two_short_ones(
    battery: Battery, share: float, demand: Demand, elapsed_s: float, cut: float
) -> None:
    start = Energy(WattHours(battery.capacity_wh * share))
    long = step(start, battery, demand, elapsed_s)
    short = step(step(start, battery, demand, elapsed_s * cut), battery, demand, elapsed_s * (1 - cut))
    assert math.isclose(long.stored_wh, short.stored_wh, rel_tol=1e-6, abs_tol=1e-3)


@given(batteries, shares, demands)
def test_dark_is_islanded_and_empty_or_asked_too_much(battery: Battery, share: float, demand: Demand) -> None:
    stored_wh = battery.capacity_wh * share
    need_w = demand.load_w - demand.sun_w
    must = not demand.connected and (need_w > battery.power_w or (need_w > 0 and stored_wh == 0))
    assert flows(stored_wh, battery, demand).dark == must


def test_an_outage_empties_the_battery_when_arithmetic_says() -> None:
    battery = Battery(capacity_wh=1000.0, power_w=5000.0)
    night = Demand(load_w=2000.0, sun_w=0.0, connected=False)
    half = step(Energy(WattHours(1000.0)), battery, night, 900.0)
    assert half.stored_wh == 500.0
    empty = step(half, battery, night, 3600.0)
    assert empty.stored_wh == 0.0
    assert flows(empty.stored_wh, battery, night).dark
    assert empty.meters.load_wh == 1000.0, "a dark house draws nothing"


# ------------------------------------------------------------------------------------------------ reserve and mode

BATTERY = Battery(capacity_wh=10_000.0, power_w=5_000.0)


def evening(floor_wh: float = 0.0, fill_wh: float = 0.0, load_w: float = 2000.0, *, connected: bool = True) -> Demand:
    return Demand(load_w=load_w, sun_w=0.0, connected=connected, floor_wh=floor_wh, fill_wh=fill_wh)


@given(batteries, shares, spans)
def test_on_grid_nothing_is_taken_from_the_reserve(
    battery: Battery, share: float, history: list[tuple[Demand, float]]
) -> None:
    energy = Energy(WattHours(battery.capacity_wh * share))
    for demand, elapsed_s in history:
        before, energy = energy, step(energy, battery, demand, elapsed_s)
        if demand.connected:
            assert energy.stored_wh >= min(before.stored_wh, demand.floor_wh) - 1e-6


def test_below_the_reserve_the_grid_charges_it_at_its_power_and_stops_there() -> None:
    low = Energy(WattHours(2_000.0))
    now = flows(low.stored_wh, BATTERY, evening(fill_wh=7_000.0))
    assert (now.battery_w, now.grid_w) == (-5_000.0, 7_000.0)
    assert step(low, BATTERY, evening(fill_wh=7_000.0), 1800.0).stored_wh == 4_500.0
    full = step(low, BATTERY, evening(7_000.0, 7_000.0), 36_000.0)
    assert full.stored_wh == 7_000.0
    assert flows(full.stored_wh, BATTERY, evening(7_000.0, 7_000.0)).battery_w == 0.0


def test_above_the_reserve_it_carries_the_load_down_to_it() -> None:
    high = Energy(WattHours(9_000.0))
    now = flows(high.stored_wh, BATTERY, evening(floor_wh=7_000.0))
    assert (now.battery_w, now.grid_w) == (2_000.0, 0.0)
    assert step(high, BATTERY, evening(floor_wh=7_000.0), 36_000.0).stored_wh == 7_000.0
    strong = flows(high.stored_wh, BATTERY, evening(floor_wh=0.0, load_w=8_000.0))
    assert (strong.battery_w, strong.grid_w) == (5_000.0, 3_000.0)


def test_in_an_outage_the_reserve_is_what_it_was_kept_for() -> None:
    left = step(Energy(WattHours(5_000.0)), BATTERY, evening(7_000.0, 7_000.0, connected=False), 3600.0)
    assert left.stored_wh == 3_000.0


def test_a_house_kept_for_outages_leaves_the_battery_alone_on_grid() -> None:
    rest = flows(5_000.0, BATTERY, Demand(load_w=2_000.0, sun_w=0.0, connected=True))
    assert (rest.battery_w, rest.grid_w) == (0.0, 2_000.0)
