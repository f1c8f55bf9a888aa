"""The work of sealing: what was read is committed, and becomes segments, on time.

Every `journal_s` the records of all tiers are committed, at once when something urgent was read and at each quarter of
an hour; when a tier is due (`cadence`) its rows become segments, each packed and signed once. What is read while
nothing of its stream waits becomes a segment in the commit itself, which also books the receipts that came meanwhile.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from buffer.errors import StorageDamaged, StorageError, Unsealable
from buffer.outbox import Outbox, Pack, Place, Row, Segment, Stats
from gateway.clock import Clock
from gateway.outgoing import COARSE, FINE, Outgoing
from gateway.outgoing.outgoing import Taken
from gateway.outgoing.scope import tier_of
from gateway.sealing.cadence import Cadence
from gateway.sealing.receipts import Noted, Receipts, enter
from gateway.sealing.records import Records
from gateway.sealing.signer import Signer
from gateway.sealing.store import Store
from gateway.sealing.trouble import Trouble
from gateway.sealing.unsaved import Unsaved
from gateway.wire import packing

log = logging.getLogger(__name__)

STORED_MARK = "readings_stored"

SETTLED_S = 4.0


class Sealing:
    """Commits records and seals segments, on time; see the module for the roles of its arguments.

    `marks()` gives what drivers need at the next start (taken in the same breath as the records, so that a pulse is
    never in one and not in the other), `seal_s()` the present length of a segment; `linked()` says whether the broker
    is reached; `sealed` is given each segment, `alarm` what people should know.
    """

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        store: Store,
        signer: Signer,
        clock: Clock,
        outgoing: Outgoing,
        *,
        marks: Callable[[], Mapping[str, int | str]],
        journal_s: float,
        seal_s: Callable[[], float],
        linked: Callable[[], bool],
        sealed: Callable[[Segment], None],
        alarm: Callable[[str, str], None],
    ) -> None:
        self._store = store
        self._outbox = store.outbox
        self._signer = signer
        self._clock = clock
        self._outgoing = outgoing
        self._marks = marks
        self._linked = linked
        self._sealed = sealed
        self._alarm = alarm
        self._cadence = Cadence(clock, outgoing.quarters, journal_s=journal_s, seal_s=seal_s, linked=linked)
        self._records = Records(store, signer, clock, outgoing, sealed=sealed)
        self.receipts = Receipts(store, clock.boot_ms)
        self._wake = asyncio.Event()
        self._unsaved = Unsaved()
        self._owed: set[str] = set()
        self._withdrawn: dict[str, None] = {}
        self._newer_marks: dict[str, int | str] = {}
        self._begun = self._ended = 0
        self._round = asyncio.Condition()
        self._aside = store.last.aside_rows
        self._trouble = Trouble(alarm)
        self.rounds = 0
        """How often the work came to its end, also where the disk refused: it goes on as long as this grows."""
        self.last_commit_ms: int | None = None
        """Boot time of the newest Reading that is on the disk."""
        self.unsealed_since_ms: int | None = None
        """Boot time of the oldest Reading of this process on the disk that, of the fine tier, is in no segment yet."""
        known = store.outbox.marks().get(STORED_MARK)
        self.readings_stored = known if isinstance(known, int) else 0
        """Values of every tier put on the disk since its database was made."""
        self.sealed_bytes = 0
        self.sealed_readings = 0
        """What this process has sealed: how much room a reading takes, for an estimate of what is left."""

    @property
    def failure(self) -> str | None:
        """What is wrong with the disk now."""
        return self._trouble.failure

    @property
    def given_up(self) -> int:
        """Readings that were lost because the disk refused them for longer than memory could hold them."""
        return self._unsaved.given_up

    def urgent(self) -> None:
        """Ask for a commit now."""
        self._wake.set()

    def clock_anew(self) -> None:
        """Keep a clock record now: a centre that begins anew has none of this boot, and places nothing of it."""
        self._records.clock_is_owed = True
        self._wake.set()

    def withdraw(self, streams: Iterable[str], marks: Mapping[str, int | str]) -> None:
        """Take out what is not delivered of streams that may no longer leave, and note the `marks` that say so.

        What is in memory goes at once, what is on the disk with the next commit, again and again until it is gone.
        """
        streams = tuple(streams)
        self._unsaved.withdraw(streams)
        self._withdrawn.update(dict.fromkeys(streams))
        self._newer_marks.update(marks)
        self._wake.set()

    @property
    def withdrawing(self) -> bool:
        """Whether something that may no longer leave is still on the disk, or a word of it not yet."""
        return bool(self._withdrawn or self._newer_marks)

    async def settled(self) -> None:
        """Wait until a whole round of the work has passed; for some seconds only, where the disk hangs."""
        wanted = self._begun + 1
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLED_S), self._round:
                await self._round.wait_for(lambda: self._ended >= wanted)

    async def run(self) -> None:
        """Commit and seal until cancelled; raise StorageDamaged where only a new start helps."""
        # What an earlier process left is sealed first, so that nothing waits for an hour to end.
        await self._whole_flush(seal=True, coarse=True)
        while True:
            pause_ms = self._cadence.pause_ms(self._outgoing.index_due_ms)
            try:
                async with asyncio.timeout(pause_ms / 1000):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            await self._whole_flush(seal=self._cadence.fine_is_due(), coarse=self.coarse_is_due())

    async def stats(self) -> Stats:
        """Say what the outbox holds; receipts that waited are booked first."""
        try:
            await self.receipts.book()
        except StorageError as error:
            log.debug("receipts cannot be booked: %s", error)
        return await self._store.stats()

    def coarse_is_due(self) -> bool:
        """Whether it is time to seal minutes and indexes."""
        return self._cadence.coarse_is_due()

    async def end(self) -> None:
        """Commit all there is, the minutes that run included: the process ends."""
        self._outgoing.end()
        await self.flush(seal=False)
        await self.stats()

    async def _whole_flush(self, *, seal: bool, coarse: bool) -> None:
        """Flush, and if cancelled in its midst end it first: what the disk has must not be taken for unsaved."""
        flushing = asyncio.ensure_future(self.flush(seal=seal, coarse=coarse))
        try:
            await asyncio.shield(flushing)
        except asyncio.CancelledError:
            await asyncio.wait((flushing,))
            raise

    async def flush(self, *, seal: bool, coarse: bool = False) -> None:
        """Commit what was read up to now, and seal what is told to be; a disk that refuses keeps it in memory."""
        self._begun += 1
        number = self._begun
        self._cadence.sealed(fine=seal, coarse=coarse)
        self._owed.update([FINE] if seal else [], COARSE if coarse else [])
        # A seal that the disk refused is owed, and made below: what was recorded since must then stand alone too.
        taken = self._outgoing.take(seal=FINE in self._owed, coarse=not self._owed.isdisjoint(COARSE))
        if taken:
            self._unsaved.add(map(_row, taken), self._marks())
        try:
            await self._take_out()
            await self._records.schemas()
            await self._commit()
            self._trouble.old(self._outbox.ahead)
            await self._follow()
        except StorageDamaged:
            raise
        except StorageError as error:
            self._trouble.refused(str(error))
        else:
            self._trouble.worked()
        self.rounds += 1
        async with self._round:
            self._ended = number
            self._round.notify_all()

    async def _take_out(self) -> None:
        """Take out what may no longer leave, before anything else: it makes room as well."""
        if self._newer_marks:
            newer = dict(self._newer_marks)
            await self._store.call(self._outbox.commit, [], newer)
            self._newer_marks = {name: value for name, value in self._newer_marks.items() if newer.get(name) != value}
        for stream in list(self._withdrawn):
            await self._store.call(self._outbox.withdraw, stream)
            self._records.forget(stream)
            self._withdrawn.pop(stream, None)

    async def _commit(self) -> None:
        rows, marks = self._unsaved.all()
        noted = self.receipts.take() if self.receipts.due else {}
        if not rows and not noted:
            return
        at_once = {row.stream: self._pack for row in rows if tier_of(row.stream) in self._owed}
        stored = self.readings_stored + sum(row.count for row in rows)
        marks = {**marks, STORED_MARK: stored} if rows else {}
        try:
            found = await self._store.call(
                _commit, self._outbox, noted, rows, marks, seal=at_once, utc_ms=self._records.utc_ms()
            )
        except BaseException:
            self.receipts.put_back(noted)
            raise
        # Nothing was added meanwhile: rows are added here alone.
        self._unsaved.clear()
        self.readings_stored = stored
        fine = [row for row in rows if tier_of(row.stream) == FINE]
        if fine:
            self.last_commit_ms = fine[-1].last_ms
            if self.unsealed_since_ms is None:
                self.unsealed_since_ms = fine[0].first_ms
        for segment in found:
            self._tell(segment)

    async def _follow(self) -> None:
        """Do what is owed and due once the rows are on the disk: clock records, seals, reports."""
        if self._owed or self._records.clock_is_owed:
            await self._records.clock()
        for tier in sorted(self._owed):
            await self._seal(tier)
            self._owed.discard(tier)
            await self._tell_aside()
        if self._linked():
            await self._records.dropped()

    async def _tell_aside(self) -> None:
        """Tell people of rows that no segment can be made of; they are set aside, and what comes is sealed."""
        stats = await self._store.call(self._outbox.stats)
        more, self._aside = stats.aside_rows - self._aside, stats.aside_rows
        if more > 0:
            self._alarm(
                "storage",
                f"{more} rows of readings cannot be sealed and are set aside in the outbox: see its table aside",
            )

    async def _seal(self, tier: str) -> None:
        """Seal the rows of a tier, those included that an earlier process left."""
        for stream in await self._store.call(self._outbox.waiting):
            while tier_of(stream) == tier and self._outgoing.permits(stream):
                segment = await self._store.call(self._outbox.seal, stream, self._pack, utc_ms=self._records.utc_ms())
                if segment is None:
                    break
                self._tell(segment)
        if tier == FINE:
            self.unsealed_since_ms = None

    def _tell(self, segment: Segment) -> None:
        self.sealed_bytes += len(segment.blob)
        self.sealed_readings += segment.count
        # Its consent may have ended meanwhile: then it is taken out with the next commit.
        if self._outgoing.permits(segment.stream):
            self._sealed(segment)

    def _pack(self, place: Place, records: Sequence[bytes]) -> bytes:
        # What an earlier boot left is sealed under its own boot id and schema.
        try:
            origin = packing.origin(records[0])
            payload = packing.pack(records)
        except ValueError as error:
            raise Unsealable(f"{place.stream}: {error}") from error
        return self._signer.sign(place, packing.CONTENT, payload, origin.schema_id)


def _commit(  # noqa: PLR0913 - all of one transaction
    outbox: Outbox,
    noted: Mapping[str, Noted],
    rows: Sequence[Row],
    marks: Mapping[str, int | str],
    *,
    seal: Mapping[str, Pack],
    utc_ms: int | None,
) -> list[Segment]:
    """Commit rows and book receipts, on the outbox's thread, in one transaction."""
    with outbox.together("committing"):
        enter(outbox, noted)
        return outbox.commit(rows, marks, seal=seal, utc_ms=utc_ms)


def _row(taken: Taken) -> Row:
    record = taken.record
    return Row(taken.stream, record.lot, record.first_ms, record.last_ms, record.count, record.payload)
