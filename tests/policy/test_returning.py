"""How what was taken is given back: all of it, nothing else, last taken first, for as long as it takes."""

from __future__ import annotations

import pytest

from pimgr.api import replace
from pimgr.policy.model import ClaimStatus, Phase, StandingTarget, Timing
from tests.policy.desk import OFF, ON, Desk, action, asked, house

STAGGERED = Timing(confirm_s=0.0, settle_s=0.0, stagger_s=5.0, max_gap_s={"gateway": 6.0})


def all_off(desk: Desk) -> None:
    for part in ("pump", "desk", "heater"):
        desk.load(part, False)
    desk.host(False)


def everything_taken(timing: Timing = STAGGERED) -> Desk:
    """pump, nas, desk and heater are off; the time is 1100."""
    desk = Desk(house(timing=timing))
    desk.everything_on()
    desk.charged(40)
    desk.tick(1000, "down")
    desk.t = 1002
    all_off(desk)
    desk.tick()
    assert {c.status for c in desk.state.claims} == {ClaimStatus.TAKEN}
    desk.t = 1100
    all_off(desk)
    return desk


def test_given_back_in_reverse_order_and_staggered():
    desk = everything_taken()
    asks = []
    for step in range(40):
        desk.t = 1100 + 0.5 * step
        all_off(desk)
        decision = desk.tick(grid="up" if step == 0 else "")
        asks += [(desk.t, a.part) for a in decision.actions if desk.claim(a.part).progress.tries == 1]
    assert asks == [(1100.0, "heater"), (1105.0, "desk"), (1110.0, "nas"), (1115.0, "pump")]


def test_a_part_that_does_not_answer_holds_up_no_other():
    desk = everything_taken()
    desk.lost("heater")
    assert [a.part for a in desk.tick(grid="up").actions] == ["desk"]
    assert desk.claimed() == ["pump", "nas", "desk", "heater"]


def test_without_stagger_everything_goes_back_at_once_last_taken_first():
    desk = everything_taken(replace(STAGGERED, stagger_s=0.0))
    assert [a.part for a in desk.tick(grid="up").actions] == ["heater", "desk", "nas", "pump"]


def test_owed_until_it_was_seen_given_back():
    desk = Desk()
    desk.taken()
    desk.t = 1010
    desk.load("pump", False)
    decision = desk.tick(grid="up")
    desk.t = 1011
    desk.tick(outcomes=(desk.answers(action(decision, "pump")),))
    assert desk.claim("pump").status is ClaimStatus.RETURNING
    desk.t = 1012
    desk.load("pump", True)
    desk.tick()
    assert "pump" not in desk.claimed()
    assert "pump: on again" in desk.said


def test_a_load_that_is_on_already_is_not_asked():
    desk = Desk()
    desk.taken()
    desk.t = 1030
    desk.load("pump", True)
    assert asked(desk.tick(grid="up"), "pump") == []
    assert "pump" not in desk.claimed()
    assert "pump: on already" in desk.said


def test_a_load_that_reads_on_may_yet_obey_the_last_request_and_stays_owed_for_ten_seconds():
    desk = Desk()
    desk.everything_on()
    first = desk.tick(1000, "down")
    desk.t = 1000.2
    desk.load("pump", True)
    decision = desk.tick(grid="up", outcomes=(desk.answers(action(first, "pump")),))
    assert decision.actions == ()
    assert "pump" in desk.claimed()
    desk.t = 1009.0
    desk.load("pump", True)
    desk.tick()
    assert desk.tick(1011).look == ("nas", "pump")  # what was read at 9 s is no proof yet
    assert "pump" in desk.claimed()
    desk.load("pump", False)  # it took effect late
    assert asked(desk.tick(), "pump") == [True]


def test_a_clock_that_a_reboot_set_back_keeps_no_debt_open():
    desk = Desk()
    desk.everything_on()
    desk.tick(1000, "down")
    desk.reboot(20.0)
    desk.wall_error = -3e8
    desk.load("pump", True)
    assert desk.tick(grid="up").actions == ()
    assert "pump" not in desk.claimed()


def test_a_claim_of_an_older_version_knows_no_last_request_and_is_closed_by_reading():
    desk = Desk()
    claim = replace(desk.taken(), sent_at=None)
    desk.state = replace(desk.state, claims=(claim,))
    desk.t = 1003
    desk.load("pump", True)
    desk.tick(grid="up")
    assert desk.claimed() == []


def test_an_unreachable_part_stays_owed_as_long_as_it_takes():
    desk = Desk()
    desk.taken()
    desk.lost("pump")
    for day in range(1, 30):
        desk.tick(1000 + 86400.0 * day, "up")
        assert "pump" in desk.claimed()
    desk.load("pump", False)
    assert asked(desk.tick(), "pump") == [True]


def test_a_part_that_left_the_config_is_still_owed_and_given_back():
    desk = Desk()
    desk.taken()
    desk.policy = replace(desk.policy, parts={}, tiers=())
    desk.t = 1010
    desk.load("pump", False)
    assert asked(desk.tick(grid="up"), "pump") == [True]
    assert desk.claim("pump").origin.type == "scripted.load"


def test_suspicion_freezes_giving_back():
    desk = Desk(house(timing=replace(house().timing, confirm_s=4.0)))
    desk.everything_on()
    for t in (1000, 1002, 1004):
        desk.tick(t, "down")
    desk.t = 1006
    desk.load("pump", False)
    desk.tick()
    desk.lost("pump")
    desk.tick(1007, "up")
    desk.tick(1020, "down")
    assert desk.state.phase is Phase.SUSPECT
    desk.t = 1021
    desk.load("pump", False)
    decision = desk.tick()
    assert decision.actions == ()
    reason = next(r for r in decision.reasons if r.part == "pump")
    assert (reason.status, reason.returns) == ("owed", "comes back when the grid is steady")
    assert asked(desk.tick(1022, "up"), "pump") == [True]


def test_suspicion_lets_what_was_asked_be_seen_but_asks_nothing_again():
    desk = Desk(house(timing=replace(house().timing, confirm_s=4.0)))
    desk.everything_on()
    for t in (1000, 1002, 1004):
        desk.tick(t, "down")
    desk.t = 1006
    desk.load("pump", False)
    desk.tick(grid="")
    desk.t = 1007
    desk.load("pump", False)
    assert asked(desk.tick(grid="up"), "pump") == [True]
    desk.t = 1030
    desk.load("pump", False)
    assert desk.tick(grid="down").actions == ()
    desk.t = 1031
    desk.load("pump", True)
    desk.tick()
    assert "pump" not in desk.claimed()


def test_nothing_is_given_back_before_the_grid_has_settled():
    desk = Desk(house(timing=replace(house().timing, settle_s=20.0)))
    desk.taken()
    for t in range(1010, 1030, 2):
        desk.t = t
        desk.load("pump", False)
        assert desk.tick(grid="up").actions == ()
    desk.t = 1030
    desk.load("pump", False)
    assert asked(desk.tick(grid="up"), "pump") == [True]


@pytest.mark.parametrize(("keep", "found_again"), [(ON, [True]), (OFF, [])])
def test_giving_back_goes_to_the_standing_target_in_force_now(keep, found_again):
    desk = Desk()
    desk.taken()
    desk.policy = replace(desk.policy, keeps=(StandingTarget("pump", keep),))
    desk.t = 1030
    desk.load("pump", False)
    assert asked(desk.tick(grid="up"), "pump") == found_again
    assert ("pump" in desk.claimed()) is bool(found_again)


def test_a_tier_no_longer_in_force_is_given_back_while_the_outage_lasts():
    desk = everything_taken(replace(STAGGERED, stagger_s=0.0))
    desk.charged(60)
    assert [a.part for a in desk.tick(grid="down").actions] == ["heater", "desk"]
    assert desk.state.phase is Phase.OUTAGE


def test_the_ids_of_requests_never_repeat_over_a_restart():
    desk = Desk()
    desk.everything_on()
    first = desk.tick(1000, "down")
    desk.restart()
    desk.t = 1002
    desk.everything_on()
    second = desk.tick()
    assert min(a.id for a in second.actions) > max(a.id for a in first.actions)
