"""The database, on the writer thread: opened, written, and opened anew after a failure of the disk."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from pimgr import sqlite
from pimgr.api import Frozen
from pimgr.journal.content import Content, load
from pimgr.journal.entries import Entry
from pimgr.journal.schema import MIGRATIONS, NAME
from pimgr.journal.words import NewerJournal

MAX_MISSED = 200
"""Entries kept in memory while the disk takes none. Past that the history has a gap; state, store and mail haven't."""

log = logging.getLogger(__name__)


class Answer(Frozen):
    """How a write went. `problem`: "" or why it isn't on the disk.

    `incomplete`: the database lacks older things, since it was begun anew or the disk was away for too long.
    """

    problem: str = ""
    incomplete: bool = False


class Book:
    """`before_commit` runs in each transaction just before it is made durable: there a test slows or stops the disk."""

    def __init__(self, folder: Path, before_commit: Callable[[], None]) -> None:
        self.path = folder / NAME
        self._before_commit = before_commit
        self._db: sqlite.Connection | None = None
        self._missed: list[Entry] = []
        self._dropped = False
        self.distrusted = False
        """It couldn't be read at the start: it is set aside before anything is written, or two histories would mix."""

    def begin(self) -> Content:
        """Open, check, read. Raises `NewerJournal`, `sqlite.Corrupt`; `sqlite.Error` or OSError for a bad disk."""
        db = sqlite.open_writer(self.path, "FULL")
        try:
            sqlite.quick_check(db)
            _migrate(db, self.path)
            content = load(db)
        except BaseException:
            db.close()
            raise
        self._db = db
        return content

    def write(self, entry: Entry) -> Answer:
        """One transaction with this entry and all that earlier ones missed.

        After a failure the database is opened again for the next one: what a connection remembers after an I/O error
        isn't what is on the disk. A transaction that failed is not repeated, its rows go in with the next.
        """
        self._missed.append(entry)
        if len(self._missed) > MAX_MISSED:
            del self._missed[0]
            self._dropped = True
        try:
            db = self._db or self._open()
            with sqlite.transaction(db):
                for each in self._missed:
                    each.write(db)
                self._before_commit()
        except (sqlite.Error, sqlite.Corrupt, OSError) as error:
            return self._failed(error)
        self._missed.clear()
        dropped, self._dropped = self._dropped, False
        return Answer(incomplete=dropped)

    def close(self) -> None:
        """Fold the log into the database and let go of it."""
        if self._db is not None:
            db, self._db = self._db, None
            try:
                db.close()
            except sqlite.Error as error:
                log.warning("journal: closed with an error (%s)", error)

    def _open(self) -> sqlite.Connection:
        if self.distrusted:
            self.set_aside()
            self.distrusted = False
        db = sqlite.open_writer(self.path, "FULL")
        try:
            _migrate(db, self.path)
        except BaseException:
            db.close()
            raise
        self._db = db
        return db

    def _failed(self, error: Exception) -> Answer:
        self.close()
        if not sqlite.is_corruption(error):
            return Answer(problem=unwritable(self.path, error))
        try:
            aside = self.set_aside()
        except OSError as second:
            return Answer(problem=f"the journal is broken ({error}) and can't be set aside: {second}")
        return Answer(problem=f"the journal was broken ({error}) and is now {aside.name}", incomplete=True)

    def set_aside(self) -> Path:
        """Make room for a new database. Raises OSError."""
        return sqlite.set_aside(self.path)


def unwritable(path: Path, error: Exception) -> str:
    """What to tell a person."""
    return f"{path} can't be written ({error}); look whether its disk is full, read-only or failing"


def _migrate(db: sqlite.Connection, path: Path) -> None:
    try:
        with sqlite.telling_corruption():
            sqlite.migrate(db, MIGRATIONS)
    except sqlite.NewerSchema as error:
        cure = "install that pimgr again, or move the file away if nothing is owed"
        raise NewerJournal(f"{path} was written by a newer pimgr ({error}); {cure}") from error
