"""The uplink: keeps one connection to the broker and decides what goes over it, in the agent's loop.

Order on the wire: birth, then what is signed singly (answers, alarms, status), then freshly sealed segments, then the
backlog. At most `window` messages are unacknowledged, a few places of which segments never take. A segment that the
broker acknowledged stays the outbox's until the centre's signed receipt, which the app verifies and tells here. Nothing
is published while disconnected. Sealing, verifying and the outbox itself are left to others.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.clock import Clock
from gateway.uplink.backlog import Backlog
from gateway.uplink.progress import Progress
from gateway.uplink.session import Acknowledged, Arrived, Outgoing, Session
from gateway.uplink.settings import Identity, Inbound, LinkState, Sealed, Spool, UplinkSettings
from gateway.uplink.singles import Single, Singles
from gateway.uplink.tls import LinkError

_SUBSCRIBED = ("cmd", "cfg", "receipt")
_RESERVE = 5
_REFUSED_MIN_MS, _REFUSED_MAX_MS = 500, 60_000


@dataclass(frozen=True, slots=True)
class _Flight:
    """One unacknowledged PUBLISH: a segment (stream and sequence) or a single."""

    since_ms: int
    segment: tuple[str, int] | None
    single: Single | None


class _Pause:
    """Back-off after a refusal by the broker; a burst of refusals counts once."""

    def __init__(self) -> None:
        self.until_ms = 0
        self._delay_ms = 0

    def refused(self, now_ms: int) -> None:
        if now_ms >= self.until_ms:
            self._delay_ms = min(max(self._delay_ms * 2, _REFUSED_MIN_MS), _REFUSED_MAX_MS)
            self.until_ms = now_ms + self._delay_ms

    def taken(self, now_ms: int) -> bool:
        """Note an acceptance; True where it ends a back-off."""
        ends = self._delay_ms > 0 and now_ms >= self.until_ms
        if ends:
            self._delay_ms = 0
        return ends


class Uplink:
    """The way to the broker; `run` it once, everything else is called from the same loop.

    `birth` gives the signed birth at each connection; `on_message` takes what comes, unverified, and must return at
    once. `identity` chooses the certificate of each attempt; without one it is that of the settings.
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
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._anew: str | None = None
        self._on_message = on_message
        self._birth = birth
        self._clock = clock
        self._progress = Progress(ahead=settings.ahead, resend_after_ms=round(settings.resend_after_s * 1_000))
        self._singles = Singles()
        self._flights: dict[int, _Flight] = {}
        self._segments_paused = _Pause()
        self._singles_paused = _Pause()
        self._woken = asyncio.Event()
        self._backlog = Backlog(spool, self._progress, self._woken.set)
        self._connected = False
        self._since_ms = clock.boot_ms()
        self._text = "not started"
        self._refused: str | None = None
        self._last_puback_ms: int | None = None
        self._sent = self._acked = self._failed = self._reconnects = 0
        self._random = secrets.SystemRandom()

    @property
    def state(self) -> LinkState:
        """The link as it is now."""
        return LinkState(
            connected=self._connected,
            since_boot_ms=self._since_ms,
            text=self._text,
            refused_reason=self._refused,
            last_puback_boot_ms=self._last_puback_ms,
            in_flight=len(self._flights),
            unreceipted=self._progress.unreceipted,
            waiting=len(self._singles),
            sent=self._sent,
            acked=self._acked,
            failed=self._failed,
            dropped=self._singles.dropped,
            reconnects=self._reconnects,
        )

    def publish(
        self, kind: str, payload: bytes, *, qos: int = 1, expiry_s: int | None = None, correlation: bytes | None = None
    ) -> asyncio.Future[bool]:
        """Queue a message signed singly (`ack`, `state`, `evt/alarm`, ...); it goes ahead of every segment.

        The future becomes True with the broker's acknowledgement (QoS 0: when sent), False where the message was given
        up: past its expiry, queue full, or QoS 0 without a connection. Nobody has to wait for it.
        """
        now = self._clock.boot_ms()
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        expires = None if expiry_s is None else now + expiry_s * 1_000
        single = Single(kind, payload, qos, expires, correlation, done)
        if qos == 0 and not self._connected:
            single.give_up()
        else:
            self._singles.add(single, now)
            self._woken.set()
        return done

    def wake(self, segment: Sealed | None = None) -> None:
        """Say that something was sealed; a segment given here goes ahead of the backlog, without being read again."""
        self._backlog.sealed(segment if self._connected else None)
        self._woken.set()

    def received(self, stream: str, upto: int, ranges: Sequence[tuple[int, int]]) -> None:
        """Take a receipt that the app has verified and the outbox has booked."""
        self._progress.received(stream, upto, ranges)
        self._woken.set()

    def heard(self) -> None:
        """Say that the centre has just proved to be there (a heartbeat that the app has verified).

        What the broker took while nobody was there to hear goes again at once.
        """
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
        settings = self._settings
        # The first attempt comes soon, the later ones spread: a broker that returns must not meet its fleet at once.
        low, high = 0.0, settings.reconnect_min_s
        try:
            while True:
                await asyncio.sleep(self._random.uniform(low, high))
                low, high = settings.reconnect_min_s, settings.reconnect_max_s
                session = Session(self._identified(), self._woken.set)
                try:
                    self._tell(f"connecting to {settings.host}:{settings.port}")
                    await session.open()
                    self._begin(session)
                    self._refuse(await self._serve(session))
                    if self._anew is not None:
                        low, high, self._anew = 0.0, settings.reconnect_min_s, None
                except LinkError as error:
                    self._refuse(str(error))
                    if self._identity is not None:
                        self._identity.failed(str(error))
                finally:
                    await self._end(session)
                self._reconnects += 1
        finally:
            self._tell("stopped")

    def _identified(self) -> UplinkSettings:
        """Give the settings with the certificate that is to be shown now."""
        if self._identity is None:
            return self._settings
        certificate, key = self._identity.pair()
        return replace(self._settings, cert_file=certificate, key_file=key)

    def _begin(self, session: Session) -> None:
        self._connected = True
        self._anew = None
        if self._identity is not None:
            self._identity.taken()
        self._since_ms = self._clock.boot_ms()
        self._refused = None
        self._tell(f"connected to {self._settings.host}:{self._settings.port}")
        session.subscribe(_SUBSCRIBED)
        self._fly(session, Outgoing("state", self._birth()), None, self._since_ms)
        self._fly(session, Outgoing("conn", b"online"), None, self._since_ms)
        self._backlog.rewind()

    async def _end(self, session: Session) -> None:
        if self._connected:
            self._connected = False
            self._since_ms = self._clock.boot_ms()
        self._ground()
        self._backlog.stop()
        await session.close()

    async def _serve(self, session: Session) -> str:
        """Do what is to be done until the connection ends; give the reason."""
        while True:
            self._woken.clear()
            ended = self._take(session) or self._anew
            if ended is not None:
                return ended
            now = self._clock.boot_ms()
            if self._progress.overdue(now, {flight.segment for flight in self._flights.values() if flight.segment}):
                self._backlog.rewind()
            self._send_singles(session, now)
            self._send_segments(session, now)
            self._backlog.read_on()
            stuck_ms = self._stuck_ms(now)
            if stuck_ms <= 0:
                return f"the broker has acknowledged nothing for {2 * self._settings.keepalive_s} s: connecting anew"
            await self._pause(now, stuck_ms)

    def _take(self, session: Session) -> str | None:
        for event in session.events():
            if isinstance(event, Acknowledged):
                self._acknowledged(event)
            elif isinstance(event, Arrived):
                if event.message.kind in _SUBSCRIBED:
                    self._on_message(event.message)
                session.settle(event.mid)
            else:
                return f"connection to {self._settings.host}:{self._settings.port} ended: {event.reason}"
        return None

    def _acknowledged(self, event: Acknowledged) -> None:
        flight = self._flights.pop(event.mid, None)
        if flight is None:
            return
        now = self._clock.boot_ms()
        pause = self._singles_paused if flight.single else self._segments_paused
        if event.refusal is None:
            self._acked += 1
            self._last_puback_ms = now
            if pause.taken(now):
                self._refused = None
            if flight.single:
                flight.single.arrived()
            elif flight.segment and event.nobody:
                self._progress.unheard(*flight.segment)
            return
        self._failed += 1
        pause.refused(now)
        self._refused = (
            f"the broker refuses what we publish: {event.refusal}: check its access rules and quotas; nothing is lost"
        )
        if flight.single:
            self._singles.put_back(flight.single)
        elif flight.segment:
            self._progress.failed(*flight.segment)
            self._backlog.rewind()

    def _send_singles(self, session: Session, now: int) -> None:
        if now < self._singles_paused.until_ms:
            return
        while len(self._flights) < self._window(session):
            single = self._singles.take(now)
            if single is None:
                return
            expiry_s = None if single.expires_boot_ms is None else max(1, (single.expires_boot_ms - now) // 1_000)
            message = Outgoing(single.kind, single.payload, single.qos, expiry_s, single.correlation)
            self._fly(session, message, single, now)

    def _send_segments(self, session: Session, now: int) -> None:
        if now < self._segments_paused.until_ms:
            return
        window = self._window(session)
        window -= min(_RESERVE, window // 5)
        while len(self._flights) < window and self._progress.room:
            segment = self._backlog.next()
            if segment is None:
                return
            self._progress.sent(segment.stream, segment.sequence, now)
            place = (segment.stream, segment.sequence)
            self._fly(session, Outgoing(f"tele/{segment.stream}", segment.blob), place, now)

    def _fly(self, session: Session, message: Outgoing, what: Single | tuple[str, int] | None, now: int) -> None:
        mid = session.publish(message)
        self._sent += 1
        single = what if isinstance(what, Single) else None
        if mid is not None:
            self._flights[mid] = _Flight(now, what if isinstance(what, tuple) else None, single)
        elif single is not None:
            single.give_up()

    def _ground(self) -> None:
        """Let whatever was in flight go again, in order: the line fell."""
        for flight in self._flights.values():
            if flight.segment:
                self._progress.failed(*flight.segment)
            elif flight.single and flight.single.qos == 0:
                flight.single.give_up()
            elif flight.single:
                self._singles.put_back(flight.single)
        self._flights.clear()

    def _window(self, session: Session) -> int:
        return min(self._settings.window, session.receive_maximum)

    def _stuck_ms(self, now: int) -> int:
        """How long the oldest PUBLISH may still wait for its PUBACK; paho repeats none while the connection stands."""
        oldest = next(iter(self._flights.values()), None)
        return 2 * self._settings.keepalive_s * 1_000 - (0 if oldest is None else now - oldest.since_ms)

    async def _pause(self, now: int, stuck_ms: int) -> None:
        """Wait until something happens, or until the next thing that is due."""
        due = [stuck_ms] if self._flights else []
        overdue = self._progress.next_overdue_ms()
        if overdue is not None:
            due.append(max(overdue - now, 1_000))  # what is late and still in flight must not make the loop spin
        due += [pause.until_ms - now for pause in (self._segments_paused, self._singles_paused) if pause.until_ms > now]
        try:
            async with asyncio.timeout(min(due) / 1_000 if due else None):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _refuse(self, text: str) -> None:
        self._refused = text
        self._tell(text)

    def _tell(self, text: str) -> None:
        self._text = text
