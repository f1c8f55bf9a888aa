"""The tables, as numbered migrations; for every version what a sound database of it is made of."""

import sqlite3
from contextlib import closing

APPLICATION_ID = 0x67774F42  # "gwOB", so that `file` and a careless copy can tell it from other databases
PAGE_BYTES = 4096

MIGRATIONS = (
    """
    CREATE TABLE identity (epoch BLOB NOT NULL) STRICT;
    INSERT INTO identity VALUES (randomblob(8));
    CREATE TABLE mark (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE stream (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
        last_sequence INTEGER NOT NULL, last_digest BLOB NOT NULL) STRICT;
    CREATE TABLE journal (
        id INTEGER PRIMARY KEY, stream TEXT NOT NULL, lot BLOB NOT NULL,
        first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
    CREATE TABLE segment (
        id INTEGER PRIMARY KEY, stream INTEGER NOT NULL REFERENCES stream, sequence INTEGER NOT NULL,
        received INTEGER NOT NULL DEFAULT 0,
        first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL, blob BLOB NOT NULL) STRICT;
    CREATE UNIQUE INDEX segment_by_state ON segment (stream, received, sequence);
    CREATE TABLE dropped (
        id INTEGER PRIMARY KEY, stream INTEGER NOT NULL REFERENCES stream,
        first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL, count INTEGER NOT NULL,
        first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, last_digest BLOB NOT NULL) STRICT;
    """,
    """
    CREATE TABLE history_channel (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE history_minute (
        minute INTEGER NOT NULL, channel INTEGER NOT NULL REFERENCES history_channel,
        first INTEGER NOT NULL, last INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL,
        sum INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (minute, channel)) STRICT, WITHOUT ROWID;
    CREATE TABLE history_hour (
        hour INTEGER NOT NULL, channel INTEGER NOT NULL REFERENCES history_channel,
        first INTEGER NOT NULL, last INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL,
        sum INTEGER NOT NULL, count INTEGER NOT NULL, minutes BLOB NOT NULL,
        PRIMARY KEY (hour, channel)) STRICT, WITHOUT ROWID;
    CREATE TABLE history_day (
        day INTEGER NOT NULL, channel INTEGER NOT NULL REFERENCES history_channel,
        first INTEGER NOT NULL, last INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL,
        sum INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (day, channel)) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE journal ADD COLUMN crc INTEGER;
    ALTER TABLE segment ADD COLUMN utc_ms INTEGER;
    ALTER TABLE segment ADD COLUMN digest BLOB;
    ALTER TABLE dropped ADD COLUMN reason TEXT NOT NULL DEFAULT 'quota';
    ALTER TABLE dropped ADD COLUMN reported INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE aside (
        id INTEGER PRIMARY KEY, why TEXT NOT NULL, stream BLOB NOT NULL, lot BLOB NOT NULL,
        first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
    CREATE TABLE loss (
        reason TEXT PRIMARY KEY, entries INTEGER NOT NULL, readings INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO loss SELECT reason, sum(last_sequence - first_sequence + 1), sum(count) FROM dropped GROUP BY reason;
    """,
    """
    ALTER TABLE journal ADD COLUMN marks TEXT;
    ALTER TABLE segment ADD COLUMN marks TEXT;
    ALTER TABLE history_minute ADD COLUMN covered INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE history_minute ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE history_hour ADD COLUMN first_at INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE history_hour ADD COLUMN last_at INTEGER NOT NULL DEFAULT 59;
    ALTER TABLE history_hour ADD COLUMN covered INTEGER;
    ALTER TABLE history_hour ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE history_day ADD COLUMN first_at INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE history_day ADD COLUMN last_at INTEGER NOT NULL DEFAULT 1439;
    ALTER TABLE history_day ADD COLUMN covered INTEGER;
    ALTER TABLE history_day ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE history_jump (
        minute INTEGER NOT NULL, channel INTEGER NOT NULL REFERENCES history_channel, inside INTEGER NOT NULL,
        before INTEGER NOT NULL, after INTEGER NOT NULL, PRIMARY KEY (minute, channel, inside)) STRICT, WITHOUT ROWID;
    """,
)
"""Migration n (from 1) brings a database of `user_version` n - 1 to n. A migration that was released never changes.

The tables are STRICT, so that the check at the start also sees a value whose type a damaged byte has changed.
"""

VERSION = len(MIGRATIONS)

HISTORY_VERSION = 2
"""The first version that has a history."""

LOSSES_VERSION = 3
"""The first version that can say of segments that they are lost to damage."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database up to date; one that is empty is made."""
    for number in range(pragma(connection, "user_version") + 1, VERSION + 1):
        # One transaction with its number: a power cut leaves the migration done or not begun.
        connection.executescript(
            f"BEGIN IMMEDIATE; {MIGRATIONS[number - 1]}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;"
        )


def found(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Give the list of tables and indexes as bytes: damaged text must not fail to decode here, of all places."""
    return connection.execute(
        "SELECT CAST(type AS BLOB), CAST(name AS BLOB), CAST(tbl_name AS BLOB), CAST(sql AS BLOB) FROM sqlite_schema"
        " ORDER BY rowid"
    ).fetchall()


def expected(version: int) -> list[tuple[object, ...]]:
    """Give what `found` gives for a sound database of that version."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for migration in MIGRATIONS[:version]:
            connection.executescript(migration)
        return found(connection)


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """Read a pragma that is a number."""
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
