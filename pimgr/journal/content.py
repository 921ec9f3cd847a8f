"""What a journal holds, read into memory at the start, and by others while it is in use."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from pimgr.journal.entries import decode
from pimgr.journal.words import OutboxMessage
from pimgr.policy.model import State
from pimgr.sqlite import Connection, Corrupt, telling_corruption


@dataclass
class Content:
    """`waiting`: messages to send, oldest first; `seen`: every key there was; `store`: msgpack by (connection, key)."""

    seq: int = 0
    state: State = field(default_factory=State)
    waiting: dict[str, OutboxMessage] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    store: dict[tuple[str, str], bytes] = field(default_factory=dict)


def load(db: Connection) -> Content:
    """Raises `Corrupt` where something isn't as it was written, `Error` where it can't be read."""
    content = Content()
    with telling_corruption():
        content.seq, content.state = load_state(db)
        for key, blob, sent in db.execute("SELECT key, message, sent FROM outbox ORDER BY n"):
            content.seen.add(key)
            if not sent:
                content.waiting[key] = decode(blob, type=OutboxMessage)
        for connection, key, value, crc in db.execute("SELECT connection, key, value, crc FROM store"):
            if zlib.crc32(value) != crc:
                raise Corrupt(f"the store of {connection} is not as it was written")
            content.store[connection, key] = value
    return content


def load_state(db: Connection) -> tuple[int, State]:
    """The latest sequence number and state; (0, the state of a new house) before the first commit."""
    row = db.execute("SELECT seq, blob, crc FROM state").fetchone()
    if row is None:
        return 0, State()
    seq, blob, crc = row
    if zlib.crc32(blob) != crc:
        raise Corrupt("the state is not as it was written")
    return seq, decode(blob, type=State)
