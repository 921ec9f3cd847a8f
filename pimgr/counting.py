"""What a person's look costs an account is counted where pimgr counts: a login made by hand is a login all the same.

A running pimgr is asked to keep it. Where none runs, its journal is written, under its lock, by its own user only.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pimgr import sqlite
from pimgr.api import DeviceType, Finding, Refused, Severity, Storable
from pimgr.control import NotRunning, Reply, Request, ask
from pimgr.journal import AlreadyRunning, Journal, NewerJournal, NotStored, read_store
from pimgr.journal import lock as journal_lock
from pimgr.journal.book import Book
from pimgr.journal.entries import Stored, decode, encode
from pimgr.worker import Worker

log = logging.getLogger(__name__)

COUNT = "count"
"""The request: `part` names the connection, `key` and `value` what to keep for it."""
ASK_S = 5.0
"""What a running pimgr may take to keep it."""
NOT_SPENT = "the one it has serves only once, and what comes of it can't be kept here"
NOT_SPENT_CURE = "start pimgr: it spends it, and keeps the new one"
NOT_COUNTED = "not counted"
"""The key under which a look tells that."""
CURE = "leave ten minutes until you look again, and until pimgr is started: accounts with many logins are locked"


@dataclass(frozen=True)
class Look:
    """What a look at a connection begins with. `kept`: what pimgr keeps for it."""

    connection: str
    type: DeviceType[Any]
    kept: Mapping[str, Storable]
    counts: Counts


class LookStore:
    """A store for one look: what a running pimgr keeps is there and not touched. What is put is for this look only, and
    `put` says so: a fingerprint is told and not pinned, a single-use token not spent (see `api.DeviceType.spends`).
    Budgets go to `counts`.

    `told` is called with what a person should know of that, or None.
    """

    def __init__(self, look: Look, told: Callable[[Finding | None], None]) -> None:
        self._look, self._told = look, told
        self._kept: dict[str, Storable] = dict(look.kept)

    def get(self, key: str) -> Storable:
        return self._kept.get(key)

    async def put(self, key: str, value: Storable) -> bool:
        if key in self._look.type.spends and value is not None:
            raise Refused(self._look.connection, "a new token", NOT_SPENT, NOT_SPENT_CURE)
        self._kept[key] = value
        if key not in self._look.type.budgets:
            return False
        problem = await self._look.counts.keep(self._look.connection, key, value)
        self._told(problem)
        return problem is None


class DryStores:
    """For a dry run: each connection begins with what pimgr keeps for it in these folders, and spends none of it."""

    def __init__(self, state: Path, run: Path) -> None:
        self._state = state
        self.counts = Counts(state, run)

    def store(self, connection: str, type_: DeviceType[Any]) -> LookStore:
        """The store of one connection. Where the journal can't be read it begins empty, and the log says so."""
        kept: Mapping[str, Storable] = {}
        try:
            kept = read_store(self._state, connection)
        except FileNotFoundError:  # pimgr never ran here
            pass
        except (OSError, sqlite.Error, sqlite.Corrupt, NewerJournal) as error:
            log.warning("%s: what pimgr keeps for it can't be read, and isn't used: %s", connection, error)
        return LookStore(Look(connection, type_, kept, self.counts), lambda problem: self._told(connection, problem))

    def _told(self, connection: str, problem: Finding | None) -> None:
        if problem is not None:
            log.warning("%s: %s; %s", connection, problem.text, problem.cure)


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
