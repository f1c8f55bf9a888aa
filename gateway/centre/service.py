"""The centre as a whole: what comes is judged, committed, receipted and decoded; commands, heartbeats and time go out.

It is the platform's reference: one class, one loop, one thread for the store. What it holds can be asked while it runs
and, through the same methods, after it has stopped.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Self, TypeVar

from gateway.centre import decode
from gateway.centre.counts import Counts
from gateway.centre.dispatch import Dispatch, DispatchError, ReceivedAnswer, new_id, now_utc_ms
from gateway.centre.ingest import Taken, take
from gateway.centre.judge import Judge, Refusal
from gateway.centre.link import Delivered, Link, ToGateway
from gateway.centre.receipts import Holes, receipt
from gateway.centre.settings import CentreSettings
from gateway.centre.signer import Signer
from gateway.centre.store import Store, StreamKey
from gateway.centre.voice import Voice
from gateway.wire.errors import MalformedMessage
from gateway.wire.keys import KeySet, load_signing_key
from gateway.wire.messages import Birth, Command, Receipt, Resend, TimeRequest
from gateway.wire.packing import CONTENT as SEGMENT
from gateway.wire.packing import Table

_BATCH = 200
_TICK_S = 1.0

T = TypeVar("T")


class Centre:
    """One centre; `async with Centre(settings) as centre:` opens its store and runs it until the block ends."""

    def __init__(self, settings: CentreSettings) -> None:
        """Read the keys; raise KeyFileError."""
        self._settings = settings
        self._judge = Judge(KeySet.load(settings.gateway_keys))
        self._signer = Signer(load_signing_key(settings.signing_key), settings.epoch, self._reserve)
        self._voice = Voice(self._signer, self._publish)
        self._dispatch = Dispatch(self._signer, self._on_store, self._publish, settings.database)
        self._holes = Holes(round(settings.gap_after_s * 1_000))
        self._births: dict[str, Birth] = {}
        self._tallies: dict[str, int] = {}
        self._gaps = self._undecoded = 0
        self._due: set[StreamKey] = set()
        self._receipts_due = asyncio.Event()
        self._decode_due = asyncio.Event()
        self._arrived: asyncio.Queue[Delivered] = asyncio.Queue()
        self._background: set[asyncio.Task[None]] = set()
        self._store: Store | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._link: Link | None = None
        self._ready = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.run(), name="centre")
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({self._running, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._running.done():
            self._running.result()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
            if not self._running.cancelled():
                self._running.result()

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the broker."""
        return self._link is not None and self._link.connected.is_set()

    @property
    def counts(self) -> Counts:
        """What has come, and what became of it."""
        return Counts.of(self._tallies, gaps=self._gaps, undecoded=self._undecoded)

    @property
    def verified_readings(self) -> int:
        """How many readings have been verified, committed and decoded."""
        return self._tallies.get("readings", 0)

    def birth(self, gateway: str) -> Birth | None:
        """Give the last birth of a gateway."""
        return self._births.get(gateway)

    def segments(self, gateway: str) -> Iterator[decode.Decoded]:
        """Give every verified segment of a gateway, decoded, in the order of their sequence."""
        return decode.segments(self._settings.database, gateway)

    def readings(self, gateway: str, group: str) -> Iterator[Table]:
        """Give the verified readings of one group, a table a segment, in the order of their sequence."""
        return decode.tables(self._settings.database, gateway, group)

    async def shed(  # noqa: PLR0913 - what an order may say, each with its default
        self,
        gateway: str,
        percent: int,
        duration_s: int,
        *,
        target: str = "building",
        start_utc_ms: int | None = None,
        priority: int = 8,
        expires_s: int = 60,
        bind_to_boot: bool = False,
    ) -> str:
        """Order a shed and give the command's id; raise DispatchError.

        `bind_to_boot` puts the nonce of the gateway's present boot in, for one whose clock is not trusted.
        """
        now = now_utc_ms()
        return await self.send(
            gateway,
            Command(
                id=new_id(),
                operation="shed",
                target=target,
                magnitude_percent=percent,
                start_utc_ms=start_utc_ms,
                duration_s=duration_s,
                priority=priority,
                issued_utc_ms=now,
                expires_utc_ms=now + expires_s * 1_000,
                boot_nonce=self._nonce(gateway) if bind_to_boot else None,
            ),
        )

    async def cancel(
        self, gateway: str, command: str, *, target: str = "building", priority: int = 8, expires_s: int = 60
    ) -> str:
        """Take a command back and give the id of the order that does so; raise DispatchError."""
        now = now_utc_ms()
        return await self.send(
            gateway,
            Command(
                id=new_id(),
                operation="cancel",
                target=target,
                magnitude_percent=0,
                start_utc_ms=None,
                duration_s=0,
                priority=priority,
                issued_utc_ms=now,
                expires_utc_ms=now + expires_s * 1_000,
                refers_to=command,
            ),
        )

    async def send(self, gateway: str, command: Command) -> str:
        """Send any command and give its id; raise DispatchError."""
        return await self._dispatch.send(gateway, command)

    def answers(self, command: str) -> list[ReceivedAnswer]:
        """Give every answer to a command so far, with the time of its arrival."""
        return self._dispatch.answers(command)

    def undelivered(self, command: str) -> bool:
        """Whether a command is known to have died in the broker without an answer."""
        return self._dispatch.undelivered(command)

    async def answered(self, command: str, states: str | Collection[str], timeout_s: float) -> ReceivedAnswer:
        """Wait for the first answer in one of these states; raise TimeoutError."""
        return await self._dispatch.answered(command, {states} if isinstance(states, str) else states, timeout_s)

    async def run(self) -> None:
        """Open the store and serve until cancelled; raise sqlite3.Error for a store that cannot be used."""
        self._thread = ThreadPoolExecutor(1, "centre-store")
        loop = asyncio.get_running_loop()
        try:
            self._store = await loop.run_in_executor(self._thread, Store.open, self._settings.database)
            self._tallies = await self._on_store(Store.tallies)
            self._births = {name: Birth.decode(payload) for name, payload in await self._on_store(Store.births)}
            self._decode_due.set()
            self._link = Link(self._settings, self._delivered, self._answered)
            self._link.start()
            self._ready.set()
            async with asyncio.TaskGroup() as group:
                for work in (self._ingest, self._send_receipts, self._decode, self._beat, self._tick):
                    group.create_task(work(), name=f"centre-{work.__name__.strip('_')}")
        finally:
            await self._close(self._thread)

    async def _close(self, thread: ThreadPoolExecutor) -> None:
        if self._link is not None:
            await self._link.stop()
            self._link = None
        for task in list(self._background):
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)
        if self._store is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._store.close)
            self._store = None
        thread.shutdown()

    def _on_store(self, work: Callable[[Store], T]) -> Awaitable[T]:
        if self._store is None or self._thread is None:
            raise DispatchError("the centre is not running: start it first")
        return asyncio.get_running_loop().run_in_executor(self._thread, work, self._store)

    async def _reserve(self, gateway: str, stream: str, count: int) -> int:
        return await self._on_store(lambda store: store.reserve(self._settings.epoch, gateway, stream, count))

    def _publish(self, message: ToGateway) -> int | None:
        return None if self._link is None else self._link.publish(message)

    def _nonce(self, gateway: str) -> bytes:
        birth = self._births.get(gateway)
        if birth is None:
            raise DispatchError(f"{gateway} has not shown its birth yet: nothing to bind the order to")
        return birth.boot_nonce

    # What comes

    def _delivered(self, delivered: Delivered) -> None:
        if delivered.arrival.topic.endswith("/evt/time"):
            self._settle(delivered)
            self._start(self._reply_time(delivered))
        elif delivered.arrival.topic.endswith("/conn"):
            self._settle(delivered)  # unsigned: a hint for people, never a fact
        else:
            self._arrived.put_nowait(delivered)

    def _settle(self, delivered: Delivered) -> None:
        if self._link is not None:
            self._link.settle(delivered)

    async def _ingest(self) -> None:
        while True:
            batch = [await self._arrived.get()]
            while not self._arrived.empty() and len(batch) < _BATCH:
                batch.append(self._arrived.get_nowait())
            arrivals = [delivered.arrival for delivered in batch]
            taken = await self._on_store(partial(take, judge=self._judge, batch=arrivals))
            for delivered in batch:
                self._settle(delivered)
            await self._follow(taken)

    async def _follow(self, taken: Taken) -> None:
        if taken.due:
            self._due |= taken.due
            self._receipts_due.set()
            self._decode_due.set()
        for gateway, birth in taken.births:
            self._births[gateway] = birth
            self._start(self._voice.heartbeat(gateway, birth))
        self._tallies = await self._on_store(Store.tallies)
        if any(stream == "ack" for _, _, stream in taken.due):
            await self._dispatch.heard()

    async def _decode(self) -> None:
        while True:
            await self._decode_due.wait()
            self._decode_due.clear()
            while await self._on_store(decode.count):
                self._tallies = await self._on_store(Store.tallies)
            self._tallies = await self._on_store(Store.tallies)
            self._undecoded = await self._on_store(_undecoded)

    # What goes

    async def _send_receipts(self) -> None:
        while True:
            await self._receipts_due.wait()
            await asyncio.sleep(self._settings.receipt_after_s)
            self._receipts_due.clear()
            due, self._due = self._due, set()
            self._due |= await self._voice.receipts(await self._on_store(partial(_receipts, due=due)))
            if self._due and self._link is not None:
                await self._link.connected.wait()
                self._receipts_due.set()

    async def _reply_time(self, delivered: Delivered) -> None:
        verdict = self._judge.judge(delivered.arrival.topic, delivered.arrival.payload)
        if isinstance(verdict, Refusal):
            self._arrived.put_nowait(replace(delivered, mid=0))  # to be counted; acknowledged it is
            return
        try:
            asked = TimeRequest.decode(verdict.payload)
        except MalformedMessage:
            return
        await self._voice.time(verdict.header.gateway, asked.nonce, now_utc_ms)

    async def _beat(self) -> None:
        while True:
            for gateway, birth in list(self._births.items()):
                if self.connected:
                    await self._voice.heartbeat(gateway, birth)
                    await asyncio.sleep(0)
            await asyncio.sleep(self._settings.heartbeat_s)

    async def _tick(self) -> None:
        while True:
            now_ms = time.monotonic_ns() // 1_000_000
            wanted = await self._on_store(partial(_wanted, holes=self._holes, now_ms=now_ms))
            self._gaps = await self._on_store(_missing)
            for (gateway, _, _), resend in wanted:
                await self._voice.resend(gateway, resend)
            await self._dispatch.watch()
            await asyncio.sleep(_TICK_S)

    def _answered(self, mid: int, code: int) -> None:
        command = self._dispatch.published(mid, code)
        if command is not None:
            self._start(self._dispatch.found_nobody(command))

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _receipts(store: Store, due: Iterable[StreamKey]) -> list[tuple[StreamKey, Receipt]]:
    return [(key, receipt(key, store.coverage(key))) for key in due]


def _wanted(store: Store, holes: Holes, now_ms: int) -> list[tuple[StreamKey, Resend]]:
    return list(holes.due(store.streams(), now_ms))


def _missing(store: Store) -> int:
    return sum(last - first + 1 for _, coverage in store.streams() for first, last in coverage.gaps())


def _undecoded(store: Store) -> int:
    return store.undecoded_count(SEGMENT)
