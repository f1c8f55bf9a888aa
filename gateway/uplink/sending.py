"""What goes over a connection and in which order, what is under way, and what becomes of it.

First what is signed singly, then segments in the order of `backlog`. At most `window` messages are unacknowledged, a
few places of which segments never take, and no more bytes of segments than pass in a moment (`pacing`). A segment that
the broker took stays the outbox's until its receipt. What the broker refuses waits, stream by stream, so that a stream
that it does not let through holds no other back.
"""

from dataclasses import dataclass

from gateway.clock import Clock
from gateway.uplink import streams
from gateway.uplink.allowance import Allowance
from gateway.uplink.backlog import Backlog
from gateway.uplink.events import Acknowledged, Outgoing
from gateway.uplink.figures import Figures
from gateway.uplink.gathered import Gathered, Place
from gateway.uplink.pacing import Flow, Pause
from gateway.uplink.progress import Progress
from gateway.uplink.session import Session
from gateway.uplink.settings import Sealed, UplinkSettings
from gateway.uplink.singles import Single, Singles
from gateway.wire import cose
from gateway.wire.errors import WireError

_RESERVE = 5
_URGENT_AHEAD_PARTS = 5
_HEADER_BYTES = 256
"""More than topic and properties of a PUBLISH ever take."""

_ANSWERS = "ack"
_SINGLES = ""
"""Where a refused message signed singly is noted, beside the streams."""


@dataclass(frozen=True, slots=True)
class _Flight:
    """One unacknowledged PUBLISH: a segment or a single, and its bytes."""

    since_ms: int
    segment: Place | None
    single: Single | None
    size: int


class Sending:
    """Sends over one connection after another: `begin` with each, `go` when something has changed, `ground` at its end.

    `taken` gathers the segments that the broker took and had somebody to give to.
    """

    def __init__(  # noqa: PLR0913 - it joins these
        self,
        settings: UplinkSettings,
        clock: Clock,
        *,
        progress: Progress,
        singles: Singles,
        backlog: Backlog,
        figures: Figures,
        allowance: Allowance,
        taken: Gathered,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._progress = progress
        self._singles = singles
        self._backlog = backlog
        self._figures = figures
        self._allowance = allowance
        self._taken = taken
        self._flights: dict[int, _Flight] = {}
        self._flow = Flow()
        self._pauses: dict[str, Pause] = {}
        self._refusing: set[str] = set()
        self.refused: str | None = None
        """What the broker refuses at present, and why."""
        self.last_puback_ms: int | None = None
        self.sent = self.acked = self.failed = 0

    @property
    def in_flight(self) -> int:
        """Messages without an acknowledgement."""
        return len(self._flights)

    def begin(self) -> None:
        """Begin with a new connection: how wide it is, and what it lets through, is to be found out."""
        self._flow = Flow()
        self._pauses.clear()
        self._refusing.clear()
        self.refused = None

    def go(self, session: Session, now: int) -> None:
        """Send what may go now."""
        if self._progress.overdue(now, {flight.segment for flight in self._flights.values() if flight.segment}):
            self._backlog.rewind()
        self._backlog.leave_out([name for name, pause in self._pauses.items() if pause.until_ms > now])
        self._send_singles(session, now)
        self._send_segments(session, now)
        self._backlog.read_on()

    def fly(self, session: Session, message: Outgoing, what: Single | Place | None, now: int) -> None:
        """Publish a message that is `what`."""
        mid = session.publish(message)
        self.sent += 1
        single = what if isinstance(what, Single) else None
        if mid is not None:
            place = what if isinstance(what, tuple) else None
            self._flights[mid] = _Flight(now, place, single, len(message.payload))
        elif single is not None:
            single.give_up()

    def acknowledged(self, event: Acknowledged) -> None:
        """Take the broker's word on a message."""
        flight = self._flights.pop(event.mid, None)
        if flight is None:
            return
        now = self._clock.boot_ms()
        trip = now - flight.since_ms
        self._flow.acknowledged(flight.size if flight.segment else 0, trip, now)
        if event.refusal is not None:
            self._refused(flight, event.refusal, now)
            return
        self.acked += 1
        self.last_puback_ms = now
        self._figures.trip(now, trip)
        self._accepted(_SINGLES if flight.segment is None else flight.segment[0], now)
        if flight.segment and event.nobody:
            self._progress.unheard(*flight.segment)
        elif flight.segment:
            self._taken.add(flight.segment)
        if flight.single:
            flight.single.arrived()
            if flight.single.kind == _ANSWERS and not event.nobody and self._taken.is_wanted:
                self._taken.add((_ANSWERS, cose.peek(flight.single.payload).sequence))

    def ground(self) -> None:
        """Let whatever was in flight go again, in order: the line fell."""
        for flight in self._flights.values():
            if flight.segment:
                self._progress.failed(*flight.segment)
            elif flight.single and flight.single.qos == 0:
                flight.single.give_up()
            elif flight.single:
                self._singles.put_back(flight.single)
        self._flights.clear()
        self._backlog.stop()
        self.refused = None  # what ended the connection is the news now

    def stuck_ms(self, now: int) -> int | None:
        """How long the oldest PUBLISH may still wait for its PUBACK; paho repeats none while the connection stands."""
        oldest = next(iter(self._flights.values()), None)
        return None if oldest is None else 2 * self._settings.keepalive_s * 1_000 - (now - oldest.since_ms)

    def due_ms(self, now: int) -> list[int]:
        """Give in how many milliseconds there may be something to do although nothing has happened."""
        due = [pause.until_ms - now for pause in self._pauses.values() if pause.until_ms > now]
        overdue = self._progress.next_overdue_ms()
        if overdue is not None:
            due.append(max(overdue - now, 1_000))  # what is late and still in flight must not make the loop spin
        return due

    def _send_singles(self, session: Session, now: int) -> None:
        if self._is_paused(_SINGLES, now):
            return
        while len(self._flights) < self._window(session):
            single = self._singles.take(now)
            if single is None:
                return
            expiry_s = None if single.expires_boot_ms is None else max(1, (single.expires_boot_ms - now) // 1_000)
            content = _content(single.payload)
            message = Outgoing(single.kind, single.payload, single.qos, expiry_s, single.correlation, content)
            self.fly(session, message, single, now)

    def _send_segments(self, session: Session, now: int) -> None:
        window = self._window(session)
        reserve = min(_RESERVE, window // 5)

        def ready(segment: Sealed) -> bool:
            is_urgent = streams.is_urgent(segment.stream)
            ahead = self._settings.ahead // _URGENT_AHEAD_PARTS if is_urgent else 0
            kept_free = reserve // 2 if is_urgent else reserve
            return (
                len(self._flights) < window - kept_free
                and self._progress.has_room(ahead)
                and (segment.stream == streams.ALARM or self._flow.takes(len(segment.blob)))
            )

        while (segment := self._backlog.next(ready, held=self._allowance.held)) is not None:
            place = (segment.stream, segment.sequence)
            self._progress.sent(*place, now)
            if not self._fits(session, segment):
                continue
            self._flow.sent(len(segment.blob))
            self._allowance.segment(len(segment.blob))
            content = _content(segment.blob)
            self.fly(session, Outgoing(streams.kind(segment.stream), segment.blob, content=content), place, now)

    def _fits(self, session: Session, segment: Sealed) -> bool:
        """Whether the broker takes messages of that size; one that is too large would end the connection, each time.

        It counts as sent, so that it is tried again as rarely as what finds no centre.
        """
        most, size = session.packet_maximum, len(segment.blob) + _HEADER_BYTES
        if most is None or size <= most:
            return True
        self.refused = (
            f"segment {segment.sequence} of {segment.stream!r} has {size} bytes, the broker takes {most}: raise its "
            "limit (mosquitto: max_packet_size); the segment stays here"
        )
        return False

    def _refused(self, flight: _Flight, refusal: str, now: int) -> None:
        self.failed += 1
        stream = _SINGLES if flight.segment is None else flight.segment[0]
        self._pauses.setdefault(stream, Pause()).refused(now)
        self._refusing.add(stream)
        what = f" of stream {stream!r}" if stream else ""
        self.refused = (
            f"the broker refuses what we publish{what}: {refusal}: check its access rules and quotas; nothing is lost"
        )
        if flight.single:
            self._singles.put_back(flight.single)
        elif flight.segment:
            self._progress.failed(*flight.segment)
            self._backlog.rewind()

    def _accepted(self, stream: str, now: int) -> None:
        pause = self._pauses.get(stream)
        if pause is not None and pause.taken(now):
            self._refusing.discard(stream)
            if not self._refusing:
                self.refused = None

    def _is_paused(self, stream: str, now: int) -> bool:
        pause = self._pauses.get(stream)
        return pause is not None and now < pause.until_ms

    def _window(self, session: Session) -> int:
        return min(self._settings.window, session.receive_maximum)


def _content(payload: bytes) -> str | None:
    """Give the content type that a message's own header names, so that the broker's property can be no other."""
    try:
        return cose.peek(payload).content
    except WireError:
        return None
