"""What all parts of the outbox share: its database, what is known of it in memory, and how both stay in step."""

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence

from buffer import aside, quota, schema, segments
from buffer.database import Database
from buffer.errors import StorageError
from buffer.history import History
from buffer.journal import Journal
from buffer.ledger import Gone, Ledger
from buffer.marks import Marks
from buffer.segments import Place, Segment, Total

HISTORY_SHARE = 4
"""The history may take one part in so many of the quota; what is not yet delivered is worth more."""

SEQUENCE_MAX = (1 << 63) - 1

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,31}")

Pack = Callable[[Place, Sequence[bytes]], bytes]
"""Turns the payloads of one lot, in order, into the segment's blob.

Where it raises Unsealable the rows are set aside; whatever else it raises leaves them where they are.
"""


class Core:
    """The parts, and the transactions that keep them together."""

    def __init__(
        self, database: Database, *, quota_pages: int, drop_first: Sequence[str], aside: schema.Moved | None
    ) -> None:
        self._disk = database
        connection = database.connection
        self._quota_pages = quota_pages
        self._drop_first = tuple(drop_first)
        self.moved_aside = None if aside is None else aside.path
        self.rescued = aside is not None and aside.rescued
        self.lost_at_start = 0 if aside is None else aside.lost
        self.epoch: bytes = connection.execute("SELECT epoch FROM identity").fetchone()[0]
        self._marks = Marks(database)
        self._journal = Journal(database)
        self._ledger = Ledger(
            segments.totals(connection),
            segments.total(connection, received=True).entries,
            segments.last_sequences(connection),
        )
        self._telling: set[int] = set()
        self._last_commit_ms: int | None = None
        self.history = History(database, most_bytes=quota_pages * schema.PAGE_BYTES // HISTORY_SHARE)
        if self._journal.nameless:
            with contextlib.suppress(StorageError):  # they harm nothing where they are
                self._set_aside("", self._journal.nameless, "damaged on the card")

    @property
    def refusal(self) -> str | None:
        """Why nothing can be written yet: the card refused at the start, and `open_again` has not succeeded since."""
        return self._disk.refusal

    def open_again(self) -> None:
        """Open what the card refused at the start, all as it was known then; raise StorageError while it refuses.

        Raises StorageDamaged where what is there now can only be used by a new start.
        """
        self._disk.open_again(self.epoch)

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

    def _added(self, segment: Segment, gone: Gone) -> None:
        self._ledger.lose(gone)
        self._ledger.add(segment.stream, Total(1, segment.count))
        self._ledger.last[segment.stream] = segment.sequence

    def _make_room(self, newest_id: int = 0) -> Gone:
        return quota.make_room(
            self._db,
            self._quota_pages,
            self._drop_first,
            newest_id=newest_id,
            ledger=self._ledger,
            closed=self._telling,
        )

    def _set_aside(self, stream: str, ids: Sequence[int], why: str) -> None:
        with self.together("setting rows aside"):
            aside.move(self._db, ids, why)
        self._journal.forget(stream, ids)


def check_name(stream: str) -> None:
    """Raise ValueError for what is no name of a stream."""
    if _NAME.fullmatch(stream) is None:
        raise ValueError(f"{stream!r}: no name of a stream: at most 32 of a-z, 0-9, '.' and '-'")
