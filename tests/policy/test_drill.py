"""The drill: once a week, and when a person asks, it tells what an outage would do, and does nothing."""

from __future__ import annotations

import pytest

from pimgr.api import Severity, replace
from pimgr.policy.decide import worth_keeping
from pimgr.policy.news.report_words import Drill, Reports
from pimgr.units import Watts
from tests.policy.days import Days, dated

WEEKLY = Reports(drill_weekday=6)
"""Sundays at ten."""


def drilled(desk: Days) -> list[str]:
    return [line[:16] for line in desk.subjects() if "Drill" in line]


def on_demand(desk: Days, *silent: str) -> None:
    """A person asks for it; all parts are read meanwhile, but for the silent ones."""
    desk.everything_on()
    desk.charged(84, 1500.0, 0.0)
    desk.tick(grid="up", command=Drill())
    desk.t += 5.0
    desk.everything_on()
    for part in silent:
        desk.lost(part, "no answer in 5 s")
    desk.tick(grid="up")
    desk.t += 20.0
    desk.tick(grid="up")


def test_defect_11_a_drill_sends_no_action_and_changes_nothing_that_is_taken_or_owed():
    desk = Days(dated(reports=WEEKLY), "2026-07-15T10:00")
    before = desk.state
    actions = 0
    for _ in range(3):
        on_demand(desk)
        actions += len(desk.decision.actions)
    assert len(drilled(desk)) == 3
    assert actions == 0
    kept = ("phase", "claims", "skips", "hands_off", "tiers", "kept", "site", "claim_ids", "action_ids")
    assert all(getattr(desk.state, name) == getattr(before, name) for name in kept)


def test_a_drill_has_every_part_read_first():
    desk = Days(dated(reports=WEEKLY))
    decision = desk.tick(grid="up", command=Drill())
    assert set(decision.look) == {"pump", "nas", "desk", "heater"}
    assert drilled(desk) == []
    desk.t += 2.0
    desk.everything_on()
    desk.tick(grid="up")
    assert len(drilled(desk)) == 1


def test_a_drill_tells_what_would_not_answer_and_waits_for_it_no_longer_than_it_may():
    desk = Days(dated(reports=WEEKLY))
    on_demand(desk, "desk", "nas")
    mail = desk.last("Drill")
    assert (mail.subject, mail.severity) == ("Drill: 2 of 4 would not answer: nas, desk", Severity.WARNING)
    assert "  nas: DOES NOT ANSWER (no answer in 5 s)" in mail.text
    on_demand(desk)
    assert (desk.last("Drill").subject, desk.last("Drill").severity) == ("Drill: all 4 would go off", Severity.INFO)


def test_a_part_that_was_not_read_lately_is_no_part_that_answers():
    desk = Days(dated(reports=WEEKLY))
    desk.everything_on()
    desk.t += 600.0
    desk.load("pump", True)
    desk.tick(grid="up", command=Drill())
    desk.t += 25.0
    desk.tick(grid="up")
    assert desk.last("Drill").subject == "Drill: 3 of 4 would not answer: nas, desk, heater"


def test_what_is_off_already_is_told_as_left_alone_and_what_draws_with_its_watts():
    policy = dated(reports=WEEKLY)
    policy = replace(policy, parts={**policy.parts, "pump": replace(policy.parts["pump"], watts=Watts(1100.0))})
    desk = Days(policy)
    on_demand(desk)
    assert "  pump: on, would go off (1.1 kW)" in desk.last("Drill").text
    assert "about 7 h 30 min at the present 1.5 kW, and about 28 h once the first are off." in desk.last("Drill").text
    desk.t += 5.0
    desk.tick(grid="up", command=Drill())
    desk.everything_on()
    desk.load("pump", False)
    desk.t += 20.0
    desk.tick(grid="up")
    assert "  pump: off already, would be left as it is" in desk.last("Drill").text


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Pacific/Auckland"])
def test_a_drill_comes_once_a_week_at_its_hour_also_where_the_clocks_change(zone):
    desk = Days(dated(reports=WEEKLY, zone=zone), "2026-02-25T12:00")
    desk.tick(grid="up")
    durable = desk.state
    while desk.instant().wall < desk.moment("2026-11-10T12:00"):
        wake = desk.decision.wake_at
        desk.t = min(desk.t + 8 * 3600.0, wake) if wake is not None else desk.t + 8 * 3600.0
        before = desk.state
        if worth_keeping(before, desk.tick(grid="up")):
            durable = desk.state
        desk.state = durable
        desk.restart()
    assert len(drilled(desk)) == len(set(drilled(desk))) == 37
    assert {(line[:3], line[11:]) for line in drilled(desk)} == {("Sun", "10:00")}


def test_a_box_that_was_off_has_its_drill_when_it_is_back_and_the_next_in_time():
    desk = Days(dated(reports=WEEKLY), "2026-07-11T12:00")
    desk.tick(grid="up")
    desk.until("2026-07-14T08:00")
    for _ in range(10):
        desk.t += 30.0
        desk.tick(grid="up")
    for day in ("18", "19", "20"):
        desk.until(f"2026-07-{day}T10:00")
        desk.tick(grid="up")
        desk.t += 20.0
        desk.tick(grid="up")
    assert drilled(desk) == ["Tue 14 Jul 08:01", "Sun 19 Jul 10:00"]


def test_a_first_start_has_no_drill_before_its_time_and_none_is_had_without_the_line_in_the_config():
    for reports, told in ((WEEKLY, ["Sun 19 Jul 10:00"]), (Reports(), [])):
        desk = Days(dated(reports=reports), "2026-07-15T12:00")
        for day in range(15, 21):
            for clock in ("08:00:00", "10:00:00", "10:00:20", "22:00:00"):
                if f"2026-07-{day}T{clock}" > "2026-07-15T12:00":
                    desk.until(f"2026-07-{day}T{clock}")
                    desk.tick(grid="up")
        assert drilled(desk) == told


def test_in_an_outage_there_is_no_drill():
    desk = Days(dated(reports=WEEKLY), "2026-07-19T09:59")
    desk.taken()
    desk.until("2026-07-19T10:00")
    desk.tick(grid="down")
    for _ in range(10):
        desk.t += 10.0
        desk.tick(grid="up")
    desk.t += 10.0
    desk.tick(grid="up")
    assert drilled(desk) == []
