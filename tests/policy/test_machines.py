"""Machines in order: who goes off after whom, when an outlet is cut under one, who is back before whom is woken."""

from __future__ import annotations

import pytest

from pimgr.api import HostReading, LoadReading, Severity, replace
from pimgr.policy.ledger.proof import COLD_W, SIGHT_S
from pimgr.policy.ledger.verdict import WAKE_TRIES
from pimgr.policy.model import Arm, ClaimStatus, Disarm, HostPower, PartPolicy, PartView, Policy, Switch, Tier, Timing
from pimgr.units import Percent, Watts
from tests.policy.desk import Desk, action, asked
from tests.policy.world import GATEWAY, host, switch

LATE_S = 100.0
CUT_AFTER_S = 30.0
TIMING = Timing(confirm_s=0.0, settle_s=0.0, stagger_s=0.0, max_gap_s={GATEWAY: 6.0})


def rack(**more: PartPolicy) -> Policy:
    """pc1 and pc2 live on nas, which an outlet feeds; the lamp is on the same network, and stays on."""
    nas = replace(host(), after=("pc1", "pc2"), outlet="outlet", witness="lamp", cut_after_s=CUT_AFTER_S)
    parts = {"nas": nas, "pc1": host(), "pc2": host(), "outlet": switch(), "lamp": switch()} | more
    parts = {name: replace(of, deadline_s=LATE_S) for name, of in parts.items()}
    return Policy(parts=parts, tiers=(Tier(name="machines", loads=("nas", "pc1", "pc2")),), timing=TIMING)


class Rack(Desk):
    """Reads every machine anew before each decision; `boots` and `on` are the truth."""

    def __init__(self, policy: Policy | None = None) -> None:
        super().__init__(policy or rack())
        self.boots = {"nas": 1, "pc1": 1, "pc2": 1}
        self.up = {"nas": True, "pc1": True, "pc2": True}
        self.on, self.watts = {"outlet": True, "lamp": True}, dict[str, float]()
        self.unread: set[str] = set()

    def at(self, t: float, grid: str = "down", *, yes: bool = True) -> None:
        """A decision at `t` on readings of that moment; every request is accepted a second later, if `yes`."""
        self.t = t
        self.look()
        asks = self.tick(grid=grid).actions
        self.t += 1
        if asks:
            self.tick(outcomes=tuple(self.answers(a, "" if yes else "Refused") for a in asks))
        self.asks = [(a.part, _is_on(a.value)) for a in asks]

    def look(self) -> None:
        for name in self.up.keys() - self.unread:
            boot = f"{name}-{self.boots[name]}"
            up = self.up[name]
            reading = HostReading(at=self.instant(), source=name, up=up, boot_id=boot if up else None)
            self.views[name] = PartView(reading=reading, steady_since=self.instant(), last_boot=boot)
        for name in self.on.keys() - self.unread:
            watts = Watts(self.watts[name]) if name in self.watts else None
            # a load is read a moment after the machines
            at = self.instant(self.t + 0.1)
            old = self.views.get(name, PartView())
            reading = LoadReading(at=at, source=name, on=self.on[name], power_w=watts)
            self.views[name] = PartView(reading=reading, steady_since=old.steady_since or at)

    def every(self, step: float, until: float, grid: str = "down") -> list[tuple[float, str, bool]]:
        """Decisions every `step` s; returns what was asked, and when."""
        seen = []
        while self.t + step <= until:
            t = self.t + step - 1 if self.t % 10 == 1 else self.t + step
            self.at(t, grid)
            seen += [(t, part, on) for part, on in self.asks]
        return seen

    def down(self, *names: str) -> None:
        for name in names:
            self.up[name] = False

    def why(self, part: str) -> str:
        reason = next(r for r in self.decision.reasons if r.part == part)
        return f"{reason.status}: {reason.why}; {reason.returns}"


def _is_on(value: object) -> bool:
    return value.up if isinstance(value, HostPower) else isinstance(value, Switch) and value.on


def pcs_down(rack: Rack) -> Rack:
    """The grid is down since 1000; at 1010 both PCs are seen off, at 1020 nas is asked."""
    rack.at(1000)
    rack.down("pc1", "pc2")
    rack.at(1010)
    rack.at(1020)
    return rack


def all_down(rack: Rack) -> Rack:
    """And nas is silent from 1030 on."""
    pcs_down(rack)
    rack.down("nas")
    rack.at(1030)
    return rack


def cut(rack: Rack) -> Rack:
    """And its outlet is seen off."""
    all_down(rack)
    assert rack.every(10, 1080) != []
    rack.on["outlet"] = False
    rack.at(1090)
    assert rack.claim("outlet").status is ClaimStatus.TAKEN
    return rack


# ------------------------------------------------------------------------------------------------------- going off


def test_a_layer_goes_off_in_parallel_and_the_next_one_after_it():
    desk = Rack()
    desk.at(1000)
    assert desk.asks == [("pc1", False), ("pc2", False)]
    assert desk.why("nas").startswith(
        "pending: to be shut down, because the grid is down; waits for pc1, pc2 to be off"
    )
    desk.down("pc1")
    desk.at(1010)
    desk.at(1020)
    assert "waits for pc2 to be off" in desk.why("nas")
    desk.down("pc2")
    desk.at(1030)
    assert desk.asks == []
    desk.at(1032)
    assert desk.asks == [("nas", False)]


def test_a_machine_that_was_silent_before_we_asked_holds_up_nobody():
    desk = Rack()
    desk.down("pc1", "pc2")
    desk.at(1000)
    desk.at(1002)
    assert desk.claimed() == ["nas"]


@pytest.mark.parametrize("how", ["refuses", "hangs", "cannot be read"])
def test_whoever_does_not_go_off_is_waited_for_until_its_deadline_only(how):
    desk = Rack()
    desk.down("pc2")
    if how == "cannot be read":
        desk.unread.add("pc1")
    t = 1000.0
    while t < 1100 + LATE_S and "nas" not in desk.claimed():
        desk.at(t, yes=how != "refuses")
        t += 4
    assert t - 4 == 1000 + LATE_S
    assert "pc1: not off within 2 min, the others wait for it no longer" in desk.said


def test_a_deadline_begins_when_the_turn_came_and_not_with_the_outage():
    """A chain of three: each is waited for as long as its own deadline."""
    policy = rack()
    desk = Rack(replace(policy, parts=policy.parts | {"pc2": replace(policy.parts["pc2"], after=("pc1",))}))
    began: dict[str, float] = {}
    for step in range(80):
        desk.at(1000 + 4 * step)
        for part, _ in desk.asks:
            began.setdefault(part, desk.t - 1)
    assert began == {"pc1": 1000, "pc2": 1000 + LATE_S, "nas": 1000 + 2 * LATE_S}


def test_a_deadline_survives_a_restart_and_a_reboot_does_not_shorten_it():
    desk = Rack()
    desk.at(1000)
    desk.restart()
    desk.at(1000 + LATE_S - 10)
    assert "nas" not in desk.claimed()
    desk.at(1000 + LATE_S)
    assert "nas" in desk.claimed()
    desk = Rack()
    desk.at(1000)
    desk.reboot(20.0)
    desk.wall_error, desk.trusted = 5e8, True
    desk.at(21)
    desk.at(LATE_S - 10)
    assert "nas" not in desk.claimed()
    desk.at(LATE_S)
    assert "nas" in desk.claimed()


def test_what_nothing_wants_off_holds_up_nobody():
    policy = rack()
    tiers = (Tier(name="machines", loads=("nas", "pc1")), Tier(name="low", below=Percent(20.0), loads=("pc2",)))
    desk = Rack(replace(policy, tiers=tiers))
    desk.charged(80.0)
    desk.at(1000)
    assert desk.asks == [("pc1", False)]
    desk.down("pc1")
    desk.at(1010)
    desk.at(1012)
    assert desk.asks == [("nas", False)]


def test_a_machine_that_a_person_restarted_holds_up_nobody_and_is_left_alone():
    desk = Rack()
    desk.at(1000)
    desk.boots["pc1"] = 2
    desk.down("pc2")
    desk.at(1020)
    desk.at(1022)
    assert ("nas", False) in desk.asks
    asks = desk.every(10, 1500)
    assert not [ask for ask in asks if ask[1] == "pc1"]


def test_silence_that_a_witness_could_prove_is_waited_for_until_it_does():
    policy = rack()
    desk = Rack(replace(policy, parts=policy.parts | {"pc1": replace(policy.parts["pc1"], witness="lamp")}))
    desk.unread.add("lamp")
    desk.at(1000)
    desk.down("pc1", "pc2")
    desk.at(1010)
    desk.at(1020)
    assert "waits for pc1 to be off" in desk.why("nas")
    desk.unread.clear()
    desk.at(1030)
    assert desk.asks == [("nas", False)]


def test_a_load_may_wait_for_machines_too():
    """The plug of the network switch, without which nothing could be asked to shut down."""
    policy = rack(net=replace(switch(), after=("nas",)))
    tiers = (Tier(name="machines", loads=("net", "nas", "pc1", "pc2")),)
    desk = Rack(replace(policy, tiers=tiers))
    desk.on["net"] = True
    all_down(desk)
    desk.at(1034)
    assert "net" in desk.claimed()
    assert desk.claim("net").before == Switch(True)


def test_no_deadline_runs_while_pimgr_is_disarmed():
    desk = Rack()
    desk.look()
    desk.tick(1000, "down", command=Disarm(1000.0))
    for t in range(1004, 1990, 4):
        desk.at(t)
        assert desk.asks == []
    desk.look()
    desk.tick(1990, "down", command=Arm())
    desk.at(1994)
    assert "nas" not in desk.claimed()
    desk.at(1990 + LATE_S - 10)
    assert "nas" not in desk.claimed()
    desk.at(1994 + LATE_S)
    assert "nas" in desk.claimed()


# ---------------------------------------------------------------------------------------------------------- outlets


def test_an_outlet_is_cut_after_its_machine_is_proven_off_and_a_while_went_by():
    desk = all_down(Rack())
    assert "outlet" not in desk.claimed()
    desk.at(1034)
    off_at = desk.claim("nas").proof.off_at
    assert off_at is not None
    assert desk.why("outlet").startswith(
        "pending: to be off, because nas, which it feeds, is off; waits for 30 s after"
    )
    for t in range(1040, int(off_at.mono_s + CUT_AFTER_S), 4):
        desk.at(t)
        assert desk.asks == []
    desk.at(off_at.mono_s + CUT_AFTER_S)
    assert desk.asks == [("outlet", False)]


@pytest.mark.parametrize(
    "lacking",
    ["its answer", "the witness", "any witness", "a look at it", "a cold outlet", "a protected outlet", "our shutdown"],
)
def test_an_outlet_is_never_cut_without(lacking):
    policy = rack()
    nas = policy.parts["nas"]
    if lacking == "any witness":
        policy = replace(policy, parts=policy.parts | {"nas": replace(nas, witness=None)})
    if lacking == "a protected outlet":
        policy = replace(policy, never_shed=("outlet",))
    desk = Rack(policy)
    if lacking == "our shutdown":
        desk.down("nas")
    if lacking == "a cold outlet":
        desk.watts["outlet"] = 60.0
    desk.at(1000)
    desk.down("pc1", "pc2")
    desk.at(1010)
    desk.at(1020, yes=lacking != "its answer")
    desk.down("nas")
    if lacking == "the witness":
        desk.unread.add("lamp")
    desk.at(1030)
    desk.at(1034)
    if lacking == "a look at it":
        desk.unread.add("nas")
    asks = desk.every(10, 1300)
    assert not [ask for ask in asks if ask[1] == "outlet"]


def test_watts_that_fell_prove_it_without_a_witness():
    policy = rack()
    desk = Rack(replace(policy, parts=policy.parts | {"nas": replace(policy.parts["nas"], witness=None)}))
    desk.watts["outlet"] = 60.0
    all_down(desk)
    desk.at(1034)
    assert desk.claim("nas").proof.off_at is None
    desk.watts["outlet"] = COLD_W - 4
    desk.at(1040)
    assert desk.claim("nas").proof.off_at is not None
    assert next(part for _, part, _ in desk.every(10, 1100)) == "outlet"


def test_watts_that_rise_again_save_the_outlet():
    """Somebody started it: it is silent while it boots, and draws."""
    desk = Rack()
    desk.watts["outlet"] = 60.0
    all_down(desk)
    desk.watts["outlet"] = 4.0
    desk.at(1040)
    desk.watts["outlet"] = 50.0
    assert not [ask for ask in desk.every(10, 1200) if ask[1] == "outlet"]


def test_a_machine_that_always_draws_little_is_not_proven_off_by_its_watts():
    policy = rack()
    desk = Rack(replace(policy, parts=policy.parts | {"nas": replace(policy.parts["nas"], witness=None)}))
    desk.watts["outlet"] = 4.0
    all_down(desk)
    assert not [ask for ask in desk.every(10, 1300) if ask[1] == "outlet"]


def test_a_machine_that_answers_again_before_the_cut_keeps_its_outlet():
    desk = all_down(Rack())
    desk.at(1034)
    desk.at(1060)
    desk.boots["nas"], desk.up["nas"] = 2, True
    asks = desk.every(10, 1300)
    assert asks == []
    assert "nas: a person started it; left alone until this outage is over" in desk.said


def test_a_lost_request_to_cut_is_repeated_only_while_the_machine_is_seen_off():
    desk = all_down(Rack())
    asks = desk.every(10, 1075)
    assert [part for _, part, _ in asks] == ["outlet"]
    desk.boots["nas"], desk.up["nas"] = 2, True
    assert not [ask for ask in desk.every(10, 1300) if not ask[2]]
    assert desk.claimed() == ["pc1", "pc2"]


def test_the_machine_is_looked_at_shortly_before_its_outlet_is_cut():
    desk = all_down(Rack())
    desk.at(1034)
    desk.unread.add("nas")
    desk.at(1034 + SIGHT_S + CUT_AFTER_S)
    assert "nas" in desk.decision.look
    assert "outlet" not in desk.claimed()
    desk.unread.clear()
    desk.at(desk.t + 2)
    assert desk.asks == [("outlet", False)]


def test_an_outlet_that_comes_on_by_itself_is_not_cut_again_under_the_machine_that_starts():
    """The plug restarted: the machine starts with it, is shut down cleanly, and only then is it cut once more."""
    desk = cut(Rack())
    desk.views["outlet"] = PartView()
    desk.on["outlet"] = True
    desk.at(1100)
    desk.at(1110)
    assert desk.every(10, 1150) == []
    desk.boots["nas"], desk.up["nas"] = 2, True
    desk.at(1160)
    desk.at(1162)
    assert ("nas", False) in desk.asks or desk.claim("nas").before == HostPower(True, "nas-2")
    desk.down("nas")
    assert next(part for _, part, _ in desk.every(10, 1300)) == "outlet"


def test_a_person_who_turns_the_outlet_on_has_the_machine():
    desk = cut(Rack())
    desk.on["outlet"] = True
    desk.at(1100)
    desk.boots["nas"], desk.up["nas"] = 2, True
    assert desk.every(10, 1500) == []
    assert "nas" not in desk.claimed()


def test_a_witness_that_answered_before_the_silence_proves_nothing_and_is_asked_again():
    desk = pcs_down(Rack())
    desk.down("nas")
    desk.unread.add("lamp")
    desk.at(1030)
    desk.at(1034)
    assert desk.claim("nas").proof.off_at is None
    assert "lamp" in desk.decision.look


def test_watts_measured_before_the_silence_prove_nothing_and_are_read_again():
    policy = rack()
    desk = Rack(replace(policy, parts=policy.parts | {"nas": replace(policy.parts["nas"], witness=None)}))
    desk.watts["outlet"] = 60.0
    pcs_down(desk)
    desk.watts["outlet"] = 4.0
    desk.at(1025)
    desk.unread.add("outlet")
    desk.down("nas")
    desk.at(1030)
    desk.at(1034)
    assert desk.claim("nas").proof.off_at is None
    assert "outlet" in desk.decision.look


def test_one_look_is_not_enough_even_where_nothing_is_waited_for():
    """The path may have failed for a moment: it was seen well before and after the second look."""
    policy = rack()
    desk = Rack(replace(policy, parts=policy.parts | {"nas": replace(policy.parts["nas"], cut_after_s=0.0)}))
    all_down(desk)
    desk.unread.add("nas")
    desk.at(1034)
    desk.at(1036)
    assert desk.claim("nas").proof.off_at is not None
    assert "outlet" not in desk.claimed()
    desk.unread.clear()
    desk.at(1038)
    assert desk.asks == [("outlet", False)]


# ------------------------------------------------------------------------------------------------------ coming back


def test_a_machine_whose_outlet_is_on_again_is_looked_at_before_it_is_woken():
    desk = cut(Rack())
    desk.at(1100, "up")
    desk.on["outlet"] = True
    desk.unread.add("nas")
    desk.at(1104, "up")
    desk.at(1106, "up")
    assert "outlet" not in desk.claimed()
    assert desk.asks == []
    assert "nas" in desk.decision.look
    desk.unread.clear()
    desk.at(1108, "up")
    assert desk.asks == [("nas", True)]


def test_the_outlet_is_on_first_then_the_machine_is_woken_then_those_that_need_it():
    desk = cut(Rack())
    desk.at(1100, "up")
    assert desk.asks == [("outlet", True)]
    assert "waits until outlet is on" in desk.why("nas")
    assert "waits until nas is up" in desk.why("pc1")
    desk.on["outlet"] = True
    desk.at(1110, "up")
    desk.at(1112, "up")
    assert desk.asks == [("nas", True)]
    assert desk.every(10, 1150, "up")[0][1] == "nas"
    desk.boots["nas"], desk.up["nas"] = 2, True
    desk.at(1170, "up")
    desk.at(1172, "up")
    assert sorted({part for part, _ in desk.asks} | set(desk.claimed())) == ["pc1", "pc2"]
    for name in ("pc1", "pc2"):
        desk.boots[name], desk.up[name] = 2, True
    desk.at(1220, "up")
    assert desk.claimed() == []


def test_a_machine_that_starts_by_itself_with_its_outlet_is_not_woken():
    desk = cut(Rack())
    desk.at(1100, "up")
    desk.on["outlet"], desk.boots["nas"], desk.up["nas"] = True, 2, True
    asks = desk.every(10, 1140, "up")
    assert ("nas", True) not in [(part, on) for _, part, on in asks]
    assert "nas" not in desk.claimed()


@pytest.mark.parametrize("how", ["does not start", "cannot be read"])
def test_who_needs_a_machine_that_does_not_come_back_waits_until_its_deadline_only(how):
    desk = cut(Rack())
    desk.on["outlet"] = True
    if how == "cannot be read":
        desk.unread.add("nas")
    t = 1100.0
    while t < 1500 and desk.claim("pc1").status is not ClaimStatus.RETURNING:
        desk.at(t, "up")
        t += 4
    assert 1100 + LATE_S <= t - 4 <= 1100 + LATE_S + 12
    assert "nas: not back within 2 min, the others wait for it no longer" in desk.said


def test_an_outlet_that_does_not_come_on_holds_up_its_machine_until_its_deadline_only():
    desk = cut(Rack())
    t = 1100.0
    while t < 1500 and desk.claim("nas").status is not ClaimStatus.RETURNING:
        desk.at(t, "up")
        t += 4
    assert 1100 + LATE_S <= t - 4 <= 1100 + LATE_S + 12
    assert "outlet" in desk.claimed()


def test_power_back_before_a_layer_had_its_turn_strands_nothing():
    desk = Rack()
    desk.at(1000)
    desk.down("pc1")
    desk.at(1010, "up")
    assert desk.claimed() == ["pc1", "pc2"]
    desk.at(1012, "up")
    assert desk.asks == [] or desk.asks == [("pc1", True)]
    desk.down("pc2")
    woken = {part for _, part, on in desk.every(10, 1060, "up") if on} | {"pc1"}
    assert woken == {"pc1", "pc2"}
    assert desk.state.due == ()


def test_power_back_while_the_cut_is_in_flight_gives_the_outlet_back_before_the_machine():
    desk = all_down(Rack())
    desk.at(1034)
    desk.at(1066)
    assert desk.asks == [("outlet", False)]
    desk.at(1070, "up")
    assert desk.asks == []
    desk.on["outlet"] = False
    desk.at(1080, "up")
    assert desk.asks == [("outlet", True)]
    desk.on["outlet"] = True
    assert next(part for _, part, _ in desk.every(10, 1110, "up")) == "nas"


def test_an_outage_while_the_machine_starts_lets_it_start_and_then_shuts_it_down_before_the_cut():
    desk = cut(Rack())
    desk.at(1100, "up")
    desk.on["outlet"] = True
    asks = desk.every(10, 1130)  # the next outage began, and nas is booting
    assert asks == []
    desk.boots["nas"], desk.up["nas"] = 2, True
    asks = desk.every(10, 1160)
    assert [(part, on) for _, part, on in asks] == [("nas", False)]
    assert not any("a person" in text for text in desk.said)
    desk.down("nas")
    assert next(part for _, part, _ in desk.every(10, 1300)) == "outlet"


def test_a_machine_that_is_told_to_stay_up_waits_for_nobody():
    policy = rack()
    desk = Rack(replace(policy, parts=policy.parts | {"pc1": replace(policy.parts["pc1"], calls_off=True)}))
    desk.at(1000)
    desk.down("pc2")
    desk.at(1000 + LATE_S + 4)
    desk.at(1110, "up")
    assert ("pc1", True) in desk.asks


def test_a_machine_that_does_not_start_is_told_of_once_it_was_woken_often_enough():
    desk = cut(Rack())
    desk.on["outlet"] = True
    woken = 0
    for step in range(90):
        desk.at(1100 + 10 * step, "up")
        woken += desk.asks.count(("nas", True))
        mails = [n for n in desk.decision.notices if "nas" in n.subject]
        assert not mails or woken >= WAKE_TRIES
        if mails:
            break
    assert mails[0].severity is Severity.WARNING
    assert f"it was woken {WAKE_TRIES} times and does not answer" in mails[0].text


def test_a_state_from_before_there_was_an_order_still_reads():
    desk = cut(Rack())
    action(desk.tick(1100, "up"), "outlet")
    desk.restart()
    assert {c.part for c in desk.state.claims} == {"pc1", "pc2", "nas", "outlet"}
    assert asked(desk.decision, "outlet") == [True]
