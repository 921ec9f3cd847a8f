"""A person keeps a part on or off for a time: stronger than any rule, and over by itself."""

from __future__ import annotations

import pytest

from pimgr.api import LevelReading, replace
from pimgr.policy.calendar import Calendar, Offset
from pimgr.policy.model import (
    Aspect,
    ClaimStatus,
    Inputs,
    Keep,
    LetGo,
    Level,
    Origin,
    PartPolicy,
    PartView,
    Phase,
    Policy,
    StandingTarget,
    Switch,
    Tier,
)
from pimgr.policy.news.telling import headline
from pimgr.policy.persons import leases
from pimgr.policy.thermostats.comfort import Climate
from tests.policy.desk import Desk, a_day, asked, house
from tests.policy.world import EPOCH, charger

HOURS = 3600.0


def on(part: str = "pump", hours: float = 2.0) -> Keep:
    return Keep(part, True, hours * HOURS)


def off(part: str = "pump", hours: float = 2.0) -> Keep:
    return Keep(part, False, hours * HOURS)


def read(desk: Desk, t: float, pump: bool, grid: str = "", command: Keep | LetGo | None = None) -> list[bool]:
    """What pump is asked at `t`, if it was just read so; the command comes a moment before."""
    desk.t = t
    if command is not None:
        desk.tick(t - 0.5, command=command)
        desk.t = t
    desk.load("pump", pump)
    return asked(desk.tick(grid=grid), "pump")


def reason(desk: Desk, part: str = "pump") -> tuple[str, str, str]:
    found = [r for r in desk.decision.reasons if r.part == part]
    assert len(found) == 1, found
    return found[0].status, found[0].why, found[0].returns


# ------------------------------------------------------------------------------------------------------------ kept on


def test_a_load_that_is_kept_on_is_not_taken_in_an_outage_and_is_taken_when_the_lease_ends():
    desk = Desk()
    desk.everything_on()
    desk.tick(1000, "up", command=on())
    assert read(desk, 1010, True, "down") == []
    assert desk.state.phase is Phase.OUTAGE
    assert "pump" not in desk.claimed()
    assert "Going off now: nas." in desk.decision.notices[0].text
    assert reason(desk)[2] == "then it is to be off, because the grid is down"
    assert read(desk, 1000 + 2 * HOURS - 1, True, "down") == []
    assert read(desk, 1000 + 2 * HOURS, True, "down") == [False]
    assert "pump: kept on long enough" in desk.said


def test_a_load_that_was_taken_is_given_back_at_once_in_mid_outage_and_taken_again_afterwards():
    timing = replace(house().timing, stagger_s=60.0)
    desk = Desk(house(timing=timing))
    desk.taken()
    desk.tick(1010, "down", command=LetGo("pump"))  # nothing to let go
    desk.load("pump", False)
    assert asked(desk.tick(1011, "down", command=on()), "pump") == [True]
    assert desk.claim("pump").status is ClaimStatus.RETURNING
    assert read(desk, 1013, True) == []
    assert "pump" not in desk.claimed()
    assert read(desk, 1020, True) == []
    assert read(desk, 1011 + 2 * HOURS, True) == [False]


def test_a_lease_is_at_once_also_while_the_grid_is_only_suspected():
    desk = Desk()
    desk.taken()
    desk.lost("pump")
    desk.tick(1010, "up")
    desk.policy = house(timing=replace(house().timing, confirm_s=100.0))
    assert read(desk, 1012, False, "down") == []
    assert desk.state.phase is Phase.SUSPECT
    assert asked(desk.tick(1013, command=on()), "pump") == [True]


def test_a_load_that_is_off_is_switched_on_for_the_time_and_then_off_again():
    desk = Desk()
    desk.load("pump", False)
    assert asked(desk.tick(1000, command=on()), "pump") == [], "it is read anew first: somebody may stand at the switch"
    assert "pump" in desk.decision.look
    assert read(desk, 1002, False) == [True]
    assert desk.claim("pump").before == Switch(False)
    assert read(desk, 1004, True) == []
    assert reason(desk)[:2] == ("kept", "you keep it on for another 2 h")
    assert reason(desk)[2] == "then it goes back to off"
    assert read(desk, 1000 + 2 * HOURS, True) == [False]
    assert read(desk, 1003 + 2 * HOURS, False) == []
    assert desk.claimed() == []
    assert desk.mails == []


def test_a_load_that_is_on_already_is_left_alone_and_stays_on_afterwards():
    desk = Desk()
    desk.load("pump", True)
    desk.tick(1000, command=on())
    assert read(desk, 1002, True) == []
    assert desk.claimed() == []
    assert read(desk, 1001 + 2 * HOURS, True) == []


def test_a_lease_on_what_was_found_off_passes_to_the_outage_which_owes_what_was_found():
    desk = Desk()
    read(desk, 1000, False, command=on())
    read(desk, 1002, True)
    assert read(desk, 1010, True, "down") == []
    assert read(desk, 1000 + 2 * HOURS, True, "down") == [False]
    read(desk, 1002 + 2 * HOURS, False, "down")
    assert read(desk, 1010 + 2 * HOURS, False, "up") == [], "it was off before all this"
    assert desk.claimed() == []


# ----------------------------------------------------------------------------------------------------------- kept off


def test_a_load_that_is_kept_off_goes_off_and_comes_back_as_it_was_found():
    desk = Desk()
    assert read(desk, 1000, True, command=off()) == [False]
    assert read(desk, 1002, False) == []
    assert desk.claim("pump").status is ClaimStatus.TAKEN
    assert read(desk, 1000 + 2 * HOURS - 1, False) == []
    assert read(desk, 1000 + 2 * HOURS, False) == [True]


def test_one_that_is_kept_off_through_an_outage_is_passed_on_and_given_back_after_both():
    desk = Desk()
    read(desk, 1000, True, command=off(hours=1))
    read(desk, 1002, False)
    read(desk, 1010, False, "down")
    assert read(desk, 1010 + 1 * HOURS, False, "down") == [], "the outage holds it now"
    assert desk.claim("pump").rule == "at once"
    assert read(desk, 1020 + 1 * HOURS, False, "up") == [True]


def test_one_that_an_outage_took_and_a_person_keeps_off_stays_off_after_the_outage():
    desk = Desk()
    desk.taken()
    desk.tick(1010, "down", command=off())
    assert read(desk, 1020, False, "up") == []
    desk.host(True, "nas-2")
    assert desk.tick(1030, "up").state.phase is Phase.NORMAL
    assert desk.mails[-1] == "Everything was given back", "what a person keeps is not owed by the outage"
    assert read(desk, 1010 + 2 * HOURS, False) == [True]


def test_what_is_never_shed_is_not_kept_off():
    desk = Desk()
    desk.load("fridge", True)
    decision = desk.tick(1000, command=off("fridge"))
    assert decision.actions == ()
    assert desk.state.leases == ()
    assert desk.said == [
        "not kept: fridge: it is on the never-shed list, so it is not turned off; the config says so under [protect]"
    ]


def test_what_became_never_shed_since_is_given_back():
    desk = Desk()
    read(desk, 1000, True, command=off())
    read(desk, 1002, False)
    desk.policy = replace(desk.policy, never_shed=("fridge", "pump"))
    assert read(desk, 1010, False) == [True]


# ------------------------------------------------------------------------------------------------- person, rules, ends


def test_a_hand_on_the_switch_is_not_fought():
    for command, pump in ((off(), False), (on(), True)):
        desk = Desk()
        read(desk, 1000, not pump, command=command)
        read(desk, 1002, pump)
        for t in range(1010, 1200, 10):
            assert read(desk, t, not pump) == []
        assert desk.claimed() == []
        assert desk.said[-1].endswith("left alone until the lease ends")
        assert read(desk, 1000 + 2 * HOURS, not pump) == []
        assert desk.state.hands_off == ()


def test_enforce_yields_to_a_lease():
    desk = Desk(house(enforce=True))
    desk.taken()
    desk.tick(1010, "down", command=on())
    desk.t = 1011
    read(desk, 1012, True)
    for t in range(1020, 1400, 20):
        assert read(desk, t, True) == []
    desk = Desk(house(enforce=True))
    read(desk, 1000, True, command=off())
    read(desk, 1002, False)
    assert read(desk, 1010, True) == [], "nor is the lease itself enforced"


def test_a_lease_is_a_newer_word_than_a_hand_on_the_switch_and_afterwards_that_counts_again():
    desk = Desk()
    desk.taken()
    read(desk, 1100, True)
    assert "pump" not in desk.claimed()
    assert read(desk, 1110, True, "down", off()) == [False]
    read(desk, 1112, False)
    assert read(desk, 1110 + 2 * HOURS, False, "down") == [True], "it was theirs in this outage, and on"


def test_a_standing_target_does_not_fight_a_lease_and_counts_afterwards():
    desk = Desk(house(keeps=(StandingTarget("pump", Switch(False)),)))
    read(desk, 1000, False)
    read(desk, 1002, False, command=on())
    read(desk, 1004, True)
    for t in range(1010, 1200, 10):
        assert read(desk, t, True) == []
    assert read(desk, 1002 + 2 * HOURS, True) == [False]


def test_the_newest_lease_counts_and_a_person_may_end_it():
    desk = Desk()
    read(desk, 1000, True, command=off())
    read(desk, 1002, False)
    assert read(desk, 1010, False, command=on()) == [True]
    assert [(x.on, x.id) for x in desk.state.leases] == [(True, 2)]
    read(desk, 1012, True)
    assert read(desk, 1020, True, command=off()) == [False]
    read(desk, 1022, False)
    assert read(desk, 1030, False, command=LetGo("pump")) == [True]
    assert desk.state.leases == ()
    assert "pump: you let it go" in desk.said


def test_from_on_to_off_what_was_found_off_is_given_back_at_once():
    desk = Desk()
    read(desk, 1000, False, command=on())
    read(desk, 1002, True)
    assert read(desk, 1010, True, command=off()) == [False]
    read(desk, 1012, False)
    assert desk.claimed() == []
    assert read(desk, 1010 + 2 * HOURS, False) == []


# ------------------------------------------------------------------------------------------------------- hosts, levels


def test_a_host_that_is_kept_on_is_woken_if_it_was_taken_and_otherwise_left_alone():
    desk = Desk()
    desk.taken("nas")
    assert asked(desk.tick(1400, "down", command=on("nas")), "nas") == []
    desk.t = 1402
    desk.host(False)
    assert asked(desk.tick(grid="down"), "nas") == [True]
    silent = Desk()
    silent.host(False, last_boot="nas-1")
    silent.tick(1000, command=on("nas"))
    silent.t = 1002
    silent.host(False, last_boot="nas-1")
    assert silent.tick().actions == ()


def test_a_host_that_is_kept_off_is_shut_down_and_woken_afterwards():
    desk = Desk()
    desk.tick(999.5, command=off("nas"))
    desk.t = 1000
    desk.host(True)
    assert asked(desk.tick(), "nas") == [False]
    desk.t = 1300
    desk.host(False)
    desk.tick()
    assert desk.claim("nas").status is ClaimStatus.TAKEN
    desk.t = 999.5 + 2 * HOURS
    desk.host(False)
    assert asked(desk.tick(), "nas") == [True]


def level(desk: Desk, value: float) -> None:
    at = desk.instant()
    reading = LevelReading(at=at, source="car", level=value)
    desk.views["car"] = PartView(reading=reading, steady_since=desk.views.get("car", PartView()).steady_since or at)


def test_a_charger_is_kept_at_nothing_and_goes_back_to_its_level():
    desk = Desk(Policy(parts={"car": charger()}, tiers=(Tier(name="all", loads=("car",)),), timing=house().timing))
    desk.tick(999.5, command=off("car"))
    desk.t = 1000
    level(desk, 16.0)
    assert [a.value for a in desk.tick().actions] == [Level(0.0)]
    desk.t = 1002
    level(desk, 0.0)
    desk.tick()
    desk.t = 1000 + 2 * HOURS
    level(desk, 0.0)
    assert [a.value for a in desk.tick().actions] == [Level(16.0)]


def test_a_charger_that_is_kept_on_is_not_lowered_in_an_outage():
    desk = Desk(Policy(parts={"car": charger()}, tiers=(Tier(name="all", loads=("car",)),), timing=house().timing))
    level(desk, 16.0)
    desk.tick(1000, command=on("car"))
    desk.t = 1002
    level(desk, 16.0)
    assert desk.tick(grid="down").actions == ()


# ------------------------------------------------------------------------------------------------------------- refused

STAT = PartPolicy(aspect=Aspect.HOLD, origin=Origin("stat", "scripted.thermostat", {}))


@pytest.mark.parametrize(
    ("part", "kept", "for_s", "said"),
    [
        ("pump", True, 3600.0, ""),
        ("fridge", True, 3600.0, ""),
        ("fridge", False, 3600.0, "never-shed list"),
        ("pump", True, 59.0, "from 1 min to 7 days"),
        ("pump", True, 8 * 86400.0, "from 1 min to 7 days"),
        ("pump", True, float("nan"), "from 1 min to 7 days"),
        ("pmup", True, 3600.0, "no load or host of the config"),
        ("site", True, 3600.0, "battery's own settings"),
        ("stat", True, 3600.0, "a thermostat is set on the wall"),
        ("other-stat", True, 3600.0, "a thermostat is set on the wall"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(part, kept, for_s, said):
    policy = replace(house(), parts={**house().parts, "stat": STAT}, climate=Climate(thermostats=("other-stat",)))
    told = leases.refusal(policy, part, kept, for_s)
    assert (said in told) if said else not told
    desk = Desk(policy)
    desk.tick(command=Keep(part, kept, for_s))
    assert len(desk.state.leases) == (not said)


def test_a_part_that_left_the_config_is_given_back_and_kept_again_when_it_is_there_again():
    desk = Desk()
    read(desk, 1000, True, command=off())
    read(desk, 1002, False)
    whole = desk.policy
    desk.policy = replace(whole, parts={k: v for k, v in whole.parts.items() if k != "pump"})
    assert read(desk, 1010, False) == [True]
    desk.policy = whole
    assert read(desk, 1012, True) == [False]


# ---------------------------------------------------------------------------------------------------------------- time


def lease_after(reboots: list[tuple[float, bool]], hours: float = 2.0) -> tuple[Desk, float]:
    """A lease of some hours, through boots of so many s (with a right clock?); and how long it lasted in truth."""
    desk = Desk()
    desk.tick(1000, command=on(hours=hours))
    lasted = 0.0
    for number, (seconds, trusted) in enumerate(reboots):
        if number:
            desk.reboot(0.0)
            desk.wall_error = lasted + 1000.0 if trusted else -1e9
            desk.trusted = trusted
        for _ in range(int(seconds // 60)):
            desk.tick(desk.t + 60.0)
            lasted += 60.0
            if not desk.state.leases:
                return desk, lasted
    return desk, lasted


def test_a_lease_survives_restarts_and_lasts_no_longer_for_them():
    desk = Desk()
    desk.tick(1000, command=on())
    for t in range(1000, 8200, 900):
        desk.tick(t)
        desk.restart()
    assert desk.state.leases
    desk.tick(1000 + 2 * HOURS)
    assert not desk.state.leases


@pytest.mark.parametrize("trusted", [True, False])
def test_reboots_make_a_lease_longer_by_ten_minutes_each_at_most(trusted):
    _, lasted = lease_after([(3000.0, True)] + [(1500.0, trusted)] * 9)
    assert 2 * HOURS <= lasted <= 2 * HOURS + 5 * 600.0
    if trusted:
        assert lasted == 2 * HOURS


def test_a_wall_clock_that_jumps_within_a_boot_changes_nothing():
    desk = Desk()
    desk.tick(1000, command=on())
    desk.wall_error = 1e6
    desk.tick(1010)
    assert desk.state.leases


def test_pimgr_wakes_when_a_lease_ends():
    desk = Desk()
    assert desk.tick(1000, command=on()).wake_at == 1000 + 2 * HOURS


def test_the_time_is_told_as_the_clocks_in_the_house_show_it():
    desk = Desk()
    desk.load("pump", True)
    desk.tick(1000, command=on(hours=30))
    start = EPOCH + 1000 - 10 * HOURS  # it is ten in the morning
    ahead_s = -start % 86400.0
    days = tuple(a_day(start + n * 86400.0, ahead_s=ahead_s) for n in range(3))
    calendar = Calendar(days=days, offsets=(Offset(start, ahead_s),))
    for t, said in ((1000, "until tomorrow 16:00"), (1000 + 20 * HOURS, "until 16:00")):
        desk.t = t + 1
        desk.load("pump", True)
        desk.decision = desk.decide(Inputs(parts=desk.views, calendar=calendar))
        assert reason(desk)[1].startswith(f"you keep it on {said}")
    assert headline(desk.decision, desk.policy, desk.now()).endswith("1 kept by you")


def test_a_day_with_a_change_of_the_clocks_has_its_times_right():
    desk = Desk()
    desk.load("pump", True)
    desk.tick(1000, command=on(hours=1))
    start = EPOCH + 1000 - 17 * HOURS  # 18:00, since an hour was left out at night
    ahead_s = -start % 86400.0
    day = a_day(start, hours=23.0, ahead_s=ahead_s)
    offsets = (Offset(start, ahead_s), Offset(start + 2 * HOURS, ahead_s + HOURS))
    desk.t = 1001
    desk.load("pump", True)
    desk.decision = desk.decide(Inputs(parts=desk.views, calendar=Calendar(days=(day,), offsets=offsets)))
    assert reason(desk)[1] == "you keep it on until 19:00"
