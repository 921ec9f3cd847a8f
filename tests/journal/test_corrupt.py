"""A journal that is not what was written: it is set aside, and what was owed becomes a question, never a guess."""

from __future__ import annotations

import asyncio
import random
import shutil
from pathlib import Path

import pytest

from pimgr.journal import Journal, read_actions, read_state
from pimgr.journal.claims import ID_GAP
from pimgr.policy.model import State
from tests.journal.making import claim, names, record, state

DATABASE = "journal.db"


async def opened(folder: Path) -> Journal:
    return await Journal.open(folder, folder / "run")


async def written(folder: Path) -> None:
    """Eight decisions; the last of them owes 1, 2 and 8."""
    journal = await opened(folder)
    for n in range(1, 9):
        await journal.commit(record(journal.state, n, (1, 2, n) if n > 2 else (n,), (f"m{n}",)))
    await journal.store("tesla").put("token", "secret")
    await journal.close()


def asked(journal: Journal) -> set[int]:
    return {q.id for q in journal.state.questions}


def garbage(size: int) -> bytes:
    return random.Random(7).randbytes(size)


@pytest.mark.parametrize("how", ["garbage", "half", "header", "text"])
def test_a_broken_journal_is_set_aside_and_its_claims_become_questions(tmp_path: Path, how: str) -> None:
    async def main() -> None:
        await written(tmp_path)
        path = tmp_path / DATABASE
        good = path.read_bytes()
        bad = {
            "garbage": garbage(len(good)),
            "half": good[: len(good) // 2 + 100],
            "header": b"\0" * 100 + good[100:],
            "text": b"<html>recovered by fsck</html>",
        }[how]
        path.write_bytes(bad)

        journal = await opened(tmp_path)
        assert asked(journal) == {1, 2, 8}
        assert journal.state.claims == ()
        assert journal.degraded == ""
        assert journal.state.action_ids > 8, "no id ever names two actions"
        first, second = journal.notes
        assert "journal-corrupt-1.db" in first
        assert "dryer, heater" not in first
        assert "3 taken part(s)" in second
        assert "dryer" in second
        assert (tmp_path / "journal-corrupt-1.db").read_bytes() == bad
        left, seq = journal.state, journal.seq
        assert await journal.commit(record(left, seq + 1)) == seq + 1
        await journal.close()

        journal = await opened(tmp_path)
        assert journal.notes == (), "it is told once"
        await journal.close()

    asyncio.run(main())


def test_questions_survive_a_restart_and_a_second_loss(tmp_path: Path) -> None:
    async def main() -> None:
        await written(tmp_path)
        for number in (1, 2):
            (tmp_path / DATABASE).write_bytes(garbage(5000))
            journal = await opened(tmp_path)
            assert asked(journal) == {1, 2, 8}
            assert (tmp_path / f"journal-corrupt-{number}.db").exists()
            assert journal.state.claim_ids == 8 + number * ID_GAP
            await journal.close()
            assert read_state(tmp_path) == journal.state

    asyncio.run(main())


def test_a_flipped_byte_anywhere_is_found_or_harmless(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()

    async def main() -> None:
        await written(tmp_path / "good")
        good = (tmp_path / "good" / DATABASE).read_bytes()
        rng, found = random.Random(1), 0
        for n in range(60):
            folder = Path(shutil.copytree(tmp_path / "good", tmp_path / str(n)))
            at = rng.randrange(100, len(good))
            bad = bytearray(good)
            bad[at] ^= rng.randrange(1, 256)
            (folder / DATABASE).write_bytes(bad)
            journal = await opened(folder)
            if journal.notes:
                found += 1
                assert asked(journal) == {1, 2, 8}
            else:
                assert journal.state == state(8, (1, 2, 8))
                assert journal.store("tesla").get("token") == "secret"
            await journal.close()
        assert 0 < found < 60

    asyncio.run(main())


def test_the_newest_whole_snapshot_wins(tmp_path: Path) -> None:
    async def main() -> None:
        await written(tmp_path)
        snapshots = [name for name in names(tmp_path) if name.startswith("claims-")]
        assert snapshots == ["claims-a.msgpack", "claims-b.msgpack"]
        found = []
        for name in snapshots:
            folder = Path(shutil.copytree(tmp_path, tmp_path.with_name(f"without-{name}")))
            damaged = (folder / name).read_bytes()
            (folder / name).write_bytes(damaged[:-1] + bytes([damaged[-1] ^ 1]))
            (folder / DATABASE).write_bytes(garbage(5000))
            journal = await opened(folder)
            found.append(asked(journal))
            await journal.close()
        assert sorted(found, key=sorted) == [{1, 2, 7}, {1, 2, 8}]

    asyncio.run(main())


def test_without_any_snapshot_nothing_is_invented(tmp_path: Path) -> None:
    async def main() -> None:
        await written(tmp_path)
        for name in ("claims-a.msgpack", "claims-b.msgpack"):
            (tmp_path / name).write_bytes(b"")
        (tmp_path / DATABASE).write_bytes(garbage(5000))
        journal = await opened(tmp_path)
        assert (journal.seq, journal.state) == (0, State())
        assert journal.notes[1] == "No snapshot of taken parts says that anything was owed."
        await journal.close()

    asyncio.run(main())


def test_an_empty_file_is_no_new_house_while_a_snapshot_knows_better(tmp_path: Path) -> None:
    async def main() -> None:
        await written(tmp_path)
        (tmp_path / DATABASE).write_bytes(b"")
        journal = await opened(tmp_path)
        assert asked(journal) == {1, 2, 8}
        assert "lost its last part" in journal.notes[0]
        await journal.close()

    asyncio.run(main())


def test_a_journal_put_back_from_an_old_backup_asks_about_what_it_does_not_know(tmp_path: Path) -> None:
    async def main() -> None:
        folder = tmp_path / "house"
        folder.mkdir()
        journal = await opened(folder)
        await journal.commit(record(journal.state, 1, (1,)))
        await journal.commit(record(journal.state, 2, (1, 2)))
        await journal.close()
        old = (folder / DATABASE).read_bytes()
        journal = await opened(folder)
        await journal.commit(record(journal.state, 3, (2, 3)))
        await journal.close()
        (folder / DATABASE).write_bytes(old)

        journal = await opened(folder)
        assert [c.id for c in journal.state.claims] == [2], "1 was given back since"
        assert journal.state.questions == (claim(3),)
        assert (journal.seq, journal.state.action_ids) == (3, 3 + ID_GAP)
        await journal.close()

    asyncio.run(main())


def test_a_journal_that_cannot_even_be_read_is_asked_about_and_never_mixed_with_a_new_one(tmp_path: Path) -> None:
    async def main() -> None:
        await written(tmp_path)
        (tmp_path / DATABASE).rename(tmp_path / "kept.db")
        (tmp_path / DATABASE).mkdir()  # nothing that SQLite can open, not even for reading
        journal = await opened(tmp_path)
        assert asked(journal) == {1, 2, 8}
        assert "can't be read either" in journal.notes[0]
        assert journal.degraded == ""
        assert (tmp_path / "journal-corrupt-1.db").is_dir()
        assert read_state(tmp_path) == journal.state
        await journal.close()

    asyncio.run(main())


def test_a_promise_is_believed_though_the_journal_is_lost(tmp_path: Path) -> None:
    """The disk failed, the promise was written, and then the disk was found broken: the promise is the newest truth."""

    async def main() -> None:
        broken = False

        def disk() -> None:
            if broken:
                raise OSError(5, "Input/output error")

        journal = await Journal.open(tmp_path, tmp_path / "run", before_commit=disk)
        await journal.commit(record(journal.state, 1, (1,)))
        broken = True
        await journal.commit(record(journal.state, 2, (1, 2)))
        await journal.close()
        (tmp_path / DATABASE).write_bytes(garbage(5000))

        journal = await opened(tmp_path)
        assert journal.seq == 2
        assert [c.id for c in journal.state.claims] == [1, 2]
        assert asked(journal) == set()
        await journal.close()

    asyncio.run(main())


def test_a_file_that_breaks_while_it_is_used_is_begun_anew_with_all_that_is_known(tmp_path: Path) -> None:
    async def main() -> None:
        await written(tmp_path)
        failing = False

        def disk() -> None:
            if failing:
                raise OSError(5, "Input/output error")

        journal = await Journal.open(tmp_path, tmp_path / "run", before_commit=disk)
        await journal.mail_done("m1")
        failing = True
        await journal.commit(record(journal.state, 9, (1, 9)))
        failing = False
        (tmp_path / DATABASE).write_bytes(garbage(20000))
        await journal.commit(record(journal.state, 10, (1, 10)))
        assert "is now journal-corrupt-1.db" in journal.degraded
        assert (tmp_path / "run" / "promise-10.msgpack").exists()
        await journal.commit(record(journal.state, 11, (1, 11)))
        assert journal.degraded == ""
        assert read_state(tmp_path) == journal.state == state(11, (1, 11))
        assert [a.id for a in read_actions(tmp_path)] == [9, 10, 11]
        await journal.close()
        journal = await opened(tmp_path)
        assert journal.notes == ()
        assert journal.store("tesla").get("token") == "secret"
        assert [m.key for m in await journal.pending_mail()] == [f"m{k}" for k in range(2, 9)]
        await journal.close()

    asyncio.run(main())
