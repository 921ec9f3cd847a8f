"""What must hold at every tick of every history. Each watch looks at one decision, and at the truth behind it."""

from __future__ import annotations

from typing import assert_never

import msgspec

from pimgr.api import Grid, LoadReading, Now
from pimgr.policy.decide import decide, worth_keeping
from pimgr.policy.model import Claim, ClaimStatus, Decision, HostPower, Inputs, Level, Phase, State, Switch, Value
from pimgr.policy.persons.people import LEASE
from pimgr.policy.shedding.allowance import Budget
from pimgr.policy.values import LEVEL_STEP, value_of
from tests.policy.devices import FLOOR_A, PERSON, Charger, Plug
from tests.policy.world import Watch, World

encode = msgspec.msgpack.encode


def same_arguments_same_decision(world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    """Bit for bit, also after all four have been through the journal; and the ring changes none of them."""
    if not worth_keeping(before, decision):
        return
    blobs = [encode(x) for x in (before, inputs, world.policy, now)]
    kinds = (State, Inputs, type(world.policy), Now)
    again = decide(*(msgspec.msgpack.decode(b, type=k) for b, k in zip(blobs, kinds, strict=True)))  # type: ignore[arg-type]
    assert encode(again) == encode(decision)
    assert msgspec.msgpack.decode(encode(decision), type=Decision) == decision
    assert [encode(x) for x in (before, inputs, world.policy, now)] == blobs


def acts_on_fresh_readings_only(world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    for action in decision.actions:
        reading, of = inputs.parts[action.part].reading, world.policy.parts.get(action.part)
        assert reading is not None, f"{action.part} was never read"
        assert reading.at.boot == now.boot
        assert now.mono_s - reading.at.mono_s <= (of.fresh_s if of else 60.0)


def gives_back_only_what_it_took(world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    """On and wake go only to a claim whose `before` was on; and `before` is what the part truly was when read."""
    claims = {c.part: c for c in (*before.claims, *decision.state.claims)}
    kept_on = {k.part for k in world.policy.keeps if k.value == Switch(True)}
    for action in decision.actions:
        if _is_on(action.value) and action.part not in kept_on and not _is_kept(action.part, True, decision):
            assert action.part in claims, f"{action.part} was never taken"
            assert _is_on(claims[action.part].before)
            if isinstance(action.value, Level):
                assert action.value == claims[action.part].before, "a level goes back to what it was"
    known = {c.id for c in before.claims}
    for claim in decision.state.claims:
        if claim.id not in known and claim.before_at.boot == now.boot:
            truth = world.devices[claim.part].was_on(claim.before_at.mono_s + world.boot_t)
            assert _is_on(claim.before) is truth


def protected_parts_are_never_asked(world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    for action in decision.actions:
        if action.part in world.policy.never_shed:
            ours = any(c.part == action.part and not _is_on(c.before) for c in before.claims)
            assert _is_kept(action.part, True, decision) or ours, "but for what a person wants on, and off again"


def unknown_moves_nothing(world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    if all(r.grid is Grid.UNKNOWN for r in inputs.grid):
        assert decision.state.phase is before.phase
        assert decision.state.episodes == before.episodes


def suspicion_gives_nothing_back(world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    if decision.state.phase is Phase.SUSPECT:
        assert {a.part for a in decision.actions} <= {lease.part for lease in decision.state.leases}


def takes_only_in_an_outage(world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    off_keeps = {k.part for k in world.policy.keeps if k.value == Switch(False)}
    for action in decision.actions:
        if _is_on(action.value) or action.part in off_keeps or _is_kept(action.part, False, decision):
            continue
        given_back = any(c.part == action.part and not _is_on(c.before) for c in before.claims)
        assert decision.state.phase is Phase.OUTAGE or given_back


class PersonsAreNotFought:
    """A hand on the button, seen without a gap after our acknowledgement, has the last word in that episode.

    What pimgr saw in a tick that was never written down, it did not see; and its restart is a gap.
    """

    def __init__(self) -> None:
        self.theirs: set[tuple[str, str]] = set()

    def __call__(self, world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
        after, leases = decision.state, {lease.part: lease.episode for lease in decision.state.leases}
        for claim in before.claims if world.crash_when != "before" and not after.disarmed else ():
            wanted = leases.get(claim.part) == claim.episode or _is_wanted(claim, after, world)
            if self._is_theirs(world, claim, inputs, now) and wanted:
                self.theirs.add((claim.part, claim.episode))
        goes_on = set(leases.values()) | ({after.episode} if after.phase is not Phase.NORMAL else set())
        # A lease is a newer word than the hand on the switch before it.
        self.theirs = {(p, e) for p, e in self.theirs if e in goes_on and leases.get(p, e) == e}
        for action in decision.actions:
            assert action.part not in {p for p, _ in self.theirs}, f"{action.part} belongs to a person"

    def _is_theirs(self, world: World, claim: Claim, inputs: Inputs, now: Now) -> bool:
        view, device = inputs.parts.get(claim.part), world.devices[claim.part]
        if (
            claim.status is not ClaimStatus.TAKEN
            or view is None
            or view.reading is None
            or claim.since.boot != now.boot
        ):
            return False
        acknowledged, read = claim.since.mono_s + world.boot_t, view.reading.at.mono_s + world.boot_t
        enforced = world.policy.parts[claim.part].enforce and claim.rule != LEASE
        if enforced or not isinstance(device, Plug | Charger):
            return False
        if not acknowledged < read or device.gap_at >= acknowledged:
            return False
        touched = [c for c in device.changes if acknowledged < c.t <= read]
        if not touched or any(c.by != PERSON for c in touched):
            return False
        if isinstance(claim.wanted, Level):
            return abs(touched[-1].level - claim.wanted.level) > LEVEL_STEP
        return touched[-1].on is not _is_on(claim.wanted)


class EstimatesOnlyFall:
    """Without a new measurement in one outage, the charge to decide by never rises; at a reboot by under a point."""

    def __init__(self) -> None:
        self.last: tuple[object, float, str] | None = None

    def __call__(self, world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
        mark, charge = (decision.state.memory.mark, decision.state.episodes), decision.charge
        if mark[0] is None or charge is None:
            return
        if self.last is not None and self.last[0] == mark:
            assert charge <= self.last[1] + (1e-9 if self.last[2] == now.boot else 1.0)
        self.last = (mark, charge, now.boot)


def tiers_keep_their_hysteresis(world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    """A tier by charge comes into force below its threshold only, and leaves it at `restore_above` only."""
    after, charge = decision.state, decision.charge
    for tier in world.policy.tiers:
        if tier.below is None or tier.restore_above is None:
            continue
        was, is_now = tier.name in before.tiers, tier.name in after.tiers
        if is_now and not was:
            assert charge is not None
            assert charge < tier.below
            assert after.phase is Phase.OUTAGE
        if was and not is_now and after.phase in (Phase.OUTAGE, Phase.SETTLING):
            assert charge is not None
            assert charge >= tier.restore_above


def gives_back_staggered_last_taken_first(
    world: World, before: State, inputs: Inputs, now: Now, decision: Decision
) -> None:
    """At most one in `stagger_s`, and none before another that was taken later and reads off as plainly."""
    old = {(c.part, c.aspect): c for c in before.claims}
    kept = {lease.part for lease in decision.state.leases}
    begun = [c for c in decision.state.claims if _just_begun(c, old.get((c.part, c.aspect))) and c.part not in kept]
    stagger = world.policy.timing.stagger_s
    if stagger:
        assert len(begun) <= 1
    last = before.gave_back_at
    if begun and stagger and last is not None and last.boot == now.boot:
        assert now.mono_s - last.mono_s >= stagger - 1e-6
    kept_off = {k.part for k in world.policy.keeps if k.value == Switch(False)}
    for claim in begun:
        for other in decision.state.claims:
            if (
                other.part not in kept_off
                and other.status is ClaimStatus.TAKEN
                and other.owed_since
                and _reads_down(other, inputs, now)
            ):
                assert other.order <= claim.order, f"{other.part} was taken after {claim.part}"


def _just_begun(claim: Claim, old: Claim | None) -> bool:
    return claim.status is ClaimStatus.RETURNING and (old is None or old.status is not ClaimStatus.RETURNING)


def _reads_down(claim: Claim, inputs: Inputs, now: Now) -> bool:
    view = inputs.parts.get(claim.part)
    if view is None or view.reading is None or view.reading.at.boot != now.boot or claim.since.boot != now.boot:
        return False
    reading = view.reading
    on = _is_on(value_of(reading))
    return not on and reading.at.mono_s > claim.since.mono_s and now.mono_s - reading.at.mono_s <= 60.0


def _is_on(value: Value) -> bool:
    """Whether it is more than what an outage leaves to a part."""
    match value:
        case Switch(on=on):
            return on
        case HostPower(up=up):
            return up
        case Level(level=level):
            return level > FLOOR_A + LEVEL_STEP
    assert_never(value)


def _is_kept(part: str, on: bool, decision: Decision) -> bool:
    return any(lease.part == part and lease.on is on for lease in decision.state.leases)


def a_lease_is_the_strongest(world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    found = {(c.part, c.before) for c in before.claims if isinstance(c.before, Level)}
    for action in decision.actions:
        if (action.part, action.value) in found:
            continue  # a charger that is kept on goes back to its level, however low
        for on in (True, False):
            if _is_kept(action.part, on, decision) and (on or action.part not in world.policy.never_shed):
                assert _is_on(action.value) is on, f"{action.part} is kept {'on' if on else 'off'}"


def a_lease_ends(world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    """In one boot on time; and whatever it is, it is over within the time that was asked and ten minutes a boot."""
    for lease in decision.state.leases:
        asked = lease.term.since
        assert asked.boot != now.boot or now.mono_s - asked.mono_s < lease.term.for_s


def disarmed_nothing_acts(world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    if decision.state.disarmed:
        assert decision.actions == ()
        assert decision.state.action_ids == before.action_ids, "nor is anything believed to be asked"


def _is_wanted(claim: Claim, state: State, world: World) -> bool:
    tiers = [t for t in world.policy.tiers if t.name in state.tiers and claim.part in t.loads]
    return any(t.keep is None or claim.part in state.budget.chosen for t in tiers)


def chooses_carefully_and_only_what_helps(
    world: World, before: State, inputs: Inputs, now: Now, decision: Decision
) -> None:
    """A few loads in a step, seen on and drawing, by a measured charge, and a step only every `step_s`."""
    policy, old = world.policy.budget, before.budget if before.budget.episode == decision.state.episode else Budget()
    new = [part for part in decision.state.budget.chosen if part not in old.chosen]
    assert len(new) <= policy.most
    if not new:
        return
    assert decision.state.phase is Phase.OUTAGE
    assert decision.charge is not None
    assert not decision.charge_estimated
    assert not set(new) & set(world.policy.never_shed)
    if old.stepped_at is not None and old.stepped_at.boot == now.boot:
        assert now.mono_s - old.stepped_at.mono_s >= policy.step_s - 1e-6
    for part in new:
        reading = inputs.parts[part].reading
        assert isinstance(reading, LoadReading)
        assert reading.on
        assert reading.power_w is not None
        assert reading.power_w >= policy.least_w


def compressors_rest(world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
    """What is given back was off for as long as it needs, by the claim's own time."""
    off = {c.part: c for c in before.claims if c.status is ClaimStatus.TAKEN and c.since.boot == now.boot}
    for action in decision.actions:
        of, claim = world.policy.parts.get(action.part), off.get(action.part)
        if of is not None and claim is not None and action.value == Switch(True):
            assert now.mono_s - claim.since.mono_s >= of.min_off_s - 1e-6


def all_watches() -> tuple[Watch, ...]:
    return (
        same_arguments_same_decision,
        acts_on_fresh_readings_only,
        gives_back_only_what_it_took,
        protected_parts_are_never_asked,
        unknown_moves_nothing,
        suspicion_gives_nothing_back,
        takes_only_in_an_outage,
        PersonsAreNotFought(),
        EstimatesOnlyFall(),
        tiers_keep_their_hysteresis,
        gives_back_staggered_last_taken_first,
        chooses_carefully_and_only_what_helps,
        compressors_rest,
        a_lease_is_the_strongest,
        a_lease_ends,
        disarmed_nothing_acts,
    )
