"""What the kernel says of its wall clock: whether somebody keeps it right, and how wrong it may be.

Linux adds 500 ppm to `maxerror` each second, and calls itself unsynchronised once that is 16 s, some nine hours after
the last sync; whoever sets the clock by hand (settimeofday) makes it unsynchronised at once. What `maxerror` begins
with is the daemon's to say. chrony and ntpd say it. systemd-timesyncd, Raspberry Pi OS's, sets `maxerror` and
`esterror` to 0 at each answer, however far its server says it is from the true time: up to its RootDistanceMaxSec, 5 s
unless our package has set it to half a second. So an `esterror` of 0 is no word, and UNTOLD_MS is added.
"""

import ctypes
import time
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class WallClock:
    """What the wall clock shows (Unix, ms), give or take how much."""

    utc_ms: int
    uncertainty_ms: int


_LIBC = ctypes.CDLL(None, use_errno=True)
_STA_UNSYNC, _STA_NANO = 0x0040, 0x2000
_TIME_ERROR = 5


def wall_clock() -> WallClock | None:
    """Ask the kernel; None while it says that its clock is not synchronised."""
    timex = Timex()
    state = _LIBC.adjtimex(ctypes.byref(timex))
    uncertainty_ms = uncertainty(timex, state)
    return None if uncertainty_ms is None else WallClock(time.time_ns() // 1_000_000, uncertainty_ms)


def uncertainty(timex: Timex, state: int) -> int | None:
    """Give the error in ms that an answer of adjtimex allows, None for a clock that is not synchronised."""
    if state in (-1, _TIME_ERROR) or timex.status & _STA_UNSYNC:
        return None
    left_us = abs(timex.offset) // (1_000 if timex.status & _STA_NANO else 1)  # so much the clock has still to creep
    error_ms: int = (timex.maxerror + left_us) // 1_000 + 1
    return error_ms + UNTOLD_MS if timex.esterror == 0 else error_ms
