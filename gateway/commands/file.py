"""The file of the command database: opened, moved aside where it is damaged, copied where the card takes no writes."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

_PROBE_BYTES = 1 << 18
_HEADER_BYTES, _SCHEMA_COOKIE, _USER_VERSION = 100, slice(40, 44), slice(60, 64)
"""https://sqlite.org/fileformat.html#the_database_header"""
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the folder made there is ours alone

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE issuer (issuer TEXT, epoch BLOB, high INTEGER NOT NULL, PRIMARY KEY (issuer, epoch)) WITHOUT ROWID;
CREATE TABLE message (issuer TEXT, epoch BLOB, sequence INTEGER, digest BLOB NOT NULL,
  PRIMARY KEY (issuer, epoch, sequence)) WITHOUT ROWID;
CREATE TABLE command (number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, over INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE load (name TEXT PRIMARY KEY, original INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE switched (name TEXT PRIMARY KEY, boot_id BLOB NOT NULL, boot_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE answer (sequence INTEGER PRIMARY KEY, command_id TEXT NOT NULL, receipted INTEGER NOT NULL DEFAULT 0,
  blob BLOB NOT NULL);
CREATE INDEX answer_of ON answer (command_id, sequence);
CREATE TABLE optout (target TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
"""


def prepared(path: str, *, replaced: bool) -> sqlite3.Connection:
    """Open and check a database, making its tables where there are none; raise sqlite3.Error."""
    # Opened in one thread, used in another, never in two at once: Journal's pool has one thread.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1)
    try:
        # Two agents that give loads back under each other would be worse than none.
        db.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        db.execute("PRAGMA journal_mode = WAL").fetchall()
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA wal_autocheckpoint = 100").fetchall()
        if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("quick_check failed")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > 1:
            raise sqlite3.DatabaseError(f"made by a newer release (schema {version})")
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA}")
            flags = [("replaced", int(replaced)), ("release_all", int(replaced))]
            db.executemany("INSERT INTO meta VALUES (?, ?)", flags)
            db.execute("COMMIT")
    except sqlite3.Error:
        db.close()
        raise
    return db


def move_aside(path: Path) -> Path:
    """Rename a damaged database with its companions, to a name that is free."""
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(target)
    for suffix in ("-wal", "-shm"):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(target.with_name(target.name + suffix))
    return target


def left_behind(path: Path) -> Path | None:
    """Give the damaged database that was moved aside last, where a cut came before another one could be made."""
    if not is_none(path):
        return None
    return max(path.parent.glob(f"{path.name}.damaged-*[0-9]"), key=lambda each: each.stat().st_mtime, default=None)


def is_none(path: Path) -> bool:
    """Tell whether there is no database: no file, or one without any table, as a full card leaves of the first try."""
    wal = path.with_name(f"{path.name}-wal")
    if not path.exists():
        return True
    if wal.exists() and wal.stat().st_size:
        return False
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    return not header or not any(header[_SCHEMA_COOKIE] + header[_USER_VERSION])


def copied(path: Path) -> sqlite3.Connection | None:
    """Give a copy, in memory, of a database that cannot be opened for writing; None where it cannot be read either."""
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - with lzma and bz2, for an agent that will need it once

    with suppress(OSError, sqlite3.Error), TemporaryDirectory(dir=in_memory()) as folder:
        # With its WAL, which cannot be read where it lies: the index that belongs to it would have to be made there.
        for suffix in ("", "-wal"):
            source = path.with_name(path.name + suffix)
            if source.exists():
                Path(folder, f"copy{suffix}").write_bytes(source.read_bytes())
        with closing(sqlite3.connect(Path(folder, "copy"))) as file:
            copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            file.backup(copy)
        is_sound = copy.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
        if is_sound and copy.execute("PRAGMA user_version").fetchone() == (1,):
            return copy
        copy.close()
    return None


def in_memory() -> str | None:
    """Give a folder that is on no card; None for the usual one."""
    return _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None


def probe(path: Path) -> None:
    """Try whether the card takes some bytes at all beside a database; raise OSError."""
    target = path.with_name(f"{path.name}.new")
    try:
        with target.open("wb") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        with suppress(OSError):
            target.unlink(missing_ok=True)


def save(memory: sqlite3.Connection, path: Path) -> None:
    """Make the file that there was none of yet, out of a database in memory; raise OSError or sqlite3.Error."""
    new = path.with_name(f"{path.name}.new")
    for each in (new, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        each.unlink(missing_ok=True)
    with closing(sqlite3.connect(new, isolation_level=None)) as file:  # synced by SQLite, as everything it commits
        memory.backup(file)
    new.replace(path)
