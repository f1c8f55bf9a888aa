"""How good the link is: round trips, failures, time up, bytes; over the last day, in memory that does not grow.

Times are boot time in milliseconds. A day is kept as a ring of quarter-hours, so a figure "in 24 hours" is right to a
quarter of an hour; a process younger than that tells how long it has watched.
"""

from collections import deque
from dataclasses import dataclass

from gateway.uplink.traffic import Traffic

_SLOT_MS = 900_000
_SLOTS = 96
DAY_MS = _SLOT_MS * _SLOTS
_TRIPS = 200
_TRIPS_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class LinkQuality:
    """The link's figures at one moment.

    `puback_ms`: median and 95th percentile of the way to the broker and back, over the last 200 acknowledgements within
    an hour; None where there was none. The rest is over `covered_ms`: a day, or the time since the start. `up_permille`
    is the share of it with a connection. `last_failure` is what ended the last connection or attempt, and when.
    """

    puback_ms: tuple[int, int] | None
    covered_ms: int
    up_permille: int
    reconnects: int
    sent_bytes: int
    received_bytes: int
    last_failure: tuple[str, int] | None


@dataclass(slots=True)
class _Slot:
    up_ms: int = 0
    reconnects: int = 0
    sent: int = 0
    received: int = 0


class Figures:
    """Keeps the books of the link from `now_ms` on."""

    def __init__(self, now_ms: int) -> None:
        self._since_ms = now_ms
        self._now_ms = now_ms
        self._is_up = False
        self._slots: deque[_Slot] = deque([_Slot()], maxlen=_SLOTS)
        self._trips: deque[tuple[int, int]] = deque(maxlen=_TRIPS)
        self._last_failure: tuple[str, int] | None = None

    def connected(self, now_ms: int) -> None:
        """Note that there is a connection from now on."""
        self._advance(now_ms)
        self._is_up = True

    def ended(self, now_ms: int, why: str | None) -> None:
        """Note that a connection has ended, or an attempt failed; `why` is None where that was wanted."""
        self._advance(now_ms)
        if self._is_up:
            self._slots[-1].reconnects += 1
        self._is_up = False
        if why is not None:
            self._last_failure = (why, now_ms)

    def trip(self, now_ms: int, trip_ms: int) -> None:
        """Note how long a PUBLISH waited for its PUBACK."""
        self._trips.append((now_ms, trip_ms))

    def cost(self, now_ms: int, traffic: Traffic) -> None:
        """Note what has passed since the last call."""
        self._advance(now_ms)
        self._slots[-1].sent += traffic.sent
        self._slots[-1].received += traffic.received

    def quality(self, now_ms: int) -> LinkQuality:
        """Give the figures as they are now."""
        self._advance(now_ms)
        covered = (len(self._slots) - 1) * _SLOT_MS + self._into_slot(now_ms)
        trips = sorted(trip for when, trip in self._trips if when > now_ms - _TRIPS_MS)
        return LinkQuality(
            puback_ms=(trips[len(trips) // 2], trips[len(trips) * 19 // 20]) if trips else None,
            covered_ms=covered,
            up_permille=min(1_000, sum(slot.up_ms for slot in self._slots) * 1_000 // max(covered, 1)),
            reconnects=sum(slot.reconnects for slot in self._slots),
            sent_bytes=sum(slot.sent for slot in self._slots),
            received_bytes=sum(slot.received for slot in self._slots),
            last_failure=self._last_failure,
        )

    def _into_slot(self, now_ms: int) -> int:
        return (now_ms - self._since_ms) % _SLOT_MS

    def _advance(self, now_ms: int) -> None:
        """Bring the ring up to now, the time with a connection included."""
        while self._now_ms < now_ms:
            left = _SLOT_MS - self._into_slot(self._now_ms)
            step = min(left, now_ms - self._now_ms)
            if self._is_up:
                self._slots[-1].up_ms += step
            self._now_ms += step
            if step == left:
                self._slots.append(_Slot())
