"""The day's bytes on the line, and on a metered link what may still go: no I/O.

A budget holds readings back, and nothing else: answers, alarms, status and records always go, over the budget too, and
so do the connection's own bytes. Of what these leave, quarter-hourly indexes may take all, minutes what is left when
the rest of the day's own traffic is set aside, and everything else ("fine") no more than the part of the day that has
passed: a backlog must not spend at one in the morning what the evening needs. What does not go waits in the outbox.

A day is a UTC day as soon as the time is known, else 24 hours of boot time. The books survive a restart as a text.
"""

import json
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.uplink import streams
from gateway.uplink.traffic import Traffic

DAY_MS = 86_400_000
_KEEP_EVERY_MS = 600_000
_KEEP_PARTS = 50
_LOOKS_EVERY_MS = 1_000
_MEASURED_AFTER_MS = 3_600_000
_ASSUMED_OWN_PARTS = 5
_AROUND_A_SEGMENT = 250
"""Bytes on the line beside a segment's own: MQTT, TLS, TCP and IP, both ways, its acknowledgement included."""

_INDEX, _MINUTE, _FINE = (streams.rank(tier) for tier in streams.TIERS)


@dataclass(frozen=True, slots=True)
class Day:
    """The day up to now, in bytes on the line: `budget` None for no limit, `held` the tiers that wait for more.

    `is_known` is False while nobody knows the time of day: then the day began with the program.
    """

    budget: int | None
    sent: int
    received: int
    held: tuple[str, ...]
    is_known: bool


class Allowance:
    """Keeps the day's books; `kept` are the `books` of an earlier run, None at the first start ever."""

    def __init__(self, budget: int | None, clock: Clock, *, kept: str | None = None) -> None:
        self.budget = budget
        self.books = kept
        """A text to be kept over a restart; it changes seldom enough to be written whenever it has."""
        self._clock = clock
        self._started_ms = self._began_ms = self._kept_ms = self._looked_ms = clock.boot_ms()
        self._day, self._traffic, self._segments = _read(kept)
        self._own = 0
        self._kept_total = self._traffic.total
        self._last_rank = _FINE + 1
        self._look()

    def cost(self, traffic: Traffic) -> None:
        """Note what has passed since the last call."""
        self._traffic = self._traffic.plus(traffic)
        self._own += traffic.total
        self._look()

    def segment(self, size: int) -> None:
        """Note a segment that goes: what it takes is not the connection's own traffic."""
        self._segments += size + _AROUND_A_SEGMENT
        self._own -= size + _AROUND_A_SEGMENT
        if self.budget is not None:
            self._limit()

    def held(self, stream: str) -> bool:
        """Whether segments of a stream have to wait."""
        if self.budget is None:
            return False
        if self._clock.boot_ms() - self._looked_ms >= _LOOKS_EVERY_MS:
            self._look()
        return streams.rank(stream) > self._last_rank

    def day(self) -> Day:
        """Give the day's books as they are now."""
        self._look()
        held = [] if self.budget is None else [tier for tier in streams.TIERS if streams.rank(tier) > self._last_rank]
        return Day(self.budget, self._traffic.sent, self._traffic.received, tuple(held), self._day is not None)

    def _look(self) -> None:
        """Turn the page where a new day has begun, and see what may go in what is left of it."""
        now = self._looked_ms = self._clock.boot_ms()
        correlation = self._clock.correlation()
        today = None if correlation is None else correlation.utc_ms_at(now) // DAY_MS
        if today is None:
            if now - self._began_ms >= DAY_MS:
                self._turn(self._day, now)
        elif self._day is None:
            self._day = today
        elif today > self._day:
            self._turn(today, now)
        else:
            self._day = today  # a clock set back gives no second budget
        if self.budget is not None:
            self._limit()
            due = abs(self._traffic.total - self._kept_total) * _KEEP_PARTS >= self.budget
            if due or now - self._kept_ms >= _KEEP_EVERY_MS:
                self._write()

    def _turn(self, day: int | None, now: int) -> None:
        self._day, self._began_ms = day, now
        self._traffic, self._segments = Traffic(), 0

    def _limit(self) -> None:
        """Find the last rank that may go."""
        passed, budget = self._passed(), self.budget or 0
        own_today = max(0, self._traffic.total - self._segments)
        for_segments = budget - own_today - self._own_a_day(budget) * (1 - passed)
        if max(self._traffic.total, self._segments) >= budget:
            self._last_rank = _INDEX - 1
        elif self._segments >= for_segments:
            self._last_rank = _INDEX
        elif self._segments >= for_segments * passed:
            self._last_rank = _MINUTE
        else:
            self._last_rank = _FINE + 1

    def _passed(self) -> float:
        """Give the part of the day that has passed."""
        now = self._looked_ms
        correlation = self._clock.correlation()
        into_ms = now - self._began_ms if correlation is None else correlation.utc_ms_at(now) % DAY_MS
        return min(1.0, into_ms / DAY_MS)

    def _own_a_day(self, budget: int) -> float:
        """Give what the connection itself takes in a day: measured, and assumed until there is enough to measure."""
        running = self._looked_ms - self._started_ms
        if running < _MEASURED_AFTER_MS:
            return budget / _ASSUMED_OWN_PARTS
        return max(0, self._own) * DAY_MS / running

    def _write(self) -> None:
        self._kept_ms, self._kept_total = self._looked_ms, self._traffic.total
        books = {
            "day": self._day,
            "sent": self._traffic.sent,
            "received": self._traffic.received,
            "segments": self._segments,
        }
        self.books = json.dumps(books)


def _read(kept: str | None) -> tuple[int | None, Traffic, int]:
    """Read the books of an earlier run; empty ones where they say nothing."""
    try:
        books = json.loads(kept or "{}")
        day = books.get("day")
        numbers = [int(books.get(name, 0)) for name in ("sent", "received", "segments")]
        return None if day is None else int(day), Traffic(numbers[0], numbers[1]), numbers[2]
    except (ValueError, TypeError, AttributeError):
        return None, Traffic(), 0
