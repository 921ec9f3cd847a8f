"""What a person is told: one mail for each turn of events, and a reason for every part."""

from __future__ import annotations

import pytest

from pimgr.api import Grid, Severity, replace
from pimgr.policy.decide import worth_keeping
from pimgr.policy.model import ClaimStatus, Decision, Forget, Memory, Notice, Phase, StandingTarget, State
from pimgr.policy.news.telling import headline
from pimgr.units import Percent
from tests.policy.desk import OFF, Desk, action, house


def through_an_outage() -> tuple[Desk, list[Notice]]:
    """On, charge falls past the low tier, recovers, the grid comes back, everything is given back."""
    desk, mails = Desk(), []
    for t, grid, charge, on in (
        (1000, "down", 80, True),
        (1002, "down", 80, False),
        (1004, "down", 40, None),
        (1006, "down", 40, False),
        (1008, "down", 61, False),
        (1020, "down", 61, True),
        (1030, "up", 61, False),
        (1045, "up", 61, True),
        (1060, "up", 61, True),
    ):
        desk.t = t
        desk.charged(charge)
        for part in ("pump", "desk", "heater"):
            low = part != "pump"
            if on is not None:
                desk.load(part, (True if low and t in (1002, 1030) else on))
        desk.host(True if on is None else on, "nas-1" if t < 1040 else "nas-2")
        mails += desk.tick(grid=grid).notices
    return desk, mails


def test_one_mail_for_each_turn_recovery_included():
    _, mails = through_an_outage()
    assert [(m.severity, m.subject) for m in mails] == [
        (Severity.CRITICAL, "The grid is down: battery at 80 %"),
        (Severity.WARNING, "Battery at 40 %: low goes off"),
        (Severity.INFO, "The grid is back"),
        (Severity.INFO, "Everything was given back"),
    ]
    assert len({m.key for m in mails}) == 4


def test_the_mail_of_an_outage_says_what_goes_off_now_and_later_and_that_it_comes_back():
    _, mails = through_an_outage()
    assert mails[0].key == "outage-1-began"
    assert mails[0].text.split("\n\n")[:2] == [
        "The grid failed, and the house runs on its battery: 80 %.",
        "Going off now: pump, nas.\nLater, below 50 %: desk, heater.\nNever turned off: fridge.",
    ]
    assert mails[0].text.endswith("pimgr gives back by itself what it turned off when the grid is back.")


def test_a_charge_of_nothing_is_told_as_nothing():
    desk = Desk()
    desk.charged(0)
    assert "its battery: 0 %." in desk.tick(1000, "down").notices[0].text
    assert "its battery." in Desk().tick(1000, "down").notices[0].text


def test_the_mail_of_the_return_names_what_is_owed():
    desk = Desk()
    desk.taken()
    mail = desk.tick(1010, "up").notices[0]
    assert (mail.key, mail.subject) == ("outage-1-over", "The grid is back")
    assert mail.text == (
        "The grid is back and steady; it was away for 10 s.\n\nGiving back, one after the other: nas, pump."
    )


def test_a_blip_and_a_return_to_the_same_episode_are_logged_but_not_mailed():
    desk = Desk(house(timing=replace(house().timing, confirm_s=4.0, settle_s=60.0)))
    for t, grid in ((1000, "down"), (1002, "up"), (1004, "down"), (1006, "down"), (1008, "down"), (1010, "up")):
        desk.tick(t, grid)
    desk.tick(1012, "down")
    assert desk.mails == ["The grid is down"]
    assert [text for text in desk.said if "grid" in text] == [
        "the grid seems to be down (gateway: down)",
        "the grid was away for a moment only (gateway: up)",
        "the grid seems to be down (gateway: down)",
        "outage: the grid is down (gateway: down)",
        "the grid seems to be back (gateway: up)",
        "the grid is down again (gateway: down)",
    ]


def test_the_phase_is_told_before_what_follows_from_it():
    desk = Desk()
    desk.load("pump", True)
    desk.tick(1000, "down")
    assert desk.said == ["outage: the grid is down (gateway: down)", "pump: to be off, because the grid is down"]


def test_without_settling_the_grid_is_back_at_once_and_told_as_that():
    desk = Desk()
    desk.taken()
    desk.tick(1010, "up")
    assert "the grid is back (gateway: up)" in desk.said
    assert "The grid is back" in desk.mails


def nags(desk: Desk, days: int) -> list[tuple[float, str]]:
    """When mails about the debt come (h after the grid is back), looked at every 100 s."""
    result, t0 = [], desk.t
    while desk.t < t0 + days * 86400.0:
        desk.t += 100.0
        result += [((desk.t - t0) / 3600.0, n.key) for n in desk.tick().notices if n.key.startswith("owed-")]
    return result


def test_what_is_owed_for_ten_minutes_is_mailed_then_daily():
    desk = Desk()
    desk.load("pump", True)
    desk.tick(1000, "down")
    desk.t = 1002
    desk.load("pump", False)
    desk.tick()
    desk.lost("pump", "no answer in 5 s")
    desk.tick(1010, "up")
    told = nags(desk, 3)
    assert [round(h, 1) for h, _ in told] == [0.2, 24.2, 48.2]
    assert [key for _, key in told] == ["owed-1-1", "owed-1-2", "owed-1-3"]


def test_the_mail_of_a_debt_says_the_trouble_and_the_cure():
    desk = Desk()
    desk.load("pump", True)
    desk.tick(1000, "down")
    desk.lost("pump", "no answer in 5 s (192.0.2.14)")
    desk.tick(1010, "up")
    [pump] = desk.tick(1700).notices
    assert pump.subject == "pump could not be given back yet"
    assert pump.text.split("\n") == [
        "pimgr took pump (at once) and owes it back: it was on.",
        "The trouble: no answer in 5 s (192.0.2.14).",
        "pimgr goes on trying. Turn it on by hand, or write it off with: pimgr forget pump",
    ]


def test_several_debts_are_one_mail_at_first_and_each_its_own_from_the_next_day_on():
    desk = Desk()
    desk.taken()
    desk.lost("pump", "no answer in 5 s (192.0.2.14)")
    desk.lost("nas", "host key changed")
    desk.tick(1010, "up")
    [both] = desk.tick(1700).notices
    assert (both.subject, both.severity) == ("Not given back yet: pump, nas", Severity.WARNING)
    assert both.text.split("\n") == [
        "Still owed: pump (no answer in 5 s (192.0.2.14)). Turn it on by hand, or write it off with: pimgr forget pump",
        "Still owed: nas (host key changed). Wake it by hand, or write it off with: pimgr forget nas",
        "",
        "pimgr goes on trying, and tells you daily until it is done.",
    ]
    assert [notice.key for notice in desk.tick(1700 + 86400.0).notices] == ["owed-1-2", "owed-2-2"]


def test_what_else_came_back_is_told_with_what_did_not():
    desk = Desk()
    desk.taken()
    desk.host(False)
    desk.t += 2
    desk.tick()
    desk.lost("pump")
    desk.t = 1010
    desk.host(False)
    desk.tick(grid="up")
    desk.t = 1100
    desk.host(True, "nas-2")
    desk.tick(grid="up")
    mail = desk.tick(1700).notices[0]
    assert mail.subject == "Given back, except for pump"
    assert mail.text.startswith(
        "As it was found again: nas.\n\nStill owed: pump (no answer in 5 s). Turn it on by hand"
    )
    desk.t = 1800
    desk.load("pump", True)
    assert [n.subject for n in desk.tick().notices] == ["Everything was given back"]


def test_a_reboot_of_the_box_nags_no_sooner():
    desk = Desk()
    desk.taken()
    desk.lost("pump")
    desk.lost("nas")
    desk.tick(1010, "up")
    assert len(desk.tick(1700).notices) == 1
    desk.reboot(30.0)
    assert desk.tick(40, "up").notices == ()
    desk.trusted, desk.wall_error = True, 90_000.0
    assert [n.key for n in desk.tick(50).notices] == ["owed-1-2", "owed-2-2"]


def test_nags_of_a_part_that_changes_hands_have_keys_of_their_own():
    desk = Desk()
    desk.load("pump", True)
    desk.tick(1000, "down")
    keys = []
    for t in range(1010, 1010 + 20 * 86400, 43200):
        desk.t = t
        if (t // 43200) % 5 == 0:
            desk.load("pump", False)
        keys += [n.key for n in desk.tick(grid="up").notices if n.key.startswith("owed")]
    assert len(keys) == len(set(keys)) > 10


def test_everything_was_given_back_is_told_also_when_a_person_wrote_the_last_off():
    desk = Desk()
    desk.load("pump", True)
    desk.tick(1000, "down")
    desk.lost("pump")
    desk.tick(1010, "up")
    assert [n.subject for n in desk.tick(1020, command=Forget("pump")).notices] == ["Everything was given back"]


def reasons(decision: Decision) -> dict[str, tuple[str, str, str]]:
    return {r.part: (r.status, r.why, r.returns) for r in decision.reasons}


def test_every_part_has_a_reason():
    desk = Desk()
    desk.everything_on()
    desk.load("heater", False)
    desk.lost("desk")
    desk.charged(40)
    decision = desk.tick(1000, "down")
    grid = "comes back when the grid is back"
    assert reasons(decision) == {
        "pump": ("taking", "the grid is down", grid),
        "nas": ("taking", "the grid is down", grid),
        "heater": ("skip", "it was off before; pimgr did not take it and will not touch it", ""),
        "desk": (
            "pending",
            "to be off, because the grid is down and the battery fell below 50 %; no answer in 5 s",
            "taken as soon as it answers",
        ),
        "fridge": ("protected", "it is on the never-shed list", ""),
    }


def test_a_tier_that_goes_off_again_is_mailed_again_though_nothing_was_asked_meanwhile():
    desk = Desk()
    desk.charged(70)
    desk.tick(1000, "down")
    keys = []
    for t, charge in ((1010, 40), (1020, 65), (1030, 40)):
        desk.t = t
        desk.charged(charge)
        keys += [notice.key for notice in desk.tick(t).notices if "Battery at" in notice.subject]
    assert len(set(keys)) == len(keys) == 2


def test_a_tier_by_charge_says_at_which_charge_it_comes_back():
    desk = Desk()
    desk.everything_on()
    desk.charged(40)
    assert reasons(desk.tick(1000, "down"))["desk"][2] == (
        "comes back when the grid is back, or the battery is at 60 % again"
    )


def test_what_is_owed_says_when_it_comes_back():
    desk = Desk(house(timing=replace(house().timing, stagger_s=5.0)))
    desk.everything_on()
    first = desk.tick(1000, "down")
    desk.t = 1002
    desk.load("pump", False)
    desk.host(False)
    desk.tick()
    desk.t = 1010
    desk.load("pump", False)
    desk.host(False)
    told = reasons(desk.tick(grid="up"))
    assert told["nas"] == ("owed", "the outage is over for it, it goes back to up", "asked to come back, not seen yet")
    assert told["pump"] == ("owed", "the outage is over for it, it goes back to on", "comes back in its turn")
    desk.lost("pump", "no answer in 5 s")
    assert reasons(desk.tick())["pump"][2] == "comes back as soon as it answers (no answer in 5 s)"
    assert action(first, "pump").why == "the grid is down"


def test_what_is_owed_to_a_standing_target_says_so():
    desk = Desk(house(keeps=(StandingTarget("pump", OFF),)))
    desk.taken()
    desk.lost("pump")
    assert "it goes back to off" in reasons(desk.tick(1010, "up"))["pump"][1]


@pytest.mark.parametrize(
    ("phase", "charge", "estimated", "said"),
    [
        (Phase.NORMAL, 84.0, False, "on grid, 84 %, nothing shed"),
        (Phase.SUSPECT, None, False, "grid suspect, charge unknown, nothing shed"),
        (Phase.OUTAGE, 61.2, True, "GRID DOWN, about 61 %, nothing shed"),
        (Phase.SETTLING, 0.0, False, "grid returning, 0 %, nothing shed"),
    ],
)
def test_the_headline_is_one_line_for_a_person(phase, charge, estimated, said):
    desk = Desk()
    state = State(phase=phase, memory=Memory(grid=Grid.UP, grid_at=desk.instant()))
    told = Decision(state=state, charge=None if charge is None else Percent(charge), charge_estimated=estimated)
    assert headline(told, desk.policy, desk.now()) == said


def test_the_headline_counts_what_is_shed_and_what_is_owed():
    desk = Desk()
    desk.everything_on()
    desk.charged(70)
    taking = desk.tick(1000, "down")
    assert headline(taking, desk.policy, desk.now()) == "GRID DOWN, 70 %, 0 of 2 shed"
    desk = Desk()
    desk.taken()
    claims = tuple(replace(claim, status=ClaimStatus.TAKEN) for claim in desk.state.claims)
    told = Decision(state=replace(desk.state, claims=claims), charge=Percent(70.0))
    assert headline(told, desk.policy, desk.now()) == "GRID DOWN, 70 %, 2 shed"
    desk.lost("pump")
    assert headline(desk.tick(1010, "up"), desk.policy, desk.now()).endswith("owed")


def test_a_grid_that_nobody_sees_is_never_called_up():
    desk = Desk()
    before = desk.tick(1000)
    assert headline(before, desk.policy, desk.now()).startswith("grid unknown")
    seen = desk.tick(1002, "up")
    assert headline(seen, desk.policy, desk.now()).startswith("on grid")
    long_ago = desk.tick(1002 + 61)
    assert headline(long_ago, desk.policy, desk.now()).startswith("grid unknown")


def test_somebody_is_told_once_of_a_part_that_cannot_be_taken():
    desk = Desk()
    desk.everything_on()
    action_ = action(desk.tick(1000, "down"), "pump")
    for t in range(1002, 1400, 2):
        desk.t = t
        desk.everything_on()
        desk.host(False)
        outcome = desk.answers(action_, "sudo asks for a password") if action_ else None
        decision = desk.tick(grid="down", outcomes=(outcome,) if outcome else ())
        action_ = next((a for a in decision.actions if a.part == "pump"), None)
    assert [mail for mail in desk.mails if "pump" in mail] == ["1 of 2 is not off: pump"]
    assert len([said for said in desk.said if said.startswith("pump: can't be turned off yet")]) == 1
    assert "pump: can't be turned off yet: pump: sudo asks for a password" in desk.said


def test_somebody_is_told_once_of_a_part_that_fell_silent_while_it_was_taken():
    desk = Desk()
    desk.everything_on()
    request = action(desk.tick(1000, "down"), "pump")
    desk.lost("pump")
    desk.t = 1002
    desk.host(False)
    desk.tick(1002, outcomes=(desk.answers(request, "no answer in 5 s"),))
    for t in range(1004, 1300, 4):
        desk.tick(t)
    assert [mail for mail in desk.mails if "pump" in mail] == ["1 of 2 is not off: pump"]
    assert len([said for said in desk.said if said.startswith("pump: can't be turned off yet")]) == 1


def test_only_decisions_that_do_or_change_something_are_worth_keeping():
    desk = Desk()
    desk.everything_on()
    before = desk.state
    assert not worth_keeping(before, desk.tick(1000, "up"))
    before = desk.state
    outage = desk.tick(1002, "down")
    assert worth_keeping(before, outage)
    before = desk.state
    desk.charged(70)
    assert not worth_keeping(before, desk.tick(1004, "down"))
    before = desk.state
    assert worth_keeping(before, desk.tick(1005, outcomes=(desk.answers(outage.actions[0]),)))


def test_a_part_is_called_by_its_title_and_told_how_long_the_grid_must_be_back():
    policy = house(timing=replace(house().timing, settle_s=300.0))
    titled = replace(policy, parts={**policy.parts, "pump": replace(policy.parts["pump"], title="Pool pump")})
    desk = Desk(titled)
    desk.everything_on()
    decision = desk.tick(1000, "down")
    assert "Going off now: Pool pump, nas." in decision.notices[0].text
    assert reasons(decision)["pump"][2] == "comes back when the grid has been back for 5 min"
