"""What giving back waits for, though nothing takes the part any more: a charge after an outage, a compressor's rest."""

from __future__ import annotations

from pimgr.policy.model import Aspect, Claim, ClaimStatus, Phase, State
from pimgr.policy.persons.people import LEASE
from pimgr.policy.said import duration
from pimgr.policy.shedding import charge
from pimgr.policy.turn import Turn

UNKNOWN_S = 3600.0
"""Not knowing the charge holds nothing back for longer: the grid is there, and meters may stay broken for days."""


def over_for_it(state: State, claim: Claim) -> str:
    """Why it is given back."""
    if claim.aspect is Aspect.HOLD:
        return "nothing wants it moved any more"
    return "the battery allows it" if state.phase is Phase.OUTAGE else "the outage is over for it"


def waiting(turn: Turn, state: State, claim: Claim) -> str:
    """What a claim waits for, to follow "comes back": "when the battery is at 30 %"; "" if for nothing."""
    if claim.status is ClaimStatus.RETURNING or claim.aspect is Aspect.HOLD:
        return ""
    return _for_charge(turn, state, claim) or rest(turn, claim)


def _for_charge(turn: Turn, state: State, claim: Claim) -> str:
    """While the outage lasts, tiers say themselves when their loads come back."""
    timing, since = turn.policy.timing, state.moved_at
    over = state.phase in (Phase.NORMAL, Phase.SUSPECT) and claim.episode.startswith("outage-")
    if not over or since is None or timing.restore_charge <= 0.0:
        return ""
    percent, _ = charge.present(state, turn.policy.battery, turn.now)
    if percent is not None and percent >= timing.restore_charge:
        return ""
    if turn.surely_waited(since, UNKNOWN_S if percent is None else timing.restore_wait_s):
        return ""
    return f"when the battery is at {timing.restore_charge:g} %"


def rest(turn: Turn, claim: Claim) -> str:
    """A compressor that starts against pressure stalls: it stays off for a while, however briefly it was needed off."""
    if claim.status is ClaimStatus.RETURNING:
        return ""
    of = turn.of(claim.part)
    off_since = claim.since if claim.status is ClaimStatus.TAKEN else claim.sent_at
    if of is None or off_since is None or of.min_off_s <= 0.0 or turn.surely_waited(off_since, of.min_off_s):
        return ""
    return f"when it has been off for {duration(of.min_off_s)}"


def left_until(aspect: Aspect, episode: str) -> str:
    """How long a part is left to the person who changed it."""
    if episode.startswith(LEASE):
        return "left alone until the lease ends"
    return f"left alone until this {'peak or outage' if aspect is Aspect.HOLD else 'outage'} is over"
