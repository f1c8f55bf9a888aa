"""A look into an outbox's file without changing it, for people: beside an agent at work, or after one that is dead.

Nothing is mended, moved aside or brought up to date here; that is the agent's, at its next start.
"""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from buffer import aside, journal, losses, quota, schema, segments
from buffer.aside import Aside
from buffer.errors import StorageError
from buffer.losses import Dropped
from buffer.marks import Marks
from buffer.segments import Segment, Total

_WAIT_S = 1.0
_ALL = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream's name, the number that it used last, and the SHA-256 of the blob under that number."""

    name: str
    last_sequence: int
    last_digest: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A segment that is still there, and whether the other end has it."""

    segment: Segment
    received: bool


class Reader:
    """One moment of an outbox, made by `open`: later commits are not seen. Every method may raise StorageError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._db = connection
        with self._errors():
            self.epoch: bytes = connection.execute("SELECT epoch FROM identity").fetchone()[0]

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open the outbox at `path` for reading alone; raise StorageError where there is none that can be read."""
        # Not by opening it: whoever closes a file gives up the locks of a database that his process has open there.
        try:
            path.stat()
            if not os.access(path, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror}") from error
        # Without a WAL nobody is writing there, and "immutable" leaves no file of ours beside it.
        wal = path.with_name(f"{path.name}-wal")
        how = "mode=ro" if wal.exists() else "mode=ro&immutable=1"
        with _storage_errors(path):
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None, timeout=_WAIT_S
            )
        with contextlib.closing(connection):
            with _storage_errors(path):
                connection.execute("BEGIN")
                _refuse_foreign(path, connection)
            yield cls(path, connection)

    def marks(self) -> dict[str, int | str]:
        """Give every mark as last committed."""
        with self._errors():
            return Marks(self).shown()

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, for the parts that look into the file as the outbox does."""
        return self._db

    def streams(self) -> list[Stream]:
        """Give every stream, in the order in which they began."""
        with self._errors():
            rows = self._db.execute("SELECT name, last_sequence, last_digest FROM stream ORDER BY id").fetchall()
        return [Stream(*row) for row in rows]

    def kept(
        self, stream: str, *, sealed_from_ms: int = 0, newest_first: bool = False, after: int = 0
    ) -> Iterator[Kept]:
        """Give what is kept of a stream, by its numbers, one after another, or from the newest back.

        With `sealed_from_ms` (UTC), only what was sealed from then on, or at a time that is not known; with `after`,
        only what has a higher number.
        """
        with self._errors():
            ids = self._db.execute(
                "SELECT segment.id FROM segment JOIN stream ON stream.id = segment.stream WHERE name = ?"
                " AND coalesce(utc_ms, ?) >= ? AND sequence > ? ORDER BY sequence",
                (stream, sealed_from_ms, sealed_from_ms, after),
            ).fetchall()
        for (number,) in reversed(ids) if newest_first else ids:
            with self._errors():
                received, *row = self._db.execute(
                    "SELECT received, sequence, first_ms, last_ms, count, blob FROM segment WHERE id = ?", (number,)
                ).fetchone()
            yield Kept(Segment(self.epoch, stream, *row), bool(received))

    def holds(self, stream: str, sequence: int) -> bool:
        """Tell whether the segment of that number is still kept."""
        query = "SELECT 1 FROM segment JOIN stream ON stream.id = segment.stream WHERE name = ? AND sequence = ?"
        with self._errors():
            return self._db.execute(query, (stream, sequence)).fetchone() is not None

    def pending(self, limit: int) -> list[Segment]:
        """Give the first segments without a receipt, in the order in which they were sealed."""
        with self._errors():
            return segments.pending(self._db, self.epoch, limit, {}, segments.totals(self._db), order=segments.FIRST)[0]

    def dropped(self) -> tuple[Dropped, ...]:
        """Give every range that gave way before it was delivered."""
        with self._errors():
            return losses.ranges(self._db, _ALL)

    def lost(self) -> dict[str, tuple[int, int]]:
        """Give segments (for "aside": rows) and readings lost since the database was made, for each reason."""
        with self._errors():
            return losses.totals(self._db)

    def aside(self) -> list[Aside]:
        """Give the rows of which no segment could be made, as far as they are kept."""
        with self._errors():
            return aside.rows(self._db)

    def waiting(self) -> Total:
        """Count the rows, with their readings, that are not sealed yet."""
        with self._errors():
            return Total(*journal.total(self._db))

    def sealed(self, *, received: bool) -> Total:
        """Count the segments, with their readings, in one state."""
        with self._errors():
            return segments.total(self._db, received=received)

    def pages_used(self) -> int:
        """Count the pages of 4,096 bytes that hold something."""
        with self._errors():
            return quota.pages_used(self._db)

    def _errors(self) -> contextlib.AbstractContextManager[None]:
        return _storage_errors(self._path)


def _refuse_foreign(path: Path, connection: sqlite3.Connection) -> None:
    if schema.pragma(connection, "application_id") != schema.APPLICATION_ID:
        raise StorageError(f"{path}: is no outbox, or the agent that made it has not finished: start the agent")
    version = schema.pragma(connection, "user_version")
    if version > schema.VERSION:
        raise StorageError(f"{path}: made by a newer version of this program: use that one")
    if version < schema.VERSION:
        raise StorageError(
            f"{path}: made by an older version of this program: start the agent, which brings it up to date"
        )


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise schema.storage_error(error, path, "reading") from error
