"""The outbox: rows go in, are sealed once into segments, and leave when the other end has them.

    row --commit--> journal --seal--> segment (pending) --received--> kept while there is room

Everything is opaque bytes. `commit` has synced when it returns: what it took survives a power cut. Numbers of a
stream are never used twice, not even after all its segments are gone, and each segment is told the SHA-256 of the one
before it, so that the other end sees a gap. Whatever raises StorageError has changed nothing; the caller keeps its
rows and tries again.

An Outbox is used by one thread at a time. Times (`*_ms`) are the caller's; the outbox reads no clock.
"""

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Self

from buffer import aside, losses, quota, retention, schema, segments
from buffer.database import Database
from buffer.errors import StorageError, Unsealable
from buffer.history import History
from buffer.journal import Journal, Lot, Row
from buffer.ledger import Gone, Ledger
from buffer.losses import Dropped
from buffer.marks import Carrier, Marks
from buffer.segments import Held, Place, Segment, Total
from buffer.stats import Removed, Stats, take

__all__ = ["DROPPED", "DROP_FIRST", "Dropped", "Outbox", "Pack", "Place", "Removed", "Row", "Segment", "Stats"]

DROP_FIRST = ("fine", "minute", "index")
"""Tiers that give way first when the quota is full, in this order; a stream's tier is its name up to the first "."."""

DROPPED = "dropped"
"""The stream of the reports of what was dropped."""

HISTORY_SHARE = 4
"""The history may take one part in so many of the quota; what is not yet delivered is worth more."""

MOST_REPORTS = 64
"""Reports that may wait for their receipt; with so many under way, losses gather until some are delivered."""

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,31}")
_SEQUENCE_MAX = (1 << 63) - 1

_WITHDRAWN = "withdrawn."
"""Before a stream's name: the mark that keeps the last number that a withdrawal met."""

Pack = Callable[[Place, Sequence[bytes]], bytes]
"""Turns the payloads of one lot, in order, into the segment's blob.

Where it raises Unsealable the rows are set aside; whatever else it raises leaves them where they are.
"""


class Outbox:
    """The journal and the segments of one database file. Made by `open`."""

    def __init__(
        self, database: Database, *, quota_pages: int, drop_first: Sequence[str], aside: schema.Moved | None
    ) -> None:
        self._disk = database
        connection = database.connection
        self._quota_pages = quota_pages
        self._drop_first = tuple(drop_first)
        self.moved_aside = None if aside is None else aside.path
        self.rescued = aside is not None and aside.rescued
        self.epoch: bytes = connection.execute("SELECT epoch FROM identity").fetchone()[0]
        self._marks = Marks(database)
        self._journal = Journal(database)
        self._ledger = Ledger(segments.totals(connection), segments.total(connection, received=True).entries)
        self._telling: set[int] = set()
        self._last_commit_ms: int | None = None
        self.history = History(database, most_bytes=quota_pages * schema.PAGE_BYTES // HISTORY_SHARE)
        if self._journal.nameless:
            with contextlib.suppress(StorageError):  # they harm nothing where they are
                self._set_aside("", self._journal.nameless, "damaged on the card")

    @classmethod
    def open(cls, path: Path, *, quota_pages: int, drop_first: Sequence[str] = DROP_FIRST) -> Self:
        """Open or make the database at `path`, which may use `quota_pages` of 4,096 bytes; raise StorageError.

        One that cannot be used is moved aside (`moved_aside` says where) and an empty one, with a new epoch, takes
        its place; where only its history is damaged, one with all the rest (`rescued`).
        """
        if quota_pages < quota.LEAST_PAGES:
            raise ValueError(f"a quota of {quota_pages} pages: {quota.LEAST_PAGES} at least are wanted")
        connection, moved = schema.open_database(path)
        try:
            return cls(Database(path, connection), quota_pages=quota_pages, drop_first=drop_first, aside=moved)
        except sqlite3.Error as error:
            connection.close()
            raise schema.storage_error(error, path, "opening") from error

    def close(self) -> None:
        """Let go of the file; everything committed is in it."""
        self._disk.close()

    @property
    def _db(self) -> sqlite3.Connection:
        return self._disk.connection

    @contextlib.contextmanager
    def together(self, doing: str) -> Iterator[None]:
        """Make one synced transaction of all that the block does; where it fails, none of that has happened.

        A card writes whole pages: what comes at the same time and touches the same ones costs it once.
        """
        known = (self._marks.known(), self._journal.known(), self._ledger.known(), self.history.known())
        try:
            with self._disk.transaction(doing):
                yield
                self._marks.keep()
        except BaseException:
            marks, journal, ledger, history = known
            self._marks.restore(marks)
            self._journal.restore(journal)
            self._ledger.restore(ledger)
            self.history.restore(history)
            raise

    def commit(
        self,
        rows: Sequence[Row],
        marks: Mapping[str, int | str] | None = None,
        *,
        seal: Mapping[str, Pack] | None = None,
        utc_ms: int | None = None,
    ) -> list[Segment]:
        """Store rows and the marks that belong to them in one synced transaction, or raise StorageError.

        Rows of a stream that `seal` names, and of which no earlier ones wait, become segments at once, which are given
        back: they never see the journal. Those that its `pack` says are Unsealable wait there, like all others.
        """
        segments_ = []
        changed = self._marks.changed(marks or {})
        if not rows and not changed:
            return []
        with self.together("committing"):
            later = []
            carrier: Carrier | None = None
            for (stream, _), lot in groupby(rows, lambda row: (row.stream, row.lot)):
                those = list(lot)
                pack = (seal or {}).get(stream)
                found = None if pack is None else self._seal_at_once(stream, those, pack, utc_ms)
                if found is None:
                    later += those
                else:
                    segment, number = found
                    segments_.append(segment)
                    carrier = Carrier("segment", number)
            number = self._append(later)
            self._marks.set(changed, carrier or (Carrier("journal", number) if number else None))
        if rows:
            self._last_commit_ms = rows[-1].last_ms
        return segments_

    def _append(self, rows: Sequence[Row]) -> int:
        """Put rows into the journal; give the id of the last."""
        for stream in {row.stream for row in rows}:
            _check(stream)
        entries = self._journal.append(rows)
        gone = self._make_room()
        self._ledger.lose(gone)
        self._journal.follow(entries)
        return entries[-1].number if entries else 0

    def marks(self) -> dict[str, int | str]:
        """Give every mark as last committed."""
        return {name: value for name, value in self._marks.values.items() if not name.startswith(_WITHDRAWN)}

    def waiting(self) -> tuple[str, ...]:
        """Give the streams of which rows wait to be sealed, also those that an earlier configuration had."""
        return self._journal.streams()

    def unsent(self) -> tuple[str, ...]:
        """Give the streams that hold rows or pending segments."""
        return tuple({**dict.fromkeys(self._journal.streams()), **dict.fromkeys(self._ledger.pending)})

    def seal(self, stream: str, pack: Pack, *, utc_ms: int | None = None) -> Segment | None:
        """Seal the oldest lot of a stream's rows into one segment, or give None if there are none.

        `pack` is called once for each lot; its blob is stored and its rows are deleted in one synced transaction. Rows
        that are damaged, or of which it says that they are Unsealable, are set aside, and the next lot is sealed.
        `utc_ms` is the time of now, if it is known.
        """
        while True:
            with self._disk.errors("sealing"):
                lot = self._journal.oldest_lot(stream)
            if lot is None:
                return None
            if lot.damaged:
                self._set_aside(stream, lot.damaged, "damaged on the card, or behind such a row")
            elif (segment := self._seal(stream, lot, pack, utc_ms)) is not None:
                return segment

    def add(  # noqa: PLR0913 - what a segment is told
        self, stream: str, *, count: int, first_ms: int, last_ms: int, pack: Pack, utc_ms: int | None = None
    ) -> Segment:
        """Store a segment without rows (a schema, a clock record), numbered and chained like its stream's others."""
        _check(stream)
        held = Held(count, first_ms, last_ms, utc_ms)
        with self.together("storing a record"):
            segment, number = segments.insert(self._db, self.epoch, stream, held, lambda place: pack(place, ()))
            gone = self._make_room(number)
        self._added(segment, gone)
        return segment

    def pending(
        self, *, limit: int, after: Mapping[str, int] | None = None, order: Sequence[str] = segments.FIRST
    ) -> list[Segment]:
        """Give at most `limit` segments without a receipt: tiers in `order` ahead, then by the time of sealing.

        So a schema comes before the first segment that needs it. `after` skips, for each stream, what is numbered up
        to it (already in flight). Fresh segments that should pass a backlog are those that `seal` returned. Segments
        that the card has changed are dropped, and recorded.
        """
        while True:
            with self._disk.errors("reading"):
                found, damaged = segments.pending(
                    self._db, self.epoch, limit, after or {}, self._ledger.pending, order=order
                )
            if not damaged or not self._drop_damaged(damaged) or found:
                return found

    def received(self, epoch: bytes, stream: str, upto: int, ranges: Sequence[tuple[int, int]] = ()) -> int:
        """Take a receipt for everything up to `upto` and for `ranges` above; give how many segments are newly done.

        A receipt of another epoch, for a database that is no more, changes nothing.
        """
        if epoch != self.epoch:
            return 0
        changed = self._mark(stream, [(1, upto), *ranges], received=True)
        self._ledger.take(stream, changed)
        self._ledger.received += changed.entries
        return changed.entries

    def resend(self, epoch: bytes, stream: str, first: int, last: int) -> int:
        """Make received segments pending again because the other end asks for them; give how many there still were.

        None of those that a withdrawal forbids to leave once more.
        """
        if epoch != self.epoch:
            return 0
        first = max(first, int(self._marks.values.get(f"{_WITHDRAWN}{stream}", 0)) + 1)
        changed = self._mark(stream, [(first, last)], received=False)
        self._ledger.add(stream, changed)
        self._ledger.received -= changed.entries
        return changed.entries

    def unreported(self) -> tuple[Dropped, ...]:
        """Give the ranges that were dropped and are not told yet; from now on they grow no more.

        None while many reports wait for their receipt: what is lost in a long silence is told in few.
        """
        if self._ledger.pending.get(DROPPED, Total()).entries >= MOST_REPORTS:
            return ()
        with self._disk.errors("reading"):
            found = losses.untold(self._db)
        self._telling = {number for number, _ in found}
        return tuple(dropped for _, dropped in found)

    def report(self, dropped: Dropped, pack: Pack, *, utc_ms: int | None = None) -> Segment:
        """Add to the stream of reports what `pack` makes of a range of `unreported`, and mark that one as told."""
        held = Held(0, dropped.first_ms, dropped.last_ms, utc_ms)
        with self.together("reporting a loss"):
            losses.tell(self._db, dropped)
            segment, number = segments.insert(self._db, self.epoch, DROPPED, held, lambda place: pack(place, ()))
            gone = self._make_room(number)
        self._added(segment, gone)
        return segment

    def withdraw(self, stream: str) -> Removed:
        """Delete what of a stream was not delivered, because it may no longer leave; what had a number is recorded.

        What was delivered stays until it expires, and is not sent again.

        In steps: where it raises StorageError some may be left, and calling it again goes on.
        """
        rows = self._withdraw_rows(stream)
        taken = Total()
        while stream in self._ledger.pending:
            with self.together("withdrawing"):
                some = retention.unreceived(self._db, stream, self._telling)
            self._ledger.take(stream, some)
            taken = taken.plus(some)
        return Removed(rows.entries, taken.entries, rows.readings + taken.readings)

    def expire(self, before_utc_ms: int) -> int:
        """Delete the received segments that were sealed before a time; give how many. Schemas stay."""
        with self._disk.errors("reading"):
            last = retention.cut(self._db, before_utc_ms)
        return self._forget_received(last) if last else 0

    def purge(self) -> int:
        """Delete every received segment; give how many. Schemas stay."""
        return self._forget_received(_SEQUENCE_MAX)

    def stats(self) -> Stats:
        """Say what is there; cheap whatever the backlog."""
        with self._disk.errors("reading"):
            return take(
                self._disk,
                journal=self._journal,
                ledger=self._ledger,
                quota_pages=self._quota_pages,
                last_commit_ms=self._last_commit_ms,
            )

    def _seal(self, stream: str, lot: Lot, pack: Pack, utc_ms: int | None) -> Segment | None:
        held = Held(lot.count, lot.first_ms, lot.last_ms, utc_ms)
        try:
            with self.together("sealing"):
                segment, number = segments.insert(
                    self._db, self.epoch, stream, held, lambda place: pack(place, lot.payloads)
                )
                self._journal.remove(lot.ids)
                gone = self._make_room(number)
        except Unsealable as error:
            self._set_aside(stream, lot.ids, str(error))
            return None
        self._added(segment, gone)
        self._journal.forget(stream, lot.ids)
        return segment

    def _seal_at_once(
        self, stream: str, rows: Sequence[Row], pack: Pack, utc_ms: int | None
    ) -> tuple[Segment, int] | None:
        """Make a segment of rows of one lot that are in no journal; give also its id, None where they have to wait."""
        _check(stream)
        if self._journal.ids(stream):
            return None
        held = Held(
            sum(row.count for row in rows), min(row.first_ms for row in rows), max(row.last_ms for row in rows), utc_ms
        )
        payloads = [row.payload for row in rows]
        try:
            with self.together("sealing"):
                segment, number = segments.insert(
                    self._db, self.epoch, stream, held, lambda place: pack(place, payloads)
                )
                gone = self._make_room(number)
        except Unsealable:
            return None
        self._added(segment, gone)
        return segment, number

    def _added(self, segment: Segment, gone: Gone) -> None:
        self._ledger.lose(gone)
        self._ledger.add(segment.stream, Total(1, segment.count))

    def _set_aside(self, stream: str, ids: Sequence[int], why: str) -> None:
        with self.together("setting rows aside"):
            aside.move(self._db, ids, why)
        self._journal.forget(stream, ids)

    def _drop_damaged(self, damaged: Mapping[str, Sequence[int]]) -> bool:
        """Drop segments that the card has changed; tell whether that succeeded: on a card that refuses they stay."""
        gone = Gone()
        try:
            with self.together("dropping what is damaged"):
                for stream, ids in damaged.items():
                    gone.lose(stream, Total(len(ids), losses.record(self._db, ids, "damage", self._telling)))
        except StorageError:
            return False
        self._ledger.lose(gone)
        return True

    def _withdraw_rows(self, stream: str) -> Total:
        ids = self._journal.ids(stream)
        held = Total(len(ids), self._journal.readings_of(stream))
        mark = f"{_WITHDRAWN}{stream}"
        with self.together("withdrawing"):
            self._journal.remove(ids)
            aside.forget(self._db, stream)
            last = segments.last_sequence(self._db, stream)
            if last > int(self._marks.values.get(mark, 0)):
                self._marks.set({mark: last})
        self._journal.forget(stream, ids)
        return held

    def _forget_received(self, last_id: int) -> int:
        forgotten = 0
        while True:
            with self.together("deleting what was received"):
                some = retention.received_upto(self._db, last_id)
            if not some:
                return forgotten
            self._ledger.received -= some
            forgotten += some

    def _make_room(self, newest_id: int = 0) -> Gone:
        return quota.make_room(
            self._db,
            self._quota_pages,
            self._drop_first,
            newest_id=newest_id,
            ledger=self._ledger,
            closed=self._telling,
        )

    def _mark(self, stream: str, ranges: Sequence[tuple[int, int]], *, received: bool) -> Total:
        bounded = [(first, min(last, _SEQUENCE_MAX)) for first, last in ranges if first <= last]
        with self.together("noting a receipt"):
            return segments.mark(self._db, stream, bounded, received=received)


def _check(stream: str) -> None:
    if _NAME.fullmatch(stream) is None:
        raise ValueError(f"{stream!r}: no name of a stream: at most 32 of a-z, 0-9, '.' and '-'")
