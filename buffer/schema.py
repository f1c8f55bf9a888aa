"""The file: its tables as numbered migrations, how it is opened and checked, what becomes of one that is unusable.

A database that is damaged, is no database, is not ours or comes from a newer version is moved aside under a name that
says when, and an empty one takes its place: the gateway goes on reading, and a technician still has the old file.
"""

import contextlib
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from buffer import rescue
from buffer.errors import StorageDamaged, StorageError, StorageFull

APPLICATION_ID = 0x67774F42  # "gwOB", so that `file` and a careless copy can tell it from other databases
PAGE_BYTES = 4096
MOVED_ASIDE_KEPT = 2
"""Files moved aside that stay; older ones are removed, else a dying card would fill itself with them."""

_MIGRATIONS = (
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

VERSION = len(_MIGRATIONS)

_HISTORY_VERSION = 2

_NUMBERED_AHEAD = """
    SELECT 1 FROM stream WHERE last_sequence < max(
        coalesce((SELECT max(sequence) FROM segment WHERE segment.stream = stream.id AND received = 0), 0),
        coalesce((SELECT max(sequence) FROM segment WHERE segment.stream = stream.id AND received = 1), 0))
"""
"""integrity_check does not see this damage, and sealing would stumble over it at every start."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT})


class _UnusableError(Exception):
    """The file is there and cannot be our database."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Where an unusable database is now; with `rescued`, all that it held is in use again, but the history."""

    path: Path
    rescued: bool


def open_database(path: Path) -> tuple[sqlite3.Connection, Moved | None]:
    """Open the database at `path`, made or brought up to date as needed; give also what became of an unusable one.

    Raises StorageError where the file cannot be opened at all.
    """
    try:
        rescue.settle(path)
        return _open(path), None
    except _UnusableError:
        moved = _replace(path)
    except sqlite3.Error as error:
        raise storage_error(error, path, "opening") from error
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}: check the disk and the folder") from error
    try:
        return _open(path), moved
    except (sqlite3.Error, _UnusableError) as error:
        raise StorageError(f"{path}: a new database cannot be made ({error}): check the disk and the folder") from error


def is_storage_error(error: sqlite3.Error) -> bool:
    """Tell what the card did to us from what we did wrong ourselves (or, while checking, from damage)."""
    return _primary_code(error) not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE)


def storage_error(error: sqlite3.Error, path: Path, doing: str) -> StorageError:
    """Turn what SQLite raised while `doing` into our error, with what to do."""
    code = _primary_code(error)
    if code == sqlite3.SQLITE_FULL:
        return StorageFull(f"{path}: no room while {doing}: free space on the disk; readings wait in memory meanwhile")
    if code in _DAMAGED:
        return StorageDamaged(f"{path}: damaged ({error}), found while {doing}: the next start moves it aside")
    return StorageError(f"{path}: {error} while {doing}: check the disk and who may write there")


def _primary_code(error: sqlite3.Error) -> int:
    """Give the low byte of the result code; the rest of it tells details."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    try:
        _check(connection)
        _set_up(connection)
        _migrate(connection)
    except (sqlite3.Error, _UnusableError) as error:
        connection.close()
        if isinstance(error, sqlite3.Error) and _primary_code(error) in _DAMAGED:
            raise _UnusableError(str(error)) from error
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    """Raise _UnusableError unless this is an empty database or a sound one of ours."""
    try:
        _check_soundness(connection)
    except UnicodeDecodeError as error:  # damage in a name that SQLite wants to tell us
        raise _UnusableError(str(error)) from error
    except sqlite3.Error as error:
        if is_storage_error(error):
            raise
        raise _UnusableError(str(error)) from error  # a statement below fails only on a damaged database


def _check_soundness(connection: sqlite3.Connection) -> None:
    # Indexes included (14 ms for 30 days of segments): what it misses would end the process again and again.
    verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise _UnusableError(verdict)
    version = pragma(connection, "user_version")
    if version > VERSION:
        raise _UnusableError(f"version {version}, at most {VERSION} is known")
    if _tables(connection) != _tables_of(version):
        raise _UnusableError("another program's database, or its list of tables is damaged")
    if not version:
        return
    if pragma(connection, "application_id") != APPLICATION_ID:
        raise _UnusableError("another program's database")
    if connection.execute("SELECT count(*) FROM identity WHERE length(epoch) = 8").fetchone()[0] != 1:
        raise _UnusableError("the epoch is missing")
    if connection.execute(_NUMBERED_AHEAD).fetchone() is not None:
        raise _UnusableError("a segment is numbered above its stream's last number")
    for texts in ("SELECT name, value FROM mark", "SELECT name, id FROM stream"):
        connection.execute(texts).fetchall()  # texts that are no longer UTF-8 fail here, not in the midst of work
    if version >= _HISTORY_VERSION:
        connection.execute("SELECT name, id FROM history_channel").fetchall()


def _replace(path: Path) -> Moved:
    """Move an unusable database aside, and put what can be rescued of it in its place: all but a damaged history."""
    rescued = _rescued(path)
    aside = _move_aside(path)
    if rescued is not None:
        with contextlib.suppress(OSError):
            rescued.replace(path)
            return Moved(aside, rescued=True)
    return Moved(aside, rescued=False)


def _rescued(path: Path) -> Path | None:
    """Make a sound database of all but the history; None where more is wrong than that."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as damaged:
            version = pragma(damaged, "user_version")
            known = _HISTORY_VERSION <= version <= VERSION and _tables(damaged) == _tables_of(version)
            if not known or pragma(damaged, "application_id") != APPLICATION_ID:
                return None
        numbers = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};"
        made_by = f"{''.join(_MIGRATIONS[:version])} {numbers}"
        copy = rescue.rescue(path, made_by=made_by, without="history_")
        if copy is not None:
            with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
                _check(connection)
    except (sqlite3.Error, UnicodeDecodeError, _UnusableError):
        return None
    return copy


def _tables(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Give the list of tables and indexes as bytes: damaged text must not fail to decode here, of all places."""
    return connection.execute(
        "SELECT CAST(type AS BLOB), CAST(name AS BLOB), CAST(tbl_name AS BLOB), CAST(sql AS BLOB) FROM sqlite_schema"
        " ORDER BY rowid"
    ).fetchall()


def _tables_of(version: int) -> list[tuple[object, ...]]:
    """Give what `_tables` gives for a sound database of that version."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for migration in _MIGRATIONS[:version]:
            connection.executescript(migration)
        return _tables(connection)


def _set_up(connection: sqlite3.Connection) -> None:
    """Set what every connection needs; the page size counts only before the first table is made."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # NORMAL loses the last commits when the power goes
    connection.execute("PRAGMA wal_autocheckpoint = 100")  # a WAL that wraps early spares the card
    connection.execute("PRAGMA foreign_keys = ON")
    # Pages are written and read back once, in order: SQLite's own 2 MB would fill within days and be of no more use.
    connection.execute("PRAGMA cache_size = -512")


def _migrate(connection: sqlite3.Connection) -> None:
    for number in range(pragma(connection, "user_version") + 1, VERSION + 1):
        # One transaction with its number: a power cut leaves the migration done or not begun.
        connection.executescript(
            f"BEGIN IMMEDIATE; {_MIGRATIONS[number - 1]}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;"
        )


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """Read a pragma that is a number."""
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _move_aside(path: Path) -> Path:
    """Rename the database with its WAL, so that SQLite could still put the two together."""
    when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    target = path.with_name(f"{path.name}.unusable-{when}")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.unusable-{when}-{number}")
    try:
        # The database first: SQLite discards a WAL that it finds beside an empty database, so a cut in between
        # harms nothing.
        for suffix in ("", "-wal", "-shm"):
            source = path.with_name(path.name + suffix)
            if source.exists():
                source.replace(target.with_name(target.name + suffix))
        _keep_newest_aside(path)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be used, nor moved aside ({error.strerror}): move it away by hand"
        ) from error
    return target


def _keep_newest_aside(path: Path) -> None:
    aside = [each for each in path.parent.glob(f"{path.name}.unusable-*") if not each.name.endswith(("-wal", "-shm"))]
    aside.sort(key=lambda each: each.stat().st_mtime_ns)
    for old in aside[:-MOVED_ASIDE_KEPT]:
        for suffix in ("-wal", "-shm", ""):
            old.with_name(old.name + suffix).unlink(missing_ok=True)
