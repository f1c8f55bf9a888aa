"""Boot time for durations, wall time for people and for the centre, and how far the second can be trusted.

Everything that runs is timed by CLOCK_BOOTTIME, which no one can set. The wall clock is a correlation: "at this boot
time it was that UTC, give or take so much". A Raspberry Pi has no battery clock, so at the start there is none, and
nothing guesses.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

from gateway.adjtimex import Kernel, WallClock

DRIFT_PPM = 50
"""How far a crystal may run away while nothing corrects it, where nobody has said otherwise."""

METER = "meter"
"""The source that is provisional: a meter's own clock, taken while nobody better knows the time."""

_STEADY_MS = 2_000
_METER_OLD_MS = 3_600_000

READINGS_UNCERTAINTY_MS = 2_000
"""Readings should be placed as exactly as that; with a worse clock the status and `gateway doctor` say so."""

COMMANDS_UNCERTAINTY_MS = 5_000
"""With a clock that is less exact no command is accepted, but one that is bound to this boot."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """At `boot_ms` of boot `boot_id` it was `utc_ms` (Unix, ms) +- `uncertainty_ms`, according to `source`.

    Away from that moment it holds over, and the crystal may have drifted by `drift_ppm`.
    """

    boot_id: bytes
    boot_ms: int
    utc_ms: int
    uncertainty_ms: int
    source: str
    drift_ppm: int = DRIFT_PPM

    @property
    def provisional(self) -> bool:
        """Whether it may stamp readings and no more: it is a meter's word alone."""
        return self.source == METER

    def is_trusted_at(self, boot_ms: int) -> bool:
        """Whether commands may rely on it at that moment."""
        return not self.provisional and self.uncertainty_ms_at(boot_ms) <= COMMANDS_UNCERTAINTY_MS

    def utc_ms_at(self, boot_ms: int) -> int:
        """Place a moment of the same boot on the UTC scale."""
        return self.utc_ms + boot_ms - self.boot_ms

    def uncertainty_ms_at(self, boot_ms: int) -> int:
        """Uncertainty at that moment, the drift of the crystal included."""
        return self.uncertainty_ms + abs(boot_ms - self.boot_ms) * self.drift_ppm // 1_000_000

    def apart_ms(self, other: "Correlation") -> int:
        """Give how far `other`, of the same boot, is from what this one says: 0 where the two can both be true."""
        off = other.utc_ms - self.utc_ms_at(other.boot_ms)
        allowed = other.uncertainty_ms + self.uncertainty_ms_at(other.boot_ms)
        return off if abs(off) > allowed else 0


class Clock(Protocol):
    """Where time comes from; the agent's is SystemClock, tests and the bench give their own."""

    @property
    def boot_id(self) -> bytes:
        """16 bytes that name this boot of the machine."""

    def boot_ms(self) -> int:
        """CLOCK_BOOTTIME, in milliseconds."""

    def correlation(self) -> Correlation | None:
        """Give the best correlation of this boot, or None while the wall clock is unknown."""


def utc_ms_at(clock: Clock, boot_ms: int) -> int | None:
    """Give a moment of this boot in Unix ms, where anybody but a meter knows the time."""
    known = clock.correlation()
    return None if known is None or known.provisional else known.utc_ms_at(boot_ms)


class SystemClock:
    """The machine's clocks: the kernel's word that it is synchronised, or the centre's signed reply: the better one.

    While there is neither, a meter's clock, which is `provisional`.
    """

    def __init__(self, *, drift_ppm: int = DRIFT_PPM, wall: Callable[[], WallClock | None] | None = None) -> None:
        """Ask `wall` for the kernel's word; no setting of the product gives another one."""
        self._boot_id = UUID(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()).bytes
        self._drift_ppm = drift_ppm
        self._wall = wall or Kernel().ask
        self._replied: Correlation | None = None
        self._kernel: Correlation | None = None
        self._metered: Correlation | None = None

    @property
    def boot_id(self) -> bytes:
        """16 bytes that name this boot of the machine."""
        return self._boot_id

    def boot_ms(self) -> int:
        """CLOCK_BOOTTIME, in milliseconds."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def correlation(self) -> Correlation | None:
        """Give the best correlation of this boot, or None while the wall clock is unknown."""
        return self.trusted() or self._metered

    def trusted(self) -> Correlation | None:
        """Give the best correlation of kernel and centre, or None while neither knows the time."""
        now = self.boot_ms()
        self._ask_kernel(now)
        candidates = [c for c in (self._replied, self._kernel) if c is not None]
        return min(candidates, key=lambda c: c.uncertainty_ms_at(now), default=None)

    def apart_ms(self) -> int:
        """Give how far the kernel's clock is ahead of the centre's; 0 where both can be true, or one is not known."""
        self._ask_kernel(self.boot_ms())
        if self._replied is None or self._kernel is None:
            return 0
        return self._replied.apart_ms(self._kernel)

    def _ask_kernel(self, now: int) -> None:
        """Take the kernel's word where it is better than its last one held over, or contradicts that: it was set anew.

        Its own bound grows by 500 ppm, ten times what a crystal does, and ends after nine hours: between two syncs, and
        after the last, the word of the sync holds over.
        """
        said = self._wall()
        if said is None:
            return
        new = self._known(now, said.utc_ms, said.uncertainty_ms, "kernel")
        known = self._kernel
        if known is None or new.uncertainty_ms <= known.uncertainty_ms_at(now) or known.apart_ms(new):
            self._kernel = new

    def _known(self, boot_ms: int, utc_ms: int, uncertainty_ms: int, source: str) -> Correlation:
        return Correlation(self._boot_id, boot_ms, utc_ms, uncertainty_ms, source, self._drift_ppm)

    def replied(self, asked_boot_ms: int, utc_ms: int) -> None:
        """Take the centre's signed answer to a question that left at `asked_boot_ms`, give or take half the trip."""
        now = self.boot_ms()
        half = (now - asked_boot_ms + 1) // 2
        new = self._known(now, utc_ms + half, half + 1, "centre")
        known = self._replied
        if known is None or new.uncertainty_ms <= known.uncertainty_ms_at(now) or known.apart_ms(new):
            self._replied = new

    def metered(self, boot_ms: int, utc_ms: int, uncertainty_ms: int) -> None:
        """Take what a meter's clock showed at `boot_ms`; its jitter moves nothing."""
        known = self._metered
        moved = known is None or abs(known.utc_ms_at(boot_ms) - utc_ms) > _STEADY_MS
        if known is None or moved or boot_ms - known.boot_ms > _METER_OLD_MS:
            self._metered = self._known(boot_ms, utc_ms, uncertainty_ms, METER)
