"""What was promised and taken over at one start is on the disk, and so still known at the next."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pimgr import sqlite
from pimgr.journal import Journal
from tests.journal.making import Disk, crash, names, notice, now, record


async def opened(folder: Path, disk: Disk | None = None) -> Journal:
    return await Journal.open(folder, folder / "run", before_commit=disk or Disk())


async def reopened(folder: Path) -> Journal:
    """After a start that took over what was promised, and another one."""
    first = await opened(folder)
    await first.close()
    assert names(folder / "run") == [], "no promise is left that could tell it again"
    return await opened(folder)


def test_a_message_that_was_only_promised_still_waits_after_two_restarts(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Disk()
        journal = await opened(tmp_path, disk)
        disk.broken = True
        assert await journal.add_notice(notice("a"), now(1))
        folder = crash(tmp_path, tmp_path / "crashed")
        await journal.close()

        journal = await reopened(folder)
        assert [m.key for m in await journal.pending_mail()] == ["a"]
        await journal.close()

    asyncio.run(main())


def test_a_message_whose_sending_was_only_promised_is_not_sent_again_after_two_restarts(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Disk()
        journal = await opened(tmp_path, disk)
        await journal.commit(record(journal.state, 1, notices=("a",)))
        disk.broken = True
        await journal.mail_done("a", now(2))
        folder = crash(tmp_path, tmp_path / "crashed")
        await journal.close()

        journal = await reopened(folder)
        assert await journal.pending_mail() == []
        await journal.close()

    asyncio.run(main())


def test_a_probe_puts_something_on_the_disk(tmp_path: Path) -> None:
    """A transaction without any row would succeed on a full disk too."""

    async def main() -> None:
        journal = await opened(tmp_path)
        assert await journal.probe(now(7))
        with sqlite.reader(tmp_path / "journal.db") as db:
            assert db.execute("SELECT value FROM meta WHERE key = 'heartbeat'").fetchone() == (now(7).wall,)
        await journal.close()

    asyncio.run(main())
