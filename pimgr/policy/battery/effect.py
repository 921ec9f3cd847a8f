"""What the battery does with a setting that was read back: a reserve that stands on paper only is not kept."""

from __future__ import annotations

from pimgr.api import replace
from pimgr.policy.aspects import Reserve, Setting
from pimgr.policy.battery.settings import BACKUP, Pursuit, Span, Stage
from pimgr.policy.model import State
from pimgr.policy.turn import Turn, measured_after
from pimgr.policy.values import aspect_of

EFFECT_S = 600.0
"""The battery may go on for so long before it obeys. Source: FIELD-NOTES, writes that are accepted and ignored."""
DISCHARGE_W = 100.0
"""The battery's own losses, and what its meter is wrong by, are no discharge."""
CHARGE_STEP = 1.0


def watch(turn: Turn, state: State, *, blind: bool) -> State:
    """Note since when the battery does what a setting forbids; a reading by which it doesn't ends that."""
    against: dict[str, Span] = {}
    for pursuit in state.site.pursuits if not blind else ():
        aspect, site = aspect_of(pursuit.wanted), turn.inputs.site
        span, obeys = state.memory.against.get(aspect), obeyed(turn, pursuit)
        if obeys is False and site is not None:
            against[aspect] = Span(span.since if span and span.goes_on(site.at) else site.at, site.at)
    if against == dict(state.memory.against):
        return state
    return replace(state, memory=replace(state.memory, against=against))


def is_ignored(turn: Turn, state: State, pursuit: Pursuit) -> bool:
    """Whether the battery went against this setting for longer than it may."""
    span = state.memory.against.get(aspect_of(pursuit.wanted))
    return span is not None and span.last.since(span.since) >= EFFECT_S and obeyed(turn, pursuit) is False


def obeyed(turn: Turn, pursuit: Pursuit) -> bool | None:
    """Whether the battery does as this setting says, by a reading after it was read back; None: that doesn't show."""
    site, floor = turn.inputs.site, _floor(pursuit.wish)
    if pursuit.stage is not Stage.SEEN or pursuit.seen_at is None or floor is None or site is None:
        return None
    if site.charge is None or site.battery_w is None or not measured_after(site.at, pursuit.seen_at, turn.now):
        return None
    return None if site.charge >= floor - CHARGE_STEP else site.battery_w <= DISCHARGE_W


def _floor(wish: Setting) -> float | None:
    """Below this charge the battery must not discharge while the grid is there."""
    if isinstance(wish, Reserve):
        return wish.percent
    return 100.0 if wish == BACKUP else None
