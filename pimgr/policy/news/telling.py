"""What a person is told: mails at the turns of an outage, and why each part is as it is."""

from __future__ import annotations

from pimgr.api import Now, Severity
from pimgr.policy.calendar import Calendar
from pimgr.policy.ledger import keeps, machines
from pimgr.policy.ledger.keeps import default_target
from pimgr.policy.ledger.patience import left_until, over_for_it, waiting
from pimgr.policy.model import (
    Aspect,
    Claim,
    ClaimStatus,
    Decision,
    HostPower,
    Phase,
    Policy,
    Reason,
    State,
)
from pimgr.policy.news import mails
from pimgr.policy.persons import term
from pimgr.policy.persons.people import LEASE
from pimgr.policy.phases import Move, grid_is_seen
from pimgr.policy.said import counted
from pimgr.policy.turn import Turn
from pimgr.policy.values import word
from pimgr.policy.want import Want
from pimgr.units import Percent

TAKEN_LATER = "taken as soon as it answers"


def moves(turn: Turn, made: tuple[Move, ...], state: State, charge: Percent | None) -> None:
    """Log each change of phase; mail the beginning of an outage and the return of the grid."""
    for move in made:
        turn.tell(f"{_phrase(move)} ({move.reading.source}: {move.reading.raw or move.reading.grid})", what="phase")
    if any(m.new is Phase.OUTAGE and m.old in (Phase.SUSPECT, Phase.NORMAL) for m in made):
        mails.began(turn, state, charge)
    if any(m.new is Phase.NORMAL and m.old is not Phase.SUSPECT for m in made):
        mails.over(turn, state, charge)


def _phrase(move: Move) -> str:
    match move.new:
        case Phase.SUSPECT:
            return "the grid seems to be down"
        case Phase.OUTAGE if move.old is Phase.SETTLING:
            return "the grid is down again"
        case Phase.OUTAGE:
            return "outage: the grid is down"
        case Phase.SETTLING:
            return "the grid seems to be back"
        case _:
            return "the grid was away for a moment only" if move.old is Phase.SUSPECT else "the grid is back"


def tiers(turn: Turn, old: State, new: State, charge: Percent | None) -> None:
    """Tell of tiers that the falling or recovering battery put in and out of force."""
    if new.phase is not Phase.OUTAGE or old.phase is Phase.NORMAL or old.episode != new.episode:
        return
    said = f"{charge:.0f} %" if charge is not None else "unknown charge"
    for tier in (t for t in turn.policy.tiers if t.keep is None):
        if tier.name in new.tiers and tier.name not in old.tiers:
            mails.tier_goes_off(turn, new, tier, charge)
        elif tier.name in old.tiers and tier.name not in new.tiers:
            turn.tell(f"tier {tier.name} is given back at {said}", what="tier")


def stuck(turn: Turn, state: State) -> None:
    """Tell of what can't be taken, once the ledger says so."""
    known = {claim.id for claim in turn.before.claims if claim.warned}
    for claim in state.claims:
        if claim.warned and claim.id not in known:
            (_stuck_hold if claim.aspect is Aspect.HOLD else mails.stuck)(turn, claim)


def _stuck_hold(turn: Turn, claim: Claim) -> None:
    """Mail that a thermostat can't be moved."""
    name, problem = turn.names([claim.part]), claim.progress.problem or turn.view(claim.part).fault
    problem = problem or "it says yes, and stays as it is"
    lines = [f"{name} should be {turn.said(claim.wanted)} by now, and is not.", f"The trouble: {problem}."]
    turn.mail(
        f"{claim.episode}-stuck-{claim.id}",
        Severity.WARNING,
        f"{name} could not be set",
        [*lines, "pimgr goes on trying, and nothing else waits for it."],
    )


def reasons(turn: Turn, state: State, wants: tuple[Want, ...]) -> None:
    """One line for every part that pimgr has an opinion on."""
    policy, wanted = turn.policy, {(w.part, w.aspect): w for w in wants}
    back = machines.Returning(turn, {(c.part, c.aspect): c for c in state.claims}, wanted, state.due)
    for claim in state.claims:
        turn.reasons.append(_of_claim(claim, wanted.get((claim.part, claim.aspect)), back, state))
    told = {c.part for c in state.claims}
    for hand in {(h.part, h.aspect): h for h in state.hands_off}.values():
        turn.reasons.append(
            Reason(part=hand.part, status="hands off", why=hand.why, returns=left_until(hand.aspect, hand.episode))
        )
    told |= {h.part for h in state.hands_off}
    skips = {(s.part, s.aspect) for s in state.skips}
    for key, want in wanted.items():
        if want.part in told:
            continue
        if key in skips:
            was = "did not answer" if isinstance(want.value, HostPower) else f"was {word(want.value)}"
            why = f"it {was} before; pimgr did not take it and will not touch it"
            turn.reasons.append(Reason(part=want.part, status="skip", why=why))
        else:
            fault = turn.view(want.part).fault or "it was not read yet"
            trouble, then = (f"waits for {want.waits}", "taken in its turn") if want.waits else (fault, TAKEN_LATER)
            why = f"to be {turn.said(want.value)}, because {want.why}; {trouble}"
            turn.reasons.append(Reason(part=want.part, status="pending", why=why, returns=then))
    for question in state.questions:
        why = f"the journal was lost; it may have been {word(question.before)} before pimgr took it: was it us?"
        returns = f"pimgr return {question.part}, or pimgr forget {question.part}"
        turn.reasons.append(Reason(part=question.part, status="question", why=why, returns=returns))
    for part in policy.never_shed:
        turn.reasons.append(Reason(part=part, status="protected", why="it is on the never-shed list"))


def _of_claim(claim: Claim, want: Want | None, back: machines.Returning, state: State) -> Reason:
    turn = back.turn
    trouble = f"; {claim.progress.problem}" if claim.progress.problem else ""
    if want is None:
        fault = turn.view(claim.part).fault
        target = default_target(claim, keeps.targets(turn.policy), turn.wall())
        to = "is to be" if claim.aspect is Aspect.HOLD else "goes back to"
        why = f"{over_for_it(state, claim)}, it {to} {turn.said(target)}{trouble}"
        waits = waiting(turn, state, claim)
        held = back.said(claim.part) if claim.status is not ClaimStatus.RETURNING else ""
        turns = f"waits until {held}" if held and not waits else f"comes back {waits or 'in its turn'}"
        late = f"comes back as soon as it answers ({fault})" if fault else turns
        frozen = "comes back when the grid is steady" if state.phase is Phase.SUSPECT else late
        returns = "asked to come back, not seen yet" if claim.status is ClaimStatus.RETURNING and not fault else frozen
        return Reason(part=claim.part, status="owed", why=why, returns=returns)
    proof = "" if _proven(claim) else "; it went silent, which is not proof that it is off"
    returns = f"comes back {want.returns}" if want.returns else ""
    return Reason(part=claim.part, status=claim.status, why=want.why + trouble + proof, returns=returns)


def _proven(claim: Claim) -> bool:
    """Off is proven for a host by its outlet's watts, or by a witness; see `proof`."""
    taken = claim.aspect is Aspect.HOST_POWER and claim.status is ClaimStatus.TAKEN
    return not taken or claim.proof.off_at is not None


def headline(decision: Decision, policy: Policy, now: Now, calendar: Calendar | None = None) -> str:
    """The one line for a person, such as "on grid, 84 %, nothing shed"."""
    state, charge = decision.state, decision.charge
    where = {
        Phase.NORMAL: "on grid" if grid_is_seen(state, policy.timing, now) else "grid unknown",
        Phase.SUSPECT: "grid suspect",
        Phase.OUTAGE: "GRID DOWN",
        Phase.SETTLING: "grid returning",
    }[state.phase]
    battery = "charge unknown" if charge is None else f"{'about ' if decision.charge_estimated else ''}{charge:.0f} %"
    disarmed = f"DISARMED {term.until(state.disarmed.term, now, calendar)}, " if state.disarmed else ""
    kept = f", {len(state.leases)} kept by you" if state.leases else ""
    return f"{disarmed}{where}, {battery}, {_shed(state)}{_moved(state)}{kept}"


def shed(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """What was taken from the house; a thermostat is only moved, and a lease is a person's own."""
    return tuple(claim for claim in claims if claim.aspect is not Aspect.HOLD and claim.rule != LEASE)


def _moved(state: State) -> str:
    moved = sum(claim.aspect is Aspect.HOLD for claim in state.claims)
    return f", {counted(moved, 'thermostat')} moved" if moved else ""


def _shed(state: State) -> str:
    claims = shed(state.claims)
    done = sum(c.status is not ClaimStatus.TAKING for c in claims)
    if not claims:
        return "nothing shed"
    if state.phase in (Phase.NORMAL, Phase.SUSPECT):
        return f"{len(claims)} owed"
    return f"{done} shed" if done == len(claims) else f"{done} of {len(claims)} shed"
