"""Machines: shut down once, woken until they answer, and never confused about who started them."""

from __future__ import annotations

from pimgr.api import replace
from pimgr.policy.ledger.verdict import STUBBORN_S
from pimgr.policy.model import ClaimStatus, HostPower, Phase, Policy
from tests.policy.desk import Desk, action, asked, house


def accepted(desk: Desk) -> None:
    """nas was asked to shut down at 1000 and said yes."""
    desk.host(True)
    first = desk.tick(1000, "down")
    desk.t = 1001
    desk.tick(outcomes=(desk.answers(action(first, "nas")),))


def down(desk: Desk) -> None:
    """nas is taken, and silent since 1030."""
    accepted(desk)
    desk.t = 1030
    desk.host(False)
    desk.tick()
    assert desk.claim("nas").status is ClaimStatus.TAKEN


def over(desk: Desk, t: float, up: bool, boot: str = "nas-1", grid: str = "up") -> list[bool]:
    """What nas is asked at `t`, if it was just read."""
    desk.t = t
    desk.host(up, boot)
    return asked(desk.tick(grid=grid), "nas")


def test_a_host_is_asked_to_shut_down_only_in_the_boot_that_was_read():
    desk = Desk()
    desk.host(True, "nas-7")
    decision = desk.tick(1000, "down")
    assert action(decision, "nas").value == HostPower(False, "nas-7")
    assert desk.claim("nas").before == HostPower(True, "nas-7")


def test_a_host_that_was_silent_before_we_asked_is_never_claimed_and_never_woken():
    desk = Desk()
    desk.host(False)
    desk.tick(1000, "down")
    assert over(desk, 1100, False, grid="down") == []
    assert over(desk, 1200, False) == []
    assert (desk.claimed(), desk.state.phase) == ([], Phase.NORMAL)


def test_a_host_that_was_silent_and_answers_later_in_the_outage_is_left_alone():
    desk = Desk()
    desk.host(False)
    desk.tick(1000, "down")
    assert over(desk, 1100, True, grid="down") == []
    assert desk.said[-1] == "nas: a person started it; left alone until this outage is over"


def test_a_host_that_was_only_silent_for_a_moment_is_shut_down_when_it_answers_in_its_old_boot():
    """A network switch that restarts in the outage makes a host silent; silent is not off."""
    desk = Desk()
    desk.host(False, last_boot="nas-7")
    desk.tick(1000, "down")
    assert desk.claimed() == []
    desk.t = 1010
    desk.host(True, "nas-7")
    assert action(desk.tick(grid="down"), "nas").value == HostPower(False, "nas-7")


def test_enforce_is_for_switches_and_shuts_no_host_down_again():
    policy = house()
    parts = {**policy.parts, "nas": replace(policy.parts["nas"], enforce=True)}
    desk = Desk(replace(policy, parts=parts))
    desk.host(False)
    desk.tick(1000, "down")
    assert over(desk, 1100, True, grid="down") == []
    desk = Desk(replace(policy, parts=parts))
    down(desk)
    assert over(desk, 1100, True, "nas-2", grid="down") == []
    assert desk.claimed() == []


def test_a_host_that_still_answers_is_asked_again_only_after_its_shutdown_had_time():
    desk = Desk()
    accepted(desk)
    asks = [t for t in range(1002, 1320, 2) if over(desk, t, True, grid="down")]
    assert asks == [1150, 1300]


def test_a_refused_shutdown_is_asked_again_soon():
    desk = Desk()
    desk.host(True)
    first = desk.tick(1000, "down")
    desk.tick(1001, outcomes=(desk.answers(action(first, "nas"), "Refused"),))
    asks = [t for t in range(1002, 1030, 2) if over(desk, t, True, grid="down")]
    assert asks == [1010]


def test_a_host_restarted_by_a_person_is_left_alone_until_the_outage_is_over():
    desk = Desk()
    down(desk)
    assert over(desk, 1100, True, "nas-2", grid="down") == []
    assert "nas: a person started it; left alone until this outage is over" in desk.said
    assert desk.claimed() == []
    assert over(desk, 1400, True, "nas-2", grid="down") == []


def test_a_host_restarted_by_a_person_before_it_was_seen_down_is_left_alone_too():
    desk = Desk()
    accepted(desk)
    assert over(desk, 1400, True, "nas-2", grid="down") == []
    assert desk.claimed() == []


def test_a_host_that_comes_back_in_its_old_boot_was_only_cut_off_and_is_asked_again():
    desk = Desk()
    down(desk)
    for t in (1100, 1400):
        assert over(desk, t, True, grid="down") == [False]
        assert over(desk, t + 60, False, grid="down") == []
    assert desk.claim("nas").status is ClaimStatus.TAKEN


def test_a_host_whose_boot_nobody_knows_may_have_been_started_by_a_person():
    desk = Desk()
    desk.host(True, None)
    desk.tick(1000, "down")
    desk.t = 1030
    desk.host(False)
    desk.tick()
    desk.t = 1100
    desk.host(True, None)
    assert asked(desk.tick(), "nas") == []
    assert desk.claimed() == []


def test_a_boot_that_could_not_be_read_once_does_not_mean_a_person():
    desk = Desk()
    accepted(desk)
    desk.t = 1160
    desk.host(True, None)
    assert asked(desk.tick(), "nas") == [False]
    assert "nas" in desk.claimed()


def test_power_back_in_mid_shutdown_waits_for_off_then_wakes():
    desk = Desk()
    accepted(desk)
    for t in range(1010, 1100, 10):
        assert over(desk, t, True) == []
    assert over(desk, 1100, False) == [True]
    assert over(desk, 1140, True, "nas-2") == []
    assert desk.claimed() == []
    assert "nas: up again" in desk.said


def test_a_host_that_can_be_called_off_is_asked_to_stay_up_as_soon_as_the_grid_is_back():
    desk = Desk(calling_off(house()))
    accepted(desk)
    assert over(desk, 1010, True) == [True]
    for t in range(1020, 1000 + int(STUBBORN_S), 10):
        assert over(desk, t, True) == []
    assert "nas" in desk.claimed()
    assert over(desk, 1030 + STUBBORN_S, True) == []
    assert desk.claimed() == []


def test_a_host_that_was_called_off_too_late_is_woken():
    desk = Desk(calling_off(house()))
    accepted(desk)
    assert over(desk, 1010, True) == [True]
    assert over(desk, 1050, False) == [True]
    assert over(desk, 1100, True, "nas-2") == []
    assert desk.claimed() == []


def calling_off(policy: Policy) -> Policy:
    return replace(policy, parts={**policy.parts, "nas": replace(policy.parts["nas"], calls_off=True)})


def test_a_wake_in_mid_shutdown_is_not_taken_for_success_while_the_old_boot_still_answers():
    desk = Desk()
    down(desk)
    assert over(desk, 1040, False) == [True]
    assert over(desk, 1045, True) == []  # the network was away, the machine is still going down
    assert "nas" in desk.claimed()
    assert over(desk, 1080, False) == [True]
    assert over(desk, 1120, True, "nas-2") == []
    assert desk.claimed() == []


def test_a_host_asked_just_before_the_grid_came_back_is_watched_from_the_last_request():
    desk = Desk()
    accepted(desk)
    for t in range(1100, 1500, 10):
        over(desk, t, True, grid="down")
    last = desk.claim("nas").sent_at
    assert last is not None
    assert over(desk, 1500, True) == []
    assert "nas" in desk.claimed()
    assert over(desk, last.mono_s + STUBBORN_S + 1, True) == []
    assert desk.claimed() == []


def test_a_shutdown_whose_answer_was_lost_in_a_crash_may_still_happen():
    desk = Desk()
    desk.host(True)
    desk.tick(1000, "down")
    desk.restart()
    assert over(desk, 1005, True) == []
    assert "nas" in desk.claimed()
    assert over(desk, 1040, False) == [True]


def test_a_reboot_of_the_box_does_not_shorten_the_watch():
    desk = Desk()
    accepted(desk)
    desk.reboot(20.0)
    desk.wall_error, desk.trusted = 5e8, True
    assert over(desk, 21, True) == []
    assert "nas" in desk.claimed()
    assert over(desk, 60, False) == [True]


def test_a_stubborn_host_that_never_went_down_is_let_go():
    desk = Desk()
    accepted(desk)
    assert over(desk, 1010, True) == []
    assert over(desk, 1299, True) == []
    assert "nas" in desk.claimed()
    assert over(desk, 1301, True) == []
    assert desk.claimed() == []
    assert "nas: up already" in desk.said


def test_wake_is_repeated_every_thirty_seconds_and_more_slowly_after_twenty_times():
    desk = Desk()
    down(desk)
    asks = [t for t in range(1100, 2600, 5) if over(desk, t, False)]
    assert asks == [*range(1100, 1700, 30), *range(1970, 2600, 300)]
    assert "nas" in desk.claimed()


def test_a_host_that_we_woke_into_the_next_outage_is_shut_down_again_and_still_owed():
    desk = Desk()
    down(desk)
    assert over(desk, 1100, False) == [True]
    assert over(desk, 1110, False, grid="down") == []  # it may be starting: a silent one can't be asked
    assert desk.claim("nas").status is ClaimStatus.TAKEN
    assert over(desk, 1150, True, "nas-2", grid="down") == [False]
    claim = desk.claim("nas")
    assert (claim.before, claim.episode) == (HostPower(True, "nas-2"), "outage-2")
    assert "nas: up again" in desk.said
    assert not any("a person" in text for text in desk.said)


def test_a_host_that_starts_long_after_we_woke_it_was_started_by_a_person():
    desk = Desk()
    down(desk)
    over(desk, 1100, False)
    over(desk, 1110, False, grid="down")
    assert over(desk, 1800, True, "nas-2", grid="down") == []
    assert desk.claimed() == []


def test_silence_is_not_proof_of_off_unless_a_witness_on_the_same_path_answers():
    policy = house()
    parts = {**policy.parts, "nas": replace(policy.parts["nas"], witness="desk")}
    for policy_now, witness_answers, said in (
        (policy, True, True),
        (replace(policy, parts=parts), True, False),
        (replace(policy, parts=parts), False, True),
    ):
        desk = Desk(policy_now)
        down(desk)
        desk.t = 1040
        if witness_answers:
            desk.load("desk", True)
        reason = next(r for r in desk.tick().reasons if r.part == "nas")
        assert ("not proof that it is off" in reason.why) is said
