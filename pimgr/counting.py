"""What a person's look costs an account is counted where pimgr counts: a login made by hand is a login all the same.

A running pimgr is asked to keep it. Where none runs, its journal is written, under its lock, by its own user only.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pimgr import sqlite
from pimgr.api import Finding, Severity, Storable
from pimgr.control import NotRunning, Reply, Request, ask
from pimgr.journal import AlreadyRunning, Journal, NewerJournal, NotStored
from pimgr.journal import lock as journal_lock
from pimgr.journal.book import Book
from pimgr.journal.entries import Stored, decode, encode
from pimgr.worker import Worker

COUNT = "count"
"""The request: `part` names the connection, `key` and `value` what to keep for it."""
ASK_S = 5.0
"""What a running pimgr may take to keep it."""
NOT_COUNTED = "not counted"
"""The key under which a look tells that."""
CURE = "leave ten minutes until you look again, and until pimgr is started: accounts with many logins are locked"


@dataclass(frozen=True)
class Look:
    """What a look at a connection begins with. `kept`: what pimgr keeps for it; `budgets`: of its device type."""

    connection: str
    kept: Mapping[str, Storable]
    budgets: Sequence[str]
    counts: Counts


class LookStore:
    """A store for one look: what a running pimgr keeps is there and not touched. What is put is for this look only, and
    `put` says so: a fingerprint is told and not pinned, a single-use token not spent. Budgets go to `counts`.

    `told` is called with what a person should know of that, or None.
    """

    def __init__(self, look: Look, told: Callable[[Finding | None], None]) -> None:
        self._look, self._told = look, told
        self._kept: dict[str, Storable] = dict(look.kept)

    def get(self, key: str) -> Storable:
        return self._kept.get(key)

    async def put(self, key: str, value: Storable) -> bool:
        self._kept[key] = value
        if key not in self._look.budgets:
            return False
        problem = await self._look.counts.keep(self._look.connection, key, value)
        self._told(problem)
        return problem is None


class Counts:
    """Keeps what budgets say, for connections of the pimgr with these folders. `close` when the look is over."""

    def __init__(self, state: Path, run: Path) -> None:
        self._state, self._run = state, run
        self._worker: Worker | None = None

    async def keep(self, connection: str, key: str, value: Storable) -> Finding | None:
        """None once it is kept; else what to tell the person. Never raises for folders, disks or a running pimgr."""
        if self._worker is None:
            self._worker = Worker("counting")
        stored = Stored(connection, key, encode(value))
        problem = await asyncio.get_running_loop().run_in_executor(self._worker, self._keep, stored)
        if not problem:
            return None
        return Finding(severity=Severity.WARNING, text=f"this look isn't counted: {problem}", cure=CURE)

    def close(self) -> None:
        if self._worker is not None:
            self._worker.shutdown()
            self._worker = None

    def _keep(self, stored: Stored) -> str:
        """Why it isn't kept, or nothing."""
        value = base64.b64encode(stored.value).decode()
        try:
            reply = ask(self._run, Request(do=COUNT, part=stored.connection, key=stored.key, value=value), ASK_S)
        except NotRunning as nobody:
            return _write(self._state, stored, nobody)
        return "" if reply.ok else reply.text


def _write(state: Path, stored: Stored, nobody: NotRunning) -> str:
    """Into the journal of a pimgr that doesn't run. Whoever starts one meanwhile is told that another is running."""
    try:
        held = journal_lock.take(state)
    except AlreadyRunning:
        return str(nobody)
    except FileNotFoundError:
        return f"pimgr has no {state} yet"
    except OSError as error:
        return f"{state} can't be used ({error}); run this as the user pimgr"
    try:
        if os.fstat(held).st_uid != os.geteuid():  # a file of ours in there would keep pimgr out
            return f"{state} belongs to another user; run this as the user pimgr"
        return _enter(Book(state, lambda: None), stored)
    finally:
        os.close(held)


def _enter(book: Book, stored: Stored) -> str:
    try:
        book.begin()  # what is broken is left to `pimgr run`, which knows what was owed
        return book.write(stored).problem
    except (NewerJournal, OSError, sqlite.Error, sqlite.Corrupt) as error:
        return f"the journal can't be written ({error})"
    finally:
        book.close()


async def count(journal: Journal, request: Request, budgets: Sequence[str]) -> Reply:
    """What a running pimgr does with such a request. `budgets`: those of the connection; nothing else is written."""
    if request.key not in budgets:
        return Reply(False, f"{request.part}: the running pimgr counts no {request.key!r}; is it in its config?")
    try:
        value: Storable = decode(base64.b64decode(request.value, validate=True))
        await journal.store(request.part).put(request.key, value)
    except (binascii.Error, msgspec.DecodeError, TypeError, ValueError) as error:
        return Reply(False, f"{request.part}: not a value to keep: {error}")
    except NotStored:
        return Reply(True, f"{request.part}: counted, and on the disk as soon as it takes writes")
    return Reply(True, f"{request.part}: counted")
