"""SQLite as the house uses it, and its only importer: opening, schema versions, and what to do with a broken file."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

Connection = sqlite3.Connection
Error = sqlite3.Error

BUSY_S = 1.0
"""How long to wait for another process's lock. Readers hold none for long, and a second writer is kept out before."""
CORRUPT_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
SIDES = ("", "-wal", "-shm")


class Corrupt(Exception):
    """The file is not what was written. It is of no more use, except to look at."""


class NewerSchema(Exception):
    """The file was written by a newer pimgr."""


def open_writer(path: Path, synchronous: str) -> Connection:
    """Open or create in WAL mode, readable by its owner only. Raises `Error`, OSError, or `Corrupt`.

    With `synchronous` FULL a commit returns once its frames are on the disk: a power cut loses nothing acknowledged.
    With NORMAL only a crash of the process is survived. Source: https://sqlite.org/pragma.html#pragma_synchronous
    """
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        sync_folder(path.parent)
    db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
    try:
        mode = db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise sqlite3.OperationalError(f"no write-ahead log here (journal mode is {mode})")
        db.execute(f"PRAGMA synchronous={synchronous}")
        db.execute("PRAGMA journal_size_limit=4194304")
    except BaseException as error:
        db.close()
        if isinstance(error, Error) and is_corruption(error):
            raise Corrupt(str(error)) from error
        raise
    return db


def quick_check(db: Connection) -> None:
    """Raises `Corrupt`, saying what SQLite found first."""
    with telling_corruption():
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise Corrupt(str(found))


def is_corruption(error: BaseException) -> bool:
    """Whether an error says that the file itself is broken, rather than the disk full, slow or read-only."""
    if isinstance(error, Corrupt):
        return True
    if "Could not decode to UTF-8" in str(error):  # the module's own error, it has no code of SQLite's
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in CORRUPT_CODES


@contextmanager
def telling_corruption() -> Iterator[None]:
    """Turn every sign that what is read isn't what was written into `Corrupt`: SQLite's, and those of what it holds."""
    try:
        yield
    except (msgspec.DecodeError, ValueError, TypeError, zlib.error) as error:
        raise Corrupt(f"a value is not as it was written: {error}") from error
    except Error as error:
        if is_corruption(error):
            raise Corrupt(str(error)) from error
        raise


@contextmanager
def transaction(db: Connection) -> Iterator[None]:
    """All or nothing; durable, as far as `synchronous` says, when it is left without an error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def migrate(db: Connection, migrations: Sequence[Sequence[str]]) -> None:
    """Bring the schema to version ``len(migrations)``, in one transaction. Raises `NewerSchema`."""
    db.execute("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID")
    version = schema_version(db)
    if version > len(migrations):
        raise NewerSchema(f"its schema is version {version}; this pimgr knows {len(migrations)}")
    if version == len(migrations):
        return
    with transaction(db):
        for statements in migrations[version:]:
            for statement in statements:
                db.execute(statement)
        db.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (len(migrations),))
        db.execute(f"PRAGMA user_version = {len(migrations)}")


def schema_version(db: Connection) -> int:
    """0 for a file that was never written to. It is kept twice, so that a flipped bit isn't taken for a newer pimgr.

    Raises `Corrupt`.
    """
    row = db.execute("SELECT value FROM meta WHERE key='schema'").fetchone()
    version = row[0] if row else 0
    (again,) = db.execute("PRAGMA user_version").fetchone()
    if version != again:
        raise Corrupt(f"its schema version is {version!r} in one place and {again!r} in the other")
    return int(version)


@contextmanager
def reader(path: Path) -> Iterator[Connection]:
    """Read while another process writes, or where nothing may be written at all. Raises FileNotFoundError or `Error`.

    A write-ahead log needs an index beside it. Where that can't be made (full or read-only disk), a copy is read.
    """
    if not path.exists():
        raise FileNotFoundError(f"no {path}")
    try:
        db = _open_reader(path)
    except sqlite3.OperationalError:
        with tempfile.TemporaryDirectory(prefix="pimgr-", dir=_roomy()) as folder:
            copy = Path(folder) / path.name
            for side in ("", "-wal"):
                if Path(f"{path}{side}").exists():
                    shutil.copyfile(f"{path}{side}", f"{copy}{side}")
            db = _open_reader(copy)
            try:
                yield db
            finally:
                db.close()
        return
    try:
        yield db
    finally:
        db.close()


def _open_reader(path: Path) -> Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_S)
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _roomy() -> str | None:
    """Memory rather than a disk, where there is such a place: this is needed when the disk is the trouble."""
    shm = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder in it
    return str(shm) if os.access(shm, os.W_OK) else None


def set_aside(path: Path) -> Path:
    """Rename a broken database to ``<name>-corrupt-<n>.db`` with its log, for a person to look at. Raises OSError."""
    pattern = re.compile(rf"{re.escape(path.stem)}-corrupt-(\d+)\.db$")
    numbers = [int(m[1]) for p in path.parent.iterdir() if (m := pattern.match(p.name))]
    target = path.with_name(f"{path.stem}-corrupt-{max(numbers, default=0) + 1}.db")
    for side in SIDES:
        source = Path(f"{path}{side}")
        if source.exists():
            source.rename(f"{target}{side}")
    sync_folder(path.parent)
    return target


def sync_folder(folder: Path) -> None:
    """Make names in this folder durable: without it a renamed file may be gone after a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
