"""The board: what is believed of whom, and what no house can produce."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimgr.api import (
    ForecastDay,
    ForecastHour,
    ForecastReading,
    Grid,
    GridReading,
    Hold,
    HostReading,
    Instant,
    LevelReading,
    LoadReading,
    Reading,
    SiteMode,
    SiteReading,
    ThermostatMode,
    ThermostatReading,
    replace,
)
from pimgr.board import Board
from pimgr.policy.model import BatteryPolicy, State
from pimgr.policy.shedding.charge import present
from pimgr.policy.shedding.charge import remember as remember_charge
from pimgr.testing import FakeClock
from pimgr.units import Celsius, Percent

LOCAL, SECOND, CLOUD = "gateway", "second", "cloud"
GAPS = {LOCAL: 6.0, SECOND: 6.0, CLOUD: 900.0}


class House:
    """A board and the clock that it lives by."""

    def __init__(self, gaps: dict[str, float] | None = None, meters: tuple[str, ...] = (LOCAL, CLOUD)) -> None:
        self.clock = FakeClock()
        self.board = Board(self.clock, GAPS if gaps is None else gaps, meters)

    @property
    def now(self) -> Instant:
        return self.clock.now().instant

    def grid(self, source: str, grid: Grid, *, passing: bool = False, age_s: float = 0.0, raw: str = "") -> str:
        now = self.now
        at = Instant(now.mono_s - age_s, now.wall - age_s, now.boot)
        return self.board.put(source, GridReading(at=at, source="x", grid=grid, passing=passing, raw=raw))

    def site(self, source: str, **values: Any) -> str:
        return self.board.put(source, SiteReading(at=self.now, source="x", **values))

    def load(self, part: str, on: bool, **values: Any) -> str:
        return self.board.put(part, LoadReading(at=self.now, source="x", on=on, **values))

    def taken(self) -> list[tuple[str, Grid]]:
        return [(reading.source, reading.grid) for reading in self.board.take_grid()]


# ------------------------------------------------------------------------------------------------- chains of the grid


def test_the_first_source_of_the_chain_is_believed_while_it_answers() -> None:
    house = House()
    for _ in range(3):
        house.grid(SECOND, Grid.UP)
        house.grid(LOCAL, Grid.DOWN)
        house.clock.advance(2.0)
    assert house.taken()[1:] == [(LOCAL, Grid.DOWN)] * 3, "before the first one answered, the second was believed"


def test_after_a_failure_the_next_source_is_believed_at_once_and_the_first_takes_over_again() -> None:
    house = House()
    house.grid(LOCAL, Grid.UP)
    house.grid(SECOND, Grid.DOWN)
    assert house.taken() == [(LOCAL, Grid.UP)]
    house.board.fail_grid(LOCAL)
    house.grid(SECOND, Grid.DOWN)
    assert house.taken() == [(SECOND, Grid.DOWN)]
    house.grid(LOCAL, Grid.UP)
    house.grid(SECOND, Grid.DOWN)
    assert house.taken() == [(LOCAL, Grid.UP)]


def test_a_source_that_went_silent_is_believed_no_longer_than_its_gap() -> None:
    house = House()
    house.grid(LOCAL, Grid.UP)
    house.clock.advance(5.9)
    house.grid(SECOND, Grid.DOWN)
    assert house.taken() == [(LOCAL, Grid.UP)]
    house.clock.advance(0.2)
    house.grid(SECOND, Grid.DOWN)
    assert house.taken() == [(SECOND, Grid.DOWN)]


def test_a_cloud_is_believed_when_nobody_in_the_house_answers_and_at_the_age_that_it_has() -> None:
    house = House()
    house.grid(CLOUD, Grid.UP, age_s=300.0)
    reading = house.board.take_grid()[0]
    assert (reading.source, house.now.since(reading.at)) == (CLOUD, 300.0)
    house.grid(LOCAL, Grid.DOWN)
    house.grid(CLOUD, Grid.UP, age_s=300.0)
    assert house.taken() == [(LOCAL, Grid.DOWN)]
    house.board.fail_grid(LOCAL)
    house.board.fail_grid(SECOND)
    house.grid(CLOUD, Grid.UP, age_s=300.0)
    assert house.taken() == [(CLOUD, Grid.UP)]


def test_a_status_that_nobody_knows_falls_through_to_the_next_source() -> None:
    house = House()
    house.grid(LOCAL, Grid.UNKNOWN, raw="SystemGridWobbly")
    assert house.taken() == [(LOCAL, Grid.UNKNOWN)], "better than nothing, while nobody else answers"
    house.grid(SECOND, Grid.DOWN)
    house.grid(LOCAL, Grid.UNKNOWN, raw="SystemGridWobbly")
    assert house.taken() == [(SECOND, Grid.DOWN)]


def test_a_passing_state_is_the_first_sources_own_and_does_not_fall_through() -> None:
    house = House()
    house.grid(SECOND, Grid.UP)
    house.board.take_grid()
    house.grid(LOCAL, Grid.UNKNOWN, passing=True)
    house.grid(SECOND, Grid.UP)
    assert house.taken() == [(LOCAL, Grid.UNKNOWN)]


def test_a_source_that_the_config_does_not_name_is_never_believed() -> None:
    house = House()
    house.grid("neighbour", Grid.DOWN)
    house.board.fail_grid(LOCAL)
    house.grid("neighbour", Grid.DOWN)
    assert house.taken() == []


def test_a_reading_as_old_as_its_gap_allows_no_more_is_not_handed_over() -> None:
    house = House()
    house.grid(LOCAL, Grid.DOWN, age_s=7.0)
    assert house.taken() == []


@given(st.lists(st.sampled_from([Grid.UP, Grid.DOWN, Grid.UNKNOWN, None]), max_size=40), st.data())
def test_every_reading_of_the_believed_source_is_handed_over_exactly_once_and_in_order(
    history: list[Grid | None], data: st.DataObject
) -> None:
    """None: the loop looks at the board."""
    house, given_, taken = House(gaps={LOCAL: 6.0}), [], []
    for step in history:
        house.clock.advance(data.draw(st.sampled_from([0.0, 1.0, 5.0, 60.0])))
        if step is None:
            taken += house.board.take_grid()
        else:
            house.grid(LOCAL, step)
            given_.append((house.now, step))
    taken += house.board.take_grid()
    assert [(reading.at, reading.grid) for reading in taken] == given_
    assert house.board.take_grid() == ()


# -------------------------------------------------------------------------------------------------------- plausibility

NUMBERS = st.floats() | st.sampled_from([float("nan"), float("inf"), -float("inf"), 412.0, -1.0, 100.0, 0.0, 1e300])


@pytest.mark.parametrize(
    ("name", "value", "fine"),
    [
        ("charge", float("nan"), False),
        ("charge", float("inf"), False),
        ("charge", -float("inf"), False),
        ("charge", 412.0, False),
        ("charge", -1.0, False),
        ("charge", 100.0, True),
        ("charge", 0.0, True),
        ("charge_raw", 100.1, False),
        ("reserve", 101.0, False),
        ("grid_w", -7_000.0, True),
        ("grid_w", 1e300, False),
        ("battery_w", -5_000.0, True),
        ("solar_w", -20.0, True),
        ("solar_w", -5_000.0, False),
        ("load_w", -5_000.0, False),
        ("capacity_wh", -1.0, False),
        ("capacity_wh", 13_500.0, True),
        ("charge", "84", False),
        ("mode", "party", False),
    ],
)
def test_what_no_house_can_produce_never_reaches_the_board(name: str, value: Any, fine: bool) -> None:
    house = House()
    refused = house.site(LOCAL, **{name: value})
    assert (refused == "") is fine
    assert (house.board.site() is not None) is fine
    assert fine or name in refused or "wrong type" in refused


@pytest.mark.parametrize(("power_w", "fine"), [(float("nan"), False), (-500.0, False), (-1.0, True), (3e6, False)])
def test_a_plug_that_is_no_plug_is_refused(power_w: float, fine: bool) -> None:
    house = House()
    assert (house.load("pump", True, power_w=power_w) == "") is fine
    assert ("pump" in house.board.views()) is fine


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_no_number_makes_the_board_raise_or_show_what_is_not_so(
    mono_s: float, wall: float, charge: Any, load_w: Any, solar_w: Any
) -> None:
    house = House()
    at = Instant(mono_s, wall, house.now.boot)
    house.board.put(LOCAL, SiteReading(at=at, source="", charge=charge, load_w=load_w, solar_w=solar_w))
    house.board.put(LOCAL, GridReading(at=at, source="", grid=Grid.DOWN))
    site = house.board.site()
    if site is not None:
        assert 0.0 <= (site.charge or 0.0) <= 100.0
        assert site.at.mono_s <= house.now.mono_s + 2.0
    assert all(r.at.mono_s <= house.now.mono_s + 2.0 for r in house.board.take_grid())


@pytest.mark.parametrize(
    ("at", "fine"),
    [
        (Instant(1000.0, 0.0, "boot-1"), True),
        (Instant(1001.9, 0.0, "boot-1"), True),
        (Instant(1002.1, 0.0, "boot-1"), False),
        (Instant(1e12, 0.0, "boot-1"), False),
        (Instant(-290.0, 0.0, "boot-1"), True),
        (Instant(float("nan"), 0.0, "boot-1"), False),
        (Instant(1000.0, float("inf"), "boot-1"), False),
        (Instant(1000.0, 1_800_001_000.0, "another boot"), False),
        (Instant(1000.0, 1_800_001_000.0, ""), False),
    ],
)
def test_a_reading_is_dated_by_pimgrs_clock_and_never_in_the_future(at: Instant, fine: bool) -> None:
    house = House()
    assert (house.board.put("pump", LoadReading(at=at, source="", on=True)) == "") is fine
    assert ("pump" in house.board.views()) is fine


def test_long_words_of_a_device_are_cut_and_a_monstrous_boot_id_is_refused() -> None:
    house = House()
    house.grid(LOCAL, Grid.UNKNOWN, raw="x" * 1_000_000)
    assert len(house.board.take_grid()[0].raw) <= 100
    assert house.board.put("nas", HostReading(at=house.now, source="", up=True, boot_id="x" * 1_000_000))
    assert house.board.views() == {}


def test_a_reading_says_whose_it_is_whatever_the_plugin_wrote_there() -> None:
    house = House()
    house.grid(LOCAL, Grid.UP)
    house.site(LOCAL, charge=50.0)
    house.load("pump", True)
    reading = house.board.views()["pump"].reading
    assert reading is not None
    assert reading.source == "pump"
    site = house.board.site()
    assert site is not None
    assert site.source == LOCAL
    assert house.board.take_grid()[0].source == LOCAL


# -------------------------------------------------------------------------------------------------------------- meters


def test_the_first_meter_that_tells_the_charge_is_believed() -> None:
    house = House()
    house.site(CLOUD, charge=40.0)
    house.site(LOCAL, charge=None, load_w=300.0)
    site = house.board.site()
    assert site is not None
    assert site.source == CLOUD
    house.site(LOCAL, charge=41.0)
    site = house.board.site()
    assert site is not None
    assert (site.source, site.charge) == (LOCAL, 41.0)


@pytest.mark.parametrize(("age_s", "believed"), [(59.0, LOCAL), (61.0, CLOUD)])
def test_a_meter_in_the_house_is_believed_for_a_minute_and_then_the_cloud(age_s: float, believed: str) -> None:
    house = House()
    house.site(CLOUD, charge=40.0)
    house.site(LOCAL, charge=41.0)
    house.clock.advance(age_s)
    site = house.board.site()
    assert site is not None
    assert site.source == believed


def test_when_no_meter_answers_the_newest_reading_stays_with_its_age() -> None:
    house = House()
    house.site(CLOUD, charge=40.0)
    house.clock.advance(10.0)
    house.site(LOCAL, charge=41.0)
    house.clock.advance(7200.0)
    site = house.board.site()
    assert site is not None
    assert (site.source, house.now.since(site.at)) == (LOCAL, 7200.0)


# ----------------------------------------------------------------------------------------------------------- remembered


def remembered(wall: float, charge: float) -> dict[str, Reading]:
    return {LOCAL: SiteReading(at=Instant(5.0, wall, "boot-0"), source=LOCAL, charge=charge)}  # type: ignore[arg-type]


def test_what_is_remembered_is_shown_with_its_original_age_and_never_acted_on() -> None:
    house = House()
    house.board.remember(
        remembered(house.now.wall - 3600.0, 66.0)
        | {
            "pump": LoadReading(at=Instant(5.0, house.now.wall - 1.0, "boot-0"), source="pump", on=True),
            SECOND: GridReading(at=Instant(5.0, house.now.wall - 1.0, "boot-0"), source=SECOND, grid=Grid.DOWN),
        }
    )
    site = house.board.site()
    assert site is not None
    assert (site.charge, house.now.since(site.at)) == (66.0, 3600.0)
    assert house.board.views() == {}, "no load is switched on what was so before a restart"
    assert house.board.take_grid() == ()
    state = remember_charge(State(), site, house.clock.now())
    assert present(state, BatteryPolicy(), house.clock.now()) == (None, False), "outside an outage it tells no charge"


def test_a_reading_of_this_boot_beats_a_remembered_one_whatever_the_wall_clocks_say() -> None:
    house = House()
    house.board.remember(remembered(house.now.wall + 1e8, 66.0))
    house.site(LOCAL, charge=50.0)
    house.board.remember({CLOUD: remembered(house.now.wall + 1e8, 66.0)[LOCAL]})
    house.clock.advance(7200.0)
    site = house.board.site()
    assert site is not None
    assert site.charge == 50.0


def test_what_is_remembered_never_replaces_what_was_read() -> None:
    house = House()
    house.site(LOCAL, charge=50.0)
    house.board.remember(remembered(house.now.wall + 10.0, 66.0))
    site = house.board.site()
    assert site is not None
    assert site.charge == 50.0


# ---------------------------------------------------------------------------------------------------------------- views


def test_steady_since_is_broken_by_a_failure_and_by_nothing_else() -> None:
    house = House()
    first = house.now
    for on in (True, False, True):
        house.load("pump", on)
        house.clock.advance(30.0)
    assert house.board.views()["pump"].steady_since == first
    house.board.fail("pump", "no answer")
    view = house.board.views()["pump"]
    assert (view.steady_since, view.fault) == (None, "no answer")
    assert view.reading is not None, "the last reading stays, with its age"
    house.clock.advance(30.0)
    again = house.now
    house.load("pump", True)
    view = house.board.views()["pump"]
    assert (view.steady_since, view.fault) == (again, "")


def test_a_part_that_never_answered_is_on_the_board_with_its_fault() -> None:
    house = House()
    house.board.fail("pump", "no answer")
    view = house.board.views()["pump"]
    assert (view.reading, view.steady_since, view.fault) == (None, None, "no answer")


def test_what_left_the_house_leaves_the_board() -> None:
    house = House()
    house.load("pump", True)
    house.load("fan", True)
    house.grid(LOCAL, Grid.UP)
    house.site(LOCAL, charge=50.0)
    house.board.forget_all_but({"fan", SECOND})
    assert set(house.board.views()) == {"fan"}
    assert house.board.site() is None
    house.grid(SECOND, Grid.DOWN)
    assert house.taken()[-1] == (SECOND, Grid.DOWN)


def test_the_views_are_a_copy_that_later_readings_do_not_change() -> None:
    house = House()
    house.load("pump", True)
    views = house.board.views()
    house.load("pump", False)
    reading = views["pump"].reading
    assert isinstance(reading, LoadReading)
    assert reading.on is True
    assert replace(reading, on=False) != reading


# ------------------------------------------------------------------------------------------ thermostats and forecasts


def hall(house: House, **changes: Any) -> ThermostatReading:
    hold = Hold(heat=Celsius(20.0), cool=Celsius(25.0))
    usual = ThermostatReading(at=house.now, source="x", indoor=Celsius(22.5), mode=ThermostatMode.COOL, hold=hold)
    return replace(usual, **changes)


def weather(house: House, *hours: ForecastHour, days: tuple[ForecastDay, ...] = ()) -> ForecastReading:
    return ForecastReading(at=house.now, source="x", hours=hours, days=days)


def hour(start: float = 1.8e9, **changes: Any) -> ForecastHour:
    usual = ForecastHour(start, Celsius(30.0), cloud=Percent(20.0), solar_w_m2=500.0, gust_m_s=9.0)
    return replace(usual, **changes)


def test_a_thermostat_that_does_not_answer_keeps_its_old_reading_marked_as_old() -> None:
    house = House()
    reading = hall(house)
    house.board.put("hall", reading)
    house.clock.advance(900.0)
    house.board.fail("hall", "it is disconnected")
    seen = house.board.views()["hall"]
    assert (seen.reading, seen.fault) == (replace(reading, source="hall"), "it is disconnected")
    house.board.put("hall", hall(house))
    assert house.board.views()["hall"].fault == ""


def test_a_thermostat_and_a_forecast_of_one_part_stand_side_by_side() -> None:
    house = House()
    house.board.fail_forecast("both", "no answer")
    house.board.put("both", hall(house))
    assert house.board.views()["both"].fault == ""
    assert house.board.forecasts()["both"].fault == "no answer"
    house.board.forget_all_but(set())
    assert house.board.forecasts() == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"indoor": float("nan")},
        {"indoor": 451.0},
        {"hold": Hold(heat=Celsius(212.0))},
        {"hold": Hold(cool=Celsius(float("inf")))},
        {"hold": Hold(until=Instant(float("nan"), 0.0, ""))},
        {"mode": "frying"},
        {"hold": None},
    ],
)
def test_a_thermostat_says_nothing_that_no_house_has(changes: dict[str, Any]) -> None:
    house = House()
    assert house.board.put("hall", hall(house)) == ""
    assert house.board.put("hall", hall(house, **changes)) != ""


@pytest.mark.parametrize(
    ("hours", "days"),
    [
        ((hour(temperature=float("nan")),), ()),
        ((hour(cloud=101.0),), ()),
        ((hour(solar_w_m2=9e9),), ()),
        ((hour(gust_m_s=-1.0),), ()),
        ((hour(2e9), hour(1e9)), ()),
        ((hour(float("inf")),), ()),
        ((hour(),) * 500, ()),
        ((), (ForecastDay("2026-07-31", Celsius(999.0)),)),
        ((), (ForecastDay("x" * 10_000, Celsius(30.0)),)),
        ((), (ForecastDay("2026-08-01", Celsius(30.0)), ForecastDay("2026-07-31", Celsius(30.0)))),
    ],
)
def test_a_forecast_says_nothing_that_no_sky_has(hours: Any, days: Any) -> None:
    house = House()
    fine = weather(house, hour(1e9), hour(2e9), days=(ForecastDay("2026-07-31", Celsius(31.0)),))
    assert house.board.put("sky", fine) == ""
    assert house.board.put("sky", weather(house, *hours, days=days)) != ""
    assert house.board.forecasts()["sky"].reading == replace(fine, source="sky")


@pytest.mark.parametrize(("level", "fine"), [(0.0, True), (16.0, True), (-1.0, False), (float("nan"), False)])
def test_a_level_is_a_number_from_nothing_upwards(level: float, fine: bool) -> None:
    house = House()
    assert (house.board.put("car", LevelReading(at=house.now, source="x", level=level)) == "") is fine
    assert ("car" in house.board.views()) is fine


# -------------------------------------------------------------------------------------------- one site out of several


def test_the_gateways_powers_and_the_clouds_settings_stand_in_one_reading() -> None:
    house = House()
    house.site(CLOUD, charge=80.0, solar_w=100.0, reserve=30.0, mode=SiteMode.BACKUP, storm=False)
    house.clock.advance(100.0)
    house.site(LOCAL, charge=79.0, load_w=500.0)
    site = house.board.site()
    assert site is not None
    assert (site.source, site.charge, site.load_w, site.reserve, site.mode) == (
        LOCAL,
        79.0,
        500.0,
        30.0,
        SiteMode.BACKUP,
    )
    assert site.solar_w is None, "powers of two moments are not mixed"
    sources = {name: reading.source for name, reading in house.board.told_by().items()}
    assert sources == {"charge": LOCAL, "load_w": LOCAL, "reserve": CLOUD, "mode": CLOUD, "storm": CLOUD}


def test_a_setting_that_was_told_too_long_ago_is_not_added() -> None:
    house = House()
    house.site(CLOUD, reserve=30.0)
    house.clock.advance(901.0)
    house.site(LOCAL, charge=79.0)
    site = house.board.site()
    assert site is not None
    assert site.reserve is None


def test_a_cloud_meter_that_is_no_grid_source_stands_for_as_long_as_the_config_says() -> None:
    house = House(gaps={LOCAL: 6.0})
    house.board.meter_fresh_s = {CLOUD: 900.0}
    house.site(CLOUD, charge=60.0)
    house.clock.advance(890.0)
    assert [reading.source for reading in house.board.settings()] == [CLOUD]
    house.clock.advance(20.0)
    assert house.board.settings() == ()
