"""What must hold of machines and outlets at every tick. Each watch judges by the truth, not by what pimgr believes."""

from __future__ import annotations

from pimgr.api import HostReading, Now
from pimgr.policy.ledger.verdict import BOOT_S
from pimgr.policy.model import Claim, ClaimStatus, Decision, HostPower, Inputs, Phase, State, Switch
from tests.policy import watches
from tests.policy.devices import PERSON
from tests.policy.rack import OUTLETS, Machine, Rack
from tests.policy.world import Watch, World

OFF = (Switch(False), HostPower(False))


def no_outlet_is_cut_under_a_machine_that_runs(
    world: World, before: State, inputs: Inputs, now: Now, decision: Decision
) -> None:
    for device in world.devices.values():
        assert not isinstance(device, Machine) or not device.cuts, f"{device.name} lost its power while it ran"


def an_outlet_is_asked_off_only_after_its_machine_fell_silent(
    world: World, before: State, inputs: Inputs, now: Now, decision: Decision
) -> None:
    """And only one that we shut down: what was silent before is skipped."""
    machines = {outlet: machine for machine, outlet in OUTLETS.items()}
    for action in decision.actions:
        if action.part in machines and action.value == Switch(False):
            machine = machines[action.part]
            reading = inputs.parts[machine].reading
            assert isinstance(reading, HostReading)
            assert not reading.up
            assert any(c.part == machine and c.status is ClaimStatus.TAKEN for c in before.claims)


def _wanted(world: World, state: State) -> set[str]:
    return {part for tier in world.policy.tiers if tier.name in state.tiers for part in tier.loads}


class Since:
    """Since when, in true time, something is so of each part. A tick that is never written down ends nothing."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def note(self, world: World, parts: set[str]) -> None:
        for part in parts:
            self.at.setdefault(part, world.t)
        if world.crash_when != "before":
            self.at = {part: t for part, t in self.at.items() if part in parts}

    def of(self, part: str, t: float) -> float:
        return t - self.at.get(part, t)


class NoLayerBeforeItsTurn:
    """A machine is asked to go off while another that must be off before answers only if that one's deadline passed."""

    def __init__(self) -> None:
        self.wanted = Since()

    def __call__(self, world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
        state = decision.state
        wanted = _wanted(world, state)
        self.wanted.note(world, wanted)
        known = {c.id for c in before.claims}
        left = {h.part for h in state.hands_off}
        for claim in state.claims:
            if claim.id in known or claim.part not in wanted:
                continue
            for earlier in world.policy.parts[claim.part].after:
                reading = inputs.parts[earlier].reading if earlier in inputs.parts else None
                answers = isinstance(reading, HostReading) and reading.up and reading.at.boot == now.boot
                if earlier not in wanted or earlier in left or not answers:
                    continue
                waited = self.wanted.of(earlier, world.t)
                assert waited >= world.policy.parts[earlier].deadline_s - 1e-6, f"{claim.part} before {earlier}"


class NobodyIsWokenBeforeWhatItNeeds:
    """A silent machine is woken, or gets its power, while something that it needs is owed only after the deadline."""

    def __init__(self) -> None:
        self.owed = Since()

    def __call__(self, world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
        state = decision.state
        wanted = _wanted(world, state)
        machines = {outlet: machine for machine, outlet in OUTLETS.items()}
        owed = {c.part for c in state.claims if machines.get(c.part, c.part) not in wanted}
        self.owed.note(world, owed)
        old = {c.part: c.status for c in before.claims}
        for claim in state.claims:
            begun = claim.status is ClaimStatus.RETURNING and old.get(claim.part) is not ClaimStatus.RETURNING
            if not begun or _is_up(inputs, claim.part):
                continue
            machine = machines.get(claim.part, claim.part)
            needs = [p for p, of in world.policy.parts.items() if machine in of.after]
            needs += [OUTLETS[claim.part]] if claim.part in OUTLETS else []
            for need in needs:
                if need in owed:
                    waited = self.owed.of(need, world.t)
                    assert waited >= world.policy.parts[need].deadline_s - 1e-6, f"{claim.part} before {need}"


def _is_up(inputs: Inputs, part: str) -> bool:
    reading = inputs.parts[part].reading
    return isinstance(reading, HostReading) and reading.up


class RestartsOfPersonsAreRespected:
    """A machine that a person started, seen up in another boot than ours, is left alone until that outage is over."""

    def __init__(self) -> None:
        self.theirs: set[tuple[str, str]] = set()

    def __call__(self, world: World, before: State, inputs: Inputs, now: Now, decision: Decision) -> None:
        episode = decision.state.episode
        for claim in before.claims if world.crash_when != "before" else ():
            if claim.part in _wanted(world, decision.state) and self._is_theirs(world, claim, inputs, now):
                self.theirs.add((claim.part, episode))
        if decision.state.phase is Phase.NORMAL:
            self.theirs.clear()
        for action in decision.actions:
            if action.value in OFF or (isinstance(action.value, HostPower) and not action.value.up):
                assert (action.part, episode) not in self.theirs, f"{action.part} belongs to a person"

    def _is_theirs(self, world: World, claim: Claim, inputs: Inputs, now: Now) -> bool:
        device, view = world.devices[claim.part], inputs.parts.get(claim.part)
        if not isinstance(device, Machine) or view is None or not isinstance(claim.before, HostPower):
            return False
        reading = view.reading
        if claim.status is ClaimStatus.RETURNING or not isinstance(reading, HostReading) or not reading.up:
            return False
        if reading.at.boot != now.boot or now.mono_s - reading.at.mono_s > 60.0 or device.last_by != PERSON:
            return False
        woken, asked = claim.woken_at, claim.progress.asked_at
        if claim.woken_at is not None and (woken is None or woken.boot != now.boot or now.since(woken) < BOOT_S + 5.0):
            return False
        newer = asked is None or asked.boot != now.boot or reading.at.mono_s > asked.mono_s
        newer &= claim.since.boot != now.boot or reading.at.mono_s > claim.since.mono_s
        return newer and reading.boot_id == device.boot_id != claim.before.boot_id


def rack_watches() -> tuple[Watch, ...]:
    return (
        watches.same_arguments_same_decision,
        watches.acts_on_fresh_readings_only,
        watches.gives_back_only_what_it_took,
        watches.unknown_moves_nothing,
        watches.suspicion_gives_nothing_back,
        watches.takes_only_in_an_outage,
        watches.tiers_keep_their_hysteresis,
        no_outlet_is_cut_under_a_machine_that_runs,
        an_outlet_is_asked_off_only_after_its_machine_fell_silent,
        NoLayerBeforeItsTurn(),
        NobodyIsWokenBeforeWhatItNeeds(),
        RestartsOfPersonsAreRespected(),
    )


def machines_run_again(world: Rack) -> list[str]:
    """The truth: machines that pimgr shut down and outlets that it cut, and that are still so."""
    return [d.name for d in world.devices.values() if not d.on and d.last_by == "pimgr"]
