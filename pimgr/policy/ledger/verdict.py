"""What a reading says about something we asked for: done, not yet, undone by a gap, or changed by a person.

A difference from what we left means a person only if it was measured after our acknowledgement and the part answered
without a gap in between. A host tells by its boot id: up in another boot, somebody started it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from pimgr.api import HostReading, ThermostatReading, replace
from pimgr.policy.model import Aspect, Claim, ClaimStatus, HostPower, PartReading, SetPoints, Value
from pimgr.policy.thermostats import holds
from pimgr.policy.turn import Turn, measured_after
from pimgr.policy.values import enough, fits, value_of

WARN_AFTER_S = 120.0
SHUTDOWN_S = 150.0
"""A host that accepted a shutdown may answer for this long before it is asked again."""
STUBBORN_S = 300.0
"""A host that still answers this long after it was asked did not shut down."""
BOOT_S = 300.0
"""A host that starts within this time of our waking it was started by us."""
WAKE_EVERY_S = 30.0
WAKE_TRIES = 20
"""So often a packet that may be lost is repeated at that pace; then somebody is told, and it is sent more rarely."""
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
    RAN_OUT = "ran out"
    """A thermostat's hold ended by itself, at its time."""


def in_flight(turn: Turn, claim: Claim, goal: Value) -> Verdict:
    """While a request is under way: only a reading measured after it counts."""
    reading, asked = turn.fresh(claim.part), claim.progress.asked_at
    if reading is None or (asked is not None and not measured_after(reading.at, asked, turn.now)):
        return Verdict.BLIND
    if restarted(reading, claim) and claim.status is ClaimStatus.TAKING:
        return Verdict.OURS if woken_by_us(turn, claim) else Verdict.PERSON
    if isinstance(reading, ThermostatReading):
        return _hold_in_flight(claim, goal, reading)
    reached = enough if claim.status is ClaimStatus.TAKING else fits
    return Verdict.SEEN if reached(value_of(reading), goal) else Verdict.NOT_YET


def _hold_in_flight(claim: Claim, goal: Value, reading: ThermostatReading) -> Verdict:
    """Set points that were never asked for are a person's, also while a request is under way."""
    value = value_of(reading)
    if holds.is_taken_over(reading, claim) or holds.is_by_hand(value, claim, goal):
        return Verdict.PERSON
    seen = holds.reached(value, claim) if claim.status is ClaimStatus.TAKING else fits(value, goal)
    return Verdict.SEEN if seen else Verdict.NOT_YET


def left_alone(turn: Turn, claim: Claim) -> Verdict:
    """After the acknowledgement: is the part still as we left it, and if not, who changed it?"""
    reading = turn.fresh(claim.part)
    if reading is None or not measured_after(reading.at, claim.since, turn.now):
        return Verdict.BLIND
    if isinstance(reading, ThermostatReading):
        return _hold_left_alone(turn, claim, reading)
    if fits(value_of(reading), claim.wanted):
        return Verdict.SEEN
    if isinstance(reading, HostReading):
        return _host_is_up_again(turn, claim, reading)
    return Verdict.PERSON if _unbroken(turn, claim) else Verdict.GAP


def _unbroken(turn: Turn, claim: Claim) -> bool:
    """Whether the part answered all the time since the acknowledgement."""
    steady = turn.view(claim.part).steady_since
    return steady is not None and not measured_after(steady, claim.since, turn.now) and steady.boot == turn.now.boot


def _hold_left_alone(turn: Turn, claim: Claim, reading: ThermostatReading) -> Verdict:
    """Where there was a gap, a hold may have been lost; other set points that are held are a person's even then."""
    value = value_of(reading)
    if holds.is_taken_over(reading, claim):
        return Verdict.PERSON
    if holds.ran_out(turn, reading, claim):
        return Verdict.RAN_OUT
    if holds.is_left(value, claim):
        return Verdict.SEEN
    by_hand = _unbroken(turn, claim) or holds.is_by_hand(value, claim, claim.wanted)
    return Verdict.PERSON if by_hand else Verdict.GAP


def _host_is_up_again(turn: Turn, claim: Claim, reading: HostReading) -> Verdict:
    """In the boot that we found, nobody started it: it was cut off for a while. Without boot ids it may be a person."""
    if restarted(reading, claim):
        return Verdict.OURS if woken_by_us(turn, claim) else Verdict.PERSON
    known = isinstance(claim.before, HostPower) and claim.before.boot_id is not None
    return Verdict.GAP if known else Verdict.PERSON


def settled(turn: Turn, claim: Claim) -> Claim:
    """As it was taken. A charger that can't go as low as it was asked may have gone lower: a person is told by that."""
    reading, claim = turn.fresh(claim.part), replace(claim, ours=())
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


def is_moved(claim: Claim, value: Value) -> bool:
    """Whether a rule wants another value of what is claimed. A level that went lower by itself is as wanted."""
    if claim.aspect is Aspect.HOST_POWER:
        return not fits(claim.wanted, value)
    lower = claim.aspect is Aspect.LEVEL and enough(claim.wanted, value)
    return claim.wanted != value and not lower


def is_being_woken(claim: Claim) -> bool:
    """Whether a machine was asked to start, and is not up yet."""
    return claim.status is ClaimStatus.RETURNING and claim.aspect is Aspect.HOST_POWER


def going_down(turn: Turn, claim: Claim, reading: PartReading) -> bool:
    """Whether a request to take it may still have its effect, though it reads as if it had not.

    A host that answers in the boot we found may be in mid-shutdown; a load may be slower than its answer.
    """
    if claim.sent_at is None or restarted(reading, claim):
        return False
    if isinstance(reading, HostReading):
        return not turn.surely_waited(claim.sent_at, STUBBORN_S)
    effect_s = holds.EFFECT_S if claim.aspect is Aspect.HOLD else EFFECT_S
    if not turn.surely_waited(claim.sent_at, effect_s):
        return True
    return reading.at.boot == claim.sent_at.boot and reading.at.since(claim.sent_at) < effect_s


def may_ask_again(turn: Turn, claim: Claim, goal: Value) -> bool:
    """Whether the time for another request has come; the part is known to be not as wanted."""
    progress = claim.progress
    if progress.asked_at is None:
        return True
    patience, reading = _patience(claim, goal), turn.fresh(claim.part)
    if isinstance(goal, SetPoints) and reading is not None and reading.at.boot == progress.asked_at.boot:
        return reading.at.since(progress.asked_at) >= patience  # a poll later, lest a person's change goes unseen
    return turn.waited(progress.asked_at, patience)


def _patience(claim: Claim, goal: Value) -> float:
    """Seconds to leave to a request; none to one whose sender died: a later reading says that it was not enough."""
    progress = claim.progress
    if progress.lost:
        return 0.0
    backoff = RETRY_S[min(max(progress.tries, 1), len(RETRY_S)) - 1]
    match goal:
        case HostPower(up=True):
            return WAKE_EVERY_S if progress.tries < WAKE_TRIES else 10 * WAKE_EVERY_S
        case HostPower():
            return SHUTDOWN_S if progress.accepted is not False else max(10.0, backoff)
        case SetPoints():
            return holds.RETRY_S[min(max(progress.tries, 1), len(holds.RETRY_S)) - 1]
        case _:
            return max(IN_FLIGHT_S, backoff) if progress.accepted is None else backoff
    assert_never(goal)


def warned(turn: Turn, claim: Claim) -> Claim:
    """Marked, where somebody is to be told: not taken for two minutes, or for half an hour where it has a cloud."""
    slow = claim.aspect is Aspect.HOLD
    due = (slow or claim.progress.problem) and turn.waited(claim.since, holds.WARN_AFTER_S if slow else WARN_AFTER_S)
    return replace(claim, warned=True) if due and not claim.warned else claim
