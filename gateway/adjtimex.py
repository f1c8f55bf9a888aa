"""What the kernel says of its wall clock: whether somebody keeps it right, and how wrong it may be.

Linux adds 500 ppm to `maxerror` each second, and calls itself unsynchronised once that is 16 s, some nine hours after
the last sync; whoever sets the clock by hand (settimeofday) makes it unsynchronised at once. What `maxerror` begins
with is the daemon's to say. chrony and ntpd say it. systemd-timesyncd, Raspberry Pi OS's, sets `maxerror` and
`esterror` to 0 at each answer, however far its server says it is from the true time: up to its RootDistanceMaxSec, 5 s
unless our package has set it to half a second. So an `esterror` of 0 is no word, and UNTOLD_MS is added.

Under our unit the kernel may not be asked: whoever may ask may nearly set. There the stamp tells that systemd-timesyncd
touches at each answer; of chrony and ntpd nothing is known then, and the centre tells the time.
"""

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

UNTOLD_MS = 600
"""What may be wrong where no error is told: 0.5 s at the server (systemd/timesyncd.conf), a tenth on the way."""


class Timex(ctypes.Structure):
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


STAMP = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd.service(8): touched whenever the clock was synchronised."""


@dataclass(frozen=True, slots=True)
class WallClock:
    """What the wall clock shows (Unix, ms), give or take how much."""

    utc_ms: int
    uncertainty_ms: int


_LIBC = ctypes.CDLL(None, use_errno=True)
_STA_UNSYNC, _STA_NANO = 0x0040, 0x2000
_TIME_ERROR, _REFUSED = 5, -1
_GROWS_PPM = 500


class Kernel:
    """The kernel's word, or that of timesyncd's `stamp` where the kernel may not be asked."""

    def __init__(self, stamp: Path = STAMP, *, asked: Callable[[Timex], int] | None = None) -> None:
        self._stamp = stamp
        self._asked = asked or _adjtimex
        self._seen_ns: int | None = None

    def ask(self) -> WallClock | None:
        """Give what the wall clock shows; None while nobody says that it is right, or nothing new is said."""
        timex = Timex()
        state = self._asked(timex)
        if state == _REFUSED:
            return self._stamped()
        uncertainty_ms = uncertainty(timex, state)
        return None if uncertainty_ms is None else WallClock(_now_ms(), uncertainty_ms)

    def _stamped(self) -> WallClock | None:
        """Take each stamp once: a clock that somebody sets by hand leaves the stamp as it is, and is not believed."""
        try:
            stamp_ns = self._stamp.stat().st_mtime_ns
        except OSError:
            return None
        if stamp_ns == self._seen_ns:
            return None
        self._seen_ns = stamp_ns
        now_ms = _now_ms()
        age_ms = now_ms - stamp_ns // 1_000_000
        if age_ms < 0:  # set back since: whoever stamped it did not mean this time
            return None
        return WallClock(now_ms, UNTOLD_MS + 1 + age_ms * _GROWS_PPM // 1_000_000)


def _adjtimex(timex: Timex) -> int:
    return int(_LIBC.adjtimex(ctypes.byref(timex)))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def uncertainty(timex: Timex, state: int) -> int | None:
    """Give the error in ms that an answer of adjtimex allows, None for a clock that is not synchronised."""
    if state in (_REFUSED, _TIME_ERROR) or timex.status & _STA_UNSYNC:
        return None
    left_us = abs(timex.offset) // (1_000 if timex.status & _STA_NANO else 1)  # so much the clock has still to creep
    error_ms: int = (timex.maxerror + left_us) // 1_000 + 1
    return error_ms + UNTOLD_MS if timex.esterror == 0 else error_ms
