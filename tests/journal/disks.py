"""Scenarios on a small disk of one's own; run in a mount namespace by test_degraded: ``disks.py SCENARIO FOLDER``."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
from pathlib import Path

from pimgr.journal import Journal, read_actions, read_state
from tests.journal.making import names, now, record, state


def mount(folder: Path) -> Path:
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "none", str(disk)], check=True)
    return disk


def fill(disk: Path) -> None:
    """Until not one byte more goes on it."""
    with open(disk / "full", "ab", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def read_only(disk: Path, on: bool) -> None:
    subprocess.run(["mount", "-o", f"remount,{'ro' if on else 'rw'}", str(disk)], check=True)


async def prepared(disk: Path, runtime: Path) -> Journal:
    journal = await Journal.open(disk, runtime)
    for n in (1, 2, 3):
        await journal.commit(record(journal.state, n, (n,)))
    assert journal.degraded == ""
    return journal


async def degraded_then(journal: Journal, disk: Path, runtime: Path, mend: object) -> None:
    """Commit without the disk, restart without it, mend it: nothing was lost at any moment."""
    before = journal.seq
    for n in range(before + 1, before + 4):
        assert await journal.commit(record(journal.state, n, (1, n))) == n
    assert journal.degraded, "it says that it is degraded"
    await journal.close()

    journal = await Journal.open(disk, runtime)
    assert journal.degraded, "it says so after a restart too"
    assert (journal.seq, journal.state) == (before + 3, state(before + 3, (1, before + 3)))
    assert await journal.commit(record(journal.state, before + 4, (1,))) == before + 4
    mend()  # type: ignore[operator]
    assert await journal.probe(now(99)), journal.degraded
    assert journal.degraded == ""
    assert [a.id for a in read_actions(disk)] == list(range(1, before + 5))
    assert read_state(disk) == state(before + 4, (1,))
    await journal.close()
    assert names(runtime) == [], "no promise is left"


async def full(disk: Path, runtime: Path) -> None:
    journal = await prepared(disk, runtime)
    fill(disk)
    n = journal.seq
    while not journal.degraded:  # what SQLite had allocated before may still take a few
        n += 1
        await journal.commit(record(journal.state, n, (1, n)))
        fill(disk)
        assert n < 1000
    await degraded_then(journal, disk, runtime, (disk / "full").unlink)


async def full_from_the_start(disk: Path, runtime: Path) -> None:
    fill(disk)
    journal = await Journal.open(disk, runtime)
    assert journal.degraded
    await degraded_then(journal, disk, runtime, (disk / "full").unlink)


async def read_only_later(disk: Path, runtime: Path) -> None:
    """As a memory card does it after an error: whoever had the files open finds them read-only."""
    journal = await prepared(disk, runtime)
    await journal.close()
    read_only(disk, True)
    journal = await Journal.open(disk, runtime)
    assert (journal.seq, journal.state) == (3, state(3, (3,)))
    await degraded_then(journal, disk, runtime, lambda: read_only(disk, False))


async def read_only_from_the_start(disk: Path, runtime: Path) -> None:
    read_only(disk, True)
    journal = await Journal.open(disk, runtime)
    await degraded_then(journal, disk, runtime, lambda: read_only(disk, False))


def main() -> None:
    scenario, folder = sys.argv[1], Path(sys.argv[2])
    run = {
        "full": full,
        "full_from_the_start": full_from_the_start,
        "read_only": read_only_later,
        "read_only_from_the_start": read_only_from_the_start,
    }[scenario]
    asyncio.run(run(mount(folder), folder / "run"))
    print("as promised")


if __name__ == "__main__":
    main()
