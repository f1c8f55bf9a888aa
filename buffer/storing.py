"""The outbox' near end: rows and marks go in, and are sealed once into segments."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from buffer import segments
from buffer.core import Core, Pack, check_name
from buffer.errors import Unsealable
from buffer.journal import Lot, Row
from buffer.marks import Carrier
from buffer.segments import Held, Segment


class Storing(Core):
    """Takes rows, and makes segments of them."""

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

    def marks(self) -> dict[str, int | str]:
        """Give every mark as last committed."""
        return self._marks.shown()

    def waiting(self) -> tuple[str, ...]:
        """Give the streams of which rows wait to be sealed, also those that an earlier configuration had."""
        return self._journal.streams()

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
        check_name(stream)
        held = Held(count, first_ms, last_ms, utc_ms)
        with self.together("storing a record"):
            segment, number = segments.insert(self._db, self.epoch, stream, held, lambda place: pack(place, ()))
            gone = self._make_room(number)
        self._added(segment, gone)
        return segment

    def _append(self, rows: Sequence[Row]) -> int:
        """Put rows into the journal; give the id of the last."""
        for stream in {row.stream for row in rows}:
            check_name(stream)
        entries = self._journal.append(rows)
        gone = self._make_room()
        self._ledger.lose(gone)
        self._journal.follow(entries)
        return entries[-1].number if entries else 0

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
        check_name(stream)
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
