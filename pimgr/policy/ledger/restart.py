"""The state to start from after a restart."""

from __future__ import annotations

from pimgr.api import replace
from pimgr.policy.model import ClaimStatus, State


def resume(state: State) -> State:
    """The state to start from after a restart: what was in flight then is resolved by reading, not from memory."""
    claims = tuple(
        replace(c, progress=replace(c.progress, lost=True, problem="pimgr was restarted meanwhile"))
        if c.status is not ClaimStatus.TAKEN and c.progress.accepted is None and c.progress.asked_at is not None
        else c
        for c in state.claims
    )
    return replace(state, claims=claims)
