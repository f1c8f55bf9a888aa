"""A look into the command database's file without changing it, for people, after an agent that is dead.

Nothing is mended, moved aside or written there; that is the agent's, at its next start. The agent keeps no index of
its WAL on the card, so SQLite would have to make one beside the file: a copy in memory is looked at instead.
"""

import contextlib
import fcntl
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from gateway.commands import optout, rows
from gateway.commands.course import told
from gateway.commands.errors import StorageError
from gateway.commands.file import in_memory
from gateway.commands.optout import OptOut

_LOCK_START, _LOCK_BYTES = 0x40000002, 510
"""Where SQLite locks a file that it holds alone: SHARED_FIRST and SHARED_SIZE of its os_unix.c."""
_NEWEST = 1 << 53
_TRIES = 3

Json = dict[str, Any]


class Look:
    """One moment of a command database, made by `open`. Every method may raise StorageError.

    Its answers are those of the control socket, but None for what only an agent at work knows.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._db = connection

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Look at the database at `path`; raise StorageError where there is none that can be read.

        Never for a process that has the database open: closing its file here would give up that process's locks.
        StorageError has a PermissionError as its cause where that is what is in the way.
        """
        with contextlib.ExitStack() as stack:
            try:
                copy = Path(stack.enter_context(TemporaryDirectory(dir=in_memory())), "copy")
                _copy(path, copy)
            except OSError as error:
                raise StorageError(f"{path}: {error.strerror}") from error
            with _storage_errors(path):
                connection = sqlite3.connect(copy, isolation_level=None)
            with contextlib.closing(connection):
                with _storage_errors(path):
                    _refuse_foreign(path, connection)
                yield cls(path, connection)

    def commands(self, limit: int) -> list[Json]:
        """Give the newest commands, the newest first."""
        with _storage_errors(self._path):
            return [{"number": number, **told(entry)} for number, entry in rows.newest(self._db, limit, _NEWEST)]

    def command(self, command_id: str) -> Json | None:
        """Give one command, None where there is none of that id."""
        with _storage_errors(self._path):
            entry = rows.entry(self._db, command_id)
            return None if entry is None else told(entry)

    def opt_outs(self) -> list[Json]:
        """Give who had opted out when the agent last wrote; how much of it is left nobody knows without its clock."""
        with _storage_errors(self._path):
            return [optout.told(OptOut(**json.loads(body)), None) for body in rows.opt_outs(self._db).values()]


def _copy(path: Path, target: Path) -> None:
    """Copy the file and its WAL as they are at one moment; raise OSError, StorageError where somebody writes there."""
    wal = path.with_name(f"{path.name}-wal")
    for _ in range(_TRIES):
        before = _refuse_held(path), _stamp(wal)
        target.write_bytes(path.read_bytes())
        if before[1] is not None:
            target.with_name(f"{target.name}-wal").write_bytes(wal.read_bytes())
        if before == (_refuse_held(path), _stamp(wal)):
            return
    raise StorageError(f"{path}: changes while it is read: an agent is starting; ask again")


def _refuse_held(path: Path) -> tuple[int, ...] | None:
    """Give the file's stamp; raise StorageError where an agent holds it, which may write at any time."""
    with path.open("rb") as file:
        try:
            # For this moment alone: an agent that starts just now asks for its own lock for a second.
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, _LOCK_BYTES, _LOCK_START)
        except BlockingIOError as error:
            raise StorageError(f"{path}: held by an agent at work, which does not answer: see its log") from error
    return _stamp(path)


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Give what tells one state of a file from another, None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _refuse_foreign(path: Path, connection: sqlite3.Connection) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > 1:
        raise StorageError(f"{path}: made by a newer version of this program: use that one")
    if version < 1:
        raise StorageError(
            f"{path}: is no command database, or the agent that made it has not finished: start the agent"
        )


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise StorageError(f"{path}: an entry in it cannot be read ({error!r})") from error
    except sqlite3.Error as error:
        raise StorageError(
            f"{path}: damaged ({error}): the agent's next start moves it aside, and releases every load"
        ) from error
