"""What the ledger is told before it acts: the outcomes of requests, and what people decide about what is owed."""

from __future__ import annotations

from pimgr.api import replace
from pimgr.policy.ledger.claims import Ledger
from pimgr.policy.model import ClaimStatus, Forget, GiveBack, HandsOff


def hear(ledger: Ledger) -> None:
    """Take it in."""
    turn = ledger.turn
    for key, claim in ledger.claims.items():
        outcome = turn.outcome(claim.progress.action)
        if outcome is None:
            continue
        problem = outcome.fact if outcome.error else ""
        if problem and problem != claim.progress.problem:
            turn.tell(problem, claim.part, "problem")
        progress = replace(claim.progress, accepted=not outcome.error, problem=problem)
        ledger.claims[key] = replace(claim, progress=progress)
    for command in turn.inputs.commands:
        match command:
            case Forget(part):
                _forget(ledger, part)
            case GiveBack(part):
                _answer(ledger, part)


def _forget(ledger: Ledger, part: str) -> None:
    turn = ledger.turn
    for key in [key for key in ledger.claims if key[0] == part]:
        claim = ledger.claims.pop(key)
        turn.tell(f"{part}: written off, it stays as it is", part, "forgotten")
        why = "you told pimgr to forget it"
        ledger.hands_off.append(HandsOff(part, claim.aspect, claim.episode, turn.now.instant, why))
    ledger.questions = tuple(q for q in ledger.questions if q.part != part)


def _answer(ledger: Ledger, part: str) -> None:
    """It was ours. A claim made since then knows better what to give back, and stays as it is."""
    for question in [q for q in ledger.questions if q.part == part]:
        ledger.turn.tell(f"{part}: confirmed as ours, it will be given back", part, "answered")
        if (part, question.aspect) not in ledger.claims:
            taken = ledger.turn_to(question, ClaimStatus.TAKEN)
            ledger.claims[part, question.aspect] = replace(taken, id=ledger.new_id(), reasserted_at=None)
    ledger.questions = tuple(q for q in ledger.questions if q.part != part)
