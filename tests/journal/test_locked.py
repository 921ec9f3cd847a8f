"""A database that somebody else holds: waited for a moment, and never for ever."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pimgr import sqlite
from pimgr.journal.book import Book
from pimgr.journal.entries import Heartbeat

PATIENCE_S = 3.0
"""Well above SQLite's wait of a second, well below for ever."""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Somebody keeps it to himself, as long as the block runs."""
    other = sqlite3.connect(path, isolation_level=None, timeout=0.0)
    try:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        other.close()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    book = Book(tmp_path, lambda: None)
    book.begin()
    assert book.write(Heartbeat(1.0)).problem == ""
    book.close()
    return book.path


def test_a_write_waits_for_a_lock_no_longer_than_a_second_and_tells(database: Path) -> None:
    book = Book(database.parent, lambda: None)
    with held(database):
        began = time.monotonic()
        assert "locked" in book.write(Heartbeat(2.0)).problem
        assert 0.9 < time.monotonic() - began < PATIENCE_S
    assert book.write(Heartbeat(3.0)).problem == "", "it goes in with the next"
    book.close()


def test_who_only_reads_waits_for_a_lock_no_longer_than_a_second_and_then_reads_a_copy(database: Path) -> None:
    with held(database):
        began = time.monotonic()
        with sqlite.reader(database) as db:
            assert db.execute("SELECT value FROM meta WHERE key = 'heartbeat'").fetchone() == (1.0,)
        assert time.monotonic() - began < PATIENCE_S


@pytest.mark.parametrize(("synchronous", "number"), [("FULL", 2), ("NORMAL", 1), ("OFF", 0)])
def test_a_database_is_synced_as_its_owner_wants(tmp_path: Path, synchronous: str, number: int) -> None:
    db = sqlite.open_writer(tmp_path / "some.db", synchronous)
    assert db.execute("PRAGMA synchronous").fetchone() == (number,)
    db.close()
