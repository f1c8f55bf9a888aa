"""What is kept beside readings, each in a chained stream of its own: schemas, the clock, what was dropped."""

from collections.abc import Callable

from buffer.outbox import Dropped as Range
from buffer.outbox import Outbox, Pack, Segment
from gateway.clock import Clock, Correlation, utc_ms_at
from gateway.outgoing import Outgoing, Scope
from gateway.outgoing.scope import SCHEMA
from gateway.sealing.signer import Signer
from gateway.sealing.store import Store
from gateway.wire.messages import ClockRecord, Dropped
from gateway.wire.schema import Schema

CLOCK = "clock"

CLOCK_RECORD_EVERY_MS = 3_600_000


class Records:
    """Signs and stores them; `sealed` is given each. Every method may raise StorageError, and is then called again."""

    def __init__(
        self, store: Store, signer: Signer, clock: Clock, outgoing: Outgoing, *, sealed: Callable[[Segment], None]
    ) -> None:
        self._store = store
        self._outbox: Outbox = store.outbox
        self._signer = signer
        self._clock = clock
        self._outgoing = outgoing
        self._sealed = sealed
        self._announced: dict[str, bytes] = {}
        self._recorded: Correlation | None = None
        self.clock_is_owed = False
        """Whether `clock` has something to keep now, whatever it kept last."""

    async def schemas(self) -> None:
        """Put the schema of each open scope in its stream, once, if the last one there is another, or none is left."""
        for scope, schema in list(self._outgoing.schemas()):
            stream = scope.stream(SCHEMA)
            if self._announced.get(stream) != schema.id:
                await self._announce(stream, scope, schema)

    async def clock(self) -> None:
        """Keep a signed word of what the clock was, when it becomes known, when its source changes, and each hour."""
        correlation, last = self._clock.correlation(), None if self.clock_is_owed else self._recorded
        if correlation is None or (
            last is not None
            and last.source == correlation.source
            and correlation.boot_ms - last.boot_ms < CLOCK_RECORD_EVERY_MS
        ):
            return
        payload = ClockRecord(
            boot_id=correlation.boot_id,
            boot_ms=correlation.boot_ms,
            utc_ms=correlation.utc_ms,
            uncertainty_ms=correlation.uncertainty_ms,
            source=correlation.source,
        ).encode()
        segment = await self._store.call(
            self._outbox.add,
            CLOCK,
            count=0,
            first_ms=correlation.boot_ms,
            last_ms=correlation.boot_ms,
            pack=self._signed(ClockRecord.CONTENT, payload),
            utc_ms=self.utc_ms(),
        )
        self._recorded = correlation
        self.clock_is_owed = False
        self._sealed(segment)

    async def dropped(self) -> None:
        """Tell the centre what will never come."""
        for range_ in await self._store.call(self._outbox.unreported):
            pack = self._signed(Dropped.CONTENT, _dropped(self._outbox.epoch, range_).encode())
            self._sealed(await self._store.call(self._outbox.report, range_, pack, utc_ms=self.utc_ms()))

    def forget(self, stream: str) -> None:
        """Note that a stream of schemas was withdrawn: the next one is announced anew."""
        self._announced.pop(stream, None)

    def utc_ms(self) -> int | None:
        """Give the time of now, where anyone but a meter knows it."""
        return utc_ms_at(self._clock, self._clock.boot_ms())

    def _signed(self, content: str, payload: bytes, schema: bytes | None = None) -> Pack:
        return lambda place, _: self._signer.sign(place, content, payload, schema)

    async def _announce(self, stream: str, scope: Scope, schema: Schema) -> None:
        known = schema.id.hex()
        # One that a damaged card or a full one has taken is said again: nothing of its stream could be read for ever.
        is_there = (await self._store.call(self._outbox.marks)).get(stream) == known
        if not (is_there and await self._store.call(self._outbox.holds_last, stream)):
            now = self._clock.boot_ms()
            segment = await self._store.call(
                self._outbox.add,
                stream,
                count=0,
                first_ms=now,
                last_ms=now,
                pack=self._signed(Schema.CONTENT, schema.encode(), schema.id),
                utc_ms=self.utc_ms(),
            )
            await self._store.call(self._outbox.commit, [], {stream: known})
            if self._outgoing.permits(scope.stream(SCHEMA)):
                self._sealed(segment)
        self._announced[stream] = schema.id


def _dropped(epoch: bytes, range_: Range) -> Dropped:
    return Dropped(
        epoch=epoch,
        stream=range_.stream,
        first=range_.first_sequence,
        last=range_.last_sequence,
        count=range_.count,
        first_ms=range_.first_ms,
        last_ms=range_.last_ms,
        last_digest=range_.last_digest,
        reason=range_.reason,
    )
