"""A process that is killed, and a disk whose power fails: nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pimgr import sqlite
from pimgr.journal import Journal, read_actions, read_seq, read_state
from tests.journal.making import record, state

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("PIMGR_JOURNAL_KILLS", "100"))
SECTOR = 512
"""What a disk writes whole, at the worst."""
LOG_HEADER = 32
"""Bytes at the beginning of the log that say which of its pages belong to it."""


def kill(folder: Path, kills: int, *how: str) -> dict[str, object]:
    command = [sys.executable, "-m", "tests.journal.killed", str(folder), str(kills), "5", *how]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=280, cwd=ROOT, env=env)
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.slow
def test_a_killed_pimgr_never_loses_what_it_acknowledged(tmp_path: Path) -> None:
    result = kill(tmp_path, KILLS)
    assert result["wrong"] == []
    assert isinstance(result["told"], int)
    assert result["told"] >= KILLS, "it did commit between the kills"


@pytest.mark.slow
def test_the_kill_loop_finds_a_journal_that_acknowledges_too_early(tmp_path: Path) -> None:
    assert kill(tmp_path, 40, "broken")["wrong"] != []


# ------------------------------------------------------------------------------------------------------------ power cut

Files = tuple[bytes, bytes]
"""The database and its log."""


async def acknowledged(folder: Path, commits: int) -> list[Files]:
    """What both files hold at each acknowledgement; all of it has been synced then."""
    journal = await Journal.open(folder, folder / "run")
    seen: list[Files] = []
    for n in range(1, commits + 1):
        await journal.commit(record(journal.state, n, (1, n)))
        seen.append(_read(folder))
    await journal.close()
    return seen


def _read(folder: Path) -> Files:
    return (folder / "journal.db").read_bytes(), (folder / "journal.db-wal").read_bytes()


def torn(old: bytes, new: bytes, rng: random.Random) -> Iterator[bytes]:
    """What a disk may hold whose power failed between `old` and `new`: any part of the changed sectors."""
    size = max(len(old), len(new))
    sectors = range(0, size, SECTOR)
    changed = [at for at in sectors if old[at : at + SECTOR] != new[at : at + SECTOR]]
    yield old
    for end in changed:  # written in order, up to here
        yield new[:end] + old[end:]
    for _ in range(25):  # in any order, and some as zeros: the file grew before its sectors were written
        mixed = bytearray(old.ljust(size, b"\0"))
        for at in rng.sample(changed, rng.randrange(len(changed) + 1)):
            mixed[at : at + SECTOR] = new[at : at + SECTOR].ljust(min(SECTOR, size - at), b"\0")
        yield bytes(mixed)


def states(before: Files, after: Files, rng: random.Random) -> Iterator[tuple[Files, bool]]:
    """Every kind of crash between two acknowledgements, and whether the second commit had been synced by then.

    The log is written and synced first; then, if it is long enough, its pages are copied into the database. The commit
    after that begins the log anew: its header is synced before any page follows, or pages of the old one would come
    back. Source: SQLite 3.40, wal.c, sqlite3WalFrames (syncHeader).
    """
    log = before[1]
    if log[:LOG_HEADER] != after[1][:LOG_HEADER]:
        yield (before[0], log), False
        log = after[1][:LOG_HEADER] + log[LOG_HEADER:]
    for written in torn(log, after[1], rng):
        yield (before[0], written), False
    if before[0] != after[0]:
        for database in torn(before[0], after[0], rng):
            yield (database, after[1]), True
    yield after, True


@pytest.mark.slow
def test_a_power_cut_at_any_moment_loses_nothing_acknowledged(tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()
    seen = asyncio.run(acknowledged(live, 520))
    folded = [n for n in range(1, len(seen)) if seen[n][0] != seen[n - 1][0]]
    assert folded, "the log was folded into the database at least once"
    moments = sorted({1, 2, 3, folded[0] - 1, folded[0], folded[0] + 1, folded[0] + 2, len(seen) - 1})
    rng, count, without_the_next = random.Random(3), 0, 0
    cut = tmp_path / "cut"
    cut.mkdir()
    for n in moments:
        for files, synced in states(seen[n - 1], seen[n], rng):
            seq = _after(cut, files)
            assert seq in ((n + 1,) if synced else (n, n + 1)), f"power cut in commit {n + 1}, it knows {seq}"
            count, without_the_next = count + 1, without_the_next + (seq == n)
    assert count > 300
    assert without_the_next > 50, "the cuts do take away what was not acknowledged"


def _after(folder: Path, files: Files) -> int:
    """The last decision that the journal knows after a power cut that left these files."""
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "journal.db").write_bytes(files[0])
    (folder / "journal.db-wal").write_bytes(files[1])
    db = sqlite.open_writer(folder / "journal.db", "FULL")
    try:
        sqlite.quick_check(db)
        seq = read_seq(folder)
        assert read_state(folder) == state(seq, (1, seq))
        assert [a.id for a in read_actions(folder)] == list(range(1, seq + 1))
    finally:
        db.close()
    return seq
