"""The uplink: keeps one connection to a broker and decides what goes over it, in the agent's loop.

Order on the wire: birth, then what is signed singly (answers, status), then alarms and records, then freshly sealed
segments, then the backlog. A segment that the broker acknowledged stays the outbox's until the centre's signed receipt,
which the app verifies and tells here. Nothing is published while disconnected. Sealing, verifying and the outbox itself
are left to others.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence

from gateway.clock import Clock
from gateway.uplink.allowance import Allowance
from gateway.uplink.backlog import Backlog
from gateway.uplink.brokers import Choice
from gateway.uplink.costs import Costs
from gateway.uplink.events import Acknowledged, Arrived, Outgoing, Unheard
from gateway.uplink.figures import Figures
from gateway.uplink.gathered import Gathered, Taken
from gateway.uplink.probe import looking
from gateway.uplink.progress import Progress
from gateway.uplink.sending import Sending
from gateway.uplink.session import Session
from gateway.uplink.settings import Identity, Inbound, LinkState, Sealed, Spool, UplinkSettings
from gateway.uplink.singles import Single, Singles
from gateway.uplink.tls import LinkError, RefusedError
from gateway.uplink.waits import Waits
from gateway.wire.messages import Birth

_SUBSCRIBED = ("cmd", "cfg", "receipt")
_LOOKS_EVERY_MS = 30_000
_BOOKED_AFTER_MS = 250
_METERED_PATIENCE = 10


class Uplink:
    """The way to the broker; `run` it once, everything else is called from the same loop.

    `birth` gives the signed birth at each connection; `on_message` takes what comes, unverified, and must return at
    once. `identity` chooses the certificate of each attempt; without one it is that of the settings. `taken` is called
    where the settings' `receipts` are the broker's. `kept` are the `books` of an earlier run.
    """

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        settings: UplinkSettings,
        spool: Spool,
        on_message: Callable[[Inbound], None],
        birth: Callable[[], bytes],
        clock: Clock,
        *,
        identity: Identity | None = None,
        taken: Taken | None = None,
        kept: str | None = None,
    ) -> None:
        now = clock.boot_ms()
        self._settings = settings
        self._identity = identity
        self._anew: str | None = None
        self._on_message = on_message
        self._birth = birth
        self._clock = clock
        patience = 1 if settings.metered_bytes is None else _METERED_PATIENCE  # repeats must not cost it its day
        self._progress = Progress(
            ahead=settings.ahead,
            resend_after_ms=round(settings.resend_after_s * 1_000 * patience),
            needs_word=settings.receipts == "signed",
        )
        self._singles = Singles()
        self._woken = asyncio.Event()
        self._backlog = Backlog(spool, self._progress, self._woken.set)
        self._figures = Figures(now)
        self._allowance = Allowance(settings.metered_bytes, clock, kept=kept)
        self._costs = Costs(clock, self._figures, self._allowance)
        self._taken = Gathered(taken if settings.receipts == "puback" else None)
        self._sending = Sending(
            settings,
            clock,
            progress=self._progress,
            singles=self._singles,
            backlog=self._backlog,
            figures=self._figures,
            allowance=self._allowance,
            taken=self._taken,
        )
        self._choice = Choice(settings, now)
        self._connected = False
        self._since_ms = now
        self._text = "not started"
        self._refused: str | None = None
        self._reconnects = 0
        self._waits = Waits(settings)

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connected

    @property
    def metered(self) -> bool:
        """Whether each byte counts: few large messages are cheaper than many small ones."""
        return self._settings.metered_bytes is not None

    @property
    def books(self) -> str | None:
        """What a metered link must remember over a restart; None where it is not metered."""
        return self._allowance.books if self.metered else None

    @property
    def state(self) -> LinkState:
        """The link as it is now."""
        self._costs.count()
        sending, broker = self._sending, self._choice.settings
        return LinkState(
            connected=self._connected,
            since_boot_ms=self._since_ms,
            text=self._text,
            refused_reason=sending.refused or self._refused,
            last_puback_boot_ms=sending.last_puback_ms,
            in_flight=sending.in_flight,
            unreceipted=self._progress.unreceipted,
            waiting=len(self._singles),
            sent=sending.sent,
            acked=sending.acked,
            failed=sending.failed,
            dropped=self._singles.dropped,
            reconnects=self._reconnects,
            broker=f"{broker.host}:{broker.port}",
            on_fallback=self._choice.on_fallback,
            puback_receipts=self._settings.receipts == "puback",
            quality=self._figures.quality(self._clock.boot_ms()),
            day=self._allowance.day(),
        )

    def publish(
        self, kind: str, payload: bytes, *, qos: int = 1, expiry_s: int | None = None, correlation: bytes | None = None
    ) -> asyncio.Future[bool]:
        """Queue a message signed singly (`ack`, `state`, `evt/time`, ...); it goes ahead of every segment.

        The future becomes True with the broker's acknowledgement (QoS 0: when sent), False where the message was given
        up: past its expiry, queue full, or QoS 0 without a connection. Nobody has to wait for it.
        """
        now = self._clock.boot_ms()
        expires = None if expiry_s is None else now + expiry_s * 1_000
        single = Single(kind, payload, qos, expires, correlation, asyncio.get_running_loop().create_future())
        self._singles.add(single, now, connected=self._connected)
        self._woken.set()
        return single.done

    def wake(self, segment: Sealed | None = None) -> None:
        """Say that something was sealed; a segment given here goes ahead of the backlog, without being read again."""
        self._backlog.sealed(segment if self._connected else None)
        self._woken.set()

    def received(self, stream: str, upto: int, ranges: Sequence[tuple[int, int]]) -> None:
        """Take a receipt that the app has verified and the outbox has booked."""
        self._progress.word(self._clock.boot_ms())
        self._progress.received(stream, upto, ranges)
        self._woken.set()

    def settled(self, stream: str, ranges: Sequence[tuple[int, int]]) -> None:
        """Take it that the outbox has booked what `taken` was told."""
        self._progress.settled(stream, ranges)
        self._woken.set()

    def forget(self, streams: Collection[str]) -> None:
        """Forget what is in memory of streams that may no longer leave; the spool gives no more of them."""
        self._backlog.forget(streams)
        self._woken.set()

    def heard(self) -> None:
        """Say that the centre has just proved to be there (a heartbeat that the app has verified).

        What the broker took while nobody was there to hear goes again at once.
        """
        self._progress.word(self._clock.boot_ms())
        if self._progress.heard():
            self._backlog.rewind()
            self._woken.set()

    def again(self, stream: str, first: int, last: int) -> None:
        """Send a range again: the centre has asked for it, the app has verified that and the outbox holds it."""
        self._progress.again(stream, first, last)
        self._backlog.rewind()
        self._woken.set()

    def reconnect(self, why: str) -> None:
        """End the present connection, if there is one, and make another at once: the certificate is another one."""
        if self._connected:
            self._anew = why
            self._woken.set()

    async def run(self) -> None:
        """Connect, serve, connect again, until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._waits.next_s())
                self._choice.next(self._clock.boot_ms())
                session = Session(self._choice.identified(self._identity), self._woken.set)
                failure: str | None = None
                try:
                    self._tell(f"connecting to {self._choice.where}")
                    self._costs.begin(session)
                    await session.open()
                    self._begin(session)
                    async with looking(self._settings, self._choice, self._costs.note, self.reconnect):
                        failure = await self._serve(session)
                    self._taken.hand_over()
                    if self._anew is not None:
                        self._tell(self._anew)
                        self._waits.wanted()
                        failure = None
                except LinkError as error:
                    failure = str(error)
                    self._waits.failed(self._costs.count(at_once=True).total)
                    if self._identity is not None:
                        self._identity.failed(failure, refused=isinstance(error, RefusedError))
                finally:
                    await self._end(session, failure)
                self._reconnects += 1
        finally:
            self._tell("stopped")

    def _begin(self, session: Session) -> None:
        self._connected = True
        self._anew = None
        self._waits.connected()
        if self._identity is not None:
            self._identity.taken()
        self._since_ms = now = self._clock.boot_ms()
        self._choice.connected(now)
        self._figures.connected(now)
        self._refused = None
        self._tell(f"connected to {self._choice.where}")
        self._sending.begin()
        session.subscribe(_SUBSCRIBED)
        self._sending.fly(session, Outgoing("state", self._birth(), content=Birth.CONTENT), None, now)
        self._sending.fly(session, Outgoing("conn", b"online"), None, now)
        self._backlog.rewind()

    async def _end(self, session: Session, failure: str | None) -> None:
        now = self._clock.boot_ms()
        if self._connected:
            self._connected = False
            self._since_ms = now
        if failure is not None:
            self._refused = failure
            self._tell(failure)
        self._choice.ended(now)
        self._figures.ended(now, failure)
        self._sending.ground()
        await session.close()
        self._costs.end()

    async def _serve(self, session: Session) -> str:
        """Do what is to be done until the connection ends; give the reason."""
        while True:
            self._woken.clear()
            ended = self._take(session) or self._anew
            if ended is not None:
                return ended
            now = self._clock.boot_ms()
            self._costs.count()
            self._sending.go(session, now)
            stuck_ms = self._sending.stuck_ms(now)
            if stuck_ms is not None and stuck_ms <= 0:
                return f"the broker has acknowledged nothing for {2 * self._settings.keepalive_s} s: connecting anew"
            await self._pause(now, stuck_ms)

    def _take(self, session: Session) -> str | None:
        for event in session.events():
            if isinstance(event, Acknowledged):
                self._sending.acknowledged(event)
            elif isinstance(event, Arrived):
                if event.message.kind in _SUBSCRIBED:
                    self._on_message(event.message)
                session.settle(event.mid)
            elif isinstance(event, Unheard):
                self._refused = f"the broker lets us hear no orders and receipts: {event.refusal}: see its access rules"
            else:
                return f"connection to {self._choice.where} ended: {event.reason}"
        return None

    async def _pause(self, now: int, stuck_ms: int | None) -> None:
        """Wait until something happens, or until the next thing that is due."""
        due = self._sending.due_ms(now)
        if stuck_ms is not None:
            due.append(stuck_ms)
        if self.metered:
            due.append(_LOOKS_EVERY_MS)
        if self._taken:
            due.append(_BOOKED_AFTER_MS)
        try:
            async with asyncio.timeout(min(due) / 1_000 if due else None):
                await self._woken.wait()
        except TimeoutError:
            self._taken.hand_over()

    def _tell(self, text: str) -> None:
        self._text = text
