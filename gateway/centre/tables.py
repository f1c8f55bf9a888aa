"""The centre's file: its tables, how it is opened, and one transaction at a time.

Several centres may have it open at once, on one machine: every fact that counts stands in it, none in a memory beside.
"""

import os
import sqlite3
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path

from gateway.centre.errors import StoreUnusable

APPLICATION_ID = 0x67774345
""""gwCE", so that it cannot be taken for another database."""

VERSION = 2

_WAIT_S = 5.0
"""How long another centre's transaction is waited for."""

_TABLES = """
CREATE TABLE identity (id BLOB NOT NULL) STRICT;
INSERT INTO identity VALUES (randomblob(8));
CREATE TABLE stream (
    id INTEGER PRIMARY KEY, gateway TEXT NOT NULL, epoch BLOB NOT NULL, name TEXT NOT NULL,
    duplicates_dropped INTEGER NOT NULL DEFAULT 0, conflicts INTEGER NOT NULL DEFAULT 0,
    UNIQUE (gateway, epoch, name)
) STRICT;
CREATE TABLE message (
    id INTEGER PRIMARY KEY, stream INTEGER NOT NULL REFERENCES stream, sequence INTEGER NOT NULL, content TEXT NOT NULL,
    digest BLOB NOT NULL, previous BLOB, schema BLOB, taker TEXT NOT NULL, arrived_utc_ms INTEGER NOT NULL,
    readings INTEGER, boot_id BLOB, first_ms INTEGER, last_ms INTEGER, blob BLOB NOT NULL,
    UNIQUE (stream, sequence)
) STRICT;
CREATE INDEX undecoded ON message (content, schema) WHERE readings IS NULL;
CREATE INDEX message_boot ON message (boot_id) WHERE boot_id IS NOT NULL;
CREATE TABLE island (
    stream INTEGER NOT NULL REFERENCES stream, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (stream, first)
) STRICT, WITHOUT ROWID;
CREATE INDEX island_above_a_hole ON island (stream, first) WHERE first > 1;
CREATE TABLE dropped (
    id INTEGER PRIMARY KEY, stream INTEGER NOT NULL REFERENCES stream, first INTEGER NOT NULL, last INTEGER NOT NULL,
    count INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, last_digest BLOB NOT NULL,
    reason TEXT NOT NULL, arrived_utc_ms INTEGER NOT NULL, UNIQUE (stream, last, first)
) STRICT;
CREATE TABLE broken (
    stream INTEGER NOT NULL REFERENCES stream, sequence INTEGER NOT NULL, PRIMARY KEY (stream, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE schema (
    gateway TEXT NOT NULL, id BLOB NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (gateway, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE clock (
    gateway TEXT NOT NULL, boot_id BLOB NOT NULL, boot_ms INTEGER NOT NULL, source TEXT NOT NULL,
    utc_ms INTEGER NOT NULL, uncertainty_ms INTEGER NOT NULL, PRIMARY KEY (gateway, boot_id, boot_ms, source)
) STRICT, WITHOUT ROWID;
CREATE TABLE birth (
    gateway TEXT PRIMARY KEY, arrived_utc_ms INTEGER NOT NULL, payload BLOB NOT NULL
) STRICT;
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY, gateway TEXT NOT NULL, epoch BLOB NOT NULL, stream TEXT NOT NULL, sequence INTEGER NOT NULL,
    arrived_utc_ms INTEGER NOT NULL, payload BLOB NOT NULL, UNIQUE (gateway, epoch, stream, sequence)
) STRICT;
CREATE TABLE answer (
    id INTEGER PRIMARY KEY, command TEXT NOT NULL, gateway TEXT NOT NULL, arrived_utc_ms INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE INDEX answer_command ON answer (command);
CREATE TABLE command (
    id TEXT PRIMARY KEY, gateway TEXT NOT NULL, sequence INTEGER NOT NULL, expires_utc_ms INTEGER NOT NULL,
    undelivered INTEGER NOT NULL DEFAULT 0, blob BLOB NOT NULL
) STRICT;
CREATE TABLE counter (
    epoch BLOB NOT NULL, gateway TEXT NOT NULL, stream TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (epoch, gateway, stream)
) STRICT, WITHOUT ROWID;
CREATE TABLE tally (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE lease (
    name TEXT PRIMARY KEY, holder TEXT NOT NULL, until_utc_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
"""`island` holds what is settled of each stream: committed, or told to be dropped; ranges that do not touch.

`broken` names the message whose link to the one before it does not hold. Of a segment, `readings`, `boot_id`,
`first_ms` and `last_ms` are known once it is decoded. `taker` is the centre that committed it.
"""

_KEY_SET = "CREATE TABLE IF NOT EXISTS key_set (taker TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT"
"""The highest revision of the gateways' keys that each centre has trusted; older files of version 2 lack the table."""

_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
    }
)


def open_store(path: Path) -> sqlite3.Connection:
    """Open or make the file, for the thread that calls; raise StoreUnusable, or sqlite3.Error where it cannot."""
    with suppress(OSError):  # it tells how people live; where it is there, or cannot be made, SQLite knows what to say
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    database = sqlite3.connect(path, isolation_level=None, timeout=_WAIT_S)
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=1000"):
            database.execute(f"PRAGMA {pragma}").fetchall()
        with transaction(database):  # of several that start at once, one makes the tables
            _make_tables(database, path)
    except sqlite3.DatabaseError as error:
        database.close()
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise StoreUnusable(f"{path}: {error}: not the centre's store; name another file, or restore it") from error
        raise
    except BaseException:
        database.close()
        raise
    return database


def _make_tables(database: sqlite3.Connection, path: Path) -> None:
    """Make what is not there yet, in the caller's transaction; raise StoreUnusable."""
    (made,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables == 0:
        for statement in _TABLES.split(";\n"):
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {VERSION}")
    elif made != APPLICATION_ID:
        raise StoreUnusable(f"{path}: a database, but not the centre's store: name another file")
    elif version != VERSION:
        raise StoreUnusable(f"{path}: of version {version}, where this program has {VERSION}: use that of its version")
    database.execute(_KEY_SET)


def read_only(path: Path) -> closing[sqlite3.Connection]:
    """Open the file for questions, from any thread, while a centre writes it or after; raise sqlite3.Error."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_WAIT_S))


def transaction(database: sqlite3.Connection) -> AbstractContextManager[None]:
    """BEGIN IMMEDIATE ... COMMIT, or ROLLBACK on any error, also one of the COMMIT itself."""
    return _Transaction(database)


def is_unavailable(error: sqlite3.Error) -> bool:
    """Tell a store that cannot be used just now (full, locked, I/O) from one that is broken, and from bugs."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _UNAVAILABLE


class _Transaction(AbstractContextManager[None]):
    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._database.execute("COMMIT")
        finally:
            if self._database.in_transaction:  # a full disk may have ended it already
                self._database.execute("ROLLBACK")
