"""The outbox: rows go in, are sealed once into segments, and leave when the other end has them.

    row --commit--> journal --seal--> segment (pending) --received--> kept while there is room

Everything is opaque bytes. `commit` has synced when it returns: what it took survives a power cut. Numbers of a
stream are never used twice, not even after all its segments are gone, and each segment is told the SHA-256 of the one
before it, so that the other end sees a gap. Whatever raises StorageError has changed nothing; the caller keeps its
rows and tries again.

An Outbox is used by one thread at a time. Times (`*_ms`) are the caller's; the outbox reads no clock.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from buffer import journal, quota, schema, segments
from buffer.errors import StorageError
from buffer.history import History
from buffer.journal import Row
from buffer.quota import Dropped
from buffer.segments import Place, Segment, Total

__all__ = ["DROP_FIRST", "Dropped", "Outbox", "Pack", "Place", "Row", "Segment", "Stats"]

DROP_FIRST = ("fine", "minute")
"""Streams that give way first when the quota is full, in this order."""

HISTORY_SHARE = 4
"""The history may take one part in so many of the quota; what is not yet delivered is worth more."""

_DROPPED_SHOWN = 32
_SEQUENCE_MAX = (1 << 63) - 1


Pack = Callable[[Place, Sequence[bytes]], bytes]
"""Turns the payloads of one lot, in order, into the segment's blob; what it raises leaves the rows where they are."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What the outbox holds and what became of the rest; `dropped` are the newest ranges lost to the quota.

    `oldest_pending_ms` is the first time of the oldest pending segment, in its own boot's milliseconds;
    `last_commit_ms` the last time of the newest row committed since the outbox was opened.
    """

    journal_rows: int
    journal_readings: int
    segments_pending: int
    readings_pending: int
    segments_received: int
    oldest_pending_ms: int | None
    pages_used: int
    quota_pages: int
    dropped_segments: int
    dropped_readings: int
    dropped: tuple[Dropped, ...]
    last_commit_ms: int | None
    failures: int
    last_failure: str | None


class Outbox:
    """The journal and the segments of one database file. Made by `open`."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        *,
        quota_pages: int,
        drop_first: Sequence[str],
        aside: Path | None,
    ) -> None:
        self._path = path
        self._db = connection
        self._quota_pages = quota_pages
        self._drop_first = tuple(drop_first)
        self.moved_aside = aside
        self.epoch: bytes = connection.execute("SELECT epoch FROM identity").fetchone()[0]
        self._marks: dict[str, int | str] = dict(connection.execute("SELECT name, value FROM mark"))
        self._journal = Total(*journal.total(connection))
        self._pending = segments.total(connection, received=False)
        self._received = segments.total(connection, received=True).entries
        self._last_commit_ms: int | None = None
        self._failures = 0
        self._last_failure: str | None = None
        self.history = History(
            connection, self._transaction, self._errors, most_bytes=quota_pages * schema.PAGE_BYTES // HISTORY_SHARE
        )

    @classmethod
    def open(cls, path: Path, *, quota_pages: int, drop_first: Sequence[str] = DROP_FIRST) -> Self:
        """Open or make the database at `path`, which may use `quota_pages` of 4,096 bytes; raise StorageError.

        One that cannot be used is moved aside (`moved_aside` says where) and an empty one, with a new epoch, takes
        its place.
        """
        if quota_pages < quota.LEAST_PAGES:
            raise ValueError(f"a quota of {quota_pages} pages: {quota.LEAST_PAGES} at least are wanted")
        connection, aside = schema.open_database(path)
        try:
            return cls(path, connection, quota_pages=quota_pages, drop_first=drop_first, aside=aside)
        except sqlite3.Error as error:
            connection.close()
            raise schema.storage_error(error, path, "opening") from error

    def close(self) -> None:
        """Let go of the file; everything committed is in it."""
        self._db.close()

    def commit(self, rows: Sequence[Row], marks: Mapping[str, int | str] | None = None) -> None:
        """Store rows and the marks that belong to them in one synced transaction, or raise StorageError."""
        changed = {name: value for name, value in (marks or {}).items() if self._marks.get(name) != value}
        if not rows and not changed:
            return
        with self._transaction("committing"):
            journal.append(self._db, rows)
            self._db.executemany("INSERT OR REPLACE INTO mark VALUES (?, ?)", changed.items())
            removed = self._make_room()
        self._marks.update(changed)
        self._account(removed)
        self._journal = self._journal.plus(Total(len(rows), sum(row.count for row in rows)))
        if rows:
            self._last_commit_ms = rows[-1].last_ms

    def marks(self) -> dict[str, int | str]:
        """Give every mark as last committed."""
        return dict(self._marks)

    def seal(self, stream: str, pack: Pack) -> Segment | None:
        """Seal the oldest lot of a stream's rows into one segment, or give None if there are none.

        `pack` is called once; its blob is stored and its rows are deleted in one synced transaction.
        """
        with self._transaction("sealing"):
            lot = journal.oldest_lot(self._db, stream)
            if lot is None:
                return None
            held = (lot.count, lot.first_ms, lot.last_ms)
            segment, number = segments.insert(
                self._db, self.epoch, stream, held, lambda place: pack(place, lot.payloads)
            )
            journal.remove(self._db, lot)
            removed = self._make_room(number)
        self._account(removed, added=segment)
        self._journal = self._journal.plus(Total(-len(lot.ids), -lot.count))
        return segment

    def add(self, stream: str, *, count: int, first_ms: int, last_ms: int, pack: Pack) -> Segment:
        """Store a segment without rows (a schema, a clock record), numbered and chained like its stream's others."""
        with self._transaction("storing a record"):
            held = (count, first_ms, last_ms)
            segment, number = segments.insert(self._db, self.epoch, stream, held, lambda place: pack(place, ()))
            removed = self._make_room(number)
        self._account(removed, added=segment)
        return segment

    def pending(self, *, limit: int, after: Mapping[str, int] | None = None) -> list[Segment]:
        """Give at most `limit` segments without a receipt, in the order in which they were sealed.

        So a schema comes before the first segment that needs it. `after` skips, for each stream, what is numbered up
        to it (already in flight). Fresh segments that should pass a backlog are those that `seal` returned.
        """
        with self._errors("reading"):
            return segments.pending(self._db, self.epoch, limit, after or {})

    def received(self, epoch: bytes, stream: str, upto: int, ranges: Sequence[tuple[int, int]] = ()) -> int:
        """Take a receipt for everything up to `upto` and for `ranges` above; give how many segments are newly done.

        A receipt of another epoch, for a database that is no more, changes nothing.
        """
        if epoch != self.epoch:
            return 0
        changed = self._mark(stream, [(1, upto), *ranges], received=True)
        self._pending = self._pending.plus(Total(-changed.entries, -changed.readings))
        self._received += changed.entries
        return changed.entries

    def resend(self, epoch: bytes, stream: str, first: int, last: int) -> int:
        """Make received segments pending again because the other end asks for them; give how many there still were."""
        if epoch != self.epoch:
            return 0
        changed = self._mark(stream, [(first, last)], received=False)
        self._pending = self._pending.plus(changed)
        self._received -= changed.entries
        return changed.entries

    def stats(self) -> Stats:
        """Say what is there; cheap whatever the backlog."""
        with self._errors("reading"):
            oldest = segments.pending(self._db, self.epoch, 1, {})
            dropped_segments, dropped_readings = quota.dropped_total(self._db)
            return Stats(
                journal_rows=self._journal.entries,
                journal_readings=self._journal.readings,
                segments_pending=self._pending.entries,
                readings_pending=self._pending.readings,
                segments_received=self._received,
                oldest_pending_ms=oldest[0].first_ms if oldest else None,
                pages_used=quota.pages_used(self._db),
                quota_pages=self._quota_pages,
                dropped_segments=dropped_segments,
                dropped_readings=dropped_readings,
                dropped=quota.dropped_ranges(self._db, _DROPPED_SHOWN),
                last_commit_ms=self._last_commit_ms,
                failures=self._failures,
                last_failure=self._last_failure,
            )

    def _make_room(self, newest_id: int = 0) -> quota.Removed:
        return quota.make_room(self._db, self._quota_pages, self._drop_first, newest_id)

    def _account(self, removed: quota.Removed, added: Segment | None = None) -> None:
        """Follow a committed transaction in the totals, which `stats` must not count anew each time."""
        self._received -= removed.received
        self._pending = self._pending.plus(Total(-removed.pending, -removed.pending_readings))
        if added is not None:
            self._pending = self._pending.plus(Total(1, added.count))

    def _mark(self, stream: str, ranges: Sequence[tuple[int, int]], *, received: bool) -> Total:
        bounded = [(first, min(last, _SEQUENCE_MAX)) for first, last in ranges if first <= last]
        with self._transaction("noting a receipt"):
            return segments.mark(self._db, stream, bounded, received=received)

    @contextlib.contextmanager
    def _transaction(self, doing: str) -> Iterator[None]:
        """All or nothing: commit what the block did, or undo it whatever was raised."""
        with self._errors(doing):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite itself may have undone it, on a full disk
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if not schema.is_storage_error(error):
                raise  # a wrong statement, or a use after close: a bug, not the card
            raise self._failed(schema.storage_error(error, self._path, doing)) from error
        except StorageError as error:
            raise self._failed(error) from None

    def _failed(self, error: StorageError) -> StorageError:
        self._failures += 1
        self._last_failure = str(error)
        return error
