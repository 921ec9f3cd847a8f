"""What couldn't be written down in time is promised in memory (/run): whole, atomic, and resolved at the next start."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pimgr.api import Frozen, Message, Now
from pimgr.journal import sealed
from pimgr.journal.entries import decode, encode
from pimgr.journal.words import OutboxMessage
from pimgr.policy.model import Decision, Notice

MAX = 200
"""Promises kept at once. Each carries the whole state, so an older one is only needed for its actions and notices."""


class Promise(Frozen, kw_only=True, tag="decision"):
    """Decision `seq`: the state after it, its actions, events and notices."""

    seq: int
    now: Now
    decision: Decision


class MailPromise(Frozen, kw_only=True, tag="mail"):
    """A message that waits, or, where it is `done`, one that was sent."""

    mail: OutboxMessage
    done: bool = False


AnyPromise = Promise | MailPromise


def path_of(runtime: Path, promise: AnyPromise, number: int) -> Path:
    """`number` orders the promises of mail, and keeps their names apart."""
    name = f"promise-{promise.seq}" if isinstance(promise, Promise) else f"promise-mail-{number}"
    return runtime / f"{name}.msgpack"


def write(path: Path, promise: AnyPromise) -> None:
    """Raises OSError."""
    sealed.write(path, encode(promise))


def read_all(runtime: Path) -> Iterator[tuple[Path, AnyPromise | None]]:
    """Every promise in the order in which they were made, decisions first; None for one that isn't whole."""
    pattern = re.compile(r"promise-(mail-)?(\d+)\.msgpack$")
    named = [(m[1] or "", int(m[2]), p) for p in runtime.glob("promise-*.msgpack") if (m := pattern.match(p.name))]
    for _, _, path in sorted(named):
        yield path, _read(path)


def _read(path: Path) -> AnyPromise | None:
    payload = sealed.read(path)
    if payload is None:
        return None
    try:
        promise: AnyPromise = decode(payload, type=AnyPromise)
    except msgspec.DecodeError:
        return None
    return promise


def mail_of(notice: Notice, now: Now) -> OutboxMessage:
    """A decision's notice as a message of the outbox."""
    message = Message(
        key=notice.key, severity=notice.severity, subject=notice.subject, text=notice.text, written=now.wall
    )
    return OutboxMessage(message=message, about=notice.about)
