"""What leaves the outbox on purpose: what a consent no longer lets out, what is old, what is no longer wanted here."""

from collections.abc import Collection

from buffer import aside, retention, segments
from buffer.core import SEQUENCE_MAX, Core
from buffer.marks import WITHDRAWN
from buffer.segments import Total
from buffer.stats import Removed


class Forgetting(Core):
    """Deletes, and records what was never delivered."""

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
        return self._forget_received(last, retention.SPARED) if last else 0

    def purge(self) -> int:
        """Delete every received segment; give how many. Schemas and clock records stay: what is pending needs them."""
        return self._forget_received(SEQUENCE_MAX, retention.PURGE_SPARED)

    def _withdraw_rows(self, stream: str) -> Total:
        ids = self._journal.ids(stream)
        held = Total(len(ids), self._journal.readings_of(stream))
        mark = f"{WITHDRAWN}{stream}"
        with self.together("withdrawing"):
            self._journal.remove(ids)
            aside.forget(self._db, stream)
            last = segments.last_sequence(self._db, stream)
            if last > int(self._marks.values.get(mark, 0)):
                self._marks.set({mark: last})
        self._journal.forget(stream, ids)
        return held

    def _forget_received(self, last_id: int, spare: Collection[str]) -> int:
        forgotten = 0
        while True:
            with self.together("deleting what was received"):
                some = retention.received_upto(self._db, last_id, spare)
            if not some:
                return forgotten
            self._ledger.received -= some
            forgotten += some
