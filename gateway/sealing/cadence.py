"""When something is due: a commit, a seal of everything, a seal of the coarse tiers.

fine            each `seal_s`, which is shorter while the centre is reached
minute, index   each quarter of an hour while the centre is reached, else each hour: what waits anyway is packed better
"""

from collections.abc import Callable

from gateway.clock import Clock
from gateway.outgoing.minute import LATE_MS
from gateway.outgoing.quarters import HOUR_MS, QUARTER_MS, Quarters


class Cadence:
    """Times in boot time; `seal_s` gives the present length of a segment, `linked` whether the broker is reached."""

    def __init__(
        self,
        clock: Clock,
        quarters: Quarters,
        *,
        journal_s: float,
        seal_s: Callable[[], float],
        linked: Callable[[], bool],
    ) -> None:
        self._clock = clock
        self._quarters = quarters
        self._journal_ms = int(journal_s * 1000)
        self._seal_s = seal_s
        self._linked = linked
        self._sealed_ms = self._coarse_ms = clock.boot_ms()

    def pause_ms(self, index_due_ms: int) -> int:
        """Give how long nothing is due, `journal_s` at most."""
        due_ms = min(self._fine_due_ms(), self._coarse_due_ms(), index_due_ms)
        return min(self._journal_ms, max(0, due_ms - self._clock.boot_ms()))

    def fine_is_due(self) -> bool:
        """Whether it is time to seal the fine tier."""
        return self._clock.boot_ms() >= self._fine_due_ms()

    def coarse_is_due(self) -> bool:
        """Whether it is time to seal the coarse tiers."""
        return self._clock.boot_ms() >= self._coarse_due_ms()

    def sealed(self, *, fine: bool, coarse: bool) -> None:
        """Note what is sealed now; where the disk refuses, it is owed and made up for at the next commit."""
        now_ms = self._clock.boot_ms()
        if fine:
            self._sealed_ms = now_ms
        if coarse:
            self._coarse_ms = now_ms

    def _fine_due_ms(self) -> int:
        return self._sealed_ms + int(self._seal_s() * 1000)

    def _coarse_due_ms(self) -> int:
        """Give when the last minute of the period has ended for every group."""
        length_ms = QUARTER_MS if self._linked() else HOUR_MS
        return self._quarters.end(self._coarse_ms - LATE_MS, length_ms) + LATE_MS
