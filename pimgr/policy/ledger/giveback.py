"""Giving back: what no rule takes any more goes to its standing target, else to what was found.

Staggered, last taken first. A part that does not answer stays owed for as long as it takes, and holds up no other.
"""

from __future__ import annotations

from enum import Enum, auto

from pimgr.api import HostReading, Severity, replace
from pimgr.policy.ledger.claims import Ledger
from pimgr.policy.ledger.keeps import default_target
from pimgr.policy.ledger.machines import Returning
from pimgr.policy.ledger.patience import over_for_it, rest, waiting
from pimgr.policy.ledger.verdict import (
    WAKE_TRIES,
    Verdict,
    going_down,
    in_flight,
    is_being_woken,
    left_alone,
    may_ask_again,
)
from pimgr.policy.model import Aspect, Claim, ClaimStatus, Phase, Value
from pimgr.policy.thermostats import holds
from pimgr.policy.turn import Key, Turn, measured_after
from pimgr.policy.values import bidding, fits, value_of


class Step(Enum):
    """What giving back needs of a claim now."""

    WAIT = auto()
    HELD = auto()
    """Others must be back before it."""
    START = auto()
    DONE = auto()


def give_back(ledger: Ledger, wanted: set[Key], keeps: dict[str, Value], at_once: set[Key]) -> None:
    """Advance everything that is owed. While suspicious, nothing new is started, but for what a person wants `at_once`.

    Disarmed, nothing is asked at all.
    """
    unwanted = [key for key in ledger.claims if key not in wanted]
    owed = [key for key in unwanted if not _waits(ledger, key, at_once)]
    for key in owed:
        claim = ledger.claims[key]
        if claim.owed_since is None:
            ledger.claims[key] = replace(claim, owed_since=ledger.turn.now.instant)
    disarmed = ledger.state.disarmed is not None
    frozen = disarmed or ledger.state.phase is Phase.SUSPECT
    back = Returning(ledger.turn, ledger.claims, wanted, ledger.due)
    back.judge()
    for key in owed:
        if ledger.claims[key].status is ClaimStatus.RETURNING:
            claim = ledger.claims[key]
            goal = claim.before if key in at_once else default_target(claim, keeps, ledger.turn.wall())
            if _pursue(ledger, key, goal, frozen and (disarmed or key not in at_once)):
                back.powered(key[0])
    if not disarmed:
        _start(ledger, back, [key for key in owed if key in at_once], None)
    if not frozen:
        _start(ledger, back, [key for key in owed if key not in at_once], keeps)
    for key in owed:
        if key in ledger.claims and not disarmed:
            _nag(ledger, key, back.said(key[0]))
    ledger.due = () if ledger.state.disarmed else (*(due for due in ledger.due if not due.back), *back.left())


def _waits(ledger: Ledger, key: Key, at_once: set[Key]) -> str:
    """What a person wants at once waits for a compressor only."""
    claim = ledger.claims[key]
    return rest(ledger.turn, claim) if key in at_once else waiting(ledger.turn, ledger.state, claim)


def _pursue(ledger: Ledger, key: Key, goal: Value, frozen: bool) -> bool:
    """Whether it was asked for again, or is back."""
    turn, claim = ledger.turn, ledger.claims[key]
    match in_flight(turn, claim, goal):
        case Verdict.SEEN if not _in_mid_shutdown(turn, claim):
            _close(ledger, key, f"{claim.part}: {turn.said(goal)} again")
        case Verdict.PERSON if claim.aspect is Aspect.HOLD:
            ledger.release(key, claim)
        case Verdict.NOT_YET if not frozen and may_ask_again(turn, claim, goal):
            ledger.ask(key, claim, goal, over_for_it(ledger.state, claim))
        case _:
            turn.look.add(claim.part)
            return False
    return True


def _start(ledger: Ledger, back: Returning, owed: list[Key], keeps: dict[str, Value] | None) -> None:
    """Start the next ones, in reverse order of taking, `stagger_s` apart, none before what it needs.

    `keeps` None: a person wants them as they were found, and at once.
    """
    turn = ledger.turn
    stagger = 0.0 if keeps is None else turn.policy.timing.stagger_s
    waiting = [k for k in owed if k in ledger.claims and ledger.claims[k].status is not ClaimStatus.RETURNING]
    for key in sorted(waiting, key=lambda k: -ledger.claims[k].order):
        claim = ledger.claims[key]
        if _set_by_hand(turn, claim):
            ledger.release(key, claim)
            continue
        goal = default_target(claim, keeps or {}, turn.wall())
        step = _step(ledger, claim, goal, held=bool(back.holds(claim.part)))
        if step is Step.DONE:
            _close(ledger, key, f"{claim.part}: {turn.said(goal)} already")
            back.powered(claim.part, by_us=False)
        elif step is Step.WAIT:
            back.come(claim.part)
        elif step is Step.START:
            last = ledger.gave_back_at
            if stagger and last is not None and not turn.waited(last, stagger):
                return
            ledger.gave_back_at = turn.now.instant
            returning = replace(ledger.turn_to(claim, ClaimStatus.RETURNING), reasserted_at=None)
            turn.tell(f"{claim.part}: to be {turn.said(goal)} again", claim.part, "returning")
            ledger.ask(key, returning, goal, over_for_it(ledger.state, claim))
            back.come(claim.part, anew=True)
            back.powered(claim.part)


def _set_by_hand(turn: Turn, claim: Claim) -> bool:
    """Whether a person set a level or set points since we took it. A switch changed by hand is as it was found."""
    if claim.aspect is Aspect.HOLD and claim.status is ClaimStatus.TAKING:
        return in_flight(turn, claim, claim.wanted) is Verdict.PERSON
    graded = claim.aspect in (Aspect.LEVEL, Aspect.HOLD) and claim.status is ClaimStatus.TAKEN
    return graded and left_alone(turn, claim) is Verdict.PERSON


def _step(ledger: Ledger, claim: Claim, goal: Value, *, held: bool) -> Step:
    """`held`: others must be back before. What is up, or may still be told to stay up, waits for nobody."""
    turn, reading = ledger.turn, ledger.turn.fresh(claim.part)
    mark = claim.progress.asked_at if claim.status is ClaimStatus.TAKING else claim.since
    if reading is None or (mark is not None and not measured_after(reading.at, mark, turn.now)):
        turn.look.add(claim.part)
        return Step.HELD if held else Step.WAIT
    if not fits(value_of(reading), goal):
        waits = claim.aspect is Aspect.HOLD and holds.rests(turn, claim.part)
        if claim.woken_at is not None and not measured_after(reading.at, claim.woken_at, turn.now):
            turn.look.add(claim.part)  # its outlet has power again: it may have started by itself
            waits = True
        return Step.HELD if held else Step.WAIT if waits else Step.START
    if going_down(turn, claim, reading):
        of = turn.of(claim.part)
        if isinstance(reading, HostReading) and of is not None and of.calls_off:
            return Step.START
        turn.look.add(claim.part)
        return Step.WAIT
    return Step.DONE


def _in_mid_shutdown(turn: Turn, claim: Claim) -> bool:
    """A host that is still up in its old boot is waited for: only one that is down can be woken."""
    reading = turn.fresh(claim.part)
    return isinstance(reading, HostReading) and going_down(turn, claim, reading)


def _close(ledger: Ledger, key: Key, text: str) -> None:
    claim = ledger.claims.pop(key)
    ledger.turn.tell(text, claim.part, "returned")


def _nag(ledger: Ledger, key: Key, waits: str) -> None:
    """Tell a person about a part that has been owed for long: after ten minutes, then daily.

    A machine that is being woken is tried often enough before; `waits`: what must be back before it.
    """
    turn, timing, claim = ledger.turn, ledger.turn.policy.timing, ledger.claims[key]
    last = claim.nagged_at
    after_s = max(timing.nag_after_s, holds.NAG_AFTER_S if claim.aspect is Aspect.HOLD else 0.0)
    since, every = (last, timing.nag_every_s) if last else (claim.owed_since, after_s)
    by_wall = since is not None and turn.now.wall_trusted and turn.now.since(since) >= every
    if since is None or not (by_wall or turn.surely_waited(since, every)):
        return
    if last is None and is_being_woken(claim) and claim.progress.tries < WAKE_TRIES:
        return
    ledger.claims[key] = replace(claim, nagged_at=turn.now.instant, nags=claim.nags + 1)
    found = turn.said(claim.before)
    problem = claim.progress.problem or turn.view(claim.part).fault or (f"it waits until {waits}" if waits else "")
    problem = problem or _silence(claim)
    cure = f"{bidding(claim.before).capitalize()} by hand"
    turn.mail(
        f"owed-{claim.id}-{claim.nags + 1}",
        Severity.WARNING,
        f"{turn.names([claim.part])} could not be given back yet",
        [
            f"pimgr took {turn.names([claim.part])} ({claim.rule}) and owes it back: it was {found}.",
            f"The trouble: {problem}.",
            f"pimgr goes on trying. {cure}, or write it off with: pimgr forget {claim.part}",
        ],
    )


def _silence(claim: Claim) -> str:
    return (
        f"it was woken {claim.progress.tries} times and does not answer"
        if is_being_woken(claim)
        else "it does not answer"
    )
