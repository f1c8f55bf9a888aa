"""A clock in a test's hand: boot time goes on, the wall clock is whatever somebody has set it to."""

from gateway.clock import Correlation

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class HandClock:
    """Stands still until told; the wall clock is unknown until it is set."""

    boot_id = bytes(16)

    def __init__(self, now_ms: int = 5_000) -> None:
        self.now_ms = now_ms
        self._offset_ms: int | None = None

    def boot_ms(self) -> int:
        return self.now_ms

    def correlation(self) -> Correlation | None:
        if self._offset_ms is None:
            return None
        return Correlation(self.boot_id, self.now_ms, self.now_ms + self._offset_ms, 10, "kernel")

    def set(self, utc_ms: int) -> None:
        """Step the wall clock, as NTP or a person does."""
        self._offset_ms = utc_ms - self.now_ms
