"""The journal's tables. Each of `MIGRATIONS` brings a journal one version up; none is changed after its release."""

from __future__ import annotations

NAME = "journal.db"

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, blob BLOB NOT NULL,"
        " crc INTEGER NOT NULL)",
        "CREATE TABLE policies (hash TEXT PRIMARY KEY, blob BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE decisions (seq INTEGER PRIMARY KEY, wall REAL NOT NULL, boot TEXT NOT NULL, mono_s REAL NOT NULL,"
        " policy TEXT, input BLOB, decision BLOB NOT NULL)",
        "CREATE TABLE actions (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, part TEXT NOT NULL, aspect TEXT NOT NULL,"
        " value BLOB NOT NULL, wall REAL NOT NULL, boot TEXT NOT NULL, mono_s REAL NOT NULL)",
        "CREATE TABLE events (seq INTEGER NOT NULL, n INTEGER NOT NULL, wall REAL NOT NULL, part TEXT NOT NULL,"
        " what TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (seq, n)) WITHOUT ROWID",
        "CREATE INDEX events_by_part ON events (part, seq)",
        "CREATE TABLE outbox (n INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, written REAL NOT NULL,"
        " message BLOB NOT NULL, sent INTEGER NOT NULL, sent_at REAL)",
        "CREATE TABLE store (connection TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, crc INTEGER NOT NULL,"
        " PRIMARY KEY (connection, key)) WITHOUT ROWID",
    ),
    # 2: claims of graded loads and wishes for the site, which a pimgr that doesn't know them would misread.
    (),
    # 3: claims of thermostats, leases, disarming, and what reports and climate remember.
    (),
)
