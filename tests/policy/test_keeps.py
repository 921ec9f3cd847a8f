"""Standing targets: pursued while nothing else wants the part, verified, and never against a person."""

from __future__ import annotations

from pimgr.api import replace
from pimgr.policy.model import HandsOff, Phase, StandingTarget
from tests.policy.desk import OFF, ON, Desk, action, asked, house


def keeping(part: str = "desk", on: bool = True) -> Desk:
    return Desk(house(keeps=(StandingTarget(part, ON if on else OFF),)))


def read(desk: Desk, t: float, on: bool, part: str = "desk", grid: str = "up") -> list[bool]:
    desk.t = t
    desk.load(part, on)
    return asked(desk.tick(grid=grid), part)


def test_a_load_that_is_not_as_the_config_wants_it_is_asked_until_it_was_seen():
    desk = keeping()
    assert read(desk, 1000, False) == [True]
    assert [t for t in range(1001, 1030) if read(desk, t, False)] == [1006, 1012, 1022]
    assert desk.state.kept[0].seen_at is None
    assert read(desk, 1031, True) == []
    assert desk.state.kept[0].seen_at == desk.instant(1031)
    assert desk.said.count("desk: to be on, as the config wants it") == 1


def test_a_keep_owes_nothing():
    desk = keeping()
    read(desk, 1000, False)
    read(desk, 1010, True)
    assert desk.claimed() == []


def test_a_person_who_changes_it_afterwards_is_respected():
    desk = keeping()
    read(desk, 1000, True)
    assert [t for t in range(1010, 9000, 500) if read(desk, t, False)] == []


def test_a_changed_target_is_pursued_again():
    desk = keeping()
    read(desk, 1000, True)
    desk.policy = replace(desk.policy, keeps=(StandingTarget("desk", OFF),))
    assert read(desk, 1010, True) == [False]


def test_no_keep_is_pursued_while_anything_is_the_matter_with_the_grid():
    desk = Desk(house(keeps=(StandingTarget("desk", ON),), timing=replace(house().timing, confirm_s=4.0, settle_s=9.0)))
    seen = set()
    for t, grid in ((1000, "down"), (1002, "down"), (1004, "down"), (1006, "up"), (1010, "up")):
        assert read(desk, t, False, grid=grid) == []
        seen.add(desk.state.phase)
    assert seen == {Phase.SUSPECT, Phase.OUTAGE, Phase.SETTLING}
    assert read(desk, 1015, False) == [True]


def test_a_keep_needs_a_fresh_reading():
    desk = keeping()
    desk.load("desk", False, age=100)
    assert desk.tick(1000, "up").actions == ()
    desk.load("desk", False)
    desk.boot = "boot-2"
    assert desk.tick(1001, "up").actions == ()


def test_a_reading_from_before_the_request_says_nothing_of_it():
    desk = keeping()
    read(desk, 1000, False)
    desk.t = 1010
    desk.load("desk", True, age=10)
    assert desk.tick().look == ("desk",)
    assert desk.state.kept[0].seen_at is None


def test_a_refusal_is_remembered_and_the_request_repeated_slowly():
    desk = keeping()
    desk.load("desk", False)
    first = desk.tick(1000, "up")
    desk.tick(1001, outcomes=(desk.answers(action(first, "desk"), "Refused"),))
    assert desk.state.kept[0].progress.problem == "desk: Refused"
    assert read(desk, 1002, False) == [True]


def test_a_part_in_a_claim_is_left_to_the_claim():
    desk = keeping("pump")
    desk.taken()
    assert desk.state.kept == ()
    assert read(desk, 1020, False, "pump", grid="down") == []


def test_a_person_who_changed_it_during_the_outage_is_respected_after_it():
    desk = keeping("pump", on=False)
    read(desk, 990, False, "pump")
    read(desk, 995, True, "pump")  # a person, before the outage already
    desk.t = 1000
    desk.taken()
    assert read(desk, 1100, True, "pump", grid="down") == []
    assert isinstance(desk.state.hands_off[0], HandsOff)
    assert read(desk, 1200, True, "pump") == []
    assert desk.state.phase is Phase.NORMAL
    assert read(desk, 1300, True, "pump") == []


def test_no_standing_target_turns_off_what_is_never_to_be_shed():
    desk = keeping("fridge", on=False)
    assert read(desk, 1000, True, "fridge") == []
    assert desk.state.kept == ()


def test_a_protected_part_may_be_kept_on():
    assert read(keeping("fridge"), 1000, False, "fridge") == [True]


def test_a_keep_for_a_part_that_left_the_config_asks_nothing():
    desk = keeping("ghost")
    assert read(desk, 1000, False, "ghost") == []
