"""Looking into a journal from outside, read-only, also while a supervisor writes it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pimgr import sqlite
from pimgr.api import Frozen, Instant, Now, Storable
from pimgr.journal.content import load_state
from pimgr.journal.entries import decode
from pimgr.journal.schema import MIGRATIONS, NAME
from pimgr.journal.words import HistoryLine, NewerJournal, StoredAction
from pimgr.policy.model import Aspect, Inputs, Policy, State, Wish


class StoredDecision(Frozen, kw_only=True):
    """Decision `seq` as it was written: `decision` is its msgpack. `policy` None: only a promise of it was left."""

    seq: int
    now: Now | None
    before: State | None
    inputs: Inputs | None
    policy: Policy | None
    decision: bytes
    wall: float


class NoDecision(Exception):
    """The journal has no such decision. Its text says which it has."""


def read_state(folder: Path) -> State:
    """The latest state on the disk. Raises FileNotFoundError, `sqlite.Error`, `sqlite.Corrupt` or `NewerJournal`."""
    with _open(folder) as db:
        return load_state(db)[1]


def read_seq(folder: Path) -> int:
    """The number of the latest decision on the disk. Raises as `read_state`."""
    with _open(folder) as db:
        return load_state(db)[0]


def read_store(folder: Path, connection: str) -> dict[str, Storable]:
    """What the durable area of one connection holds, by key. Raises as `read_state`."""
    with _open(folder) as db:
        rows = db.execute("SELECT key, value, crc FROM store WHERE connection = ?", (connection,))
        return {key: decode(_whole(connection, value, crc)) for key, value, crc in rows}


def _whole(connection: str, value: bytes, crc: int) -> bytes:
    if zlib.crc32(value) != crc:
        raise sqlite.Corrupt(f"the store of {connection} is not as it was written")
    return value


def read_actions(folder: Path) -> list[StoredAction]:
    """Every action that was promised, in order of their ids. Raises as `read_state`."""
    with _open(folder) as db:
        rows = db.execute("SELECT id, seq, part, aspect, value, wall, boot, mono_s FROM actions ORDER BY id")
        return [
            StoredAction(
                id=n,
                seq=seq,
                part=part,
                aspect=Aspect(aspect),
                value=decode(value, type=Wish),
                at=Instant(mono_s, wall, boot),
            )
            for n, seq, part, aspect, value, wall, boot, mono_s in rows
        ]


def read_history(folder: Path, part: str | None, limit: int) -> list[HistoryLine]:
    """The last `limit` events, oldest first; of one part, or of everything where it is None. Raises as `read_state`."""
    with _open(folder) as db:
        rows = db.execute(
            "SELECT wall, seq, text FROM events WHERE ? IS NULL OR part = ? ORDER BY seq DESC, n DESC LIMIT ?",
            (part, part, limit),
        )
        return [HistoryLine(*row) for row in rows][::-1]


def read_decision(folder: Path, n: int) -> StoredDecision:
    """Decision `n`; a number of 0 or less counts back from the latest. Raises `NoDecision`, or as `read_state`."""
    with _open(folder) as db:
        first, last = db.execute("SELECT min(seq), max(seq) FROM decisions").fetchone()
        n = n if n > 0 or last is None else last + n
        row = db.execute(
            "SELECT d.wall, d.input, d.decision, p.blob FROM decisions d LEFT JOIN policies p ON p.hash = d.policy"
            " WHERE d.seq = ?",
            (n,),
        ).fetchone()
        if row is None:
            has = "has none yet" if last is None else f"has {first} to {last}"
            raise NoDecision(f"no decision {n}: {folder / NAME} {has}")
        return _decision(n, row)


def _decision(n: int, row: tuple[float, bytes | None, bytes, bytes | None]) -> StoredDecision:
    wall, packed, decision, policy = row
    before, inputs, now = None, None, None
    if packed is not None:
        before, inputs, now = decode(zlib.decompress(packed), type=tuple[State, Inputs, Now])
    return StoredDecision(
        seq=n,
        now=now,
        before=before,
        inputs=inputs,
        policy=decode(zlib.decompress(policy), type=Policy) if policy is not None else None,
        decision=zlib.decompress(decision),
        wall=wall,
    )


@contextmanager
def _open(folder: Path) -> Iterator[sqlite.Connection]:
    with sqlite.reader(folder / NAME) as db, sqlite.telling_corruption():
        version = sqlite.schema_version(db)
        if version > len(MIGRATIONS):
            known = f"schema {version}, this one knows {len(MIGRATIONS)}"
            raise NewerJournal(f"{folder / NAME} was written by a newer pimgr ({known})")
        yield db
