"""What a person says about a debt: forget it, or that a questioned one was ours."""

from __future__ import annotations

from pimgr.api import replace
from pimgr.policy.model import Forget, GiveBack, State
from tests.policy.desk import Desk, asked, house


def test_forget_writes_a_debt_off_and_touches_nothing():
    desk = Desk()
    desk.taken()
    decision = desk.tick(1010, command=Forget("pump"))
    assert asked(decision, "pump") == []
    assert "pump" not in desk.claimed()
    assert "pump: written off, it stays as it is" in desk.said
    desk.t = 1020
    desk.load("pump", True)
    assert asked(desk.tick(), "pump") == []  # nor is it taken again in this episode
    desk.t = 1030
    desk.load("pump", False)
    assert asked(desk.tick(grid="up"), "pump") == []


def test_a_part_forgotten_while_it_would_not_go_off_is_not_asked_again():
    desk = Desk()
    desk.everything_on()
    desk.tick(1000, "down")
    desk.tick(1003, command=Forget("pump"))
    for t in range(1004, 1100, 5):
        desk.t = t
        desk.load("pump", True)
        assert asked(desk.tick(), "pump") == []


def test_a_part_forgotten_on_the_eve_of_the_next_outage_is_taken_in_it():
    desk = Desk(house(timing=replace(house().timing, confirm_s=4.0)))
    desk.everything_on()
    for t in (1000, 1002, 1004):
        desk.tick(t, "down")
    desk.lost("pump")
    desk.tick(1010, "up")
    desk.tick(1020, "down")
    desk.tick(1021, command=Forget("pump"))
    desk.tick(1022, "down")
    desk.t = 1024
    desk.load("pump", True)
    assert asked(desk.tick(grid="down"), "pump") == [False]


def test_a_forgotten_part_is_taken_again_in_the_next_episode():
    desk = Desk()
    desk.taken()
    desk.tick(1010, command=Forget("pump"))
    desk.tick(1020, "up")
    desk.t = 1030
    desk.load("pump", True)
    assert asked(desk.tick(grid="down"), "pump") == [False]


def questioned() -> Desk:
    """The journal was lost while pump was taken; its claim came back from a snapshot, as a question."""
    desk = Desk()
    claim = desk.taken()
    desk.state = State(questions=(claim,))
    desk.t = 1100
    desk.load("pump", False)
    return desk


def test_a_question_restores_nothing_until_a_person_answers():
    desk = questioned()
    for t in range(1100, 5000, 300):
        desk.t = t
        desk.load("pump", False)
        assert desk.tick(grid="up").actions == ()
    reason = next(r for r in desk.decision.reasons if r.part == "pump")
    assert reason.status == "question"
    assert "pimgr return pump" in reason.returns


def test_a_question_answered_with_yes_is_given_back():
    desk = questioned()
    desk.tick(grid="up", command=GiveBack("pump"))
    assert desk.state.questions == ()
    desk.t = 1101
    desk.load("pump", False)
    assert asked(desk.tick(), "pump") == [True]


def test_a_question_answered_with_no_is_gone():
    desk = questioned()
    assert desk.tick(grid="up", command=Forget("pump")).actions == ()
    assert (desk.state.questions, desk.claimed()) == ((), [])


def test_an_answer_does_not_replace_a_claim_made_since():
    desk = questioned()
    desk.load("pump", True)
    desk.tick(1101, "down")
    before = desk.claim("pump")
    desk.tick(1102, command=GiveBack("pump"))
    assert desk.claim("pump") == before
    assert desk.state.questions == ()


def test_answered_claims_get_an_id_of_their_own():
    desk = questioned()
    desk.load("desk", True)
    desk.charged(40)
    desk.tick(1101, "down", command=GiveBack("pump"))
    ids = [c.id for c in desk.state.claims]
    assert {"pump", "desk"} <= set(desk.claimed())
    assert len(ids) == len(set(ids))
