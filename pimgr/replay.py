"""Make a recorded decision again, and see whether it comes out the same to the bit: how a bug becomes a test."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pimgr.api import Frozen
from pimgr.journal.reader import StoredDecision, read_decision
from pimgr.policy.decide import decide
from pimgr.policy.model import Action, Decision
from pimgr.policy.values import word


class ReplayResult(Frozen, kw_only=True):
    """`same`: this pimgr decides as the one did that wrote it. `lines`: what was decided then.

    `difference`: what is not the same now, field by field; `wall`: when it was decided, UTC in s; `zone`: by whose
    clock the house lived then.
    """

    same: bool
    seq: int
    wall: float
    lines: tuple[str, ...]
    difference: tuple[str, ...] = ()
    zone: str = ""


def replay(folder: Path, n: int) -> ReplayResult:
    """Decision `n` of the journal in `folder`, which may be in use. 0 is the latest one, -1 the one before.

    Raises `NoDecision`, FileNotFoundError, or what `read_state` raises.
    """
    stored = read_decision(folder, n)
    then = msgspec.msgpack.decode(stored.decision, type=Decision)
    lines = tuple(_tell(stored, then))
    if stored.before is None or stored.inputs is None or stored.policy is None or stored.now is None:
        why = ("its inputs were lost: the disk took nothing at the time, and only its promise was left",)
        return ReplayResult(same=False, seq=stored.seq, wall=stored.wall, lines=lines, difference=why)
    again = decide(stored.before, stored.inputs, stored.policy, stored.now)
    difference = _difference(then, again)
    return ReplayResult(
        same=not difference,
        seq=stored.seq,
        wall=stored.wall,
        lines=lines,
        difference=difference,
        zone=stored.policy.zone,
    )


def _difference(then: Decision, again: Decision) -> tuple[str, ...]:
    """The fields that are not the same bytes. Both go through msgpack once more, so that 4 and 4.0 s are the same."""
    if _canonical(then) == _canonical(again):
        return ()
    found: list[str] = []
    for name in Decision.__struct_fields__:
        if name == "state":
            pairs = [(f"state.{f}", getattr(then.state, f), getattr(again.state, f)) for f in _state_fields(then)]
        else:
            pairs = [(name, getattr(then, name), getattr(again, name))]
        found += [f"{field}: was {old!r}, is now {new!r}" for field, old, new in pairs if _bytes(old) != _bytes(new)]
    return tuple(found) or ("it differs in the kinds of its numbers",)


def _state_fields(decision: Decision) -> tuple[str, ...]:
    return decision.state.__struct_fields__


def _canonical(decision: Decision) -> bytes:
    return _bytes(msgspec.msgpack.decode(_bytes(decision), type=Decision))


def _bytes(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def _tell(stored: StoredDecision, decision: Decision) -> list[str]:
    before = stored.before.phase.value if stored.before is not None else "?"
    lines = [f"decision {stored.seq}: phase {before} -> {decision.state.phase.value}"]
    lines += [f"  {event.text}" for event in decision.events]
    lines += [f"  asked {_ask(action)}: {action.why}" for action in decision.actions]
    lines += [f"  mailed: {notice.subject}" for notice in decision.notices]
    lines += [f"  {r.part}: {r.status}, {r.why}" + (f"; {r.returns}" if r.returns else "") for r in decision.reasons]
    return lines


def _ask(action: Action) -> str:
    return f"{action.part} to be {word(action.value)} (action {action.id})"
