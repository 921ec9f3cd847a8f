"""A slow, failing, full or read-only disk: pimgr goes on protecting, on promises kept in memory."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pimgr.journal import Journal, NotStored, read_actions, read_seq, read_state
from tests.journal.making import Disk, crash, names, notice, now, record, state


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another thread's doing
            await asyncio.sleep(0.002)


async def opened(folder: Path, disk: Disk | None = None, slow_s: float = 2.0) -> Journal:
    return await Journal.open(folder, folder / "run", slow_s=slow_s, before_commit=disk or (lambda: None))


def test_a_slow_disk_delays_an_act_by_two_seconds_once_and_then_no_more(tmp_path: Path) -> None:
    async def main() -> None:
        disk, runtime = Disk(), tmp_path / "run"
        journal = await opened(tmp_path, disk, slow_s=0.3)
        disk.free.clear()
        began = time.monotonic()
        assert await journal.commit(record(journal.state, 1, (1,), ("a",))) == 1
        first = time.monotonic() - began
        assert 0.3 <= first < 2.0
        assert "not answered for 0.3 s" in journal.degraded
        for n in (2, 3, 4):
            assert await journal.commit(record(journal.state, n, (1, n))) == n
        assert time.monotonic() - began - first < 0.3, "who is known to be slow is not waited for again"
        assert names(runtime) == [f"promise-{n}.msgpack" for n in (1, 2, 3, 4)]
        assert read_seq(tmp_path) == 0

        disk.free.set()
        await until(lambda: not names(runtime))
        assert (read_seq(tmp_path), read_state(tmp_path)) == (4, state(4, (1, 4)))
        assert [a.id for a in read_actions(tmp_path)] == [1, 2, 3, 4]
        assert await journal.commit(record(journal.state, 5)) == 5
        assert journal.degraded == ""
        assert [m.key for m in await journal.pending_mail()] == ["a"]
        await journal.close()

    asyncio.run(main())


def test_a_failed_commit_is_promised_and_goes_in_with_the_next(tmp_path: Path) -> None:
    async def main() -> None:
        disk, runtime = Disk(), tmp_path / "run"
        journal = await opened(tmp_path, disk)
        await journal.commit(record(journal.state, 1))
        disk.broken = True
        assert await journal.commit(record(journal.state, 2, (2,), ("a",))) == 2
        assert "Input/output error" in journal.degraded
        assert journal.last_answer_mono_s == now(1).mono_s
        assert names(runtime) == ["promise-2.msgpack"]
        assert read_seq(tmp_path) == 1
        disk.broken = False
        assert await journal.commit(record(journal.state, 3, (2,))) == 3
        assert journal.degraded == ""
        assert [a.id for a in read_actions(tmp_path)] == [1, 2, 3]
        assert read_state(tmp_path) == state(3, (2,))
        await until(lambda: not names(runtime))
        await journal.close()
        journal = await opened(tmp_path)
        assert [m.key for m in await journal.pending_mail()] == ["a"]
        await journal.close()

    asyncio.run(main())


def test_a_failed_transaction_is_not_repeated(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Disk()
        journal = await opened(tmp_path, disk)
        disk.broken = True
        await journal.commit(record(journal.state, 1))
        assert disk.writes == 1
        await journal.close()

    asyncio.run(main())


def test_a_probe_ends_the_degraded_mode_and_writes_down_what_was_promised(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Disk()
        journal = await opened(tmp_path, disk)
        disk.broken = True
        await journal.commit(record(journal.state, 1, (1,)))
        assert not await journal.probe(now(5))
        disk.broken = False
        assert await journal.probe(now(6))
        assert (journal.degraded, journal.last_answer_mono_s) == ("", now(6).mono_s)
        assert read_state(tmp_path) == state(1, (1,))
        await until(lambda: not names(tmp_path / "run"))
        await journal.close()

    asyncio.run(main())


def test_the_highest_promise_wins_after_a_crash(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Disk()
        journal = await opened(tmp_path, disk)
        for n in range(1, 9):
            await journal.commit(record(journal.state, n, (n,)))
        disk.broken = True
        for n in range(9, 13):
            await journal.commit(record(journal.state, n, (1, n), (f"m{n}",)))
        folder = crash(tmp_path, tmp_path / "crashed")
        await journal.close()

        journal = await opened(folder)
        assert (journal.seq, journal.state) == (12, state(12, (1, 12)))
        assert journal.notes == ("4 decision(s) that the disk had not taken were recovered from promises.",)
        assert [a.id for a in read_actions(folder)] == list(range(1, 13))
        assert [m.key for m in await journal.pending_mail()] == ["m9", "m10", "m11", "m12"]
        await until(lambda: not names(folder / "run"))
        assert await journal.commit(record(journal.state, 13)) == 13
        await journal.close()
        journal = await opened(folder)
        assert (journal.seq, journal.state, journal.notes) == (13, state(13), ())
        await journal.close()

    asyncio.run(main())


def test_a_promise_that_was_kept_meanwhile_changes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Disk()
        journal = await opened(tmp_path, disk)
        disk.broken = True
        await journal.commit(record(journal.state, 1, (1,), ("a",)))
        old = (tmp_path / "run" / "promise-1.msgpack").read_bytes()
        disk.broken = False
        await journal.commit(record(journal.state, 2, (2,)))
        await journal.mail_done("a")
        await journal.close()
        (tmp_path / "run" / "promise-1.msgpack").write_bytes(old)
        (tmp_path / "run" / "promise-7.msgpack").write_bytes(old[:-3])

        journal = await opened(tmp_path)
        assert (journal.seq, journal.state) == (2, state(2, (2,)))
        assert journal.notes == ("promise-7.msgpack is not whole, and was ignored.",)
        assert await journal.pending_mail() == []
        assert [a.id for a in read_actions(tmp_path)] == [1, 2]
        await journal.close()

    asyncio.run(main())


def test_a_message_is_sent_once_also_when_the_disk_does_not_know_it(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Disk()
        journal = await opened(tmp_path, disk)
        await journal.commit(record(journal.state, 1, notices=("a", "b")))
        disk.broken = True
        await journal.mail_done("a", now(2))
        assert await journal.add_notice(notice("c"), now(2))
        folder = crash(tmp_path, tmp_path / "crashed")
        await journal.close()

        journal = await opened(folder)
        assert [m.key for m in await journal.pending_mail()] == ["b", "c"]
        assert not await journal.add_notice(notice("a"), now(3))
        await journal.close()

    asyncio.run(main())


def test_a_value_the_disk_did_not_take_is_told_so_kept_and_written_later(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Disk()
        journal = await opened(tmp_path, disk)
        store = journal.store("honeywell")
        disk.broken = True
        with pytest.raises(NotStored, match="logins"):
            await store.put("logins", 3)
        assert store.get("logins") == 3, "a login budget counts also while the disk is full"
        disk.broken = False
        await journal.probe(now(2))
        await journal.close()
        journal = await opened(tmp_path)
        assert journal.store("honeywell").get("logins") == 3
        await journal.close()

    asyncio.run(main())


def test_pimgr_acts_and_says_so_when_not_even_a_promise_can_be_written(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Disk()
        journal = await opened(tmp_path, disk)
        shutil.rmtree(tmp_path / "run")
        disk.broken = True
        assert await journal.commit(record(journal.state, 1, (1,))) == 1
        assert "nor can a promise" in journal.degraded
        disk.broken = False
        assert await journal.commit(record(journal.state, 2, (1,))) == 2
        assert journal.degraded == ""
        assert [a.id for a in read_actions(tmp_path)] == [1, 2]
        await journal.close()

    asyncio.run(main())


def test_closing_does_not_wait_for_ever_for_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        disk = Disk()
        monkeypatch.setattr("pimgr.journal.journal.CLOSE_S", 0.1)
        journal = await opened(tmp_path, disk, slow_s=0.05)
        disk.free.clear()
        await journal.commit(record(journal.state, 1))
        async with asyncio.timeout(5):
            await journal.close()
            await journal.close()
        disk.free.set()
        await until(lambda: read_seq(tmp_path) == 1)

    asyncio.run(main())


def test_a_disk_that_is_away_for_long_leaves_a_gap_in_history_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        monkeypatch.setattr("pimgr.journal.book.MAX_MISSED", 5)
        monkeypatch.setattr("pimgr.journal.promises.MAX", 5)
        disk = Disk()
        journal = await opened(tmp_path, disk)
        disk.broken = True
        with pytest.raises(NotStored):
            await journal.store("tesla").put("token", "new")
        for n in range(1, 21):
            await journal.commit(record(journal.state, n, (1, n), (f"m{n}",)))
        await until(lambda: names(tmp_path / "run") == sorted(f"promise-{n}.msgpack" for n in range(16, 21)))
        disk.broken = False
        assert await journal.probe(now(30))
        await until(lambda: names(tmp_path / "run") == [])
        await journal.close()

        journal = await opened(tmp_path)
        assert (journal.seq, journal.state) == (20, state(20, (1, 20)))
        assert [m.key for m in await journal.pending_mail()] == [f"m{n}" for n in range(1, 21)]
        assert journal.store("tesla").get("token") == "new"
        assert [a.id for a in read_actions(tmp_path)] == [17, 18, 19, 20]
        await journal.close()

    asyncio.run(main())


SCENARIOS = Path(__file__).with_name("disks.py")


@pytest.mark.parametrize("scenario", ["full", "full_from_the_start", "read_only", "read_only_from_the_start"])
def test_protection_goes_on_and_nothing_is_lost_on_a_disk_that_is(tmp_path: Path, scenario: str) -> None:
    """On a real file system of 2 MB in a mount namespace of its own, which ends with the child."""
    space = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    command = [*space, sys.executable, str(SCENARIOS), scenario, str(tmp_path)]
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=root, env=env)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["as promised"]), done.stdout + done.stderr
