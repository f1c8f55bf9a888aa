"""A gateway reduced to its way out: a real outbox, real sealing and signing, the uplink, and receipts verified.

It stands in for the agent where only the way from a sealed segment to the centre's receipt matters. Readings are made
up, one tick at a time; the outbox has a thread of its own, as in the agent.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from buffer.outbox import Outbox, Place, Row, Segment, Stats
from config.channel import Channel, Quantity
from drivers.reading import Reading
from gateway.clock import SystemClock
from gateway.uplink.settings import Inbound, UplinkSettings
from gateway.uplink.worker import Uplink
from gateway.wire import cose
from gateway.wire.errors import WireError
from gateway.wire.keys import KeySet, load_signing_key
from gateway.wire.messages import Answer, Birth, ClockRecord, Heartbeat, Receipt, Resend, TimeReply, TimeRequest
from gateway.wire.packing import CONTENT, pack
from gateway.wire.record import Recorder
from gateway.wire.schema import Schema
from hil_tests.bench.pki import GatewayKeys, SiteKeys

CHANNELS = tuple(
    Channel(f"meter.{name}", "meter", "meter", quantity, unit)
    for name, quantity, unit in (
        ("east", Quantity.ACTIVE_ENERGY_IMPORT, "Wh"),
        ("sinsts", Quantity.APPARENT_POWER_IMPORT, "VA"),
    )
)
STREAM = "fine"

T = TypeVar("T")


def uplink_settings(keys: SiteKeys, gateway: GatewayKeys, port: int, **other: object) -> UplinkSettings:
    """Settings for the bench: the broker on the loopback, quick reconnects; `other` overrides settings."""
    figures: dict[str, object] = {"reconnect_min_s": 0.05, "reconnect_max_s": 0.2, "resend_after_s": 5.0, **other}
    return UplinkSettings(
        host="127.0.0.1",
        port=port,
        ca_file=keys.ca,
        cert_file=gateway.tls.cert,
        key_file=gateway.tls.key,
        gateway=gateway.name,
        **figures,  # type: ignore[arg-type]  # each is what its field wants
    )


class Sender:
    """One gateway's outbox and uplink; `async with Sender(...) as sender:` runs both."""

    def __init__(
        self,
        keys: GatewayKeys,
        settings: UplinkSettings,
        database: Path,
        *,
        clock: SystemClock | None = None,
        kept: str | None = None,
    ) -> None:
        self.values: list[int] = []
        self.heard: list[object] = []
        self.headers: list[cose.Header] = []
        self.birth_count = 0
        self._gateway = keys.name
        self._signing = load_signing_key(keys.signing_key)
        self._centre = KeySet.load(keys.centre_keys).with_role("receipt")
        self._settings = settings
        self._database = database
        self._clock = clock or SystemClock()
        self.boot_nonce = secrets.token_bytes(16)
        self._session = secrets.token_bytes(8)
        self._numbers: dict[str, int] = {}
        self._schema = Schema.of(CHANNELS)
        self._recorder = Recorder(self._schema, self._clock.boot_id)
        self._thread = ThreadPoolExecutor(1, "outbox")
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticked_ms = self._clock.boot_ms()
        self.uplink = Uplink(settings, self, self._heard, self._birth, self._clock, taken=self._taken, kept=kept)

    async def __aenter__(self) -> Self:
        self._outbox = await self._run(partial(Outbox.open, self._database, quota_pages=4_096))
        if not await self._run(partial(self._outbox.pending, limit=1)):
            await self._run(partial(self._outbox.add, "schema", count=0, first_ms=0, last_ms=0, pack=self._seal_schema))
        self._start(self.uplink.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._run(self._outbox.close)
        self._thread.shutdown()

    @property
    def epoch(self) -> bytes:
        """The outbox's epoch."""
        return self._outbox.epoch

    async def pending(self, *, limit: int, after: Mapping[str, int], order: Sequence[str]) -> Sequence[Segment]:
        """Serve the uplink, over the hop to the outbox's thread."""
        return await self._run(partial(self._outbox.pending, limit=limit, after=after, order=order))

    async def seal(self, segments: int = 1, *, ticks: int = 3) -> list[Segment]:
        """Read, commit and seal so many segments of so many ticks each, and tell the uplink."""
        sealed = []
        for _ in range(segments):
            for _ in range(ticks):
                self._ticked_ms += 1_400
                value = len(self.values)
                self.values.append(value)
                self._recorder.add([Reading(channel, value, self._ticked_ms) for channel in CHANNELS])
            segment = await self._seal_now()
            if segment is not None:
                sealed.append(segment)
                self.uplink.wake(segment)
        return sealed

    async def add(self, stream: str, size: int, count: int = 1) -> list[Segment]:
        """Store so many messages of so many bytes that nothing can make smaller, numbered and chained; tell nobody."""

        def make(place: Place, _records: Sequence[bytes]) -> bytes:
            return self.seal_with(place, secrets.token_bytes(size), CONTENT, self._schema.id)

        return [
            await self._run(partial(self._outbox.add, stream, count=1, first_ms=0, last_ms=0, pack=make))
            for _ in range(count)
        ]

    async def tell_time(self) -> None:
        """Tell what time it is, as a gateway does that knows it: the centre can place what was read."""
        moment = (self._clock.boot_ms(), time.time_ns() // 1_000_000)
        record = ClockRecord(self._clock.boot_id, *moment, 20, "kernel")
        add = partial(self._outbox.add, "clock", count=0, first_ms=0, last_ms=0)
        segment = await self._run(
            partial(add, pack=lambda place, _: self.seal_with(place, record.encode(), ClockRecord.CONTENT, None))
        )
        self.uplink.wake(segment)

    async def stats(self) -> Stats:
        """Say what the outbox holds."""
        return await self._run(self._outbox.stats)

    async def done(self, timeout_s: float = 20.0) -> None:
        """Wait until everything sealed has its receipt; raise TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while (await self.stats()).segments_pending:
                await asyncio.sleep(0.02)

    def sign(self, stream: str, content: str, payload: bytes) -> bytes:
        """Sign singly, counted in memory as `state` and `evt` are."""
        self._numbers[stream] = number = self._numbers.get(stream, 0) + 1
        header = cose.Header(self._signing.key_id, content, self._gateway, stream, self._session, number)
        return cose.sign(header, payload, self._signing.private)

    def answer(self, command_id: str, state: str) -> asyncio.Future[bool]:
        """Publish an answer to a command; the only one of its chain."""
        answer = Answer(command_id, state, None, self._clock.boot_ms(), None, {})
        header = cose.Header(
            self._signing.key_id, Answer.CONTENT, self._gateway, "ack", secrets.token_bytes(8), 1, cose.FIRST_PREVIOUS
        )
        return self.uplink.publish("ack", cose.sign(header, answer.encode(), self._signing.private))

    def ask_time(self) -> bytes:
        """Ask the centre for the time and give the nonce."""
        nonce = secrets.token_bytes(16)
        message = self.sign("evt", TimeRequest.CONTENT, TimeRequest(nonce).encode())
        self.uplink.publish("evt/time", message, qos=0, expiry_s=10)
        return nonce

    def seal_with(self, place: Place, payload: bytes, content: str, schema: bytes | None) -> bytes:
        """Sign what stands at a place of a stream."""
        header = cose.Header(
            key_id=self._signing.key_id,
            content=content,
            gateway=self._gateway,
            stream=place.stream,
            epoch=place.epoch,
            sequence=place.sequence,
            previous=place.previous,
            schema=schema,
        )
        return cose.sign(header, payload, self._signing.private)

    async def _seal_now(self) -> Segment | None:
        record = self._recorder.take()
        if record is None:
            return None
        self._recorder.restart()
        row = Row(STREAM, record.lot, record.first_ms, record.last_ms, record.count, record.payload)
        await self._run(partial(self._outbox.commit, [row]))
        return await self._run(partial(self._outbox.seal, STREAM, self._seal_segment))

    def _seal_segment(self, place: Place, records: Sequence[bytes]) -> bytes:
        return self.seal_with(place, pack(records), CONTENT, self._schema.id)

    def _seal_schema(self, place: Place, _records: Sequence[bytes]) -> bytes:
        return self.seal_with(place, self._schema.encode(), Schema.CONTENT, self._schema.id)

    def _birth(self) -> bytes:
        self.birth_count += 1
        birth = Birth("0.1.0", self._clock.boot_id, self.boot_nonce, self._outbox.epoch, self._schema.id, "none")
        return self.sign("state", Birth.CONTENT, birth.encode())

    def _heard(self, inbound: Inbound) -> None:
        if inbound.kind != "receipt":
            self.heard.append(inbound)
            return
        try:
            verified = cose.verify(inbound.payload, self._centre)
        except WireError as error:
            self.heard.append(error)
            return
        self.headers.append(verified.header)
        said = {each.CONTENT: each for each in (Receipt, Resend, Heartbeat, TimeReply)}[verified.header.content]
        message = said.decode(verified.payload)
        self.heard.append(message)
        if isinstance(message, Receipt):
            self._start(self._book(message))
        elif isinstance(message, Heartbeat):
            self.uplink.heard()
        elif isinstance(message, Resend):
            self._start(self._again(message))

    def _taken(self, ranges: Mapping[str, Sequence[tuple[int, int]]]) -> None:
        self._start(self._settle(ranges))

    async def _settle(self, ranges: Mapping[str, Sequence[tuple[int, int]]]) -> None:
        for stream, done in ranges.items():
            await self._run(partial(self._outbox.received, self._outbox.epoch, stream, 0, done))
            self.uplink.settled(stream, done)

    async def _book(self, receipt: Receipt) -> None:
        await self._run(partial(self._outbox.received, receipt.epoch, receipt.stream, receipt.upto, receipt.ranges))
        self.uplink.received(receipt.stream, receipt.upto, receipt.ranges)

    async def _again(self, resend: Resend) -> None:
        await self._run(partial(self._outbox.resend, resend.epoch, resend.stream, resend.first, resend.last))
        self.uplink.again(resend.stream, resend.first, resend.last)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _start(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
