"""The centre as a whole: what comes is judged, committed, receipted and decoded; commands, heartbeats and time go out.

It is the platform's reference: one class, one loop, one thread for the store. What it holds can be asked while it runs
and, through the same methods, after it has stopped.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Mapping
from dataclasses import replace
from typing import Self

from gateway.centre import decode, orders
from gateway.centre.counts import Counts
from gateway.centre.dispatch import Dispatch, ReceivedAnswer, now_utc_ms
from gateway.centre.duties import Duties
from gateway.centre.errors import CentreError, DispatchError
from gateway.centre.ingest import Taken
from gateway.centre.intake import Intake
from gateway.centre.judge import Genuine, Refusal
from gateway.centre.keeper import Keeper
from gateway.centre.keyring import Keyring
from gateway.centre.link import Delivered, Link, ToGateway
from gateway.centre.orders import Terms
from gateway.centre.settings import CentreSettings
from gateway.centre.signer import Signer
from gateway.centre.standing import Standing
from gateway.centre.store import Store
from gateway.centre.voice import Voice
from gateway.wire.errors import MalformedMessage
from gateway.wire.keys import load_signing_key
from gateway.wire.messages import Birth, Command, TimeRequest
from gateway.wire.packing import Table

log = logging.getLogger(__name__)

Handler = Callable[[Genuine], Awaitable[tuple[str, bytes] | None]]
"""Answers, with content and payload, what a gateway asks on `evt` and what is not kept; None: with nothing."""


class Centre:
    """One centre; `async with Centre(settings) as centre:` opens its store and runs it until the block ends.

    `handlers` answer further questions of gateways, by the content of the question; time is told without one.
    """

    def __init__(self, settings: CentreSettings, handlers: Mapping[str, Handler] | None = None) -> None:
        """Read the keys; raise KeyFileError."""
        self._settings = settings
        self._standing = Standing()
        self._keyring = Keyring(settings.gateway_keys)
        self._keeper = Keeper(settings.database, settings.name)
        self._signer = Signer(load_signing_key(settings.signing_key), settings.epoch, self._reserve)
        self._voice = Voice(self._signer, self._publish)
        self._dispatch = Dispatch(self._signer, self._keeper.do, self._publish, settings.database)
        self._duties = Duties(
            settings=settings,
            keeper=self._keeper,
            keyring=self._keyring,
            standing=self._standing,
            signer=self._signer,
            voice=self._voice,
            dispatch=self._dispatch,
        )
        self._intake = Intake(self._keeper, self._keyring, self._standing, self._settle, self._follow)
        self._handlers: dict[str, Handler] = {TimeRequest.CONTENT: self._time, **(handlers or {})}
        self._background: set[asyncio.Task[None]] = set()
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

    async def over(self) -> None:
        """Wait until it ends by itself, and raise why."""
        if self._running is not None:
            await asyncio.shield(self._running)

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the broker."""
        return self._duties.connected.is_set()

    @property
    def standing(self) -> Standing:
        """Where the centre stands: births, counts, why the store cannot be written, whether it is on duty."""
        return self._standing

    @property
    def troubles(self) -> list[str]:
        """What is wrong now, for people: the connection, the store, the gateways' keys."""
        link = None if self._link is None else self._link.trouble
        return [each for each in (link, self._standing.trouble, self._keyring.failure) if each is not None]

    @property
    def counts(self) -> Counts:
        """What has come, and what became of it."""
        return self._standing.counts

    @property
    def verified_readings(self) -> int:
        """How many readings have been verified, committed and decoded."""
        return self._standing.tallies.get("readings", 0)

    def birth(self, gateway: str) -> Birth | None:
        """Give the last birth of a gateway."""
        return self._standing.births.get(gateway)

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
        nonce = self._nonce(gateway) if bind_to_boot else None
        terms = Terms(target=target, priority=priority, expires_s=expires_s, boot_nonce=nonce)
        return await self.send(gateway, orders.shed(percent, duration_s, terms, start_utc_ms=start_utc_ms))

    async def cancel(
        self, gateway: str, command: str, *, target: str = "building", priority: int = 8, expires_s: int = 60
    ) -> str:
        """Take a command back and give the id of the order that does so; raise DispatchError."""
        terms = Terms(target=target, priority=priority, expires_s=expires_s)
        return await self.send(gateway, orders.cancel(command, terms))

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
        """Open the store and serve until cancelled; raise CentreError, or sqlite3.Error for a store that is damaged."""
        try:
            await self._keeper.open()
            self._keyring.not_below(await self._keeper.do(Store.key_set_revision))
            self._standing.tallies = await self._keeper.do(Store.tallies)
            births = await self._keeper.do(Store.births)
            for name, payload in births:
                # One of a version that this program does not read is told anew at the gateway's next connection.
                with contextlib.suppress(MalformedMessage):
                    self._standing.births[name] = Birth.decode(payload)
            await self._duties.begin()
            self._link = Link(self._settings, self._delivered, self._answered, self._duties.connected)
            self._link.start()
            self._ready.set()
            async with asyncio.TaskGroup() as group:
                for work in (
                    self._intake.commit,
                    self._intake.decode,
                    self._duties.send_receipts,
                    self._duties.beat,
                    self._duties.tick,
                ):
                    group.create_task(work(), name=f"centre-{work.__name__}")
        except BaseExceptionGroup as group_:
            # What an operator can mend is said as it is; a bug keeps all of its traces.
            if len(group_.exceptions) == 1 and isinstance(group_.exceptions[0], CentreError):
                raise group_.exceptions[0] from None
            raise
        finally:
            await self._close()

    async def _close(self) -> None:
        if self._link is not None:
            await self._duties.last_receipts()
            await self._link.stop()
            self._link = None
        for task in list(self._background):
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)
        await self._keeper.close()

    async def _reserve(self, gateway: str, stream: str, count: int) -> int:
        return await self._keeper.do(lambda store: store.reserve(self._settings.epoch, gateway, stream, count))

    def _publish(self, message: ToGateway) -> int | None:
        return None if self._link is None else self._link.publish(message)

    def _nonce(self, gateway: str) -> bytes:
        birth = self._standing.births.get(gateway)
        if birth is None:
            raise DispatchError(f"{gateway} has not shown its birth yet: nothing to bind the order to")
        return birth.boot_nonce

    def _delivered(self, delivered: Delivered) -> None:
        _, _, place = delivered.arrival.topic.partition("/evt/")
        if place and place != "alarm":
            self._settle(delivered)
            self._start(self._reply(delivered))
        elif delivered.arrival.topic.endswith("/conn"):
            self._settle(delivered)  # unsigned: a hint for people, never a fact
        else:
            self._intake.put(delivered)

    def _settle(self, delivered: Delivered) -> None:
        if self._link is not None:
            self._link.settle(delivered)

    async def _follow(self, taken: Taken) -> None:
        if taken.due:
            self._duties.receipt(taken.due)
        for gateway, birth in taken.births:
            self._standing.births[gateway] = birth
            self._start(self._duties.born(gateway, birth))
        if any(stream == "ack" for _, _, stream in taken.due):
            await self._dispatch.heard()

    async def _reply(self, delivered: Delivered) -> None:
        verdict = self._keyring.judge.judge(delivered.arrival.topic, delivered.arrival.payload)
        if isinstance(verdict, Refusal):
            self._intake.put(replace(delivered, mid=0))  # to be counted; acknowledged it is
            return
        handler = self._handlers.get(verdict.header.content)
        with contextlib.suppress(MalformedMessage):
            said = None if handler is None else await handler(verdict)
            if said is not None:
                await self._voice.reply(verdict.header.gateway, *said)

    async def _time(self, genuine: Genuine) -> None:
        asked = TimeRequest.decode(genuine.payload)
        await self._voice.time(genuine.header.gateway, asked.nonce, now_utc_ms)

    def _answered(self, mid: int, code: int) -> None:
        command = self._dispatch.published(mid, code)
        if command is not None:
            self._start(self._dispatch.found_nobody(command))

    def _start(self, work: Coroutine[object, object, None]) -> None:
        async def guarded() -> None:
            try:
                await work
            except CentreError as error:
                log.warning("%s", error)

        task = asyncio.ensure_future(guarded())
        self._background.add(task)
        task.add_done_callback(self._background.discard)
