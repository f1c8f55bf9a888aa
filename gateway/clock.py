"""Boot time for durations, wall time for people and for the centre, and how far the second can be trusted.

Everything that runs is timed by CLOCK_BOOTTIME, which no one can set. The wall clock is a correlation: "at this boot
time it was that UTC, give or take so much". A Raspberry Pi has no battery clock, so at the start there is none, and
nothing guesses.
"""

import ctypes
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

DRIFT_PPM = 50
"""How far a crystal may run away while nothing corrects it; the bound that holdover adds."""

METER = "meter"
"""The source that is provisional: a meter's own clock, taken while nobody better knows the time."""

_STEADY_MS = 2_000
_METER_OLD_MS = 3_600_000

READINGS_UNCERTAINTY_MS = 2_000
COMMANDS_UNCERTAINTY_MS = 5_000


@dataclass(frozen=True, slots=True)
class Correlation:
    """At `boot_ms` of boot `boot_id` it was `utc_ms` (Unix, ms) +- `uncertainty_ms`, according to `source`."""

    boot_id: bytes
    boot_ms: int
    utc_ms: int
    uncertainty_ms: int
    source: str

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
        return self.uncertainty_ms + abs(boot_ms - self.boot_ms) * DRIFT_PPM // 1_000_000


class Clock(Protocol):
    """Where time comes from; the agent's is SystemClock, tests and the bench give their own."""

    @property
    def boot_id(self) -> bytes:
        """16 bytes that name this boot of the machine."""

    def boot_ms(self) -> int:
        """CLOCK_BOOTTIME, in milliseconds."""

    def correlation(self) -> Correlation | None:
        """Give the best correlation of this boot, or None while the wall clock is unknown."""


class SystemClock:
    """The machine's clocks: the kernel's word that it is synchronised, or the centre's signed reply: the better one.

    While there is neither, a meter's clock, which is `provisional`.
    """

    def __init__(self) -> None:
        self._boot_id = UUID(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()).bytes
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
        error = _kernel_uncertainty_ms()
        if error is not None:
            self._kernel = Correlation(self._boot_id, now, time.time_ns() // 1_000_000, error, "kernel")
        # The kernel declares itself unsynchronised some nine hours after the last sync: its last word holds over.
        candidates = [c for c in (self._replied, self._kernel) if c is not None]
        return min(candidates, key=lambda c: c.uncertainty_ms_at(now), default=None)

    def replied(self, asked_boot_ms: int, utc_ms: int) -> None:
        """Take the centre's signed answer to a question that left at `asked_boot_ms`, give or take half the trip."""
        now = self.boot_ms()
        half = (now - asked_boot_ms + 1) // 2
        new = Correlation(self._boot_id, now, utc_ms + half, half + 1, "centre")
        if self._replied is None or new.uncertainty_ms <= self._replied.uncertainty_ms_at(now):
            self._replied = new

    def metered(self, boot_ms: int, utc_ms: int, uncertainty_ms: int) -> None:
        """Take what a meter's clock showed at `boot_ms`; its jitter moves nothing."""
        known = self._metered
        moved = known is None or abs(known.utc_ms_at(boot_ms) - utc_ms) > _STEADY_MS
        if known is None or moved or boot_ms - known.boot_ms > _METER_OLD_MS:
            self._metered = Correlation(self._boot_id, boot_ms, utc_ms, uncertainty_ms, METER)


class _Timex(ctypes.Structure):
    """`struct timex` of adjtimex(2)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


_LIBC = ctypes.CDLL(None, use_errno=True)
_STA_UNSYNC = 0x0040
_TIME_ERROR = 5


def _kernel_uncertainty_ms() -> int | None:
    """Maximum error in ms by the kernel's own account, None while it says that it is not synchronised."""
    timex = _Timex()
    state = _LIBC.adjtimex(ctypes.byref(timex))
    if state in (-1, _TIME_ERROR) or timex.status & _STA_UNSYNC:
        return None
    return int(timex.maxerror) // 1_000 + 1
