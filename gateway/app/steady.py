"""Whether a clock has said the same for long enough to delete by it: one set years ahead must not empty the card."""

from gateway.clock import Correlation

STEADY_MS = 6 * 3_600_000
"""After so long in this process what a trusted clock calls old is old; an agent started anew every day deletes too."""

_STEP_MS = 3_600_000


class Steady:
    """Watches a clock; ask it at every look, also where nothing is to be deleted."""

    def __init__(self) -> None:
        self._offset_ms: int | None = None
        self._since_ms = 0

    def holds(self, known: Correlation, now_ms: int) -> bool:
        """Tell, at boot time `now_ms`, whether it has been set by no more than an hour for STEADY_MS."""
        offset_ms = known.utc_ms_at(now_ms) - now_ms
        if self._offset_ms is None or abs(offset_ms - self._offset_ms) > _STEP_MS:
            self._offset_ms, self._since_ms = offset_ms, now_ms
        return now_ms - self._since_ms >= STEADY_MS
