"""What the journal writes. An entry written twice has the same effect, so one that failed can go in with the next."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from pimgr.api import Now
from pimgr.journal.words import OutboxMessage, Record
from pimgr.policy.model import Decision, State
from pimgr.sqlite import Connection

encode = msgspec.msgpack.encode
decode = msgspec.msgpack.decode

KEEP_DECISIONS = 2000
KEEP_S = 90 * 86400.0


class Entry(Protocol):
    def write(self, db: Connection) -> None:
        """Put it into the open transaction."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """One decision. `inputs` and `policy` None: a promise was all that was left of it, it can't be replayed."""

    seq: int
    now: Now
    decision: Decision
    encoded: bytes
    state: bytes
    inputs: bytes | None
    policy: bytes | None
    mails: tuple[OutboxMessage, ...] = ()

    @classmethod
    def of(cls, seq: int, record: Record, mails: tuple[OutboxMessage, ...]) -> Page:
        """Raises TypeError or ValueError for what msgpack can't carry; nothing was written then."""
        return cls(
            seq=seq,
            now=record.now,
            decision=record.decision,
            encoded=encode(record.decision),
            state=encode(record.decision.state),
            inputs=encode((record.before, record.inputs, record.now)),
            policy=encode(record.policy),
            mails=mails,
        )

    @classmethod
    def promised(cls, seq: int, now: Now, decision: Decision, mails: tuple[OutboxMessage, ...]) -> Page:
        """What a promise file tells of a decision."""
        encoded, state = encode(decision), encode(decision.state)
        return cls(
            seq=seq, now=now, decision=decision, encoded=encoded, state=state, inputs=None, policy=None, mails=mails
        )

    def write(self, db: Connection) -> None:
        at = (self.now.wall, self.now.boot, self.now.mono_s)
        digest = None
        if self.policy is not None:
            digest = hashlib.sha256(self.policy).hexdigest()
            if db.execute("SELECT 1 FROM policies WHERE hash = ?", (digest,)).fetchone() is None:
                db.execute("INSERT INTO policies VALUES (?, ?)", (digest, zlib.compress(self.policy)))
        inputs = zlib.compress(self.inputs) if self.inputs is not None else None
        row = (self.seq, *at, digest, inputs, zlib.compress(self.encoded))
        db.execute("INSERT OR IGNORE INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        for a in self.decision.actions:
            values = (a.id, self.seq, a.part, a.aspect.value, encode(a.value), *at)
            db.execute("INSERT OR IGNORE INTO actions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        for n, e in enumerate(self.decision.events):
            line = (self.seq, n, self.now.wall, e.part, e.what, e.text)
            db.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?)", line)
        for mail in self.mails:
            Mail(mail).write(db)
        Latest(self.seq, self.state).write(db)


@dataclass(frozen=True)
class Latest:
    """The state after decision `seq`. An older one never replaces a newer one."""

    seq: int
    state: bytes

    @classmethod
    def of(cls, seq: int, state: State) -> Latest:
        return cls(seq, encode(state))

    def write(self, db: Connection) -> None:
        db.execute(
            "INSERT INTO state VALUES (1, ?, ?, ?) ON CONFLICT (one) DO UPDATE"
            " SET seq = excluded.seq, blob = excluded.blob, crc = excluded.crc WHERE excluded.seq >= seq",
            (self.seq, self.state, zlib.crc32(self.state)),
        )


@dataclass(frozen=True)
class Mail:
    """A message into the outbox; a key that was seen before is dropped. `sent`: it is out, only its key counts."""

    mail: OutboxMessage
    sent: bool = False

    def write(self, db: Connection) -> None:
        values = (self.mail.key, self.mail.message.written, encode(self.mail), self.sent)
        db.execute("INSERT OR IGNORE INTO outbox (key, written, message, sent) VALUES (?, ?, ?, ?)", values)


@dataclass(frozen=True)
class MailDone:
    """A message is out. `wall`: when, UTC in s, as far as that is known."""

    key: str
    wall: float | None = None

    def write(self, db: Connection) -> None:
        db.execute("UPDATE outbox SET sent = 1, sent_at = ? WHERE key = ? AND NOT sent", (self.wall, self.key))


@dataclass(frozen=True)
class MailChanged:
    """What became of a message that still waits."""

    mail: OutboxMessage

    def write(self, db: Connection) -> None:
        db.execute("UPDATE outbox SET message = ? WHERE key = ?", (encode(self.mail), self.mail.key))


@dataclass(frozen=True)
class Outbox:
    """Everything that waits, in order, in place of what the outbox had waiting."""

    waiting: tuple[OutboxMessage, ...]

    def write(self, db: Connection) -> None:
        db.execute("DELETE FROM outbox WHERE NOT sent")
        for mail in self.waiting:
            Mail(mail).write(db)


@dataclass(frozen=True)
class Stored:
    """A value of a connection's store."""

    connection: str
    key: str
    value: bytes

    def write(self, db: Connection) -> None:
        values: tuple[Any, ...] = (self.connection, self.key, self.value, zlib.crc32(self.value))
        db.execute("INSERT OR REPLACE INTO store VALUES (?, ?, ?, ?)", values)


@dataclass(frozen=True)
class Heartbeat:
    """Proof that the disk takes a write."""

    wall: float

    def write(self, db: Connection) -> None:
        db.execute("INSERT OR REPLACE INTO meta VALUES ('heartbeat', ?)", (self.wall,))


@dataclass(frozen=True)
class Batch:
    """Several entries, all or none."""

    entries: Sequence[Entry]

    def write(self, db: Connection) -> None:
        for entry in self.entries:
            entry.write(db)


@dataclass(frozen=True)
class Prune:
    """Drop what is old. Ages are counted only with a wall clock that is trusted: a wrong one would drop everything."""

    seq: int
    now: Now

    def write(self, db: Connection) -> None:
        db.execute("DELETE FROM decisions WHERE seq <= ?", (self.seq - KEEP_DECISIONS,))
        db.execute("DELETE FROM policies WHERE hash NOT IN (SELECT policy FROM decisions WHERE policy IS NOT NULL)")
        if self.now.wall_trusted:
            before = self.now.wall - KEEP_S
            db.execute("DELETE FROM events WHERE wall < ?", (before,))
            db.execute("DELETE FROM actions WHERE wall < ?", (before,))
            db.execute("DELETE FROM outbox WHERE sent AND written < ?", (before,))
