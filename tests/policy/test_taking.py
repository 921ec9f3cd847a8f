"""How a part is taken: read, written down, asked, seen."""

from __future__ import annotations

import pytest

from pimgr.api import replace
from pimgr.policy.model import ClaimStatus, Phase, Progress, Tier
from pimgr.units import Percent
from tests.policy.desk import OFF, ON, Desk, action, asked, house


def test_a_load_that_is_on_is_claimed_with_what_was_found_and_then_asked():
    desk = Desk()
    desk.load("pump", True, age=12.0)
    decision = desk.tick(1020, "down")
    claim = desk.claim("pump")
    assert (claim.before, claim.before_at.mono_s, claim.wanted) == (ON, 988.0, OFF)
    assert (claim.status, claim.episode, claim.rule) == (ClaimStatus.TAKING, "outage-1", "at once")
    assert claim.origin == desk.policy.parts["pump"].origin
    assert claim.progress.action == action(decision, "pump").id
    assert decision.events[-1].text == "pump: to be off, because the grid is down"


def test_a_load_that_is_off_already_is_skipped_and_never_restored():
    desk = Desk()
    desk.load("pump", False)
    desk.tick(1000, "down")
    assert desk.claimed() == []
    assert [s.part for s in desk.state.skips] == ["pump"]
    assert "pump: is off already, left as it is" in desk.said
    desk.t = 1010
    desk.load("pump", False)
    assert desk.tick(grid="up").actions == ()
    assert desk.state.phase is Phase.NORMAL
    assert desk.state.skips == ()


def test_a_skip_needs_a_reading_of_this_outage():
    desk = Desk()
    desk.load("pump", False, age=20.0)
    decision = desk.tick(1000, "down")
    assert desk.state.skips == ()
    assert "pump" in decision.look
    desk.t = 1001
    desk.load("pump", True)
    assert asked(desk.tick(), "pump") == [False]


def test_a_part_that_cannot_be_read_is_pending_and_taken_when_it_answers():
    desk = Desk()
    desk.lost("pump")
    decision = desk.tick(1000, "down")
    assert decision.actions == ()
    assert "pump" in decision.look
    reason = next(r for r in decision.reasons if r.part == "pump")
    assert (reason.status, reason.returns) == ("pending", "taken as soon as it answers")
    assert "no answer in 5 s" in reason.why
    desk.t = 1100
    desk.load("pump", True)
    assert asked(desk.tick(), "pump") == [False]


@pytest.mark.parametrize(("age", "acts"), [(0.0, True), (60.0, True), (60.1, False)])
def test_no_load_is_touched_without_a_fresh_reading(age, acts):
    desk = Desk()
    desk.load("pump", True, age=age)
    assert bool(asked(desk.tick(1000, "down"), "pump")) is acts


def test_no_load_is_touched_on_a_reading_from_before_a_reboot_or_from_the_future():
    desk = Desk()
    desk.load("pump", True, age=-500.0)
    assert desk.tick(1000, "down").actions == ()
    desk = Desk()
    desk.everything_on()
    desk.boot = "boot-2"
    assert desk.tick(1000, "down").actions == ()


def test_a_request_is_only_done_when_it_was_seen():
    desk = Desk()
    desk.everything_on()
    first = desk.tick(1000, "down")
    desk.t = 1001
    desk.tick(outcomes=(desk.answers(action(first, "pump")),))
    assert desk.claim("pump").status is ClaimStatus.TAKING
    desk.t = 1002
    desk.load("pump", False)
    desk.tick()
    assert (desk.claim("pump").status, desk.claim("pump").progress) == (ClaimStatus.TAKEN, Progress())
    assert desk.said[-1] == "pump: off"


def test_a_reading_measured_before_the_request_says_nothing_of_it():
    desk = Desk()
    desk.everything_on()
    desk.tick(1000, "down")
    desk.t = 1002
    desk.load("pump", False, age=2.0)
    decision = desk.tick()
    assert desk.claim("pump").status is ClaimStatus.TAKING
    assert "pump" in decision.look


def retries(desk: Desk, until: float, error: str) -> list[float]:
    """When `pump` is asked, if every request is answered by `error` (or nothing: "mute") and it stays on."""
    times, outcomes = [], ()
    while desk.t < until:
        desk.t += 0.5
        desk.load("pump", True)
        decision = desk.tick(outcomes=outcomes)
        outcomes = ()
        if asked(decision, "pump"):
            times.append(desk.t - 1000.0)
            outcomes = () if error == "mute" else (desk.answers(action(decision, "pump"), error),)
    return times


def test_what_was_not_applied_is_asked_again_ever_more_slowly():
    desk = Desk()
    desk.everything_on()
    first = desk.tick(1000, "down")
    desk.tick(outcomes=(desk.answers(action(first, "pump"), "Refused"),))
    assert retries(desk, 1200, "Refused") == [2.0, 7.0, 17.0, 47.0, 107.0, 167.0]


def test_a_request_without_an_answer_may_be_under_way_for_six_seconds():
    desk = Desk()
    desk.everything_on()
    desk.tick(1000, "down")
    assert retries(desk, 1030, "mute") == [6.0, 12.0, 22.0]


def test_the_wake_up_call_is_due_when_the_next_request_is():
    desk = Desk()
    desk.everything_on()
    desk.tick(1000, "down")
    desk.t = 1001
    desk.load("pump", True)
    assert desk.tick().wake_at == 1006.0


def test_the_same_trouble_is_told_once():
    desk = Desk()
    desk.everything_on()
    first = desk.tick(1000, "down")
    desk.tick(outcomes=(desk.answers(action(first, "pump"), "Refused"),))
    retries(desk, 1100, "Refused")
    assert desk.said.count("pump: Refused") == 1


def test_tiers_go_off_in_order_and_a_part_in_two_tiers_once():
    low = Tier(name="low", below=Percent(50.0), restore_above=Percent(60.0), loads=("pump", "desk"))
    desk = Desk(replace(house(), tiers=(house().tiers[0], low)))
    desk.everything_on()
    desk.charged(40)
    decision = desk.tick(1000, "down")
    assert [a.part for a in decision.actions] == ["pump", "nas", "desk"]
    assert [c.order for c in decision.state.claims] == [0, 1, 2]


def test_the_never_shed_list_wins_over_every_tier():
    desk = Desk()
    desk.everything_on()
    decision = desk.tick(1000, "down")
    assert asked(decision, "fridge") == []
    assert "fridge" not in desk.claimed()
    assert next(r for r in decision.reasons if r.part == "fridge").status == "protected"


def test_a_tier_that_names_a_part_nobody_knows_harms_no_other():
    desk = Desk(replace(house(), tiers=(Tier(name="at once", loads=("ghost", "pump")),)))
    desk.everything_on()
    assert [a.part for a in desk.tick(1000, "down").actions] == ["pump"]


def test_nothing_more_is_taken_while_the_grid_is_returning():
    desk = Desk(house(timing=replace(house().timing, settle_s=60.0)))
    desk.load("pump", True)
    desk.host(True)
    first = desk.tick(1000, "down")
    desk.t = 1004
    desk.tick(grid="up", outcomes=tuple(desk.answers(a, "Unreachable") for a in first.actions))
    for t in range(1006, 1050, 2):
        desk.t = t
        desk.everything_on()
        assert desk.tick(grid="up").actions == ()
    assert desk.state.phase is Phase.SETTLING


def test_a_claim_passes_from_one_outage_to_the_next_without_being_given_back():
    desk = Desk(house(timing=replace(house().timing, confirm_s=4.0)))
    desk.everything_on()
    for t in (1000, 1002, 1004):
        desk.tick(t, "down")
    desk.t = 1006
    desk.load("pump", False)
    first = desk.claim("pump")
    desk.tick(grid="up")
    assert desk.state.phase is Phase.NORMAL
    desk.lost("pump")
    for t in (1008, 1010):
        assert asked(desk.tick(t, "down"), "pump") == []
    assert desk.claim("pump").owed_since is not None
    desk.tick(1012, "down")
    second = desk.claim("pump")
    assert (second.id, second.before, second.before_at) == (first.id, first.before, first.before_at)
    assert (first.episode, second.episode) == ("outage-1", "outage-2")
    assert second.owed_since is None


def test_a_load_wanted_again_in_the_middle_of_giving_back_is_asked_at_once_and_still_owed():
    desk = Desk()
    desk.taken()
    desk.t = 1010
    desk.load("pump", False)
    assert asked(desk.tick(grid="up"), "pump") == [True]
    desk.t = 1011
    desk.load("pump", False)
    assert asked(desk.tick(grid="down"), "pump") == [False]
    claim = desk.claim("pump")
    assert (claim.status, claim.before) == (ClaimStatus.TAKING, ON)


def test_a_load_wanted_again_that_does_not_answer_is_asked_when_it_does():
    desk = Desk()
    desk.taken()
    desk.t = 1010
    desk.load("pump", False)
    desk.tick(grid="up")
    desk.lost("pump")
    assert asked(desk.tick(1011, "down"), "pump") == []
    desk.t = 1100
    desk.load("pump", True)
    assert asked(desk.tick(), "pump") == [False]
    assert desk.claim("pump").before == ON


def test_a_load_wanted_again_is_asked_as_soon_as_it_answers():
    desk = Desk()
    desk.taken()
    desk.t = 1010
    desk.load("pump", False)
    desk.tick(grid="up")
    desk.lost("pump")
    desk.tick(1011, "down")
    desk.t = 1012.5
    desk.load("pump", True)
    assert asked(desk.tick(), "pump") == [False]


def test_a_load_found_off_after_a_reboot_in_the_outage_is_skipped():
    desk = Desk()
    desk.tick(1000, "down")
    desk.reboot(20.0)
    desk.load("pump", False)
    desk.tick(grid="down")
    assert [s.part for s in desk.state.skips] == ["pump"]


def test_after_a_restart_requests_in_flight_are_resolved_by_reading():
    desk = Desk()
    desk.everything_on()
    desk.tick(1000, "down")
    desk.restart()
    assert desk.claim("pump").progress.problem == "pimgr was restarted meanwhile"
    assert asked(desk.tick(1001, "down"), "pump") == []
    desk.t = 1002
    desk.load("pump", True)
    assert asked(desk.tick(), "pump") == [False]
    desk.restart()
    desk.t = 1005
    desk.load("pump", False)
    assert desk.tick().actions == ()
    assert desk.claim("pump").status is ClaimStatus.TAKEN


def test_a_restart_leaves_what_was_seen_as_it_is():
    desk = Desk()
    claim = desk.taken()
    desk.restart()
    assert desk.claim("pump") == claim
