"""The work of sealing: what was read is committed, and becomes segments, on time.

Every `journal_s` a record is committed; every `seal_s` the journal's rows become one segment, packed and signed once.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from buffer.errors import StorageError
from buffer.outbox import Place, Row, Segment
from gateway.clock import Clock, Correlation
from gateway.sealing.signer import Signer
from gateway.sealing.store import Store
from gateway.sealing.unsaved import Unsaved
from gateway.wire import packing
from gateway.wire.messages import ClockRecord
from gateway.wire.record import Record
from gateway.wire.schema import Schema

log = logging.getLogger(__name__)

FINE, SCHEMA, CLOCK = "fine", "schema", "clock"

STORED_MARK = "readings_stored"

CLOCK_RECORD_EVERY_MS = 3_600_000


class Sealing:
    """Commits records and seals segments, on time; see the module for the roles of its arguments.

    `take(restart)` gives the record made since the last call, `marks()` what drivers need at the next start (taken in
    the same breath, so that a pulse is never in one and not in the other), `seal_s()` the present length of a segment;
    `sealed` is given each.
    """

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        store: Store,
        signer: Signer,
        schema: Schema,
        clock: Clock,
        *,
        take: Callable[[bool], Record | None],
        marks: Callable[[], Mapping[str, int | str]],
        journal_s: float,
        seal_s: Callable[[], float],
        sealed: Callable[[Segment], None],
    ) -> None:
        self._store = store
        self._signer = signer
        self._schema = schema
        self._clock = clock
        self._take = take
        self._marks = marks
        self._journal_ms = int(journal_s * 1000)
        self._seal_s = seal_s
        self._sealed = sealed
        self._wake = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._unsaved = Unsaved()
        self._last_seal_ms = clock.boot_ms()
        self._is_announced = False
        self._seal_owed = False
        self._recorded: Correlation | None = None
        self.failure: str | None = None
        self.rounds = 0
        """How often the work came to its end, also where the disk refused: it goes on as long as this grows."""
        self.last_commit_ms: int | None = None
        """Boot time of the newest Reading that is on the disk."""
        self.unsealed_since_ms: int | None = None
        """Boot time of the oldest Reading of this process that is on the disk and in no segment yet."""
        known = store.outbox.marks().get(STORED_MARK)
        self.readings_stored = known if isinstance(known, int) else 0
        """Readings put on the disk since its database was made."""
        self.sealed_bytes = 0
        self.sealed_readings = 0
        """What this process has sealed: how much room a reading takes, for an estimate of what is left."""

    @property
    def given_up(self) -> int:
        """Readings that were lost because the disk refused them for longer than memory could hold them."""
        return self._unsaved.given_up

    def urgent(self) -> None:
        """Ask for a commit now."""
        self._wake.set()

    async def run(self) -> None:
        """Commit and seal until cancelled."""
        await self._whole_flush(seal=False)
        while True:
            due_ms = min(self._journal_ms, max(0, self._seal_due_ms() - self._clock.boot_ms()))
            try:
                async with asyncio.timeout(due_ms / 1000):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            await self._whole_flush(seal=self._clock.boot_ms() >= self._seal_due_ms())

    async def _whole_flush(self, *, seal: bool) -> None:
        """Flush, and if cancelled in its midst end it first: what the disk has must not be taken for unsaved."""
        flushing = asyncio.ensure_future(self.flush(seal=seal))
        try:
            await asyncio.shield(flushing)
        except asyncio.CancelledError:
            await asyncio.wait((flushing,))
            raise

    async def flush(self, *, seal: bool) -> None:
        """Commit what was read up to now, and seal it if told to; a disk that refuses keeps it in memory."""
        # A seal that the disk refused is owed, and made below: what was recorded since must then stand alone too.
        record = self._take(seal or self._seal_owed)
        if record is not None:
            row = Row(FINE, record.lot, record.first_ms, record.last_ms, record.count, record.payload)
            self._unsaved.add(row, self._marks())
        if seal:
            self._last_seal_ms = self._clock.boot_ms()
            self._seal_owed = True
        try:
            await self._commit()
            await self._announce_schema()
            if self._seal_owed:
                await self._seal()
                self._seal_owed = False
        except StorageError as error:
            if self.failure is None:
                log.warning("storage: %s", error)
            self.failure = str(error)
        else:
            if self.failure is not None:
                log.warning("storage: works again")
            self.failure = None
        self.rounds += 1

    def _seal_due_ms(self) -> int:
        return self._last_seal_ms + int(self._seal_s() * 1000)

    async def _commit(self) -> None:
        rows, marks = self._unsaved.all()
        if not rows:
            return
        stored = self.readings_stored + sum(row.count for row in rows)
        await self._store.call(self._store.outbox.commit, rows, {**marks, STORED_MARK: stored})
        # Nothing was added meanwhile: records are added under the lock alone.
        self._unsaved.clear()
        self.last_commit_ms = rows[-1].last_ms
        self.readings_stored = stored
        if self.unsealed_since_ms is None:
            self.unsealed_since_ms = rows[0].first_ms

    async def _seal(self) -> None:
        await self._record_clock(self._clock.correlation())
        while (segment := await self._store.call(self._store.outbox.seal, FINE, self._pack)) is not None:
            self.sealed_bytes += len(segment.blob)
            self.sealed_readings += segment.count
            self._sealed(segment)
        self.unsealed_since_ms = None

    def _pack(self, place: Place, records: Sequence[bytes]) -> bytes:
        # What an earlier boot left is sealed under its own boot id and schema.
        origin = packing.origin(records[0])
        return self._signer.sign(place, packing.CONTENT, packing.pack(records), origin.schema_id)

    async def _record_clock(self, correlation: Correlation | None) -> None:
        """Keep a signed word of what the clock was, when it becomes known, when its source changes, and each hour."""
        last = self._recorded
        if correlation is None or (
            last is not None
            and last.source == correlation.source
            and correlation.boot_ms - last.boot_ms < CLOCK_RECORD_EVERY_MS
        ):
            return
        payload = _clock_record(correlation).encode()
        segment = await self._store.call(
            self._store.outbox.add,
            CLOCK,
            count=0,
            first_ms=correlation.boot_ms,
            last_ms=correlation.boot_ms,
            pack=lambda place, _: self._signer.sign(place, ClockRecord.CONTENT, payload),
        )
        self._recorded = correlation
        self._sealed(segment)

    async def _announce_schema(self) -> None:
        """Put the schema in its stream, once, if the last one there is another."""
        if self._is_announced:
            return
        mark = "schema"
        outbox, known = self._store.outbox, self._schema.id.hex()
        if (await self._store.call(outbox.marks)).get(mark) != known:
            now = self._clock.boot_ms()
            payload = self._schema.encode()
            await self._store.call(
                outbox.add,
                SCHEMA,
                count=0,
                first_ms=now,
                last_ms=now,
                pack=lambda place, _: self._signer.sign(place, Schema.CONTENT, payload, self._schema.id),
            )
            await self._store.call(outbox.commit, [], {mark: known})
        self._is_announced = True


def _clock_record(correlation: Correlation) -> ClockRecord:
    return ClockRecord(
        boot_id=correlation.boot_id,
        boot_ms=correlation.boot_ms,
        utc_ms=correlation.utc_ms,
        uncertainty_ms=correlation.uncertainty_ms,
        source=correlation.source,
    )
