"""What is owed, kept a second time beside the journal: two files that take turns, so that one of them is always whole.

A snapshot is written when the set of claims changed, after the commit. If the journal is lost, its claims come back as
questions, since time went on unrecorded: they are given back only when a person says that they were ours.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from pimgr.api import Frozen, replace
from pimgr.journal import sealed
from pimgr.journal.entries import decode, encode
from pimgr.policy.model import Claim, State

NAMES = ("claims-a.msgpack", "claims-b.msgpack")
ID_GAP = 1000
"""Added to the ids of a snapshot: the lost journal went further than it, and no id may name two actions."""

log = logging.getLogger(__name__)


class Snapshot(Frozen, kw_only=True):
    """The claims after decision `seq`, and the counters that must never go back."""

    seq: int
    claims: tuple[Claim, ...]
    questions: tuple[Claim, ...]
    claim_ids: int
    action_ids: int
    episodes: int

    @classmethod
    def of(cls, seq: int, state: State) -> Snapshot:
        return cls(
            seq=seq,
            claims=state.claims,
            questions=state.questions,
            claim_ids=state.claim_ids,
            action_ids=state.action_ids,
            episodes=state.episodes,
        )


def newest(folder: Path) -> tuple[Path, Snapshot] | None:
    """The newest snapshot that is whole."""
    found: list[tuple[int, Path, Snapshot]] = []
    for name in NAMES:
        payload = sealed.read(folder / name)
        if payload is None:
            continue
        try:
            snapshot = decode(payload, type=Snapshot)
        except msgspec.DecodeError:
            continue
        found.append((snapshot.seq, folder / name, snapshot))
    if not found:
        return None
    _, path, snapshot = max(found, key=lambda f: f[0])
    return path, snapshot


class Keeper:
    """Writes snapshots, on the writer thread. A failure is logged once: the journal itself has everything."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        known = newest(folder)
        self._last = known[0].name if known else NAMES[1]
        self._marks = _marks(known[1].claims, known[1].questions) if known else None
        self._failing = False

    def save(self, seq: int, state: State) -> None:
        """Write one, if the set of claims differs from the last one's."""
        marks = _marks(state.claims, state.questions)
        if marks == self._marks or (self._marks is None and marks == ((), ())):
            return
        name = NAMES[1] if self._last == NAMES[0] else NAMES[0]
        try:
            sealed.write(self._folder / name, encode(Snapshot.of(seq, state)))
        except OSError as error:
            if not self._failing:
                log.warning("journal: no snapshot of the claims (%s)", error)
            self._failing = True
            return
        self._failing = False
        self._last, self._marks = name, marks


Marks = tuple[tuple[int, ...], tuple[int, ...]]


def _marks(claims: tuple[Claim, ...], questions: tuple[Claim, ...]) -> Marks:
    return tuple(c.id for c in claims), tuple(c.id for c in questions)


def after_loss(snapshot: Snapshot | None) -> tuple[int, State]:
    """The state to begin again with after the journal was lost: nothing but questions."""
    if snapshot is None:
        return 0, State()
    return snapshot.seq, State(
        questions=snapshot.questions + snapshot.claims,
        claim_ids=snapshot.claim_ids + ID_GAP,
        action_ids=snapshot.action_ids + ID_GAP,
        episodes=snapshot.episodes,
    )


def after_gap(state: State, snapshot: Snapshot) -> State:
    """The state of a journal that is older than its snapshot: what it didn't know of becomes a question.

    A claim that the snapshot has no more was given back since, and is dropped.
    """
    known = {c.id: c for c in state.claims}
    asked = {q.id for q in state.questions}
    new = tuple(c for c in snapshot.claims if c.id not in known)
    old = tuple(q for q in snapshot.questions if q.id not in asked)
    return replace(
        state,
        claims=tuple(known[c.id] for c in snapshot.claims if c.id in known),
        questions=state.questions + old + new,
        claim_ids=max(state.claim_ids, snapshot.claim_ids) + ID_GAP,
        action_ids=max(state.action_ids, snapshot.action_ids) + ID_GAP,
        episodes=max(state.episodes, snapshot.episodes),
    )
