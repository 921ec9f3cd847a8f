"""The words of the journal: what is written down, and what can go wrong with it. Data only."""

from __future__ import annotations

from typing import NamedTuple

from pimgr.api import Frozen, Instant, Message, Now
from pimgr.policy.model import Aspect, Decision, Inputs, Policy, State, Wish


class AlreadyRunning(Exception):
    """Another pimgr has this journal. Two would fight over the house: this one ends with exit status 75."""


class NewerJournal(Exception):
    """A newer pimgr wrote this journal; this one would misread what is owed. Its text says the cure."""


class NotStored(OSError):
    """A stored value is not on the disk yet. It is kept in memory, and written as soon as the disk answers."""


class Record(Frozen, kw_only=True):
    """One decision with everything it was made from, so that `pimgr replay` can make it again."""

    now: Now
    inputs: Inputs
    policy: Policy
    before: State
    decision: Decision


class OutboxMessage(Frozen, kw_only=True):
    """A message that waits to be sent. `retry_at`: not before then; `problem`: why the last try failed.

    `about`: a later message about the same makes it old news; `taken`: the notifiers that took it already.
    """

    message: Message
    tries: int = 0
    problem: str = ""
    retry_at: Instant | None = None
    about: str = ""
    taken: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return self.message.key


class StoredAction(Frozen, kw_only=True):
    """An action as promised: `at` is the moment of the decision, before anything was on the wire."""

    id: int
    seq: int
    part: str
    aspect: Aspect
    value: Wish
    at: Instant


class HistoryLine(NamedTuple):
    """An event of decision `seq`; `wall` is UTC in s."""

    wall: float
    seq: int
    text: str
