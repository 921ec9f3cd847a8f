"""Disarmed, nothing acts, whatever happens; it is told, and it ends by itself."""

from __future__ import annotations

import pytest

from pimgr.api import SiteMode, SiteReading, replace
from pimgr.policy.aspects import Mode
from pimgr.policy.battery.settings import SitePolicy
from pimgr.policy.model import Arm, ClaimStatus, Disarm, Inputs, Keep, Phase, StandingTarget, Switch
from pimgr.policy.news.telling import headline
from tests.policy.desk import Desk, asked, house

FOUR = Disarm(4 * 3600.0)


def read(desk: Desk, t: float, pump: bool, grid: str = "") -> list[bool]:
    desk.t = t
    desk.load("pump", pump)
    return asked(desk.tick(grid=grid), "pump")


def test_nothing_is_taken_and_what_is_wanted_is_taken_when_it_is_armed_again():
    desk = Desk()
    desk.everything_on()
    desk.tick(1000, "up", command=FOUR)
    for t in range(1010, 1100, 10):
        desk.t = t
        desk.everything_on()
        assert desk.tick(grid="down").actions == ()
    assert desk.state.phase is Phase.OUTAGE, "the grid is watched all the same"
    assert desk.claimed() == []
    desk.tick(1100, "down", command=Arm())
    assert read(desk, 1101, True, "down") == [] or "pump" in desk.claimed()
    assert "pump" in desk.claimed()


def test_nothing_is_given_back_and_what_is_owed_stays_owed_until_it_is_armed_again():
    desk = Desk()
    desk.taken()
    desk.tick(1010, "down", command=FOUR)
    for t in range(1020, 12000, 400):
        assert read(desk, t, False, "up") == []
    assert "pump" in desk.claimed()
    assert not [m for m in desk.mails if "could not be given back" in m], "nobody tried"
    assert read(desk, 1010 + 4 * 3600, False) == [True]


def test_no_standing_target_no_setting_and_no_lease_is_pursued():
    site = SitePolicy(controls=("tesla",), keep=(Mode(SiteMode.AUTONOMOUS),))
    desk = Desk(house(keeps=(StandingTarget("desk", Switch(True)),), site=site))
    desk.tick(1000, "up", command=FOUR)
    desk.tick(1001, "up", command=Keep("pump", False, 7200.0))
    for t in range(1010, 1200, 5):
        desk.t = t
        desk.everything_on()
        desk.load("desk", False)
        settings = (SiteReading(at=desk.instant(), source="tesla", mode=SiteMode.BACKUP),)
        grid = desk.tick(grid="up")
        decision = desk.decide(Inputs(parts=desk.views, settings=settings))
        assert grid.actions == decision.actions == ()
        assert all(p.asked_at is None for p in desk.state.site.pursuits)
    desk.tick(1200, "up", command=Arm())
    desk.t = 1202
    desk.everything_on()
    desk.load("desk", False)
    decision = desk.decide(
        Inputs(parts=desk.views, settings=(SiteReading(at=desk.instant(), source="tesla", mode=SiteMode.BACKUP),))
    )
    assert {a.part for a in desk.decision.actions + decision.actions} == {"desk", "pump", "tesla"}


def test_the_answer_to_an_earlier_request_is_heard_and_no_other_follows():
    desk = Desk()
    desk.everything_on()
    first = desk.tick(1000, "down")
    desk.tick(1001, "down", command=FOUR)
    desk.tick(1002, "down", outcomes=(desk.answers(next(a for a in first.actions if a.part == "pump")),))
    assert desk.claim("pump").progress.accepted
    assert read(desk, 1003, False, "down") == []
    assert desk.claim("pump").status is ClaimStatus.TAKEN
    for t in range(1010, 2000, 30):
        desk.host(True)
        assert read(desk, t, False, "down") == []
        assert desk.decision.actions == ()


def test_what_was_on_its_way_back_and_is_wanted_again_waits():
    desk = Desk()
    desk.taken()
    read(desk, 1010, False, "up")
    assert desk.claim("pump").status is ClaimStatus.RETURNING
    desk.tick(1011, command=FOUR)
    for t in range(1012, 1100, 4):
        assert read(desk, t, True, "down") == []
    assert desk.claim("pump").status is ClaimStatus.RETURNING
    desk.tick(1100, command=Arm())
    assert "pump: taken again before it was given back" in desk.said


def test_it_is_mailed_both_ways_and_once_each():
    desk = Desk()
    desk.tick(1000, command=FOUR)
    for t in range(1000, 1000 + 5 * 3600, 60):
        desk.tick(t)
    assert desk.mails == ["pimgr does nothing for another 4 h", "pimgr is armed again"]
    desk.tick(command=Arm())
    assert len(desk.mails) == 2


def test_it_stands_in_the_headline_in_every_reason_and_in_every_mail():
    desk = Desk()
    desk.everything_on()
    desk.tick(1000, "up", command=FOUR)
    decision = desk.tick(1010, "down")
    assert headline(decision, desk.policy, desk.now()).startswith("DISARMED for another 4 h, GRID DOWN")
    (mail,) = decision.notices
    assert mail.text.startswith("pimgr is DISARMED for another 4 h: whatever is said here, it does nothing until then")
    for reason in decision.reasons:
        assert reason.status == "protected" or reason.returns.startswith("disarmed for another 4 h: nothing is done")


def test_a_newer_time_replaces_the_older_one():
    desk = Desk()
    desk.tick(1000, command=FOUR)
    desk.tick(1010, command=Disarm(600.0))
    desk.tick(1609)
    assert desk.state.disarmed
    desk.tick(1610)
    assert not desk.state.disarmed


@pytest.mark.parametrize("for_s", [0.0, 59.0, 8 * 86400.0, float("nan"), float("inf")])
def test_for_no_other_time_than_a_minute_to_a_week(for_s):
    desk = Desk()
    desk.tick(1000, command=Disarm(for_s))
    assert desk.state.disarmed is None


def test_it_rearms_itself_through_restarts_and_a_wrong_clock():
    desk, lasted = Desk(), 0.0
    desk.tick(1000, command=FOUR)
    for boot in range(12):
        for _ in range(25):
            desk.tick(desk.t + 60.0)
            lasted += 60.0
            if desk.state.disarmed is None:
                assert 4 * 3600 <= lasted <= 4 * 3600 + boot * 600.0
                return
        desk.reboot(0.0)
        desk.wall_error = -1e9
    raise AssertionError("it never armed itself again")


def test_a_person_who_changed_something_meanwhile_is_respected_afterwards():
    desk = Desk()
    desk.taken()
    read(desk, 1008, False, "down")
    desk.tick(1010, "down", command=FOUR)
    for t in range(1020, 1200, 20):
        read(desk, t, t > 1100, "down")
    desk.tick(1200, "down", command=Arm())
    for t in range(1201, 1400, 20):
        assert read(desk, t, True, "down") == []
    assert "pump" not in desk.claimed()


def test_disarmed_a_person_may_still_write_off_what_is_owed():
    from pimgr.policy.model import Forget

    desk = Desk(replace(house()))
    desk.taken()
    desk.tick(1010, command=FOUR)
    desk.tick(1011, command=Forget("pump"))
    assert "pump" not in desk.claimed()
