"""A database made anew in a file of fresh blocks, for one whose blocks can no longer be trusted.

The copy is whole and synced before it takes the place of the other; a cut in between leaves one or the other, which
`rescue.settle` decides at the next start.
"""

import errno
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from buffer import moving, rescue, schema
from buffer.errors import StorageDamaged, StorageError, StorageFull

_PROBE_BYTES = 1 << 16
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def probe(path: Path) -> None:
    """Try whether the card takes some bytes at all, before much is copied; raise StorageError."""
    try:
        moving.probe(rescue.copy_of(path), _PROBE_BYTES)
    except OSError as error:
        kind = StorageFull if error.errno in _NO_ROOM else StorageError
        raise kind(f"{path}: {error.strerror} while being made anew: check the disk") from error


def copy(connection: sqlite3.Connection, path: Path) -> None:
    """Copy a database, as it is now, to beside `path`, and check the copy; raise StorageError."""
    target = rescue.copy_of(path)
    try:
        rescue.discard(path)
        with closing(sqlite3.connect(target, isolation_level=None)) as fresh:
            connection.backup(fresh)
            verdict = fresh.execute("PRAGMA integrity_check(1)").fetchone()[0]
        _sync(target)
        _sync(target.parent)
    except sqlite3.Error as error:
        _discard(path)
        raise schema.storage_error(error, path, "being made anew") from error
    except OSError as error:
        _discard(path)
        raise StorageError(f"{path}: {error.strerror} while being made anew: check the disk") from error
    if verdict != "ok":
        _discard(path)
        raise StorageDamaged(f"{path}: damaged ({verdict}), found while being made anew: the next start moves it aside")


def displace(path: Path) -> None:
    """Move the database away, still open: from here on the copy is the database; raise StorageError if not.

    To be done before the old one is closed, which may carry its WAL over into blocks that are not trusted.
    """
    try:
        path.replace(rescue.replaced(path))
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror} while being made anew: check the disk") from error


def reopen(path: Path) -> sqlite3.Connection:
    """Open the database after `displace` and the end of its connection; raise StorageError, and then try again."""
    try:
        rescue.settle(path)
        _sync(path.parent)
        return schema.connect(path)
    except sqlite3.Error as error:
        raise schema.storage_error(error, path, "opening again") from error
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror} while opening again: check the disk") from error


def _discard(path: Path) -> None:
    with suppress(OSError):
        rescue.discard(path)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
