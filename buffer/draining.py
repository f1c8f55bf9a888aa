"""The outbox' far end: what waits for the other end, its receipts, what it asks for again, what it is told is lost."""

from collections.abc import Mapping, Sequence

from buffer import losses, segments
from buffer.core import SEQUENCE_MAX, Core, Pack
from buffer.errors import StorageError
from buffer.ledger import Gone
from buffer.losses import Dropped
from buffer.marks import WITHDRAWN
from buffer.segments import Held, Segment, Total

DROPPED = "dropped"
"""The stream of the reports of what was dropped."""

MOST_REPORTS = 64
"""Reports that may wait for their receipt; with so many under way, losses gather until some are delivered."""


class Draining(Core):
    """Gives segments, and takes note of what became of them."""

    ahead: frozenset[str] = frozenset()
    """Streams of which the other end has numbers that were never given here: this database is an older copy."""

    def last(self, stream: str) -> int:
        """Give the number that a stream has used last, 0 if none; from memory, so that any thread may ask."""
        return self._ledger.last.get(stream, 0)

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
        if max(upto, *(last for _, last in ranges), 0) > self.last(stream):
            self.ahead |= {stream}
        changed = self._mark(stream, [(1, upto), *ranges], received=True)
        self._ledger.take(stream, changed)
        self._ledger.received += changed.entries
        return changed.entries

    def resend(self, epoch: bytes, stream: str, first: int, last: int) -> int:
        """Make received segments pending again because the other end asks for them; give how many there still were.

        None of those that a withdrawal forbids to leave once more. What was told as dropped is `unreported` again: the
        other end has lost that word. Not while any report is on its way, which may be just that one.
        """
        if epoch != self.epoch:
            return 0
        last = min(last, SEQUENCE_MAX)
        leaves = max(first, int(self._marks.values.get(f"{WITHDRAWN}{stream}", 0)) + 1)
        again: list[int] = []
        with self.together("noting what is asked for again"):
            changed = self._mark(stream, [(leaves, last)], received=False)
            if DROPPED not in self._ledger.pending:
                again = losses.untell(self._db, stream, first, last, MOST_REPORTS)
        self._telling.update(again)
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

    def _mark(self, stream: str, ranges: Sequence[tuple[int, int]], *, received: bool) -> Total:
        bounded = [(first, min(last, SEQUENCE_MAX)) for first, last in ranges if first <= last]
        with self.together("noting a receipt"):
            return segments.mark(self._db, stream, bounded, received=received)
