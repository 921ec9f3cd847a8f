"""`pimgr check --connect` meets a device with what the running pimgr keeps for it, and changes nothing of that."""

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
)
CONFIG = 'version = 1\n[grid]\nsources = ["account"]\n[connections.account]\ntype = "odd.account"\n'


def look(folder: Path) -> tuple[list[str], Finding | None]:
    found = plugins.load({"odd"}, {"odd": SimpleNamespace(pimgr_device_types=api.hookimpl(lambda: (TYPE,)))})
    kept = checks._Kept(folder)
    [(_, findings)] = visit(parse(CONFIG, "pimgr.toml", found), Luggage(found, Secrets(folder), kept.of))
    return [finding.text for finding in findings], kept.trouble


async def _keep(folder: Path) -> None:
    journal = await Journal.open(folder, folder / "run")
    await journal.store("account").put("token", "old")
    await journal.store("account-2").put("token", "of another")
    await journal.close()


def test_a_device_is_met_with_what_is_kept_for_it_and_what_it_puts_is_not_kept(tmp_path: Path) -> None:
    asyncio.run(_keep(tmp_path))
    assert look(tmp_path) == (["found old, kept False, reads another", "it runs out"], None)
    assert read_store(tmp_path, "account") == {"token": "old"}


def test_while_pimgr_runs_its_store_is_read_all_the_same(tmp_path: Path) -> None:
    async def main() -> list[str]:
        journal = await Journal.open(tmp_path, tmp_path / "run")
        await journal.store("account").put("token", "newest")
        try:
            return (await asyncio.to_thread(look, tmp_path))[0]
        finally:
            await journal.close()

    assert asyncio.run(main())[0] == "found newest, kept False, reads another"


def test_where_pimgr_never_ran_there_is_nothing_kept_and_nothing_to_say_of_it(tmp_path: Path) -> None:
    assert look(tmp_path / "none") == (["found None, kept False, reads another", "it runs out"], None)
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
