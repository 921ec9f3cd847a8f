"""What pimgr decided and owes, on the disk before anything in the house is changed."""

from pimgr.journal.journal import Journal
from pimgr.journal.reader import NoDecision, read_actions, read_decision, read_history, read_seq, read_state, read_store
from pimgr.journal.store import ConnectionStore
from pimgr.journal.words import (
    AlreadyRunning,
    HistoryLine,
    NewerJournal,
    NotStored,
    OutboxMessage,
    Record,
    StoredAction,
)

__all__ = [
    "AlreadyRunning",
    "ConnectionStore",
    "HistoryLine",
    "Journal",
    "NewerJournal",
    "NoDecision",
    "NotStored",
    "OutboxMessage",
    "Record",
    "StoredAction",
    "read_actions",
    "read_decision",
    "read_history",
    "read_seq",
    "read_state",
    "read_store",
]
