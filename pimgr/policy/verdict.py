"""What a reading says about something we asked for: done, not yet, undone by a gap, or changed by a person.

A difference from what we left means a person only if it was measured after our acknowledgement and the part answered
without a gap in between. A host tells by its boot id: up in another boot, somebody started it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from pimgr.api import HostReading, replace
from pimgr.policy.model import Aspect, Claim, ClaimStatus, HostPower, PartReading, Value
from pimgr.policy.turn import Turn, measured_after
from pimgr.policy.values import enough, fits, value_of

DEFAULT_FRESH_S = 60.0
SHUTDOWN_S = 150.0
"""A host that accepted a shutdown may answer for this long before it is asked again."""
STUBBORN_S = 300.0
"""A host that still answers this long after it was asked did not shut down."""
BOOT_S = 300.0
"""A host that starts within this time of our waking it was started by us."""
WAKE_EVERY_S = 30.0
RETRY_S = (2.0, 5.0, 10.0, 30.0, 60.0)
IN_FLIGHT_S = 6.0
"""Without an outcome, a request may be on its way for this long: the longest deadline of a switch, and a little."""
EFFECT_S = 10.0
"""A request to a load may still take effect for this long: a slow commit (2 s), its deadline (5 s), a slow relay."""


class Verdict(StrEnum):
    BLIND = "blind"
    SEEN = "seen"
    NOT_YET = "not yet"
    GAP = "gap"
    PERSON = "person"
    OURS = "ours"
    """A host is up because we woke it."""


def fresh_reading(turn: Turn, claim: Claim) -> PartReading | None:
    of = turn.of(claim.part)
    return turn.fresh(claim.part, of.fresh_s if of else DEFAULT_FRESH_S)


def in_flight(turn: Turn, claim: Claim, goal: Value) -> Verdict:
    """While a request is under way: only a reading measured after it counts."""
    reading, asked = fresh_reading(turn, claim), claim.progress.asked_at
    if reading is None or (asked is not None and not measured_after(reading.at, asked, turn.now)):
        return Verdict.BLIND
    if restarted(reading, claim) and claim.status is ClaimStatus.TAKING:
        return Verdict.OURS if woken_by_us(turn, claim) else Verdict.PERSON
    reached = enough if claim.status is ClaimStatus.TAKING else fits
    return Verdict.SEEN if reached(value_of(reading), goal) else Verdict.NOT_YET


def left_alone(turn: Turn, claim: Claim) -> Verdict:
    """After the acknowledgement: is the part still as we left it, and if not, who changed it?"""
    reading = fresh_reading(turn, claim)
    if reading is None or not measured_after(reading.at, claim.since, turn.now):
        return Verdict.BLIND
    if fits(value_of(reading), claim.wanted):
        return Verdict.SEEN
    if isinstance(reading, HostReading):
        return _host_is_up_again(turn, claim, reading)
    steady = turn.view(claim.part).steady_since
    unbroken = steady is not None and not measured_after(steady, claim.since, turn.now) and steady.boot == turn.now.boot
    return Verdict.PERSON if unbroken else Verdict.GAP


def _host_is_up_again(turn: Turn, claim: Claim, reading: HostReading) -> Verdict:
    """In the boot that we found, nobody started it: it was cut off for a while. Without boot ids it may be a person."""
    if restarted(reading, claim):
        return Verdict.OURS if woken_by_us(turn, claim) else Verdict.PERSON
    known = isinstance(claim.before, HostPower) and claim.before.boot_id is not None
    return Verdict.GAP if known else Verdict.PERSON


def settled(turn: Turn, claim: Claim) -> Claim:
    """As it was taken. A charger that can't go as low as it was asked may have gone lower: a person is told by that."""
    reading = fresh_reading(turn, claim)
    if claim.aspect is not Aspect.LEVEL or reading is None or fits(value_of(reading), claim.wanted):
        return claim
    return replace(claim, wanted=value_of(reading))


def restarted(reading: PartReading, claim: Claim) -> bool:
    """Whether a host is up in another boot than the one in which we found it."""
    if not isinstance(reading, HostReading) or not isinstance(claim.before, HostPower) or not reading.up:
        return False
    return None not in (reading.boot_id, claim.before.boot_id) and reading.boot_id != claim.before.boot_id


def woken_by_us(turn: Turn, claim: Claim) -> bool:
    """Whether a host that started may have done so for us: the next outage came while it was being given back."""
    return claim.woken_at is not None and not turn.surely_waited(claim.woken_at, BOOT_S)


def going_down(turn: Turn, claim: Claim, reading: PartReading) -> bool:
    """Whether a request to take it may still have its effect, though it reads as if it had not.

    A host that answers in the boot we found may be in mid-shutdown; a load may be slower than its answer.
    """
    if claim.sent_at is None or restarted(reading, claim):
        return False
    if isinstance(reading, HostReading):
        return not turn.surely_waited(claim.sent_at, STUBBORN_S)
    if not turn.surely_waited(claim.sent_at, EFFECT_S):
        return True
    return reading.at.boot == claim.sent_at.boot and reading.at.since(claim.sent_at) < EFFECT_S


def may_ask_again(turn: Turn, claim: Claim, goal: Value) -> bool:
    """Whether the time for another request has come; the part is known to be not as wanted."""
    progress = claim.progress
    if progress.asked_at is None:
        return True
    return turn.waited(progress.asked_at, _patience(claim, goal))


def _patience(claim: Claim, goal: Value) -> float:
    """Seconds to leave to a request; none to one whose sender died: a later reading says that it was not enough."""
    progress = claim.progress
    if progress.lost:
        return 0.0
    backoff = RETRY_S[min(max(progress.tries, 1), len(RETRY_S)) - 1]
    match goal:
        case HostPower(up=True):
            return WAKE_EVERY_S if progress.tries < 20 else 10 * WAKE_EVERY_S
        case HostPower():
            return SHUTDOWN_S if progress.accepted is not False else max(10.0, backoff)
        case _:
            return max(IN_FLIGHT_S, backoff) if progress.accepted is None else backoff
    assert_never(goal)
