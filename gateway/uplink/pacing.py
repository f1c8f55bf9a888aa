"""How much may be under way at one time, and how long to wait after a refusal: no I/O and no clock.

Whatever was handed to the socket goes before an answer to a command that comes a moment later. So readings are handed
over only as far as the line carries them in a fraction of a second, which is measured on the broker's acknowledgements:
the way of a delay-based congestion control (LEDBAT, RFC 6817), with bytes of segments in place of a window of TCP.
"""

MOST_BYTES = 131_072
LEAST_BYTES = 4_096
_MOST_QUEUED_MS = 200
"""Longest wait behind our own segments that is wanted; an alarm or answer passes in about that and one way."""

_REFUSED_MIN_MS, _REFUSED_MAX_MS = 500, 60_000


class Flow:
    """Bytes of segments under way on one connection: as many as keep the way short.

    `limit` begins low and grows by what is acknowledged soon, doubling each round trip at most; it is halved at most,
    once a round trip, where acknowledgements come late. One segment may always go, however large.
    """

    def __init__(self) -> None:
        self.limit = float(LEAST_BYTES)
        self.bytes = 0
        self._base_ms: int | None = None
        self._cut_until_ms = 0

    def takes(self, size: int) -> bool:
        """Whether so many bytes may follow now."""
        return self.bytes == 0 or self.bytes + size <= self.limit

    def sent(self, size: int) -> None:
        """Note what was handed over."""
        self.bytes += size

    def acknowledged(self, size: int, trip_ms: int, now_ms: int) -> None:
        """Note what has arrived, and how long that took; a `size` of 0 for what is no segment."""
        was_full = self.bytes + LEAST_BYTES > self.limit
        self.bytes -= size
        base = self._base_ms = trip_ms if self._base_ms is None else min(self._base_ms, trip_ms)
        queued = trip_ms - base
        if queued > _MOST_QUEUED_MS:
            if now_ms >= self._cut_until_ms:
                self.limit = max(LEAST_BYTES, self.limit * max(0.5, _MOST_QUEUED_MS / queued))
                self._cut_until_ms = now_ms + trip_ms
        elif was_full and queued < _MOST_QUEUED_MS // 2:
            self.limit = min(MOST_BYTES, self.limit + size)


class Pause:
    """Back-off after a refusal by the broker; a burst of refusals counts once."""

    def __init__(self) -> None:
        self.until_ms = 0
        self._delay_ms = 0

    def refused(self, now_ms: int) -> None:
        """Note a refusal: the next attempt comes later, and later each time."""
        if now_ms >= self.until_ms:
            self._delay_ms = min(max(self._delay_ms * 2, _REFUSED_MIN_MS), _REFUSED_MAX_MS)
            self.until_ms = now_ms + self._delay_ms

    def taken(self, now_ms: int) -> bool:
        """Note an acceptance; True where it ends a back-off."""
        ends = self._delay_ms > 0 and now_ms >= self.until_ms
        if ends:
            self._delay_ms = 0
        return ends

    @property
    def refuses(self) -> bool:
        """Whether the last word was a refusal."""
        return self._delay_ms > 0
