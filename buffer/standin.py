"""What stands in for a database that the card did not let us open: it can be read, as far as it is known, and no more.

So an agent that starts on a read-only or a full card knows its identity, its marks, what waits for the centre and the
history, and goes on in memory. The file is looked into without a trace; where there is none yet, an empty database in
memory has the identity that the file is given once it can be made.
"""

import os
import sqlite3
from contextlib import ExitStack, closing, suppress
from enum import Enum, auto
from pathlib import Path

from buffer import moving, rescue, schema, tables
from buffer.errors import StorageError

MOST_COPIED = 24 << 20
"""Bytes of a file that is copied to memory where it cannot be read as it is; a larger one waits for the card."""

_LITTLE_BYTES = 1 << 20
_HEADER_BYTES, _SCHEMA_COOKIE, _USER_VERSION = 100, slice(40, 44), slice(60, 64)
"""https://sqlite.org/fileformat.html#the_database_header"""

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the folder made there is ours alone
_USED = "SELECT (SELECT count(*) FROM stream) + (SELECT count(*) FROM mark) + (SELECT count(*) FROM journal)"


class _Knows(Enum):
    FILE = auto()
    """All: the connection is the file's own."""
    COPY = auto()
    """All, from a copy in memory."""
    FIRST = auto()
    """All: there was no file, nor anything in it."""
    NOTHING = auto()
    """What is in the file cannot be told."""


class StandIn:
    """Stands in for the database at `path`; `refusal` says why, `connection` may only be read."""

    def __init__(self, path: Path, error: StorageError, *, blindly: bool = False) -> None:
        """Look into the file, or with `blindly` take it that it cannot be read."""
        self._path = path
        self.refusal = ""
        self.refused(error)
        self._knows, self.connection = (_Knows.NOTHING, _made()) if blindly else _seen(path)

    def refused(self, error: StorageError) -> None:
        """Note why the database cannot be opened now."""
        self.refusal = f"{_why(self._path) or error}; nothing is kept: readings wait in memory until it can be opened"

    def probe(self) -> None:
        """Try whether the card takes some bytes at all; raise StorageError."""
        target = self._path.with_name(f"{self._path.name}.probe")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            moving.probe(target)
        except OSError as error:
            raise StorageError(
                f"{self._path}: {error.strerror} while opening: check the disk and the folder"
            ) from error

    def let_go(self) -> None:
        """Close the file, if it is that: closed after the database was opened, it would take that one's locks along."""
        if self._knows is _Knows.FILE:
            self.connection.close()

    def hold(self) -> sqlite3.Connection:
        """Give what may be read, the file taken up again after `let_go`; may raise StorageError."""
        if self._knows is _Knows.FILE:
            try:
                self.connection = _file(self._path)
            except sqlite3.Error as error:
                raise schema.storage_error(error, self._path, "opening") from error
        return self.connection

    def becomes(self, opened: sqlite3.Connection, epoch: bytes) -> bool:
        """Tell whether the opened database is the one that was stood in for; one that is new is given its `epoch`."""
        if self._knows is _Knows.FIRST and not opened.execute(_USED).fetchone()[0]:
            opened.execute("UPDATE identity SET epoch = ?", (epoch,))
            return True
        found = opened.execute("SELECT epoch FROM identity").fetchone()[0]
        return self._knows is not _Knows.NOTHING and found == epoch


def _seen(path: Path) -> tuple[_Knows, sqlite3.Connection]:
    try:
        if _is_none(path):
            return _Knows.FIRST, _made()
    except OSError:
        return _Knows.NOTHING, _made()
    with suppress(OSError, sqlite3.Error), ExitStack() as undo:
        connection = _file(path)
        undo.callback(connection.close)
        if schema.is_sound(connection) and schema.pragma(connection, "user_version") == schema.VERSION:
            undo.pop_all()
            return _Knows.FILE, connection
    with suppress(OSError, sqlite3.Error):
        copy = _copied(path)
        if copy is not None:
            return _Knows.COPY, copy
    return _Knows.NOTHING, _made()


def _is_none(path: Path) -> bool:
    """Tell whether there is no database: no file, or one without any table, as a full card leaves of the first try."""
    if rescue.copy_of(path).exists() or _size(path, "-wal"):
        return False
    if not path.exists():
        return True
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    return not header or not any(header[_SCHEMA_COOKIE] + header[_USER_VERSION])


def _file(path: Path) -> sqlite3.Connection:
    # As for `reader`: without a WAL nobody is writing there, and "immutable" wants no file beside it.
    how = "mode=ro" if _size(path, "-wal") else "mode=ro&immutable=1"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA cache_size = -512")
    return connection


def _made() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    tables.migrate(connection)
    return connection


def _copied(path: Path) -> sqlite3.Connection | None:
    """Give a copy, in memory, of a file of an older version, brought up to date, or of one whose WAL lacks its index.

    None where it is too large or not sound.
    """
    if _size(path) + _size(path, "-wal") > MOST_COPIED:
        return None
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - with lzma and bz2, for an agent that will need it once

    with TemporaryDirectory(dir=_SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None) as folder:
        for suffix in ("", "-wal"):
            if _size(path, suffix):
                Path(folder, f"copy{suffix}").write_bytes(path.with_name(path.name + suffix).read_bytes())
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        with closing(sqlite3.connect(Path(folder, "copy"))) as file:
            file.backup(copy)
    try:
        if schema.is_sound(copy):
            tables.migrate(copy)
            return copy
    except sqlite3.Error:
        copy.close()
        raise
    copy.close()
    return None


def _size(path: Path, suffix: str = "") -> int:
    file = path.with_name(path.name + suffix)
    return file.stat().st_size if file.exists() else 0


def _why(path: Path) -> str | None:
    """Say what the file system shows to be in the way: what SQLite says while it opens a file is no help to people."""
    try:
        found = os.statvfs(next(each for each in path.parents if each.exists()))
    except (OSError, StopIteration):
        return None
    if found.f_flag & os.ST_RDONLY:
        return f"{path}: the disk is read-only: check it, and see that it can be written to"
    if found.f_bavail * found.f_frsize < _LITTLE_BYTES:
        return f"{path}: no room while opening: free space on the disk"
    return None
