"""Disarmed: for a time that a person gave, nothing acts. What is owed stays owed, and is given back afterwards.

Readings, phases and the answers to earlier requests are taken in all the same, so that nothing is out of date when it
rearms by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from pimgr.api import Severity, replace
from pimgr.policy.model import Claim, ClaimStatus, Reason, State
from pimgr.policy.persons import term
from pimgr.policy.persons.people import Arm, Disarm, Disarmed
from pimgr.policy.turn import Turn
from pimgr.policy.want import Want

WHAT = "disarm"
QUIET = ("hands off", "protected", "question", "skip")
"""Nothing would be done with these parts anyway."""


def refusal(for_s: float) -> str:
    """Why nobody can have that; "" if they can."""
    if term.SHORTEST_S <= for_s <= term.LONGEST_S:
        return ""
    return "for a time from 1 min to 7 days, no other"


def hear(turn: Turn, state: State) -> State:
    """Take in what people ask, and rearm when the time is over."""
    disarmed = state.disarmed
    for command in turn.inputs.commands:
        match command:
            case Disarm(for_s) if not refusal(for_s):
                disarmed = Disarmed(term.begin(for_s, turn.now))
                _told(turn, disarmed)
            case Arm() if disarmed is not None:
                disarmed = None
                _over(turn, "you armed it")
    if disarmed is not None:
        left = term.left_s(disarmed.term, turn.now)
        if left:
            turn.wake_in(left)
            noted = term.noted(disarmed.term, turn.now)
            disarmed = disarmed if noted is disarmed.term else Disarmed(noted)
        else:
            disarmed = None
            _over(turn, "the time that you gave is over")
    return state if disarmed == state.disarmed else replace(state, disarmed=disarmed)


def _told(turn: Turn, disarmed: Disarmed) -> None:
    until = term.until(disarmed.term, turn.now, turn.inputs.calendar)
    turn.tell(f"disarmed {until}: nothing acts", what=WHAT)
    turn.mail(
        f"disarmed-{turn.now.boot}-{turn.now.mono_s:.3f}",
        Severity.WARNING,
        f"pimgr does nothing {until}",
        [
            f"Somebody disarmed pimgr: it does nothing {until}, in an outage too.",
            "Nothing goes off, nothing is given back, and battery and thermostats are left as they are.",
            "What pimgr has taken stays so until then. It arms itself again; `pimgr arm` does so at once.",
        ],
    )


def _over(turn: Turn, why: str) -> None:
    turn.tell(f"armed again, since {why}", what=WHAT)
    turn.mail(
        f"armed-{turn.now.boot}-{turn.now.mono_s:.3f}",
        Severity.INFO,
        "pimgr is armed again",
        [f"pimgr acts again, since {why}."],
    )


def held(claims: Iterable[Claim], wants: tuple[Want, ...]) -> tuple[Want, ...]:
    """The wants while nothing acts: what comes back by itself or was asked for earlier is heard, nothing is asked."""
    coming_back = {(c.part, c.aspect) for c in claims if c.status is ClaimStatus.RETURNING}
    return tuple(replace(want, frozen=True) for want in wants if (want.part, want.aspect) not in coming_back)


def amend(turn: Turn, state: State) -> None:
    """Say it wherever something else is said: a mail that tells what goes off, and each reason."""
    if state.disarmed is None:
        return
    until = term.until(state.disarmed.term, turn.now, turn.inputs.calendar)
    said = f"pimgr is DISARMED {until}: whatever is said here, it does nothing until then, unless you call `pimgr arm`."
    turn.notices[:] = [
        n if n.key.startswith(("armed-", "disarmed-")) else replace(n, text=f"{said}\n{n.text}") for n in turn.notices
    ]
    turn.reasons[:] = [r if r.status in QUIET else _idle(r, until) for r in turn.reasons]


def _idle(reason: Reason, until: str) -> Reason:
    after = f"; {reason.returns}" if reason.returns else ""
    return replace(reason, returns=f"disarmed {until}: nothing is done{after}")
