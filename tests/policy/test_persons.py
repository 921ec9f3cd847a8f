"""A person has the last word: a hand on the button is never fought, unless the config says `enforce`."""

from __future__ import annotations

from itertools import pairwise

from pimgr.api import replace
from pimgr.policy.model import ClaimStatus, Phase
from tests.policy.desk import ON, Desk, asked, house


def read(desk: Desk, t: float, on: bool, *, gap: bool = False, grid: str = "down") -> list[bool]:
    """What pump is asked at `t`, if it was just read."""
    desk.t = t
    desk.load("pump", on, gap=gap)
    return asked(desk.tick(grid=grid), "pump")


def test_a_load_turned_on_by_a_person_is_left_alone_until_the_outage_is_over():
    desk = Desk()
    desk.taken()
    assert read(desk, 1100, True) == []
    assert desk.claimed() == ["nas"]
    assert "pump: a person turned it on; left alone until this outage is over" in desk.said
    reason = next(r for r in desk.decision.reasons if r.part == "pump")
    assert (reason.status, reason.returns) == ("hands off", "left alone until this outage is over")
    for t in range(1200, 2000, 100):
        assert read(desk, t, t % 200 == 0) == []


def test_what_was_released_to_a_person_is_not_given_back():
    desk = Desk()
    desk.taken()
    read(desk, 1100, True)
    read(desk, 1200, False)
    assert read(desk, 1300, False, grid="up") == []
    assert "pump" not in desk.claimed()


def test_hands_off_ends_with_its_episode():
    desk = Desk()
    desk.taken()
    read(desk, 1100, True)
    assert read(desk, 1200, True, grid="up") == []
    assert desk.state.hands_off == ()
    assert read(desk, 1300, True) == [False]


def test_hands_off_lasts_through_settling_and_back():
    desk = Desk(house(timing=replace(house().timing, settle_s=60.0)))
    desk.taken()
    read(desk, 1100, True)
    read(desk, 1110, True, grid="up")
    assert desk.state.phase is Phase.SETTLING
    assert read(desk, 1120, True) == []
    assert (desk.state.phase, desk.state.episodes) == (Phase.OUTAGE, 1)
    assert desk.state.hands_off != ()


def test_hands_off_survives_a_restart():
    desk = Desk()
    desk.taken()
    read(desk, 1100, True)
    desk.restart()
    assert read(desk, 1110, True) == []


def test_before_our_acknowledgement_a_difference_is_not_a_person():
    desk = Desk()
    desk.everything_on()
    desk.tick(1000, "down")
    assert read(desk, 1010, True) == [False]
    assert desk.claim("pump").status is ClaimStatus.TAKING


def test_a_difference_measured_before_our_acknowledgement_is_not_a_person():
    desk = Desk()
    desk.taken()
    desk.load("pump", True, age=1.0)  # measured before we saw it off, told after it
    decision = desk.tick(1002.5)
    assert "pump" in desk.claimed()
    assert decision.actions == ()
    assert "pump" in decision.look


def test_a_read_that_failed_since_is_a_gap_even_if_the_reading_before_it_differs():
    desk = Desk()
    desk.taken()
    desk.t = 1010
    desk.load("pump", True)
    desk.views["pump"] = replace(desk.views["pump"], steady_since=None, fault="no answer")
    assert asked(desk.tick(), "pump") == [False]


def test_answers_of_another_boot_do_not_make_a_part_steady():
    desk = Desk()
    desk.taken()
    steady = desk.views["pump"].steady_since
    desk.reboot()
    desk.t = 30
    desk.load("pump", True)
    desk.views["pump"] = replace(desk.views["pump"], steady_since=steady)
    assert asked(desk.tick(), "pump") == [False]


def test_after_a_gap_we_ask_once_more_and_then_it_is_a_person():
    desk = Desk()
    desk.taken()
    assert read(desk, 1100, True, gap=True) == [False]
    assert "pump: came back by itself, asked again" in desk.said
    assert read(desk, 1105, False) == []
    assert desk.claim("pump").status is ClaimStatus.TAKEN
    assert desk.claim("pump").before == ON
    assert read(desk, 1200, True, gap=True) == []
    assert "pump" not in desk.claimed()


def test_a_restart_of_pimgr_is_a_gap():
    desk = Desk()
    desk.taken()
    desk.restart()
    assert read(desk, 1100, True) == [False]


def test_a_reboot_of_the_box_is_a_gap():
    desk = Desk()
    desk.taken()
    desk.reboot()
    assert read(desk, 30, True) == [False]


def test_a_skipped_load_that_is_on_later_was_turned_on_by_a_person():
    desk = Desk()
    desk.load("pump", False)
    desk.tick(1000, "down")
    assert read(desk, 1100, True) == []
    assert "pump: a person turned it on; left alone until this outage is over" in desk.said
    assert read(desk, 1200, False, grid="up") == []


def test_enforce_asks_again_at_most_once_a_minute():
    desk = Desk(house(enforce=True))
    desk.taken()
    asks = []
    for t in range(1010, 1310):
        on = not asks or t - asks[-1] > 3  # the person's hand is quick
        if read(desk, t, on):
            asks.append(t)
    assert len(asks) == 5
    assert all(b - a >= 60 for a, b in pairwise(asks))
    assert "pump: was turned on, and the config enforces it, asked again" in desk.said
    assert desk.claim("pump").before == ON


def test_enforce_takes_a_skipped_load_that_a_person_turned_on_and_owes_it():
    desk = Desk(house(enforce=True))
    desk.load("pump", False)
    desk.tick(1000, "down")
    assert read(desk, 1100, True) == [False]
    assert desk.claim("pump").before == ON


def test_enforce_gives_back_like_everything_else():
    desk = Desk(house(enforce=True))
    desk.taken()
    assert read(desk, 1100, False, grid="up") == [True]


def test_nothing_is_asserted_again_while_the_grid_is_returning():
    for enforce, gap in ((False, True), (True, False)):
        desk = Desk(house(enforce=enforce, timing=replace(house().timing, settle_s=60.0)))
        desk.taken()
        read(desk, 1010, False, grid="up")
        assert read(desk, 1014, True, gap=gap, grid="up") == []
        assert "pump" in desk.claimed()
        assert read(desk, 1016, True) == [False]
