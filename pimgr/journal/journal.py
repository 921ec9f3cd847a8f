"""The journal as the supervisor sees it: each commit is durable or promised within two seconds, and blocks no loop."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from pimgr import api
from pimgr.api import Instant, Message, Now
from pimgr.journal import lock, promises, recovery
from pimgr.journal.book import Answer, Book
from pimgr.journal.claims import Keeper
from pimgr.journal.entries import (
    Batch,
    Entry,
    Heartbeat,
    Latest,
    Mail,
    MailChanged,
    MailDone,
    Outbox,
    Page,
    Prune,
    Stored,
    encode,
)
from pimgr.journal.reader import read_history
from pimgr.journal.store import ConnectionStore
from pimgr.journal.words import HistoryLine, NotStored, OutboxMessage, Record
from pimgr.policy.model import Notice
from pimgr.worker import Worker

SLOW_S = 2.0
CLOSE_S = 10.0
PRUNE_EVERY = 200

log = logging.getLogger(__name__)


def _nothing() -> None:
    pass


class Journal:
    """`state`, `seq`: after the latest decision, on the disk or promised. `notes`: what a person should know of it.

    `degraded`: "" or why promises stand in for the disk. `last_answer_mono_s`: the moment (`now.mono_s`) of the last
    commit that the disk took in time. All methods belong to one event loop.
    """

    def __init__(self, held: int, book: Book, runtime: Path, slow_s: float) -> None:
        self._lock, self._book, self._runtime, self._slow_s = held, book, runtime, slow_s
        self._writer, self._promiser = Worker("journal"), Worker("promises")
        self._tickets, self._durable = 0, 0
        self._late: set[asyncio.Future[Answer]] = set()
        self._promised: dict[Path, int] = {}
        self.notes: tuple[str, ...] = ()
        self.degraded = ""
        self.last_answer_mono_s = -math.inf

    @classmethod
    async def open(
        cls, folder: Path, runtime: Path, *, slow_s: float = SLOW_S, before_commit: Callable[[], None] = _nothing
    ) -> Journal:
        """Begin. Raises `AlreadyRunning`, `NewerJournal`, or OSError where there is no such folder.

        A broken file, a full or a read-only disk raise nothing: `notes` and `degraded` tell. `runtime` is made.
        `before_commit` runs inside every transaction, on the writer thread: where tests play a slow or failing disk.
        """
        held = lock.take(folder)
        journal = cls(held, Book(folder, before_commit), runtime, slow_s)
        try:
            await journal._begin(folder)
        except BaseException:
            await journal.close()
            raise
        return journal

    async def _begin(self, folder: Path) -> None:
        loop = asyncio.get_running_loop()
        self._runtime.mkdir(parents=True, exist_ok=True)
        beginning = await loop.run_in_executor(self._writer, recovery.begin, self._book, self._runtime)
        content = beginning.content
        self.state, self.seq = content.state, content.seq
        self._waiting, self._seen, self._store = content.waiting, content.seen, content.store
        self.notes = tuple(beginning.notes)
        self._promised = dict.fromkeys(beginning.promised, 0)
        self._mail_number = len(beginning.promised) + max(
            (int(p.stem.rpartition("-")[2]) for p in beginning.promised), default=0
        )
        self._keeper = await loop.run_in_executor(self._writer, Keeper, folder)
        if beginning.problem:
            self._degrade(beginning.problem)
        else:
            self._writer.submit(self._keeper.save, self.seq, self.state)
            self._clear(0)

    # ---------------------------------------------------------------------------------------------------- decisions

    async def commit(self, record: Record) -> int:
        """Write a decision down; returns its number once it is on the disk, or promised if the disk fails or is slow.

        Whoever calls may act then. Raises TypeError or ValueError for what can't be encoded; nothing has changed then.
        """
        seq = self.seq + 1
        mails: dict[str, OutboxMessage] = {}
        for notice in record.decision.notices:
            if notice.key not in self._seen:
                mails.setdefault(notice.key, promises.mail_of(notice, record.now))
        page = Page.of(seq, record, tuple(mails.values()))
        self.seq, self.state = seq, record.decision.state
        self._seen.update(mails)
        self._waiting.update(mails)
        promise = promises.Promise(seq=seq, now=record.now, decision=record.decision)
        if await self._write(page, promise):
            self.last_answer_mono_s = record.now.mono_s
            self._writer.submit(self._keeper.save, seq, record.decision.state)
            if seq % PRUNE_EVERY == 0:
                self._send(Prune(seq, record.now))
        return seq

    async def probe(self, now: Now) -> bool:
        """Whether the disk takes a write in time. Writes down what was only promised, and so ends the degraded mode."""
        written = await self._write(Heartbeat(now.wall), None)
        if written:
            self.last_answer_mono_s = now.mono_s
        return written

    async def history(self, part: str | None, limit: int) -> list[HistoryLine]:
        """The last events, oldest first; of one part, or of everything for None. Raises OSError or `sqlite.Error`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._promiser, read_history, self._book.path.parent, part, limit)

    # ------------------------------------------------------------------------------------------------------- outbox

    async def pending_mail(self) -> list[OutboxMessage]:
        """What waits to be sent, oldest first."""
        return list(self._waiting.values())

    async def add_notice(self, notice: Notice, now: Now) -> bool:
        """Put a notice of the shell itself into the outbox; False if its key was there before."""
        if notice.key in self._seen:
            return False
        mail = promises.mail_of(notice, now)
        entry = Mail(mail)
        encode(mail)  # raises before anything has changed
        self._seen.add(mail.key)
        self._waiting[mail.key] = mail
        await self._write(entry, promises.MailPromise(mail=mail))
        return True

    async def mail_done(self, key: str, at: Instant | None = None) -> None:
        """The other side took responsibility for it: it is never sent again."""
        await self.mails_done((key,), at)

    async def mails_done(self, keys: Iterable[str], at: Instant | None = None) -> None:
        """Several at once, since one message stood for all of them: all are done, or none."""
        mails = [mail for key in keys if (mail := self._waiting.pop(key, None)) is not None]
        wall = at.wall if at else None
        done = Batch([MailDone(mail.key, wall) for mail in mails])
        if mails and not await self._write(done, None):
            for mail in mails:
                await self._promise(promises.MailPromise(mail=mail, done=True), self._tickets)

    async def mails_taken(self, keys: Iterable[str], notifier: str) -> None:
        """One notifier has them, others have yet to."""
        mails = [
            api.replace(mail, taken=(*mail.taken, notifier))
            for key in keys
            if (mail := self._waiting.get(key)) is not None and notifier not in mail.taken
        ]
        self._waiting.update({mail.key: mail for mail in mails})
        if mails:
            await self._write(Batch([MailChanged(mail) for mail in mails]), None)

    async def mail_failed(self, key: str, problem: str, retry_at: Instant | None = None) -> None:
        """It stays in its place, with the reason and the moment of the next try."""
        mail = self._waiting.get(key)
        if mail is not None:
            mail = api.replace(mail, tries=mail.tries + 1, problem=problem, retry_at=retry_at)
            self._waiting[key] = mail
            await self._write(MailChanged(mail), None)

    # -------------------------------------------------------------------------------------------------------- store

    def store(self, connection: str) -> ConnectionStore:
        """The durable key-value area of one connection."""
        return ConnectionStore(connection, self._store, self._put)

    async def _put(self, stored: Stored) -> None:
        if not await self._write(stored, None):
            raise NotStored(f"{stored.connection}: {stored.key!r} is not on the disk yet: {self.degraded}")

    # ------------------------------------------------------------------------------------------------------ writing

    async def _write(self, entry: Entry, promise: promises.AnyPromise | None) -> bool:
        """Whether it is on the disk. If not, `promise` is in the runtime folder, and the entry follows when it can."""
        answer = self._send(entry)
        ticket = self._tickets
        # Who is known to be slow is not waited for again, or every tick of an outage would take two seconds.
        done, _ = await asyncio.wait({answer}, timeout=0 if self._late else self._slow_s)
        if done and not answer.result().problem:
            self._recovered()
            return True
        if not done:
            self._late.add(answer)
        self._degrade(answer.result().problem if done else f"the disk has not answered for {self._slow_s:g} s")
        if promise is not None:
            await self._promise(promise, ticket)
        return False

    def _send(self, entry: Entry) -> asyncio.Future[Answer]:
        self._tickets += 1
        answer = asyncio.get_running_loop().run_in_executor(self._writer, self._book.write, entry)
        answer.add_done_callback(partial(self._answered, self._tickets))
        return answer

    def _answered(self, ticket: int, answer: asyncio.Future[Answer]) -> None:
        self._late.discard(answer)
        if answer.cancelled() or answer.exception() is not None:
            return
        result = answer.result()
        if result.incomplete:
            self._send(self._everything())
        elif not result.problem:
            self._clear(ticket)

    def _everything(self) -> Batch:
        """All that is known, for a database that was begun anew or missed too much."""
        sent = (Mail(OutboxMessage(message=_key_only(k)), sent=True) for k in self._seen - self._waiting.keys())
        stored = (Stored(connection, key, value) for (connection, key), value in self._store.items())
        return Batch((*stored, *sent, Outbox(tuple(self._waiting.values())), Latest.of(self.seq, self.state)))

    def _degrade(self, problem: str) -> None:
        if not self.degraded:
            log.warning("journal: degraded (%s)", problem)
        self.degraded = problem

    def _recovered(self) -> None:
        if self.degraded:
            log.warning("journal: the disk takes writes again")
        self.degraded = ""

    async def _promise(self, promise: promises.AnyPromise, ticket: int) -> None:
        self._mail_number += 1
        path = promises.path_of(self._runtime, promise, self._mail_number)
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._promiser, promises.write, path, promise)
        except OSError as error:
            self._degrade(f"{self.degraded}; nor can a promise: {error}")
            return
        self._promised[path] = ticket
        if ticket <= self._durable:
            self._clear(ticket)
        for old in list(self._promised)[: -promises.MAX]:
            self._forget(old)

    def _clear(self, ticket: int) -> None:
        """Promises up to this write are kept: they are on the disk, with everything before them."""
        self._durable = max(self._durable, ticket)
        for path in [p for p, t in self._promised.items() if t <= self._durable]:
            self._forget(path)

    def _forget(self, path: Path) -> None:
        del self._promised[path]
        self._promiser.submit(path.unlink, missing_ok=True)

    async def close(self) -> None:
        """Let the disk finish, at most 10 s, and let go of the lock; a write that hangs keeps it for good."""
        if self._lock < 0:
            return
        held, self._lock = self._lock, -1
        finished = asyncio.get_running_loop().run_in_executor(self._writer, self._book.close)
        tidied = asyncio.get_running_loop().run_in_executor(self._promiser, _nothing)
        done, _ = await asyncio.wait({finished, tidied}, timeout=CLOSE_S)
        self._writer.shutdown()
        self._promiser.shutdown()
        if finished in done:
            os.close(held)
        else:
            log.error("journal: the disk did not answer for %g s; closing without it", CLOSE_S)


def _key_only(key: str) -> Message:
    return Message(key=key, severity=api.Severity.INFO, subject="", text="", written=0.0)
