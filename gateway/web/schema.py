"""The tables of page.db, and how the file is opened."""

import errno
import sqlite3
from pathlib import Path

AUDIT_KEPT = 10_000
"""So many audit rows, the newest, can be neither changed nor deleted; older ones make room."""

VERSION = 1
_BUSY_S = 5.0
SCHEMA = f"""
CREATE TABLE password (id INTEGER PRIMARY KEY CHECK (id = 1), hash TEXT NOT NULL, set_s REAL NOT NULL);
CREATE TABLE code (id INTEGER PRIMARY KEY CHECK (id = 1), digest BLOB NOT NULL, until_s REAL NOT NULL);
CREATE TABLE session (digest BLOB PRIMARY KEY, made_s REAL NOT NULL, seen_s REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE failure (number INTEGER PRIMARY KEY, address TEXT NOT NULL, at_s REAL NOT NULL);
CREATE TABLE address (url TEXT PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT, at_s REAL NOT NULL, kind TEXT NOT NULL,
  address TEXT NOT NULL, text TEXT NOT NULL);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows are kept'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
  WHEN OLD.number > (SELECT max(number) FROM audit) - {AUDIT_KEPT}
  BEGIN SELECT RAISE(ABORT, 'audit rows are kept'); END;
PRAGMA user_version = {VERSION};
"""  # noqa: S608 - two numbers of ours


class StoreError(Exception):
    """page.db cannot be read or written; the text says what to do."""


def prepared(path: Path) -> sqlite3.Connection:
    """Open and check the file, making its tables where there are none; raise sqlite3.Error or StoreError."""
    path.touch(mode=0o600)
    # Used by several threads, never by two at once: the store has a lock.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)
    try:
        db.execute("PRAGMA synchronous = FULL")
        # What is deleted are hashes of secrets.
        db.execute("PRAGMA secure_delete = ON").fetchall()
        if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("quick_check failed")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise StoreError(  # noqa: TRY301 - the file is closed below
                f"{path}: was made by a newer release (schema {version}): install that one again, or move the "
                "file away and make a one-time code with `gateway passwd`"
            )
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
    except (sqlite3.Error, StoreError):
        db.close()
        raise
    return db


def for_reading(path: Path, error: Exception) -> sqlite3.Connection | None:
    """Open a file that cannot be opened for `error`: on a read-only card, a sound one of this release; else None."""
    if not isinstance(error, OSError) or error.errno != errno.EROFS:
        return None
    db = None
    try:
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        is_sound = db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
        if is_sound and db.execute("PRAGMA user_version").fetchone() == (VERSION,):
            return db
    except sqlite3.Error:
        pass
    if db is not None:
        db.close()
    return None
