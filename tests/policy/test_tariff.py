"""The tariff's rule: a schedule is a state, a peak leaves something for an outage, and a person's change is theirs."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pimgr import config, plugins
from pimgr.almanac import calendar
from pimgr.api import Now, SiteMode, replace
from pimgr.policy.aspects import Mode, Reserve
from pimgr.policy.battery import floor
from pimgr.policy.battery.rates import Floor, Period
from pimgr.policy.battery.settings import Stage
from pimgr.policy.calendar import Place
from pimgr.policy.model import Inputs
from pimgr.policy.terms import Policy
from pimgr.units import Percent
from tests.policy.battery import CLOUD, PLACE, ZONE, Battery, at, tariff
from tests.policy.world import EPOCH

ROOT = Path(__file__).resolve().parents[2]


# ----------------------------------------------------------------------------------------------------- the truth table


def rows() -> list[tuple[str, ...]]:
    """The table of docs/tariff.md, as a home owner reads it."""
    text = (ROOT / "docs" / "tariff.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (\w{3}) \| (\d{4}-\d\d-\d\d) \| (\d\d:\d\d) \| (\S+) \| (\d+) \|", text, re.MULTILINE)
    assert len(found) >= 40
    return found


@pytest.fixture(scope="module")
def example() -> Policy:
    text = (ROOT / "etc" / "examples" / "powermgr_v2.toml").read_text(encoding="utf-8")
    return config.parse(text, "example", plugins.load()).policy


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[1]} {row[2]}")
def test_the_predecessors_tariff_row_by_row(row: tuple[str, ...], example: Policy) -> None:
    weekday, day, clock, period, reserve = row
    wall = at(f"{day}T{clock}")
    assert f"{datetime.fromisoformat(day):%a}" == weekday
    assert example.tariff is not None
    found = calendar(example.place or PLACE, example.tariff, wall).window(wall)
    assert found is not None
    assert found.period == period
    site = Battery(f"{day}T{clock}", of=example.tariff)
    site.facts["reserve"] = 55.0
    site.live(10.0, step=10.0)
    assert site.wishes() == [f"reserve {reserve} %"]


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Phoenix"])
def test_the_predecessors_tariff_holds_wherever_its_clocks_are(zone: str, example: Policy) -> None:
    assert example.tariff is not None
    for weekday, day, clock, period, _ in rows():
        wall = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone)).timestamp()
        found = calendar(Place(zone=zone), example.tariff, wall).window(wall)
        assert found is not None
        assert found.period == period, (zone, weekday, day, clock)


# -------------------------------------------------------------------------------------------- a schedule is a state


def test_the_reserve_goes_down_for_the_peak_and_up_again_after_it() -> None:
    site = Battery().until("2027-01-15T23:00")
    moments = [f"{datetime.fromtimestamp(t + EPOCH, ZoneInfo(ZONE)):%H:%M}" for t, _, _ in site.asked]
    assert (moments, site.wishes()) == (["13:50", "20:01"], ["reserve 20 %", "reserve 100 %"])
    assert site.mailed == []


def test_each_window_is_told_once_as_it_is_entered_and_left() -> None:
    site = Battery().until("2027-01-16T01:00")
    assert site.edges() == [
        "off-peak began until Fri 13:50: reserve 100 %",
        "off-peak is over",
        "peak began until Fri 20:01: reserve 20 %",
        "peak is over",
        "off-peak began until Mon 13:50: reserve 100 %",
    ]


def test_a_restart_tells_nothing_twice_and_what_was_missed_is_told_when_it_is_seen() -> None:
    site = Battery().until("2027-01-15T14:30")
    for when in ("2027-01-15T15:00", "2027-01-15T16:00"):
        site.go(when).restart()
        site.live(60)
    assert len(site.edges()) == 3
    site.go("2027-01-18T15:00").restart()  # away from Friday's peak into Monday's
    site.live(60)
    assert site.edges()[3:] == ["peak is over", "peak began until Mon 20:01: reserve 20 %"]


@pytest.mark.parametrize("down", ["2027-01-15T13:45", "2027-01-15T19:50"])
def test_a_missed_edge_is_made_good_as_soon_as_pimgr_is_there(down: str) -> None:
    """One cron edge missed on a Friday left the predecessor's battery at 0 % all weekend."""
    site = Battery().until(down)
    site.go("2027-01-15T17:00" if "13" in down else "2027-01-16T09:00").restart()
    site.live(120)
    assert site.reserve == (20.0 if "13" in down else 100.0)


def test_a_cloud_that_is_away_at_the_edge_gets_the_right_value_when_it_is_back() -> None:
    site = Battery().until("2027-01-15T13:45")
    site.error[CLOUD] = "Unreachable"
    site.until("2027-01-15T15:00")
    assert site.reserve == 100.0
    site.error.clear()
    site.until("2027-01-15T16:10")
    assert site.reserve == 20.0


def test_an_outage_suspends_it_and_what_is_right_afterwards_is_set_afterwards() -> None:
    site = Battery().until("2027-01-15T13:45")
    site.grid = "down"
    site.until("2027-01-15T20:30")
    assert site.asked == []
    assert "nothing is changed during an outage" in site.why
    site.grid = "up"
    site.until("2027-01-15T20:40")
    assert site.reserve == 100.0
    assert site.asked == [], "it was right all along"
    peaks = [told for told in site.edges() if told.startswith("peak")]
    assert peaks == ["peak began until Fri 20:01: reserve 20 %", "peak is over"]


def test_nothing_is_moved_while_nobody_trusts_the_clock() -> None:
    site = Battery("2027-01-15T15:00")
    site.trusted = False
    site.live(600)
    assert site.asked == []
    assert "schedules wait until the clock is right" in site.why
    assert site.edges() == []
    site.trusted = True
    site.live(60)
    assert site.reserve == 20.0


def test_a_reboot_in_a_peak_forgets_no_person_while_the_clock_is_wrong() -> None:
    site = Battery().until("2027-01-15T15:00")
    site.facts["reserve"] = 55.0
    site.until("2027-01-15T16:00")
    assert site.stage() is Stage.PERSON
    site.wall_error = site.t - 20.0  # of a boot clock that begins again
    site.reboot(20.0)
    site.wall_error -= 1e6
    site.live(300)
    assert site.stage() is Stage.PERSON
    assert "schedules wait" in site.why
    site.wall_error += 1e6
    site.trusted = True
    site.live(300)
    assert site.stage() is Stage.PERSON
    assert site.reserve == 55.0
    assert len(site.edges()) == 3, "the window that goes on isn't told again"


def test_what_is_on_its_way_waits_too_while_the_clock_is_wrong() -> None:
    site = Battery().until("2027-01-15T13:45")
    site.obeys[CLOUD] = False
    site.until("2027-01-15T13:52")
    asked = len(site.asked)
    assert site.stage() is Stage.ASKED
    site.trusted = False
    site.live(3600)
    assert len(site.asked) == asked
    site.trusted, site.obeys[CLOUD] = True, True
    site.live(1200)
    assert site.reserve == 20.0


def test_a_clock_that_is_set_back_at_an_edge_enters_nothing_twice() -> None:
    site = Battery().until("2027-01-15T13:50:10", step=10.0)
    site.wall_error = -120.0
    site.live(600)
    assert len(site.edges()) == 3
    assert site.wishes() == ["reserve 20 %"]


def test_it_asks_to_be_woken_at_the_edges() -> None:
    site = Battery().live(30)
    assert site.decision.wake_at is not None
    left = at("2027-01-15T13:50") - site.now().wall
    assert site.decision.wake_at - site.t == pytest.approx(left, abs=1e-3)


# ------------------------------------------------------------------------------------------------- a person's change


def test_a_change_in_the_app_is_respected_until_the_next_boundary() -> None:
    site = Battery().until("2027-01-15T15:00")
    site.facts["reserve"] = 55.0
    site.until("2027-01-15T20:00")
    assert site.reserve == 55.0
    assert "somebody changed it since, and it is theirs until the next window" in site.why
    assert "reserve 55 %: somebody changed it in the app; left so until the next window of the tariff" in site.said
    site.until("2027-01-15T20:10")
    assert site.reserve == 100.0


def test_the_boundary_counts_also_where_the_next_window_wants_the_same() -> None:
    same = tariff(periods=(Period(name="peak", peak=True, reserve=Percent(30.0)), Period(
        name="off-peak", reserve=Percent(30.0))))  # fmt: skip
    site = Battery(of=same).until("2027-01-15T12:30")
    site.facts["reserve"] = 80.0
    site.until("2027-01-15T13:49")
    assert (site.reserve, site.stage()) == (80.0, Stage.PERSON)
    site.until("2027-01-15T13:55")
    assert site.reserve == 30.0


def test_a_boundary_alone_writes_nothing() -> None:
    same = tariff(periods=(Period(name="peak", peak=True, reserve=Percent(100.0)), Period(
        name="off-peak", reserve=Percent(100.0))))  # fmt: skip
    assert Battery(of=same).until("2027-01-15T23:00").asked == []


def test_a_floor_that_rises_in_the_same_window_leaves_a_person_alone() -> None:
    site = Battery().until("2027-01-15T15:00")
    site.facts["reserve"] = 40.0
    site.until("2027-01-15T15:30")
    site.gusts(90.0, 2.0).until("2027-01-15T16:00")
    assert site.reserve == 40.0


# --------------------------------------------------------------------------------------------------------- the floor


def peaks_reserve(site: Battery) -> tuple[float, str]:
    site.until("2027-01-15T14:30")
    return site.reserve, site.why


@pytest.mark.parametrize(
    ("km_h", "hours", "reserve"),
    [(74.9, 2.0, 20.0), (75.0, 2.0, 60.0), (120.0, 23.0, 60.0), (120.0, 30.0, 20.0), (120.0, -2.0, 20.0)],
)
def test_strong_gusts_within_a_day_leave_more_in_the_battery(km_h: float, hours: float, reserve: float) -> None:
    site = Battery("2027-01-15T13:00").gusts(km_h, hours)
    found, why = peaks_reserve(site)
    assert found == reserve
    assert (f"raised from 20 %, since gusts of {km_h:.0f} km/h are forecast" in why) is (reserve == 60.0)


def test_a_raised_reserve_is_told_with_its_reason_whatever_the_period_is_called() -> None:
    names = ("peak; dear", "cheap; slow")
    peak, cheap = (replace(p, name=name) for p, name in zip(tariff().periods, names, strict=True))
    hours = replace(tariff().hours[0], period=peak.name)
    of = tariff(periods=(peak, cheap), default=cheap.name, hours=(hours,))
    site = Battery("2027-01-15T13:40", of=of).until("2027-01-15T13:45").gusts(100.0, 2.0).until("2027-01-15T14:30")
    assert site.edges() == [
        "cheap; slow began until Fri 13:50: reserve 100 %",
        "cheap; slow is over",
        "peak; dear began until Fri 20:01: reserve 60 % (raised from 20 %, since gusts of 100 km/h are forecast)",
    ]


def test_a_gust_that_comes_within_reach_raises_it_and_one_that_passed_doesnt() -> None:
    site = Battery("2027-01-15T14:10").gusts(100.0, 25.0)
    site.live(1800)
    assert site.reserve == 20.0
    site.live(2400)
    assert site.reserve == 60.0
    site.gusts(100.0, -0.9)
    site.live(900)
    assert site.reserve == 20.0


def test_an_old_forecast_counts_for_nothing_and_it_is_said() -> None:
    site = Battery("2027-01-15T14:10").gusts(100.0, 20.0)
    site.live(60)
    assert site.reserve == 60.0
    site.until("2027-01-15T19:50", step=60)
    assert site.reserve == 60.0
    site = Battery("2027-01-15T08:00").gusts(100.0, 20.0)
    found, why = peaks_reserve(site)
    assert found == 20.0
    assert "there is no fresh forecast" in why


def test_storm_watch_leaves_most() -> None:
    site = Battery("2027-01-15T13:00").until("2027-01-15T14:00")
    site.facts["storm"] = True
    found, why = peaks_reserve(site)
    assert found == 80.0
    assert "raised from 20 %, since the vendor's storm watch is active" in why
    site.facts["storm"] = False
    site.until("2027-01-15T15:00")
    assert site.reserve == 20.0


def test_what_the_vendor_raised_in_a_storm_is_left_so() -> None:
    site = Battery().until("2027-01-15T14:30")
    asked = len(site.asked)
    site.facts |= {"storm": True, "reserve": 100.0}
    site.until("2027-01-15T18:00")
    assert len(site.asked) == asked
    assert site.stage() is not Stage.PERSON
    assert "storm" in site.why
    site.facts |= {"storm": False, "reserve": 20.0}
    site.until("2027-01-15T19:00")
    assert len(site.asked) == asked
    assert site.stage() is Stage.SEEN


def test_what_the_battery_does_in_a_storm_is_not_held_against_it() -> None:
    """The vendor has it then; it may discharge below what was set."""
    site = Battery().until("2027-01-15T14:30")
    site.facts["storm"] = True
    site.until("2027-01-15T14:40")
    asked = len(site.asked)
    site.facts |= {"charge": 50.0, "battery_w": 2000.0}
    site.until("2027-01-15T16:00")
    assert (site.reserve, len(site.asked)) == (80.0, asked)


def test_in_a_storm_nothing_else_is_changed() -> None:
    moded = tariff(periods=(
        Period(name="peak", peak=True, reserve=Percent(20.0), mode=SiteMode.AUTONOMOUS),
        Period(name="off-peak", reserve=Percent(100.0), mode=SiteMode.SELF_CONSUMPTION),
    ))  # fmt: skip
    site = Battery(of=moded)
    site.facts["storm"] = True
    site.until("2027-01-15T19:00")
    assert site.asked == []
    site.facts["storm"] = False
    site.until("2027-01-15T19:10")
    assert site.wishes() == ["mode autonomous", "reserve 20 %"]


def test_an_outage_of_the_last_days_leaves_ten_points_more() -> None:
    site = Battery("2027-01-14T10:00").black_out()
    found, why = peaks_reserve(site)
    assert found == 30.0
    assert "since an outage ended 1 day ago" in why
    site.until("2027-01-20T15:00", step=300.0)
    assert site.reserve == 30.0, "six days later still"
    site.until("2027-01-22T15:00", step=300.0)
    assert site.reserve == 20.0, "and after a week no longer"


def test_when_an_outage_ended_is_known_though_the_clock_was_wrong_then() -> None:
    site = Battery("2027-01-14T10:00")
    site.trusted, site.wall_error = False, -3e7
    site.black_out()
    assert site.state.outage_ended is not None
    site.trusted, site.wall_error = True, 0.0
    site.live(60)
    ended = site.state.outage_ended
    assert ended is not None
    assert site.now().wall - ended.wall < 200
    boot = site.boot
    site.restart()
    site.boot = boot + "+"
    assert peaks_reserve(site)[0] == 30.0


def test_a_blip_is_no_outage() -> None:
    site = Battery("2027-01-14T10:00")
    site.policy = replace(site.policy, timing=replace(site.policy.timing, confirm_s=60.0))
    site.grid = "down"
    site.live(10)
    site.grid = "up"
    site.live(60)
    assert site.state.outage_ended is None
    assert peaks_reserve(site)[0] == 20.0


def test_the_highest_counts() -> None:
    site = Battery("2027-01-14T10:00").black_out()
    site.go("2027-01-15T13:00").gusts(100.0, 20.0)
    assert peaks_reserve(site)[0] == 60.0
    site.facts["storm"] = True
    site.live(600)
    assert site.reserve == 80.0


@pytest.mark.parametrize(
    ("wanted", "given"), [(0.0, 0.0), (79.5, 79.5), (80.0, 80.0), (80.5, 100.0), (95.0, 100.0), (100.0, 100.0)]
)
def test_between_80_and_100_it_is_rounded_up_since_powerwalls_refuse_the_rest(wanted: float, given: float) -> None:
    assert floor.taken(wanted) == given


def test_a_sum_that_no_powerwall_takes_is_rounded_up() -> None:
    site = Battery("2027-01-14T10:00", of=tariff(floor=Floor(percent=Percent(75.0)))).black_out()
    assert peaks_reserve(site)[0] == 100.0


def test_an_explicit_floor_of_nothing_is_believed_and_still_raised() -> None:
    """The predecessor's: all of the battery in a peak, but not before a storm."""
    old = tariff(
        periods=(
            Period(name="peak", peak=True, reserve=Percent(0.0), floor=Percent(0.0)),
            Period(name="off-peak", reserve=Percent(100.0)),
        )
    )
    assert peaks_reserve(Battery("2027-01-15T13:00", of=old))[0] == 0.0
    assert peaks_reserve(Battery("2027-01-15T13:00", of=old).gusts(100.0, 5.0))[0] == 60.0
    assert peaks_reserve(Battery("2027-01-14T10:00", of=old).black_out())[0] == 10.0


def test_a_floor_holds_though_a_policy_asks_for_less() -> None:
    """A config that does is refused; what is decided doesn't rely on it."""
    low = tariff(periods=(Period(name="peak", peak=True, reserve=Percent(5.0)), Period(
        name="off-peak", reserve=Percent(100.0))))  # fmt: skip
    assert peaks_reserve(Battery("2027-01-15T13:00", of=low))[0] == 20.0


def test_gusts_count_off_peak_too_where_the_battery_isnt_kept_full() -> None:
    half = tariff(periods=(Period(name="peak", peak=True, reserve=Percent(20.0)), Period(
        name="off-peak", reserve=Percent(40.0))))  # fmt: skip
    site = Battery("2027-01-15T10:00", of=half)
    site.live(600)
    assert site.reserve == 40.0, "the floor of a peak is none of a night's"
    site.gusts(100.0, 5.0).live(600)
    assert site.reserve == 60.0


@pytest.mark.parametrize("key", ["storm", "gust", "after_outage"])
def test_each_raise_may_be_switched_off(key: str) -> None:
    site = Battery("2027-01-14T10:00", of=tariff(floor=replace(Floor(), **{key: Percent(0.0)}))).black_out()
    site.go("2027-01-15T13:00").until("2027-01-15T14:00")
    if key != "after_outage":
        site.gusts(100.0, 20.0).facts["storm"] = True
    assert peaks_reserve(site)[0] == {"storm": 60.0, "gust": 80.0, "after_outage": 20.0}[key]


# ------------------------------------------------------------------------------------- together with what else is there


def test_the_config_keeps_what_the_tariff_leaves_alone() -> None:
    site = Battery("2027-01-15T12:00", Mode(SiteMode.AUTONOMOUS), Reserve(Percent(50.0)))
    site.until("2027-01-15T14:30")
    assert site.wishes() == ["mode autonomous", "reserve 20 %"]


def test_a_reserve_that_doesnt_come_through_is_sent_again_and_at_last_mailed() -> None:
    site = Battery().until("2027-01-15T13:45")
    site.obeys[CLOUD] = False
    site.until("2027-01-15T17:00")
    assert len(site.asked) > 6
    assert site.alarms()[:1] == ["Manual update required: reserve 20 %"]
    text = next(text for _, subject, text in site.mailed if "Manual" in subject)
    assert "because peak until Fri 20:01" in text


def test_a_full_reserve_that_doesnt_come_through_is_replaced_by_the_mode_and_given_back_at_the_next_peak() -> None:
    site = Battery("2027-01-14T19:00").until("2027-01-14T19:30")
    assert site.reserve == 20.0
    site.obeys[CLOUD] = False
    site.until("2027-01-14T20:20")
    site.obeys[CLOUD] = True
    site.until("2027-01-14T23:00")
    assert site.facts["mode"] is SiteMode.BACKUP
    site.until("2027-01-15T14:30", step=60.0)
    assert (site.facts["mode"], site.reserve) == (SiteMode.SELF_CONSUMPTION, 20.0)
    assert site.alarms() == []


def test_a_tariff_that_only_knows_prices_asks_for_nothing_and_tells_its_windows() -> None:
    prices = tariff(periods=(Period(name="peak", peak=True, price=0.5), Period(name="off-peak", price=0.2)))
    site = Battery(of=prices).until("2027-01-15T14:30")
    assert site.asked == []
    assert "peak began until Fri 20:01" in site.said
    assert "peak until Fri 20:01, which sets nothing" in site.why


def test_without_a_tariff_nothing_is_said_of_one() -> None:
    site = Battery()
    site.policy = replace(site.policy, tariff=None)
    site.live(600)
    assert (site.why, site.edges()) == ("", [])


def test_a_tariff_that_leaves_the_config_leaves_no_window_behind() -> None:
    site = Battery().until("2027-01-15T14:30")
    site.policy = replace(site.policy, tariff=None)
    site.live(60)
    assert site.edges()[-1] == "peak is over"
    assert site.state.schedule.window == ""


def test_the_window_in_force_is_an_episode() -> None:
    """Hands-off, skips and claims of a window are over with it."""
    from pimgr.policy.decide import _episodes

    site = Battery().until("2027-01-15T14:30")
    now = site.now()
    inputs = Inputs(calendar=site.almanac.around(site.policy, now))
    assert _episodes(site.state, inputs, now) == {"2027-01-15 peak 14:00"}
    untrusted = Now(now.mono_s, now.wall, now.boot, wall_trusted=False)
    assert _episodes(site.state, inputs, untrusted) == set()
