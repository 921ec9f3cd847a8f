"""`pimgr check --connect` meets a device with what the running pimgr keeps for it, and changes only its budgets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pimgr import api, plugins
from pimgr.api import Capability, Finding, Severity
from pimgr.cli import checks
from pimgr.config import Secrets, parse
from pimgr.control import Control, Reply, Request, ask
from pimgr.counting import Counts, count
from pimgr.journal import Journal, read_store
from pimgr.visit import Luggage, visit


class Nothing(api.Config):
    pass


class Account:
    """Says in its check what it finds in its store, and writes there."""

    def __init__(self, context: api.Context) -> None:
        self.parts: api.Parts = {}
        self._context = context

    async def check(self) -> list[Finding]:
        logins = self._context.store.get("logins") or 0
        assert isinstance(logins, int)
        await self._context.store.put("logins", logins + 1)
        with pytest.raises(api.Refused, match="serves only once"):
            await self._context.store.put("spending", "a token that serves once")
        kept = self._context.store.get("token")
        written = await self._context.store.put("token", "another")
        self._context.tell("token", Finding(severity=Severity.WARNING, text="it runs out"))
        self._context.record("looked at")
        text = f"found {kept}, kept {written}, reads {self._context.store.get('token')}"
        return [Finding(severity=Severity.INFO, text=text)]


@asynccontextmanager
async def _open(_config: Nothing, context: api.Context) -> AsyncIterator[Any]:
    yield Account(context)


TYPE = api.DeviceType(
    name="odd.account",
    summary="An account",
    config=Nothing,
    provides=lambda _: {"": frozenset({Capability.GRID_SOURCE})},
    open=_open,
    budgets=("logins",),
    spends=("spending",),
)
CONFIG = 'version = 1\n[grid]\nsources = ["account"]\n[connections.account]\ntype = "odd.account"\n'


def look(folder: Path) -> tuple[list[str], Finding | None]:
    found = plugins.load({"odd"}, {"odd": SimpleNamespace(pimgr_device_types=api.hookimpl(lambda: (TYPE,)))})
    kept = checks._Kept(folder)
    luggage = Luggage(found, Secrets(folder), kept.of, Counts(folder, folder / "run"))
    [(_, findings)] = visit(parse(CONFIG, "pimgr.toml", found), luggage)
    return [finding.text for finding in findings], kept.trouble


async def _keep(folder: Path) -> None:
    journal = await Journal.open(folder, folder / "run")
    await journal.store("account").put("token", "old")
    await journal.store("account-2").put("token", "of another")
    await journal.close()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Journal]:
    """A pimgr as far as a look has to do with it: the journal's lock, and who answers at the control socket."""
    journal = await Journal.open(folder, folder / "run")

    async def handle(request: Request) -> Reply:
        return await count(journal, request, TYPE.budgets if request.part == "account" else ())

    control = asyncio.create_task(Control(folder / "run", handle).run())
    try:
        async with asyncio.timeout(20):
            while not (folder / "run" / "control.sock").exists():  # noqa: ASYNC110 - no event tells of a file
                await asyncio.sleep(0)
            assert not (await asyncio.to_thread(ask, folder / "run", Request(do="count"))).ok  # it serves
        yield journal
    finally:
        control.cancel()
        await asyncio.wait([control])
        await journal.close()


def test_a_device_is_met_with_what_is_kept_for_it_and_what_it_puts_is_not_kept(tmp_path: Path) -> None:
    asyncio.run(_keep(tmp_path))
    assert look(tmp_path) == (["found old, kept False, reads another", "it runs out"], None)
    assert read_store(tmp_path, "account") == {"token": "old", "logins": 1}


def test_while_pimgr_runs_its_store_is_read_all_the_same(tmp_path: Path) -> None:
    async def main() -> list[str]:
        async with running(tmp_path) as journal:
            await journal.store("account").put("token", "newest")
            return (await asyncio.to_thread(look, tmp_path))[0]

    assert asyncio.run(main()) == ["found newest, kept False, reads another", "it runs out"]


def test_where_pimgr_never_ran_there_is_nothing_kept_and_nothing_to_say_of_it(tmp_path: Path) -> None:
    texts, trouble = look(tmp_path / "none")
    assert (texts[0], texts[-1], trouble) == ("found None, kept False, reads another", "it runs out", None)
    assert not (tmp_path / "none").exists()


def test_a_journal_that_can_not_be_read_is_told_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    texts, trouble = look(tmp_path)
    assert texts[0] == "found None, kept False, reads another"
    assert trouble is not None
    assert "can't be read" in trouble.text
    assert "as the user pimgr" in trouble.cure


def test_a_store_that_is_not_as_it_was_written_is_not_believed(tmp_path: Path) -> None:
    from pimgr import sqlite

    asyncio.run(_keep(tmp_path))
    db = sqlite.open_writer(tmp_path / "journal.db", "FULL")
    with sqlite.transaction(db):
        db.execute("UPDATE store SET value = ?", (b"\xa3bad",))
    db.close()
    with pytest.raises(sqlite.Corrupt):
        read_store(tmp_path, "account")


def test_what_a_look_costs_is_counted_where_no_pimgr_runs_and_a_later_one_knows_it(tmp_path: Path) -> None:
    asyncio.run(_keep(tmp_path))
    for _ in range(2):
        look(tmp_path)

    async def later() -> api.Storable:
        async with running(tmp_path) as journal:
            return journal.store("account").get("logins")

    assert asyncio.run(later()) == 2


def test_what_a_look_costs_is_counted_by_the_running_pimgr_at_once(tmp_path: Path) -> None:
    async def main() -> api.Storable:
        async with running(tmp_path) as journal:
            await journal.store("account").put("logins", 6)
            await asyncio.to_thread(look, tmp_path)
            return journal.store("account").get("logins")

    assert asyncio.run(main()) == 7
    assert read_store(tmp_path, "account") == {"logins": 7}


def test_nothing_but_a_budget_is_written_for_whoever_asks(tmp_path: Path) -> None:
    async def main() -> list[Reply]:
        async with running(tmp_path) as journal:
            asked = [
                await count(journal, Request(do="count", part="account", key=key, value=value), TYPE.budgets)
                for key, value in (("token", "AQ=="), ("logins", "no base64"), ("logins", "wQ=="), ("logins", "x8A="))
            ]
            assert journal.store("account").get("logins") is None
            return asked

    replies = asyncio.run(main())
    assert [reply.ok for reply in replies] == [False] * 4
    assert "'token'" in replies[0].text


def test_a_look_that_can_not_be_counted_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, _ = look(tmp_path / "none")
    assert f"this look isn't counted: pimgr has no {tmp_path / 'none'} yet" in texts
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    texts, _ = look(tmp_path)
    assert any("belongs to another user; run this as the user pimgr" in text for text in texts)
    assert not list(tmp_path.glob("journal*"))


def test_a_running_pimgr_that_does_not_answer_keeps_its_journal_to_itself(tmp_path: Path) -> None:
    async def main() -> list[str]:
        journal = await Journal.open(tmp_path, tmp_path / "run")
        try:
            return (await asyncio.to_thread(look, tmp_path))[0]
        finally:
            await journal.close()

    assert any(text.startswith("this look isn't counted: ") for text in asyncio.run(main()))
    assert "logins" not in read_store(tmp_path, "account")


def test_a_broken_journal_is_left_to_the_pimgr_that_knows_what_was_owed(tmp_path: Path) -> None:
    broken = b"SQLite format 3\0" + os.urandom(5000)
    (tmp_path / "journal.db").write_bytes(broken)
    texts, _ = look(tmp_path)
    assert any("this look isn't counted: the journal can't be written" in text for text in texts)
    assert [p.name for p in tmp_path.glob("journal.db*")] == ["journal.db"]
    assert (tmp_path / "journal.db").read_bytes() == broken
