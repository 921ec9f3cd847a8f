"""Whether a machine is off, and whether the outlet that feeds it may be cut. Silent is not off.

Proof is either what its outlet lets through, where that is measured and fell; or that it accepted our request and went
silent while a witness on the same network path still answers. Measured watts have the last word, both ways.
"""

from __future__ import annotations

from collections.abc import Mapping

from pimgr.api import HostReading, LoadReading, replace
from pimgr.policy.ledger.layers import Proof
from pimgr.policy.ledger.verdict import Verdict, left_alone
from pimgr.policy.model import Aspect, Claim, ClaimStatus, PartPolicy
from pimgr.policy.turn import Key, Turn, measured_after
from pimgr.units import Watts

COLD_W = Watts(10.0)
"""A machine that is off draws less: its power supply's standby, and the card that listens for the magic packet."""
SIGHT_S = 20.0
"""An outlet is cut only if its machine was seen silent within this time: somebody may just have started it."""


def watch(turn: Turn, claims: Mapping[Key, Claim], claim: Claim) -> Claim:
    """The claim with what the new readings say of its host's being off. Other claims stay as they are."""
    of = turn.of(claim.part)
    if claim.aspect is not Aspect.HOST_POWER or of is None:
        return claim
    match claim.status:
        case ClaimStatus.TAKING:
            return _known(claim, _going_down(turn, claim, of))
        case ClaimStatus.TAKEN:
            cut = claims.get((of.outlet, Aspect.SWITCH)) if of.outlet else None
            if cut is not None and _power_is_back(turn, cut):
                return _powered_again(turn, claim, cut)
            if claim.proof.off_at is None and _is_off(turn, claim, of):
                return _known(claim, replace(claim.proof, off_at=turn.now.instant))
    return claim


def _known(claim: Claim, proof: Proof) -> Claim:
    return claim if proof == claim.proof else replace(claim, proof=proof)


def _going_down(turn: Turn, claim: Claim, of: PartPolicy) -> Proof:
    """While it is asked: whether it said yes, and what it draws before it goes off."""
    outcome = turn.outcome(claim.progress.action)
    accepted = claim.proof.accepted or (outcome is not None and not outcome.error)
    drew_w = claim.proof.drew_w
    if drew_w is None:
        reading = _outlet(turn, of)
        drew_w = reading.power_w if reading else None
    return Proof(accepted=accepted, drew_w=drew_w)


def _power_is_back(turn: Turn, cut: Claim) -> bool:
    """Whether an outlet that was off is on again without us. Its machine may be starting, and is silent meanwhile."""
    reading = turn.view(cut.part).reading
    since = cut.status is ClaimStatus.TAKEN and turn.read_since(cut.part, cut.since)
    return since and isinstance(reading, LoadReading) and reading.on


def _powered_again(turn: Turn, claim: Claim, cut: Claim) -> Claim:
    """A machine that starts now was started by a plug that restarted, and not by a person; or by who turned it on."""
    by_person = left_alone(turn, cut) is Verdict.PERSON
    return replace(claim, proof=Proof(), woken_at=None if by_person else turn.now.instant)


def _is_off(turn: Turn, claim: Claim, of: PartPolicy) -> bool:
    """Whether there is proof now. What is missing for it is looked at."""
    silent = turn.fresh(claim.part)
    if not isinstance(silent, HostReading) or silent.up:
        return False
    watts = _measured(turn, claim, of, silent)
    if watts is not None:
        return watts
    if of.witness is None or not claim.proof.accepted:
        return False
    return _answers(turn, of.witness, silent)


def _measured(turn: Turn, claim: Claim, of: PartPolicy, silent: HostReading) -> bool | None:
    """What the watts of its outlet say; None where they say nothing.

    A machine that drew as little while it ran is not told by them: then they can only contradict.
    """
    reading, drew_w = _outlet(turn, of), claim.proof.drew_w
    if reading is None or reading.power_w is None or of.outlet is None:
        return None
    if reading.power_w >= COLD_W:
        return False
    if drew_w is None or drew_w < COLD_W:
        return None
    if not measured_after(reading.at, silent.at, turn.now):
        turn.look.add(of.outlet)
        return False
    return True


def _outlet(turn: Turn, of: PartPolicy) -> LoadReading | None:
    reading = turn.fresh(of.outlet) if of.outlet else None
    return reading if isinstance(reading, LoadReading) else None


def _answers(turn: Turn, witness: str, silent: HostReading) -> bool:
    """Whether the witness was heard after the machine was found silent."""
    reading = turn.fresh(witness)
    if reading is None or not measured_after(reading.at, silent.at, turn.now):
        turn.look.add(witness)
        return False
    return not isinstance(reading, HostReading) or reading.up


def cut_waits(turn: Turn, claim: Claim, of: PartPolicy) -> str:
    """What the outlet of a machine that is off still waits for; "" where it may be cut now."""
    name = turn.names([claim.part])
    if claim.proof.off_at is None:
        return f"{name} to be surely off"
    if not turn.surely_waited(claim.proof.off_at, of.cut_after_s):
        return f"{of.cut_after_s:g} s after {name} is off"
    silent = turn.fresh(claim.part, SIGHT_S)
    if not isinstance(silent, HostReading) or not measured_after(silent.at, claim.proof.off_at, turn.now):
        turn.look.add(claim.part)
    elif not silent.up and _is_off(turn, claim, of) and not _meter_fails(turn, claim, of):
        return ""
    return f"another look at {name}"


def _meter_fails(turn: Turn, claim: Claim, of: PartPolicy) -> bool:
    """Whether its outlet measured watts before, and tells none now: then nobody knows."""
    reading = _outlet(turn, of)
    return claim.proof.drew_w is not None and (reading is None or reading.power_w is None)


def is_provable(claim: Claim, of: PartPolicy) -> bool:
    """Whether more than silence can tell that this machine is off."""
    drew_w = claim.proof.drew_w
    return of.witness is not None or (drew_w is not None and drew_w >= COLD_W)
