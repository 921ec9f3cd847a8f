"""The climate rule: a ladder by charge over the baseline that was found, precooling, and a person's last word."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from pimgr.api import SiteMode, ThermostatMode, replace
from pimgr.policy.aspects import Mode, SetPoints
from pimgr.policy.battery.settings import SitePolicy
from pimgr.policy.model import ClaimStatus
from pimgr.policy.thermostats.comfort import Climate
from tests.policy.warm_house import DAY_S, PRECOOL, WINTER, Stat, WarmHouse, calendar, f, in_f, policy, wall

DOCS = Path(__file__).parents[2] / "docs" / "climate.md"


def table(heading: str) -> list[list[str]]:
    """The rows of the table below a heading of the page, without its own heading."""
    section = DOCS.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def at_charge(charge: float, house: WarmHouse | None = None, clock: str = "15:00") -> WarmHouse:
    house = house or WarmHouse(policy())
    house.charge = charge
    return house.until(clock)


# ---------------------------------------------------------------------------------------------------------- the ladder


@pytest.mark.parametrize("row", table("The ladder, to check by hand"), ids=lambda row: f"{row[0]} then {row[1]}")
def test_the_ladder_of_the_docs_is_the_ladder_of_pimgr(row):
    """Baseline, charges one after the other within one peak, and where the thermostat stands in the end."""
    baseline, charges, offset, stands = row
    house = WarmHouse(policy(), Stat(name="hall", schedule=float(re.findall(r"\d+", baseline)[0]))).until("14:00")
    for n, charge in enumerate(re.findall(r"\d+", charges)):
        at_charge(float(charge), house, f"{14 + n}:45")
    assert house.stats["hall"].cool == float(re.findall(r"\d+", stands)[0])
    assert house.stats["hall"].cool == float(re.findall(r"\d+", baseline)[0]) + float(re.findall(r"\d+", offset)[0])


def test_a_whole_peak_eases_step_by_step_and_gives_the_schedule_back_at_its_end():
    house = WarmHouse(policy()).until("14:30")
    assert house.asked() == []
    at_charge(50, house, "15:00")
    at_charge(35, house, "16:00")
    at_charge(20, house, "17:00")
    assert house.asked() == [76.0, 78.0, 82.0]
    assert house.claim().status is ClaimStatus.TAKEN
    house.until("20:10")
    assert house.asked() == [76.0, 78.0, 82.0, "schedule"]
    assert house.stats["hall"].held is None
    assert house.state.claims == ()
    assert wall("20:01") <= house.wire[-1][0] <= wall("20:02")


def test_a_hold_ends_by_itself_at_the_quarter_hour_after_the_peak():
    house = at_charge(40)
    hold = house.stats["hall"].held
    assert hold is not None
    assert hold.until == wall("20:15")


def test_the_ladder_is_climbed_within_15_minutes_of_the_charge():
    house = WarmHouse(policy()).until("14:30")
    assert house.decision.wake_at is not None
    assert house.decision.wake_at <= house.now().mono_s + 900.0
    house.charge = 49
    house.run(900.0)
    assert house.asked() == [76.0]


def test_within_one_peak_it_only_rises():
    house = at_charge(35)
    at_charge(80, house, "17:00")
    assert house.asked() == [78.0]
    at_charge(20, house, "18:00")
    assert house.asked() == [78.0, 82.0]


def test_each_winter_peak_starts_afresh():
    winter = WarmHouse(
        policy(cooling=False, heating=True),
        Stat(name="hall", heat=70, mode=ThermostatMode.HEAT),
        days=WINTER,
        at="03:00",
    )
    winter.charge = 30
    winter.until("06:00")
    assert winter.asked() == [66.0]
    winter.until("09:30")
    assert winter.asked() == [66.0, "schedule"]
    winter.charge = 48
    winter.until("18:00")
    assert winter.asked() == [66.0, "schedule", 68.0]
    winter.until("21:30")
    assert winter.asked()[-1] == "schedule"
    assert winter.state.climate.rungs == {}


def test_defect_15_one_failing_thermostat_makes_no_other_climb():
    """77, 79, 81, 83 it was: now each goes by its own baseline, and a retry asks for the same again."""
    stats = Stat(name="hall", schedule=75), Stat(name="attic", schedule=75, fates=["lost", "silent", "lost", "silent"])
    house = at_charge(40, WarmHouse(policy("hall", "attic"), *stats), "19:00")
    assert house.asked("hall") == [77.0]
    assert set(house.asked("attic")) == {77.0}
    assert len(house.asked("attic")) == 5
    assert house.stats["attic"].cool == 77.0


def test_defect_16_a_drop_past_two_thresholds_gives_the_deeper_rung():
    assert at_charge(30).asked() == [78.0]
    assert at_charge(5).asked() == [82.0]


def test_defect_18_a_cloud_that_fails_delays_nothing_else():
    """The site is set and the other thermostat eased, while one doesn't answer at all."""
    rules = policy("hall", "attic")
    site = SitePolicy(controls=("tesla",), keep=(Mode(SiteMode.SELF_CONSUMPTION),))
    house = WarmHouse(replace(rules, site=site), Stat(name="hall"), Stat(name="attic", reachable=False))
    house.charge = 40
    sent = []
    house._send = lambda action: sent.append((action.part, action.value))  # type: ignore[method-assign]
    house.until("14:10")
    assert ("tesla", Mode(SiteMode.SELF_CONSUMPTION)) in sent
    assert [part for part, _ in sent if part != "tesla"][:1] == ["hall"]
    assert "attic" not in [part for part, _ in sent]
    assert [r.status for r in house.decision.reasons if r.part == "attic"] == ["pending"]


@pytest.mark.parametrize(
    ("schedule", "warmest", "stands"), [(74, 86, 82.0), (80, 86, 86.0), (85.5, 86, None), (88, 86, None)]
)
def test_nothing_is_eased_beyond_the_warmest_and_what_is_warmer_is_never_cooled(schedule, warmest, stands):
    house = WarmHouse(policy(), Stat(name="hall", schedule=schedule))
    at_charge(10, house)
    assert house.asked() == ([] if stands is None else [stands])
    assert house.stats["hall"].cool == (stands or schedule)


@pytest.mark.parametrize(
    ("mode", "more", "moved"),
    [
        (ThermostatMode.COOL, {}, (82.0, None)),
        (ThermostatMode.AUTO, {}, (82.0, None)),
        (ThermostatMode.HEAT, {}, None),
        (ThermostatMode.OFF, {}, None),
        (ThermostatMode.HEAT, {"heating": True}, (None, 60.0)),
        (ThermostatMode.COOL, {"heating": True}, (82.0, None)),
        (ThermostatMode.AUTO, {"heating": True}, (82.0, 60.0)),
        (ThermostatMode.AUTO, {"heating": True, "cooling": False}, (None, 60.0)),
        (ThermostatMode.COOL, {"cooling": False}, None),
    ],
)
def test_only_what_the_mode_uses_and_the_config_allows_is_moved(mode, more, moved):
    house = WarmHouse(policy(**more), Stat(name="hall", heat=65, mode=mode))
    at_charge(10, house)
    held = house.stats["hall"].held
    assert (held and (in_f(held.cool), in_f(held.heat))) == moved


def test_a_season_that_is_not_named_has_no_ladder():
    assert at_charge(10, WarmHouse(policy(seasons=("winter",)))).asked() == []
    assert at_charge(10, WarmHouse(policy(seasons=("summer",)))).asked() == [82.0]


def test_an_unknown_charge_keeps_the_rung_and_never_raises_it():
    house = at_charge(40)
    house.charge = None
    house.until("19:00")
    assert house.asked() == [76.0]
    assert house.stats["hall"].cool == 76.0
    other = WarmHouse(policy())
    other.charge = None
    assert other.until("19:00").asked() == []


def test_nothing_is_asked_of_a_thermostat_that_was_not_read_lately():
    house = WarmHouse(policy(), Stat(name="hall", reachable=False))
    at_charge(10, house, "17:00")
    assert house.asked() == []
    house.stats["hall"].reachable = True
    assert house.until("17:10").asked() == [82.0]


def test_without_a_trusted_clock_there_is_no_peak():
    house = WarmHouse(policy())
    house.trusted = False
    assert at_charge(10, house).asked() == []


# -------------------------------------------------------------------------------------------------- what was before it


def test_a_permanent_hold_goes_back_to_a_permanent_hold_of_its_set_points():
    stat = Stat(name="hall", held=SetPoints(heat=f(60), cool=f(72), permanent=True))
    house = at_charge(40, WarmHouse(policy(), stat))
    assert house.asked() == [74.0]
    house.until("20:10")
    assert stat.now == SetPoints(heat=f(60), cool=f(72), permanent=True)
    assert house.state.claims == ()


@pytest.mark.parametrize(("until", "after"), [("22:00", 72.0), ("18:00", 74.0)])
def test_a_hold_until_a_time_goes_back_unless_that_time_is_over(until, after):
    stat = Stat(name="hall", held=SetPoints(heat=f(60), cool=f(72), until=wall(until)))
    house = at_charge(40, WarmHouse(policy(), stat))
    assert house.asked() == [74.0]
    house.until("20:10")
    assert house.asked()[-1] == (72.0 if until == "22:00" else "schedule")
    assert stat.cool == after


def test_a_permanent_hold_comes_back_even_if_pimgr_slept_past_the_end_of_its_own():
    stat = Stat(name="hall", held=SetPoints(heat=f(60), cool=f(72), permanent=True))
    house = at_charge(40, WarmHouse(policy(), stat))
    house.t = wall("21:00")
    stat.live(house.t)
    assert stat.held is None
    house.crash()
    house.until("21:10")
    assert stat.now.permanent
    assert stat.cool == 72.0


def test_a_hold_that_ran_out_while_pimgr_slept_is_given_back_and_no_person():
    house = at_charge(40)
    house.t = wall("21:00")
    house.stats["hall"].live(house.t)
    house.crash()
    house.until("21:10")
    assert house.asked() == [76.0]
    assert house.state.claims == ()
    assert not any("person" in text for text in house.said)


# --------------------------------------------------------------------------------------------------------- troubles


def test_a_request_that_changes_nothing_is_repeated_with_patience_and_told_once():
    house = at_charge(40, WarmHouse(policy(), Stat(name="hall", fates=["silent"] * 9)), "19:00")
    times = [t for t, _ in house.wire]
    pauses = [b - a for a, b in pairwise(times)]
    assert 300 <= pauses[0] <= 400
    assert 300 <= pauses[1] <= 400
    assert all(900 <= pause <= 1000 for pause in pauses[2:])
    assert set(house.asked()) == {76.0}
    assert house.mails == ["hall could not be set"]


def test_a_restart_in_mid_request_moves_nothing_twice():
    for moment in ("before", "committed", "sent"):
        house = WarmHouse(policy())
        house.crash_when = moment
        at_charge(40, house, "16:00")
        assert set(house.asked()) == {76.0}
        assert house.stats["hall"].cool == 76.0
        assert house.claim().before == SetPoints(heat=f(62), cool=f(74))


def test_a_box_that_lost_its_clock_leaves_an_eased_thermostat_as_it_is():
    house = at_charge(40)
    house.reboot()
    house.until("16:00")
    assert house.asked() == [76.0]
    assert house.claim().status is ClaimStatus.TAKEN
    house.trusted, house.charge = True, 30.0
    house.until("17:00")
    assert house.asked() == [76.0, 78.0]
    assert house.until("20:10").asked()[-1] == "schedule"


def test_two_changes_of_a_set_point_are_minutes_apart():
    house = WarmHouse(policy(min_off_s=600.0)).until("14:30")
    for charge in (49, 34, 19):
        house.charge = charge
        house.run(60.0)
    house.until("20:30")
    times = [t for t, _ in house.wire]
    assert house.asked() == [76.0, 82.0, "schedule"]
    assert min(b - a for a, b in pairwise(times)) >= 600.0


def test_nothing_is_moved_any_more_just_before_the_peak_ends():
    house = WarmHouse(policy()).until("19:57")
    assert at_charge(10, house, "20:10").asked() == []


# ---------------------------------------------------------------------------------------------------------- people


@pytest.mark.parametrize("cool", [70.0, 79.0, None])
def test_a_person_who_changes_it_has_the_last_word_in_this_peak(cool):
    house = at_charge(40)
    house.hand("hall", cool)
    house.run(600.0)
    assert house.state.claims == ()
    at_charge(10, house, "21:00")
    assert house.asked() == [76.0]
    assert house.stats["hall"].cool == (74.0 if cool is None else cool)
    house.until("15:00", day=1)
    assert house.asked() == [76.0, 82.0]


def test_a_step_that_is_no_more_than_rounding_is_no_person():
    house = at_charge(40)
    house.hand("hall", 77.0)
    at_charge(10, house, "17:00")
    assert house.asked() == [76.0, 82.0]


def test_who_turns_it_off_or_to_heat_takes_it_over():
    for mode in (ThermostatMode.OFF, ThermostatMode.HEAT):
        house = at_charge(40)
        house.stats["hall"].mode = mode
        house.run(600.0)
        assert house.state.claims == ()
        assert house.until("20:30").asked() == [76.0]


def test_a_person_who_changes_it_while_it_is_given_back_is_not_overruled():
    house = at_charge(40)
    house.stats["hall"].fates = ["silent"]
    house.until("20:02")
    house.hand("hall", 70.0)
    house.until("23:00")
    assert house.asked() == [76.0, "schedule"]
    assert house.state.claims == ()


def test_after_a_gap_a_lost_hold_is_asked_for_once_and_another_hold_is_a_persons():
    for cool, asked in ((None, [76.0, 76.0]), (70.0, [76.0])):
        house = at_charge(40)
        house.stats["hall"].reachable = False
        house.run(600.0)
        house.hand("hall", cool)
        house.stats["hall"].reachable = True
        house.run(1200.0)
        assert house.asked() == asked


# --------------------------------------------------------------------------------------------------------- precooling


def hot(forecast: float | None = 106.0, **more: object) -> WarmHouse:
    house = WarmHouse(policy(precool=replace(PRECOOL, **more)))
    house.high = forecast
    return house


def test_the_baseline_of_the_ladder_is_the_value_before_precooling_74_67_76_never_69():
    house = hot()
    house.until("13:40")
    assert house.asked() == [67.0]
    assert house.wire[0][0] <= wall("12:01")
    at_charge(50, house, "14:30")
    assert house.asked() == [67.0, 76.0]
    assert house.claim().before == SetPoints(heat=f(62), cool=f(74))
    assert 69.0 not in house.asked()
    house.until("20:10")
    assert house.asked() == [67.0, 76.0, "schedule"]
    assert house.stats["hall"].cool == 74.0


def test_with_a_full_battery_precooling_is_given_back_when_the_peak_begins():
    house = hot().until("14:10")
    assert house.asked() == [67.0, "schedule"]
    assert wall("13:50") <= house.wire[1][0] <= wall("13:51")
    assert house.state.claims == ()


def test_a_precool_hold_ends_by_itself_when_the_peak_begins():
    held = hot().until("13:00").stats["hall"].held
    assert held is not None
    assert held.until == wall("14:00")


@pytest.mark.parametrize(
    ("high", "charge", "more", "asked"),
    [
        (105.0, 95.0, {}, [67.0]),
        (104.0, 95.0, {}, []),
        (None, 50.0, {}, []),
        (None, 80.0, {"below": 90.0}, [67.0]),
        (None, 90.0, {"below": 90.0}, []),
        (None, None, {"below": 90.0}, []),
        (106.0, 95.0, {"high": None, "below": 90.0}, []),
        (106.0, 95.0, {"seasons": ("winter",)}, []),
        (106.0, 95.0, {"at_s": 13 * 3600.0}, []),
    ],
)
def test_precooling_needs_a_hot_forecast_or_a_low_battery_if_asked(high, charge, more, asked):
    house = hot(high, **more)
    house.charge = charge
    assert house.until("12:59").asked() == asked


def test_without_a_peak_today_nothing_is_precooled():
    house = WarmHouse(policy(precool=PRECOOL), days=calendar())
    house.high = 110.0
    assert house.until("20:00").asked() == []


@pytest.mark.parametrize(("hours", "asked"), [(23.9, [67.0]), (24.1, [])])
def test_a_forecast_older_than_a_day_says_nothing_of_todays_heat(hours: float, asked: list[float]) -> None:
    house = hot()
    house.boot_t, house.sky_age_s = house.t - 3 * DAY_S, hours * 3600.0
    assert house.until("13:45").asked() == asked


def test_precooling_that_began_goes_on_though_the_forecast_changes():
    house = hot().until("12:30")
    house.high = 100.0
    assert house.until("13:45").asked() == [67.0]


def test_an_outage_ends_precooling():
    house = hot().until("12:30")
    house.grid_up = False
    assert house.until("12:40").asked() == [67.0, "schedule"]


def test_a_house_that_is_cooler_already_is_not_warmed_by_precooling():
    house = WarmHouse(policy(precool=PRECOOL), Stat(name="hall", schedule=66))
    house.high = 110.0
    assert house.until("13:45").asked() == []


def test_who_stops_precooling_is_left_alone_until_the_peak():
    house = hot().until("12:30")
    house.hand("hall", 74.0, "22:00")
    assert house.until("13:45").asked() == [67.0]
    assert at_charge(50, house, "15:00").asked() == [67.0, 76.0]


# ------------------------------------------------------------------------------------------------------------ outages


def outage(charge: float, **more: object) -> WarmHouse:
    house = WarmHouse(policy(in_peak=False, in_outage=True, **more))
    house.charge = charge
    house.until("11:10")
    house.grid_up = False
    return house


def test_in_an_outage_the_hold_is_renewed_every_hour_until_it_is_over():
    house = outage(30).until("15:30")
    assert set(house.asked()) == {78.0}
    assert [in_hours(a) for _, a in house.wire] == [14.0, 15.0, 16.0, 17.0, 18.0]
    house.grid_up = True
    house.until("15:40")
    assert house.asked()[-1] == "schedule"
    assert house.state.claims == ()


def in_hours(action) -> float:
    return (action.value.until - wall("00:00")) / 3600.0


def test_in_an_outage_a_rung_is_left_ten_points_above_its_charge():
    house = outage(34).until("11:20")
    for charge, clock in ((44, "12:00"), (46, "12:30"), (59, "13:00"), (61, "13:30")):
        house.charge = charge
        house.until(clock)
    points = [v for i, v in enumerate(house.asked()) if i == 0 or house.asked()[i - 1] != v]
    assert points == [78.0, 76.0, "schedule"]


def test_an_outage_in_which_nobody_knows_the_time_goes_on_easing():
    house = outage(30)
    house.trusted = False
    house.until("13:00")
    held = house.stats["hall"].held
    assert held is not None
    assert held.permanent
    house.grid_up = True
    house.until("13:30")
    assert house.stats["hall"].held is None


def test_a_hold_that_ran_out_in_an_outage_without_internet_is_taken_anew_from_what_is_found():
    house = outage(30).until("11:30")
    stat = house.stats["hall"]
    stat.reachable = False
    house.until("16:00")
    stat.schedule, stat.reachable = 80.0, True
    house.until("16:30")
    assert house.asked()[-1] == 84.0
    assert house.claim().before == SetPoints(heat=f(62), cool=f(80))


def test_a_hold_that_ran_out_over_a_permanent_one_is_asked_for_again_and_that_one_comes_back():
    stat = Stat(name="hall", held=SetPoints(heat=f(60), cool=f(72), permanent=True))
    house = WarmHouse(policy(in_peak=False, in_outage=True), stat)
    house.charge, house.grid_up = 30, False
    house.until("11:30")
    stat.reachable = False
    house.until("16:00")
    assert stat.held is None
    stat.reachable = True
    house.until("16:30")
    assert set(house.asked()) == {76.0}
    house.grid_up = True
    house.until("16:50")
    assert (stat.cool, stat.now.permanent, house.state.claims) == (72.0, True, ())


def test_who_changes_it_in_an_outage_within_a_peak_is_left_alone_by_both():
    house = WarmHouse(policy(in_outage=True))
    house.charge = 30
    house.until("14:30")
    house.grid_up = False
    house.until("15:00")
    house.hand("hall", 70.0)
    house.until("16:00")
    house.grid_up = True
    asked = house.asked()
    assert house.until("19:30").asked() == asked
    assert house.stats["hall"].cool == 70.0


def test_a_moved_thermostat_is_nothing_shed_and_its_return_is_no_mail():
    house = at_charge(40)
    from pimgr.policy.news.telling import headline

    assert headline(house.decision, house.policy, house.now()) == "on grid, 40 %, nothing shed, 1 thermostat moved"
    house.until("20:30")
    assert house.mails == []


def test_why_is_told_in_the_owners_degrees():
    house = at_charge(40)
    [reason] = [r for r in house.decision.reasons if r.part == "hall"]
    assert reason.why == "the battery fell to 50 % in a peak, so it is eased by 2 °F"
    assert reason.returns == "comes back when the peak is over"
    assert house.said[0].startswith("hall: to be cooling to 76 °F, because the battery")
    assert "hall: on its own schedule again" in house.until("20:30").said


def test_the_defaults_are_the_ladder_of_the_docs():
    assert [(r.charge, round(r.offset * 1.8)) for r in Climate().ladder] == [(50.0, 2), (35.0, 4), (20.0, 8)]
