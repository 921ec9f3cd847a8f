"""The day's report: once for each local day, at its moment, whatever clocks, seasons and restarts do."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from pimgr.almanac import calendar
from pimgr.api import Severity, replace
from pimgr.policy.calendar import Place
from pimgr.policy.decide import worth_keeping
from pimgr.policy.model import State
from pimgr.policy.news.report_words import Flow, Reports
from pimgr.policy.news.reports import due
from pimgr.units import Percent, Watts
from tests.policy.days import TARIFF, Days, dated

QUIET = replace(TARIFF, hours=())


def reported(desk: Days) -> list[str]:
    """When reports went, and of which day."""
    return [f"{at} {notice.key}" for at, notice in desk.posted if notice.key.startswith("day-")]


def through(desk: Days, day: str, *clocks: str) -> None:
    for clock in clocks:
        desk.until(f"{day}T{clock}")
        desk.tick(grid="up")


# ---------------------------------------------------------------------------------------------------- when it goes


@pytest.mark.parametrize(
    ("day", "goes"),
    [
        ("2026-07-15", "20:03"),  # a summer workday: the peak ends at 20:00, and is left a minute later
        ("2026-12-09", "21:03"),  # a winter workday: its second peak
        ("2026-07-18", "20:00"),  # a Saturday: no peak
        ("2026-03-06", "21:03"),  # the last workday before the clocks change in spring
        ("2026-03-08", "20:00"),  # the Sunday of 23 hours
        ("2026-03-09", "21:03"),
        ("2026-10-30", "20:03"),
        ("2026-11-01", "20:00"),  # the Sunday of 25 hours
        ("2026-11-02", "21:03"),
    ],
)
def test_the_report_goes_two_minutes_after_the_last_peak_or_at_the_hour_of_the_config(day, goes):
    desk = Days(start=f"{day}T04:00")
    desk.tick(grid="up")
    moment = datetime.fromisoformat(f"{day}T{goes}")
    through(desk, day, "09:10", "12:00", f"{moment - timedelta(minutes=1):%H:%M}")
    assert reported(desk) == []
    through(desk, day, goes, "21:30", "23:59")
    assert reported(desk) == [f"{moment:%a %d %b %H:%M} day-{day}"]


@pytest.mark.parametrize("day", ["2026-07-15", "2026-12-09", "2026-03-08", "2026-11-01"])
def test_pimgr_wakes_at_the_very_moment(day):
    desk = Days(start=f"{day}T12:00")
    for _ in range(12):
        decision = desk.tick(grid="up")
        if reported(desk):
            break
        assert decision.wake_at is not None
        desk.t = decision.wake_at
    assert [line[11:16] for line in reported(desk)] in (["20:00"], ["20:03"], ["21:03"])


def test_a_report_hour_that_spring_leaves_out_is_the_moment_of_the_change_and_one_that_comes_twice_the_first():
    reports = Reports(daily=True, report_at_s=2.5 * 3600)
    for start, goes in (("2026-03-08T00:30", "Sun 08 Mar 03:00"), ("2026-11-01T00:30", "Sun 01 Nov 02:30")):
        desk = Days(dated(reports=reports, tariff=QUIET), start)
        desk.tick(grid="up")
        for _ in range(60):
            desk.t += 300.0
            desk.tick(grid="up")
        assert [line[:16] for line in reported(desk)] == [goes]


def test_a_peak_across_midnight_belongs_to_the_day_on_which_it_ends():
    night = replace(TARIFF.hours[0], start_min=22 * 60, end_min=2 * 60, weekdays=(0, 1, 2, 3, 4, 5, 6), seasons=())
    desk = Days(dated(tariff=replace(TARIFF, hours=(night,))), "2026-07-15T12:00")
    desk.tick(grid="up")
    through(desk, "2026-07-15", "23:00")
    through(desk, "2026-07-16", "02:01", "02:03", "20:00", "23:00")
    assert reported(desk) == ["Thu 16 Jul 02:03 day-2026-07-16"]


def test_without_the_line_in_the_config_nothing_is_reported_nor_counted():
    desk = Days(dated(reports=Reports()))
    for clock in ("10:00", "20:03", "23:00"):
        desk.until(f"2026-07-15T{clock}")
        desk.meters(grid=500.0)
        desk.tick(grid="up")
    assert (desk.posted, desk.state.reports) == ([], State().reports)
    assert desk.state.memory.metering.tally == State().memory.metering.tally


def test_while_nobody_trusts_the_clock_nothing_is_due_and_then_it_comes_late():
    desk = Days(start="2026-07-15T19:00")
    desk.tick(grid="up")
    desk.trusted = False
    through(desk, "2026-07-15", "20:03", "21:00")
    assert reported(desk) == []
    desk.trusted = True
    through(desk, "2026-07-15", "22:10")
    assert reported(desk) == ["Wed 15 Jul 22:10 day-2026-07-15"]
    assert desk.last("Late: Wednesday 15 July").text.startswith(
        "This comes late: pimgr was off, or did not know the time, when it was due (20:03).\n"
    )


def test_a_box_that_was_off_reports_late_the_next_morning_once_and_of_the_last_day_only():
    desk = Days(start="2026-07-15T12:00")
    desk.tick(grid="up")
    desk.reboot()
    desk.trusted = True
    desk.wall_error += 1000.0 - 20.0  # the boot clock began anew
    for _ in range(3):
        through(desk, "2026-07-18", "07:00", "07:01")
        desk.restart()
    through(desk, "2026-07-18", "19:59", "20:00")
    assert reported(desk) == ["Sat 18 Jul 07:00 day-2026-07-17", "Sat 18 Jul 20:00 day-2026-07-18"]
    assert "when it was due (yesterday 20:03)" in desk.posted[0][1].text


def test_a_clock_that_was_wrong_by_years_stops_no_report_for_years():
    desk = Days(start="2026-07-15T12:00")
    right = desk.wall_error
    desk.wall_error += 10 * 365 * 86400.0
    desk.tick(grid="up")
    desk.wall_error = right
    desk.tick(grid="up")
    through(desk, "2026-07-15", "20:03")
    assert reported(desk) == ["Wed 15 Jul 20:03 day-2026-07-15"]


def test_the_first_start_in_the_evening_reports_nothing_that_it_did_not_see():
    desk = Days(start="2026-07-15T22:00")
    desk.tick(grid="up")
    through(desk, "2026-07-16", "08:00", "20:03")
    assert reported(desk) == ["Thu 16 Jul 20:03 day-2026-07-16"]


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Pacific/Auckland", "Australia/Lord_Howe"])
def test_a_year_has_a_report_for_each_day_that_pimgr_saw_the_end_of(zone):
    """pimgr is killed now and then, and what was not worth a commit is lost; the box may be off for up to 30 hours."""
    chance = Random(zone)
    desk = Days(dated(zone=zone), "2026-01-01T12:00")
    desk.tick(grid="up")
    durable, seen, until = desk.state, [desk.instant().wall], desk.moment("2027-01-01T12:00")
    while desk.instant().wall < until:
        step_s, wake = chance.choice([900.0, 3 * 3600.0, 8 * 3600.0, 12 * 3600.0]), desk.decision.wake_at
        desk.t = min(desk.t + step_s, wake) if wake is not None else desk.t + step_s
        if chance.random() < 0.03:
            desk.t += 30 * 3600.0 * chance.random()
        seen.append(desk.instant().wall)
        before = desk.state
        if worth_keeping(before, desk.tick(grid="up")):
            durable = desk.state
        if chance.random() < 0.1:
            desk.state = durable
            desk.restart()
    assert [notice.key for _, notice in desk.posted] == [f"day-{day}" for day in ends_seen(desk, seen)]
    assert len(desk.posted) > 350


def ends_seen(desk: Days, seen: list[float]) -> list[str]:
    """The days with a tick between their report's moment and the next one's, but for what came before the first."""
    moments = []
    for number in range(366):
        wall = desk.moment("2026-01-01T12:00") + number * 86400.0
        found = calendar(Place(zone=desk.zone.key), TARIFF, wall)
        day = found.day(wall)
        assert day is not None
        moments.append((due(desk.policy.reports, found, day), day.date))
    return [
        date
        for (moment, date), (after, _) in pairwise([*moments, (float("inf"), "")])
        if any(moment <= wall < after for wall in seen)
    ]


# --------------------------------------------------------------------------------------------------- what it says


def a_day() -> Days:
    """From noon of Tuesday to Wednesday's report, a reading every five minutes."""
    desk = Days(start="2026-07-14T19:58")
    desk.tick(grid="up")
    while desk.instant().wall < desk.moment("2026-07-15T20:03"):
        desk.t += 300.0
        sunny = 8 <= int(desk.shown()[11:13]) < 18
        flows = {"solar": 3000.0, "load": 1000.0, "grid": -500.0, "battery": -1500.0}
        desk.meters(80.0, **(flows if sunny else {"solar": 0.0, "load": 600.0, "grid": 200.0, "battery": 400.0}))
        desk.tick(grid="up")
    return desk


def test_energies_are_counted_from_report_to_report_and_told_in_kwh():
    text = a_day().last("Wednesday 15 July").text
    assert text.startswith(
        "All is well: the grid is there, and nothing is owed.\nBattery: 80 %, mode Self-Powered, reserve 20 %."
    )
    assert "Since yesterday 20:03:\n" in text
    rows = {
        line[2:23].strip(): line[23:].strip() for line in text.split("\n") if line.startswith("  ") and "kWh" in line
    }
    assert rows == {
        "Used in the house": "18.4 kWh",
        "From the sun": "30.0 kWh",
        "Bought from the grid": "2.8 kWh, of it 0.4 kWh in peaks",
        "Sold to the grid": "5.0 kWh",
        "Into the battery": "15.0 kWh",
        "Out of the battery": "5.6 kWh",
    }
    assert text.endswith("Nothing had to be done.\n\nThe next peak is tomorrow 14:00 to 20:00.")


def test_what_the_meters_did_not_tell_is_told_as_that():
    desk = Days(start="2026-07-15T12:00")
    desk.meters(50.0, grid=1000.0)
    desk.tick(grid="up")
    for minutes in (10, 20, 146, 156):
        desk.until(f"2026-07-15T{12 + minutes // 60}:{minutes % 60:02d}")
        desk.meters(50.0, grid=1000.0)
        desk.tick(grid="up")
    desk.until("2026-07-15T20:03")
    desk.tick(grid="up")
    text = desk.last("Wednesday").text
    assert "  Bought from the grid   0.5 kWh, of it 0.2 kWh in peaks" in text
    assert "  The meters were silent for 7.5 h of it, and nothing is counted for that." in text
    assert "sun" not in text


def test_a_reading_that_was_counted_is_not_counted_again():
    """The board shows the last reading for as long as there is no newer one, and a slow meter's may come late."""
    desk = Days(start="2026-07-15T10:00")
    for _ in range(12):
        late = desk.site
        desk.meters(50.0, grid=1000.0)
        desk.tick(grid="up")
        desk.t += 300.0
    fresh = desk.site
    for desk.site in (fresh, late, fresh):
        desk.tick(grid="up")
    counted = desk.state.memory.metering.tally
    assert (counted.counted_s, round(counted.flows[Flow.BOUGHT].wh)) == (3300.0, 917)


def test_a_crash_loses_at_most_what_a_gap_may_bridge_and_is_written_down_no_oftener_than_that():
    desk = Days(start="2026-07-15T10:00")
    desk.meters(50.0, grid=1000.0)
    desk.tick(grid="up")
    durable, commits = desk.state, 0
    for _ in range(360):  # an hour
        desk.t += 10.0
        desk.meters(50.0, grid=1000.0)
        before = desk.state
        if worth_keeping(before, desk.tick(grid="up")):
            durable, commits = desk.state, commits + 1
    assert commits == 4
    desk.t += 600.0
    desk.state = durable
    desk.restart()
    desk.meters(50.0, grid=1000.0)
    desk.tick(grid="up")
    desk.until("2026-07-15T20:03")
    desk.tick(grid="up")
    assert "Bought from the grid   1.2 kWh" in desk.last("Wednesday").text


def test_what_was_done_is_told_with_its_local_time_and_named_together():
    desk = Days(start="2026-07-15T13:00")
    desk.everything_on()
    desk.tick(grid="up")
    desk.until("2026-07-15T18:40")
    desk.taken()
    desk.t += 60.0
    desk.host(False)
    desk.tick(grid="down")
    desk.until("2026-07-15T19:52")
    desk.tick(grid="up")
    for _ in range(4):
        desk.t += 20.0
        desk.load("pump", True)
        desk.host(True, "nas-2")
        desk.tick(grid="up")
    desk.until("2026-07-15T20:03")
    desk.tick(grid="up")
    done = desk.last("Wednesday").text.partition("What was done:\n")[2].partition("\n\n")[0]
    assert done.split("\n") == [
        "  18:40  outage: the grid is down",
        "  18:40  off: pump",
        "  18:41  shut down: nas",
        "  19:52  the grid is back",
        "  19:52  up already: nas",
        "  19:52  on already: pump",
    ]


def test_too_many_deeds_are_counted_and_a_report_begins_anew():
    desk = Days(start="2026-07-15T13:00")
    desk.tick(grid="up")
    for number in range(60):
        desk.t += 60.0
        desk.tick(grid="down" if number % 2 else "up")
    desk.until("2026-07-15T20:03")
    desk.tick(grid="up")
    assert "  and 20 more; see `pimgr why`" in desk.last("Wednesday").text
    desk.until("2026-07-16T20:03")
    desk.tick(grid="up")
    assert "Nothing had to be done." in desk.last("Thursday").text


def test_the_report_of_a_day_in_an_outage_says_so():
    desk = Days(start="2026-07-15T13:00")
    desk.tick(grid="up")
    desk.until("2026-07-15T18:40")
    desk.taken()
    desk.until("2026-07-15T20:03")
    desk.charged(61)
    desk.tick(grid="down")
    mail = desk.last("Wednesday")
    assert mail.subject == "Wednesday 15 July: the grid is down, battery at 61 %"
    assert mail.text.startswith("The grid is down since 18:40.\n")


# ------------------------------------------------------------------------------------------------ buying in a peak


def buys(desk: Days, watts: float, *, seconds: float = 60.0) -> None:
    for _ in range(int(seconds / 10)):
        desk.t += 10.0
        desk.meters(20.0, grid=watts, battery=0.0, load=watts)
        desk.tick(grid="up")


def test_buying_in_a_peak_is_told_once_in_each_peak_after_a_minute():
    desk = Days(start="2026-12-09T04:50")
    buys(desk, 2000.0, seconds=600.0)
    assert desk.posted == [], "before five it is cheap"
    buys(desk, 2000.0, seconds=50.0)
    assert desk.posted == []
    buys(desk, 2000.0, seconds=10.0)
    buys(desk, 100.0)
    buys(desk, 3000.0, seconds=600.0)
    desk.until("2026-12-09T18:00")
    buys(desk, 1200.0, seconds=600.0)
    assert desk.subjects() == [
        "Wed 09 Dec 05:01 Buying 2.0 kW in the peak",
        "Wed 09 Dec 18:01 Buying 1.2 kW in the peak",
    ]
    assert desk.posted[0][1].severity is Severity.WARNING


def test_a_kettle_or_a_restart_in_the_same_peak_is_no_news():
    desk = Days(start="2026-07-15T15:00")
    for _ in range(5):
        buys(desk, 2000.0, seconds=50.0)
        buys(desk, 100.0)
    assert desk.posted == []
    buys(desk, 501.0, seconds=120.0)
    desk.restart()
    buys(desk, 2000.0, seconds=600.0)
    assert len(desk.posted) == 1


def test_the_limit_is_the_config_s():
    desk = Days(dated(reports=Reports(import_w=Watts(3000.0))), "2026-07-15T15:00")
    buys(desk, 2900.0, seconds=600.0)
    assert desk.posted == []


# ------------------------------------------------------------------------------------------------------ a low battery


def test_a_low_battery_is_told_once_at_each_mark_and_again_after_the_sun_filled_it():
    desk = Days(start="2026-07-15T13:00")
    desk.taken()
    told = []
    for charge in (40, 16, 15, 14, 6, 4, 3, 20, 23, 26, 60, 16, 15, 3):
        desk.t += 60.0
        desk.charged(charge, 1000.0)
        told += [n.subject for n in desk.tick(grid="down").notices if "left" in n.subject]
    assert [text.partition(",")[0] for text in told] == [
        "Battery at 15 %",
        "Battery at 4 %",
        "Battery at 15 %",
        "Battery at 3 %",
    ]


def test_a_battery_that_fell_past_two_marks_at_once_is_told_once():
    desk = Days(start="2026-07-15T13:00")
    desk.taken()
    desk.t += 10.0
    desk.charged(2, 1000.0)
    assert [n.severity for n in desk.tick(grid="down").notices if n.subject.startswith("Battery at 2 %,")] == [
        Severity.CRITICAL
    ]
    assert desk.state.reports.low_told == 5.0


def test_while_the_grid_is_there_a_low_battery_is_no_alarm():
    desk = Days(dated(reports=Reports(battery_low=(Percent(15.0),))), "2026-07-15T13:00")
    desk.charged(3)
    assert desk.tick(grid="up").notices == ()
