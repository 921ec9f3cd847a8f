"""Small files and names: on the disk whole before they have their name, and the name before anybody relies on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pimgr import sqlite
from pimgr.config.files import LAST_VALID, keep_valid
from pimgr.journal import sealed
from pimgr.journal.book import Book
from pimgr.journal.entries import Heartbeat
from pimgr.stall import NAME as HANGS
from pimgr.stall import Hang, remember
from tests.journal.watching import watched

HANG = Hang("kasa", 1_800_000_000.0, "plug.py:7")
SMALL_FILES: dict[str, Callable[[Path], object]] = {
    "promise.msgpack": lambda folder: sealed.write(folder / "promise.msgpack", b"the promise"),
    LAST_VALID: lambda folder: keep_valid("version = 1\n", folder),
    HANGS: lambda folder: remember(folder, HANG),
}


@pytest.mark.parametrize("name", SMALL_FILES)
def test_a_small_file_is_whole_on_the_disk_before_it_has_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = watched(monkeypatch)
    SMALL_FILES[name](tmp_path)
    what, _, held = steps[0]
    assert what == "synced"
    assert held == (tmp_path / name).read_bytes() != b"", "the whole of it was synced"
    assert steps[1][:2] == ("named", name)


@pytest.mark.parametrize("name", ["promise.msgpack", LAST_VALID])
def test_the_name_of_a_small_file_is_on_the_disk_before_it_counts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = watched(monkeypatch)
    SMALL_FILES[name](tmp_path)
    assert [step[:2] for step in steps[1:]] == [("named", name), ("synced", tmp_path.name)]


def test_the_name_of_a_new_database_is_on_the_disk_before_anything_is_written_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = watched(monkeypatch)
    db = sqlite.open_writer(tmp_path / "journal.db", "FULL")
    db.close()
    assert [step[:2] for step in steps] == [("synced", tmp_path.name)]


def test_a_broken_database_is_out_of_the_way_for_good_before_a_new_one_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in sqlite.SIDES:
        (tmp_path / f"journal.db{side}").write_bytes(b"broken")
    steps = watched(monkeypatch)
    sqlite.set_aside(tmp_path / "journal.db")
    names = [f"journal-corrupt-1.db{side}" for side in sqlite.SIDES]
    assert [step[:2] for step in steps] == [*(("named", name) for name in names), ("synced", tmp_path.name)]


def test_the_journal_waits_for_the_disk_also_after_the_disk_failed_it(tmp_path: Path) -> None:
    broken = True

    def disk() -> None:
        if broken:
            raise OSError(5, "Input/output error")

    book = Book(tmp_path, disk)
    book.begin()
    assert "Input/output error" in book.write(Heartbeat(1.0)).problem
    broken = False
    assert book.write(Heartbeat(2.0)).problem == ""
    assert book._db is not None
    assert book._db.execute("PRAGMA synchronous").fetchone() == (2,), "FULL: the log is synced at each commit"
    book.close()


def test_a_schema_is_brought_in_whole_or_not_at_all(tmp_path: Path) -> None:
    db = sqlite.open_writer(tmp_path / "some.db", "FULL")
    with pytest.raises(sqlite.Error):
        sqlite.migrate(db, (("CREATE TABLE one (x)", "power failed here"),))
    assert sqlite.schema_version(db) == 0
    sqlite.migrate(db, (("CREATE TABLE one (x)", "CREATE TABLE two (x)"),))
    assert sqlite.schema_version(db) == 1
    db.close()
