"""Where minutes, quarters of an hour and hours end: on the UTC scale once the clock is known, else in boot time."""

from gateway.clock import Clock

MINUTE_MS, QUARTER_MS, HOUR_MS = 60_000, 900_000, 3_600_000

_STEADY_MS = 500
"""A correlation jitters by a millisecond or so: that must not make a minute longer or shorter."""


class Quarters:
    """Ends of periods in boot time, by a clock that may become known, or better, at any moment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ms = 0
        self.refresh()

    def refresh(self) -> None:
        """Look whether the clock has become known, or has moved."""
        known = self._clock.correlation()
        if known is not None:
            offset_ms = known.utc_ms - known.boot_ms
            if abs(offset_ms - self._offset_ms) > _STEADY_MS:
                self._offset_ms = offset_ms

    def end(self, boot_ms: int, length_ms: int) -> int:
        """Give when the period that a moment lies in ends; the end itself belongs to the next one."""
        offset_ms = self._offset_ms
        return ((boot_ms + offset_ms) // length_ms + 1) * length_ms - offset_ms
