"""The house neither makes nor loses energy, and goes dark exactly when it must."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from pimgr.house.physics import Battery, Demand, Energy, charge_of, flows, step
from pimgr.units import WattHours

watts = st.floats(0.0, 20_000.0)
batteries = st.builds(Battery, capacity_wh=st.floats(100.0, 50_000.0), power_w=st.floats(100.0, 15_000.0))
demands = st.builds(Demand, load_w=watts, sun_w=watts, connected=st.booleans())
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
