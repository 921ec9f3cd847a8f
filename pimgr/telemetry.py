"""What was measured, for estimates after a restart and for curves. Expendable: it may lose minutes, and never disturbs.

A database of its own, written every 5 minutes in one transaction without an fsync: a commit every 5 s would wear an SD
card by 216 MB a day.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from pimgr import sqlite
from pimgr.api import (
    ForecastReading,
    GridReading,
    HostReading,
    Instant,
    LoadReading,
    Reading,
    SiteReading,
    ThermostatReading,
)
from pimgr.worker import Worker

NAME = "telemetry.db"
FLUSH_S = 300.0
SAMPLE_S = 60.0
KEEP_S = 90 * 86400.0
MAX_BYTES = 50_000_000
CLOSE_S = 2.0
MAX_WAITING = 20_000
"""Readings in memory between two flushes; past that the oldest are dropped."""

AnyReading = GridReading | SiteReading | LoadReading | HostReading | ThermostatReading | ForecastReading
Row = tuple[float, str, str, bytes]
"""Wall time in s, part, kind of reading, msgpack."""
T = TypeVar("T")

MIGRATIONS = (
    (
        "CREATE TABLE readings (wall REAL NOT NULL, part TEXT NOT NULL, reading BLOB NOT NULL)",
        "CREATE INDEX readings_by_wall ON readings (wall)",
        "CREATE TABLE latest (part TEXT NOT NULL, kind TEXT NOT NULL, reading BLOB NOT NULL, PRIMARY KEY (part, kind))"
        " WITHOUT ROWID",
    ),
)

log = logging.getLogger(__name__)


class Telemetry:
    """`problem`: "" or why nothing is recorded any more. Nothing here raises, or blocks the event loop."""

    def __init__(self, folder: Path, *, flush_s: float = FLUSH_S, max_bytes: int = MAX_BYTES) -> None:
        self._file = _File(folder / NAME, max_bytes)
        self._worker: Worker | None = Worker("telemetry")
        self._flush_s = flush_s
        self._waiting: list[Row] = []
        self._sampled: dict[str, Instant] = {}
        self.problem = ""

    async def remembered(self, kind: type[Reading] = SiteReading) -> dict[str, Reading]:
        """By part, the last reading of this kind that was recorded, with its original age. Empty if there is trouble.

        A file that is broken or newer than this pimgr is begun anew; one that can't be written is done without.
        """
        return await self._call(functools.partial(self._file.remembered, kind.__name__)) or {}

    def note(self, reading: Reading) -> None:
        """Keep a reading of the part that is its source in memory until the next flush."""
        if self.problem:
            return
        try:
            packed = msgspec.msgpack.encode(reading)
        except (TypeError, ValueError) as error:
            log.warning("telemetry: a reading of %r is not recorded (%s)", reading.source, error)
            return
        row = (reading.at.wall, reading.source, type(reading).__name__, packed)
        if self._waiting and self._waiting[-1] == row:
            return
        self._waiting.append(row)
        del self._waiting[:-MAX_WAITING]

    def sample(self, readings: Iterable[SiteReading]) -> None:
        """A point a minute of what each meter says is enough for curves, and for estimates after a restart."""
        for reading in readings:
            last = self._sampled.get(reading.source)
            if last is None or reading.at.since(last) >= SAMPLE_S:
                self._sampled[reading.source] = reading.at
                self.note(reading)

    async def run(self) -> None:
        """Flush every 5 minutes, for ever. Trouble with the disk ends the recording, not this task."""
        while True:
            await asyncio.sleep(self._flush_s)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits in one transaction, and drop what is too old or too much."""
        rows, self._waiting = self._waiting, []
        if rows:
            await self._call(functools.partial(self._file.write, rows))

    async def close(self) -> None:
        """Flush and let go, within 2 s; a disk that takes longer is left to itself. May be called twice."""
        if self._worker is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.flush()
                await self._call(self._file.close)
        self._worker.shutdown()
        self._worker = None

    async def _call(self, fn: Callable[[], T]) -> T | None:
        if self.problem or self._worker is None:
            return None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, fn)
        except (sqlite.Error, sqlite.Corrupt, sqlite.NewerSchema, OSError) as error:
            self.problem = f"nothing is recorded until the next start: {error}"
            self._waiting.clear()
            log.warning("telemetry: off (%s)", error)
            return None


class _File:
    """The database, on its worker thread."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path, self._max_bytes = path, max_bytes
        self._db: sqlite.Connection | None = None

    def remembered(self, kind: str) -> dict[str, Reading]:
        rows = self._open().execute("SELECT part, reading FROM latest WHERE kind = ?", (kind,))
        known: dict[str, Reading] = {}
        for part, packed in rows:
            with suppress(msgspec.DecodeError):  # of another version's kinds: one reading less
                known[part] = msgspec.msgpack.decode(packed, type=AnyReading)
        return known

    def write(self, rows: list[Row]) -> None:
        db = self._open()
        newest = max(row[0] for row in rows)
        with sqlite.transaction(db):
            db.executemany("INSERT INTO readings VALUES (?, ?, ?)", [(w, p, r) for w, p, _, r in rows])
            db.executemany("INSERT OR REPLACE INTO latest VALUES (?, ?, ?)", [(p, k, r) for _, p, k, r in rows])
            db.execute("DELETE FROM readings WHERE wall < ?", (newest - KEEP_S,))
            self._shrink(db)

    def _open(self) -> sqlite.Connection:
        if self._db is None:
            try:
                self._db = self._begin()
            except (sqlite.Corrupt, sqlite.NewerSchema):
                for side in sqlite.SIDES:
                    Path(f"{self._path}{side}").unlink(missing_ok=True)
                self._db = self._begin()
        return self._db

    def _begin(self) -> sqlite.Connection:
        db = sqlite.open_writer(self._path, "OFF")
        try:
            sqlite.quick_check(db)
            with sqlite.telling_corruption():
                sqlite.migrate(db, MIGRATIONS)
        except BaseException:
            db.close()
            raise
        return db

    def _shrink(self, db: sqlite.Connection) -> None:
        """Drop the oldest readings until the file has room again: freed pages are used by the next ones."""
        page = int(db.execute("PRAGMA page_size").fetchone()[0])
        while True:
            pages = int(db.execute("PRAGMA page_count").fetchone()[0])
            free = int(db.execute("PRAGMA freelist_count").fetchone()[0])
            if (pages - free) * page <= self._max_bytes * 0.9:
                return
            count = int(db.execute("SELECT count(*) FROM readings").fetchone()[0])
            if not count:
                return
            oldest = "SELECT rowid FROM readings ORDER BY wall LIMIT ?"
            db.execute(f"DELETE FROM readings WHERE rowid IN ({oldest})", (max(1, count // 10),))  # noqa: S608 - constant

    def close(self) -> None:
        if self._db is not None:
            db, self._db = self._db, None
            db.close()
