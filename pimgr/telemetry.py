"""What was measured, for estimates after a restart and for curves. Expendable: it may lose minutes, and never disturbs.

A database of its own, written every 5 minutes in one transaction without an fsync: a commit every 5 s would wear an SD
card by 216 MB a day.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from pimgr import sqlite
from pimgr.api import (
    ForecastReading,
    GridReading,
    HostReading,
    LoadReading,
    Now,
    Reading,
    SiteReading,
    ThermostatReading,
)
from pimgr.worker import Worker

NAME = "telemetry.db"
FLUSH_S = 300.0
KEEP_S = 90 * 86400.0
MAX_BYTES = 50_000_000
MAX_WAITING = 20_000
"""Readings in memory between two flushes; past that the oldest are dropped."""

AnyReading = GridReading | SiteReading | LoadReading | HostReading | ThermostatReading | ForecastReading
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
    """`problem`: "" or why nothing is recorded any more. Nothing here raises, and only `flush` waits for the disk."""

    def __init__(self, folder: Path, *, flush_s: float = FLUSH_S, max_bytes: int = MAX_BYTES) -> None:
        self._file = _File(folder / NAME, max_bytes)
        self._worker = Worker("telemetry")
        self._flush_s = flush_s
        self._flushed_at: float | None = None
        self._waiting: list[tuple[float, str, str, bytes]] = []
        self._remembered: dict[str, tuple[Reading, ...]] = {}
        self.problem = ""

    @classmethod
    async def open(cls, folder: Path, *, flush_s: float = FLUSH_S, max_bytes: int = MAX_BYTES) -> Telemetry:
        """Begin. A file that is broken or newer is begun anew; one that can't be written is done without."""
        telemetry = cls(folder, flush_s=flush_s, max_bytes=max_bytes)
        telemetry._remembered = await telemetry._call(telemetry._file.begin) or {}
        return telemetry

    def remembered(self) -> dict[str, tuple[Reading, ...]]:
        """By part, the last reading of each kind that was known at the start, with its original age."""
        return self._remembered

    def note(self, reading: Reading) -> None:
        """Keep a reading of the part that is its source in memory until the next flush."""
        if self.problem:
            return
        try:
            packed = msgspec.msgpack.encode(reading)
        except (TypeError, ValueError) as error:
            log.warning("telemetry: a reading of %s is not recorded (%s)", reading.source, error)
            return
        self._waiting.append((reading.at.wall, reading.source, type(reading).__name__, packed))
        del self._waiting[:-MAX_WAITING]

    def due(self, now: Now) -> bool:
        """Whether 5 minutes went by since the last flush."""
        if self._flushed_at is None:
            self._flushed_at = now.mono_s
        return not self.problem and now.mono_s - self._flushed_at >= self._flush_s

    async def flush(self, now: Now) -> None:
        """Write what waits in one transaction, and drop what is too old or too much."""
        self._flushed_at = now.mono_s
        rows, self._waiting = self._waiting, []
        if not self.problem:
            await self._call(functools.partial(self._file.write, rows, now))

    async def close(self, now: Now) -> None:
        await self.flush(now)
        await self._call(self._file.close)
        self._worker.shutdown()

    async def _call(self, fn: Callable[[], T]) -> T | None:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, fn)
        except (sqlite.Error, sqlite.Corrupt, sqlite.NewerSchema, OSError, msgspec.DecodeError) as error:
            self.problem = f"nothing is recorded until the next start: {error}"
            self._waiting.clear()
            log.warning("telemetry: off (%s)", error)
            return None


class _File:
    """The database, on its worker thread."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path, self._max_bytes = path, max_bytes
        self._db: sqlite.Connection | None = None

    def begin(self) -> dict[str, tuple[Reading, ...]]:
        try:
            return self._open()
        except (sqlite.Corrupt, sqlite.NewerSchema, msgspec.DecodeError):
            self.close()
            for side in sqlite.SIDES:
                Path(f"{self._path}{side}").unlink(missing_ok=True)
            return self._open()

    def _open(self) -> dict[str, tuple[Reading, ...]]:
        self._db = db = sqlite.open_writer(self._path, "OFF")
        sqlite.quick_check(db)
        sqlite.migrate(db, MIGRATIONS)
        known: dict[str, tuple[Reading, ...]] = {}
        for part, packed in db.execute("SELECT part, reading FROM latest ORDER BY part, kind"):
            reading: Reading = msgspec.msgpack.decode(packed, type=AnyReading)
            known[part] = (*known.get(part, ()), reading)
        return known

    def write(self, rows: list[tuple[float, str, str, bytes]], now: Now) -> None:
        if self._db is None:
            return
        with sqlite.transaction(self._db):
            self._db.executemany("INSERT INTO readings VALUES (?, ?, ?)", [(w, p, r) for w, p, _, r in rows])
            self._db.executemany("INSERT OR REPLACE INTO latest VALUES (?, ?, ?)", [(p, k, r) for _, p, k, r in rows])
            if now.wall_trusted:
                self._db.execute("DELETE FROM readings WHERE wall < ?", (now.wall - KEEP_S,))
            self._shrink(self._db)

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
