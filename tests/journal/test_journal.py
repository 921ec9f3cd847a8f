"""What the journal promises on a disk that works."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimgr.journal import (
    AlreadyRunning,
    Journal,
    NewerJournal,
    entries,
    read_actions,
    read_history,
    read_seq,
    read_state,
)
from pimgr.journal.book import Book
from pimgr.journal.schema import MIGRATIONS
from pimgr.policy.model import State
from tests.journal.making import PARTS, crash, notice, now, record, state


async def opened(folder: Path) -> Journal:
    return await Journal.open(folder, folder / "run")


def test_a_new_house_owes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        journal = await opened(tmp_path)
        assert (journal.seq, journal.state) == (0, State())
        assert (journal.notes, journal.degraded) == ((), "")
        await journal.close()

    asyncio.run(main())


def test_a_commit_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    async def main() -> None:
        journal = await opened(tmp_path)
        assert await journal.commit(record(journal.state, 1, claims=(1,))) == 1
        assert read_state(tmp_path) == state(1, (1,)) == journal.state
        assert read_seq(tmp_path) == journal.seq == 1
        (action,) = read_actions(tmp_path)
        assert (action.id, action.seq, action.part, action.at) == (1, 1, PARTS[1], now(1).instant)
        assert journal.last_answer_mono_s == now(1).mono_s
        await journal.close()

    asyncio.run(main())


def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    book = Book(tmp_path, lambda: None)
    book.begin()
    db = book._db
    assert db is not None
    assert db.execute("PRAGMA synchronous").fetchone() == (2,), "FULL: the log is synced at each commit"
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    book.close()


def test_what_is_owed_survives_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        journal = await opened(tmp_path)
        for n in range(1, 6):
            await journal.commit(record(journal.state, n, claims=tuple(range(n))))
        left = journal.state
        await journal.close()
        journal = await opened(tmp_path)
        assert (journal.seq, journal.state, journal.notes) == (5, left, ())
        assert await journal.commit(record(journal.state, 6)) == 6
        await journal.close()

    asyncio.run(main())


Step = st.one_of(
    st.tuples(st.just("commit"), st.sets(st.integers(0, 9), max_size=4)),
    st.tuples(st.sampled_from(["restart", "power cut", "forget"]), st.just(set[int]())),
    st.tuples(st.just("put"), st.sets(st.integers(0, 3), min_size=1, max_size=1)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(Step, max_size=14))
def test_any_history_gives_back_exactly_the_last_state(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, set[int]]]
) -> None:
    async def main() -> None:
        folder = tmp_path_factory.mktemp("journal")
        journal, n, last, stored = await opened(folder), 0, State(), dict[str, int]()
        for what, numbers in [*steps, ("restart", set[int]())]:
            if what in ("commit", "forget"):
                n += 1
                last = state(n, tuple(sorted(numbers)))
                assert await journal.commit(record(journal.state, n, tuple(sorted(numbers)))) == n
            elif what == "put":
                stored = stored | {str(number): n for number in numbers}
                for key in numbers:
                    await journal.store("tesla").put(str(key), n)
            else:
                if what == "restart":
                    await journal.close()
                folder = crash(folder, tmp_path_factory.mktemp("next") / "journal")
                await journal.close()
                journal = await opened(folder)
            assert (journal.seq, journal.state, journal.notes) == (n, last, ())
            assert {key: journal.store("tesla").get(key) for key in stored} == stored
        assert read_state(folder) == last
        assert [a.id for a in read_actions(folder)] == list(range(1, n + 1))
        await journal.close()

    asyncio.run(main())


def test_a_second_pimgr_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    async def main() -> None:
        first = await opened(tmp_path)
        with pytest.raises(AlreadyRunning, match=r"another pimgr \(process \d+\) is running"):
            await opened(tmp_path)
        await first.close()
        second = await opened(tmp_path)
        await second.close()

    asyncio.run(main())


HOLD = """
import asyncio, sys
from pathlib import Path
from pimgr.journal import Journal
async def main():
    await Journal.open(Path(sys.argv[1]), Path(sys.argv[1]) / "run")
    print("open", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    async def refused() -> bool:
        try:
            journal = await opened(tmp_path)
        except AlreadyRunning:
            return True
        await journal.close()
        return False

    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        assert asyncio.run(refused())
        child.kill()
        child.wait(10)
        assert not asyncio.run(refused())


def test_a_journal_of_a_newer_pimgr_is_refused_and_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        journal = await opened(tmp_path)
        await journal.commit(record(journal.state, 1))
        await journal.close()
        with sqlite3.connect(tmp_path / "journal.db") as db:
            db.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (len(MIGRATIONS) + 1,))
            db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        db.close()
        before = (tmp_path / "journal.db").read_bytes()
        with pytest.raises(NewerJournal, match="newer pimgr"):
            await opened(tmp_path)
        assert (tmp_path / "journal.db").read_bytes() == before
        with pytest.raises(NewerJournal):
            read_state(tmp_path)

    asyncio.run(main())


def test_nobody_else_may_read_its_tokens(tmp_path: Path) -> None:
    async def main() -> None:
        journal = await opened(tmp_path)
        await journal.commit(record(journal.state, 1, claims=(1,)))
        await journal.store("tesla").put("refresh", "token")
        files = [entry for entry in os.scandir(tmp_path) if entry.is_file()]
        assert {"journal.db", "journal.db-wal"} <= {entry.name for entry in files}
        assert {stat.S_IMODE(entry.stat().st_mode) for entry in files} == {0o600}
        await journal.close()

    asyncio.run(main())


def test_the_loop_goes_on_while_the_disk_works(tmp_path: Path) -> None:
    async def main() -> None:
        entered, leave = threading.Event(), threading.Event()

        def hold() -> None:
            entered.set()
            assert leave.wait(10)

        journal = await Journal.open(tmp_path, tmp_path / "run", before_commit=hold)
        commit = asyncio.create_task(journal.commit(record(journal.state, 1)))
        while not entered.is_set():  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0.001)
        assert not commit.done(), "nothing is acknowledged before it is on the disk"
        assert read_seq(tmp_path) == 0
        leave.set()
        assert await commit == 1
        await journal.close()

    asyncio.run(main())


def test_what_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        journal = await opened(tmp_path)
        await journal.commit(record(journal.state, 1))
        bad = record(journal.state, 2, notices=("\ud800",))
        with pytest.raises(ValueError, match="surrogates"):
            await journal.commit(bad)
        assert (journal.seq, journal.state, await journal.pending_mail()) == (1, state(1), [])
        assert await journal.commit(record(journal.state, 2)) == 2
        await journal.close()

    asyncio.run(main())


# --------------------------------------------------------------------------------------------------------------- outbox


def test_notices_are_kept_with_their_decision_once_and_in_order(tmp_path: Path) -> None:
    async def main() -> None:
        journal = await opened(tmp_path)
        await journal.commit(record(journal.state, 1, notices=("b", "a", "b")))
        assert await journal.add_notice(notice("c"), now(2))
        assert not await journal.add_notice(notice("a"), now(3))
        await journal.commit(record(journal.state, 2, notices=("c", "d")))
        assert [m.key for m in await journal.pending_mail()] == ["b", "a", "c", "d"]
        await journal.mail_done("b", now(3))
        await journal.close()

        journal = await opened(tmp_path)
        assert [m.key for m in await journal.pending_mail()] == ["a", "c", "d"]
        assert not await journal.add_notice(notice("b"), now(4)), "a message that was sent is never sent again"
        first = (await journal.pending_mail())[0].message
        assert (first.subject, first.text, first.written) == ("about a", "line 1\nline 2", now(1).wall)
        await journal.close()

    asyncio.run(main())


def test_a_message_that_failed_keeps_its_place_and_its_reason(tmp_path: Path) -> None:
    async def main() -> None:
        journal = await opened(tmp_path)
        await journal.commit(record(journal.state, 1, notices=("a", "b")))
        await journal.mail_failed("a", "no route", now(90).instant)
        await journal.mail_failed("a", "still no route", now(99).instant)
        await journal.close()
        journal = await opened(tmp_path)
        first, second = await journal.pending_mail()
        assert (first.key, first.tries, first.problem, first.retry_at) == ("a", 2, "still no route", now(99).instant)
        assert (second.key, second.tries) == ("b", 0)
        await journal.close()

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------------------------- store


def test_a_stored_value_is_on_the_disk_when_put_returns(tmp_path: Path) -> None:
    async def main() -> None:
        journal = await opened(tmp_path)
        value = {"token": "x", "tries": [1, 2.5, None, True, b"\x00"]}
        await journal.store("tesla").put("login", value)
        crashed = crash(tmp_path, tmp_path / "crashed")
        assert journal.store("honeywell").get("login") is None
        await journal.close()
        journal = await opened(crashed)
        assert journal.store("tesla").get("login") == value
        await journal.close()

    asyncio.run(main())


@pytest.mark.parametrize("value", [(1, 2), {1: "x"}, {"x": {1}}, object(), [State()]])
def test_a_value_that_would_come_back_changed_is_refused(tmp_path: Path, value: object) -> None:
    async def main() -> None:
        journal = await opened(tmp_path)
        with pytest.raises(TypeError):
            await journal.store("tesla").put("login", value)
        assert journal.store("tesla").get("login") is None
        await journal.close()

    asyncio.run(main())


# -------------------------------------------------------------------------------------------------------------- history


def test_history_tells_of_one_part_or_of_all_oldest_first(tmp_path: Path) -> None:
    async def main() -> None:
        journal = await opened(tmp_path)
        for n in range(1, 12):
            await journal.commit(record(journal.state, n))
        lines = await journal.history(PARTS[1], 10)
        assert [(wall, seq, text) for wall, seq, text in lines] == [
            (now(n).wall, n, f"{PARTS[1]}: event {n}") for n in (1, 6, 11)
        ]
        assert [line.seq for line in await journal.history(None, 4)] == [8, 9, 10, 11]
        assert read_history(tmp_path, PARTS[1], 2) == lines[-2:]
        await journal.close()

    asyncio.run(main())


def test_old_decisions_are_dropped_but_their_actions_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(entries, "KEEP_DECISIONS", 50)
        journal = await opened(tmp_path)
        for n in range(1, 201):
            await journal.commit(record(journal.state, n))
        assert await journal.probe(now(201))  # after the pruning, which follows the 200th commit
        with sqlite3.connect(tmp_path / "journal.db") as db:
            assert db.execute("SELECT min(seq), max(seq) FROM decisions").fetchone() == (151, 200)
            assert db.execute("SELECT count(*) FROM policies").fetchone() == (1,)
        db.close()
        assert len(read_actions(tmp_path)) == 200
        await journal.close()

    asyncio.run(main())


def test_only_one_module_imports_sqlite() -> None:
    root = Path(__file__).parents[2]
    pattern = re.compile(r"^\s*(import sqlite3|from sqlite3)", re.MULTILINE)
    sources = [*root.glob("pimgr/**/*.py"), *root.glob("plugins/*/pimgr_*/**/*.py")]
    assert [p.name for p in sources if pattern.search(p.read_text(encoding="utf-8"))] == ["sqlite.py"]
