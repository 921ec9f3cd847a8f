"""Standing targets: a load that the config wants on or off whenever nothing takes it. Verified, but nothing is owed.

A person who changes it afterwards is respected, and so is one who changed it during an outage: pimgr leaves it until
the target in the config changes, or until the next outage gave it back.
"""

from __future__ import annotations

from collections.abc import Mapping

from pimgr.api import replace
from pimgr.policy.ledger.verdict import IN_FLIGHT_S, RETRY_S
from pimgr.policy.model import Claim, Kept, Level, Phase, Policy, Progress, StandingTarget, State, Switch, Value
from pimgr.policy.thermostats.holds import owed
from pimgr.policy.turn import Key, Turn, measured_after
from pimgr.policy.values import aspect_of, fits, value_of, word


def in_force(policy: Policy) -> tuple[StandingTarget, ...]:
    """The standing targets of the config, but none that would turn off what is never to be shed."""
    off = (Switch(False), Level(0.0))
    return tuple(k for k in policy.keeps if k.part not in policy.never_shed or k.value not in off)


def targets(policy: Policy) -> dict[str, Value]:
    """They by part."""
    return {target.part: target.value for target in in_force(policy)}


def keep(turn: Turn, state: State, claimed: set[Key]) -> State:
    """Pursue every standing target whose part is not claimed, outside outages only."""
    known = {(k.part, k.aspect): k for k in state.kept}
    released = {(h.part, h.aspect): h.since for h in state.hands_off}
    kept: list[Kept] = []
    for target in in_force(turn.policy):
        key = (target.part, aspect_of(target.value))
        if key in claimed:
            continue
        record = known.get(key)
        if record is None or record.wanted != target.value:
            record = Kept(part=target.part, aspect=key[1], wanted=target.value)
        if key in released:
            record = replace(record, seen_at=released[key], progress=Progress())
        kept.append(_pursue(turn, record, target) if state.phase is Phase.NORMAL and not state.disarmed else record)
    return state if tuple(kept) == state.kept else replace(state, kept=tuple(kept))


def _pursue(turn: Turn, record: Kept, target: StandingTarget) -> Kept:
    record = _hear(turn, record)
    reading = turn.fresh(record.part) if turn.of(record.part) else None
    if reading is None or record.seen_at is not None:
        return record
    asked = record.progress.asked_at
    if asked is not None and not measured_after(reading.at, asked, turn.now):
        turn.look.add(record.part)
        return record
    if fits(value_of(reading), target.value):
        return replace(record, seen_at=reading.at, progress=Progress())
    if asked is not None and not turn.waited(asked, _patience(record)):
        return record
    if asked is None:
        turn.tell(f"{record.part}: to be {word(target.value)}, as the config wants it", record.part, "keep")
    action = turn.act(record.part, target.value, "a standing target of the config")
    progress = Progress(action=action, asked_at=turn.now.instant, tries=record.progress.tries + 1)
    return replace(record, progress=progress)


def _hear(turn: Turn, record: Kept) -> Kept:
    outcome = turn.outcome(record.progress.action)
    if outcome is None:
        return record
    problem = outcome.fact if outcome.error else ""
    return replace(record, progress=replace(record.progress, accepted=not outcome.error, problem=problem))


def _patience(record: Kept) -> float:
    wait = RETRY_S[min(max(record.progress.tries, 1), len(RETRY_S)) - 1]
    return max(IN_FLIGHT_S, wait) if record.progress.accepted is None else wait


def default_target(claim: Claim, keeps: Mapping[str, Value], wall: float | None) -> Value:
    """Where a part goes when nothing takes it: the standing target in force now, else as it was found.

    `wall`: UTC in s, or None.
    """
    keep = keeps.get(claim.part)
    return keep if keep is not None and aspect_of(keep) is claim.aspect else owed(claim.before, wall)
