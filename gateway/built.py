"""When this program was made: what was issued for a time before that is certainly over, whatever any clock says.

The package holds the time of its commit, in seconds, in a file beside this one (systemd/package/build.sh). Where there
is none, or it makes no sense, an early date counts: too early is harmless, too late would refuse honest orders.
"""

from pathlib import Path

EARLIEST_S = 1_704_067_200
"""1 January 2024: this code is certainly younger."""

_LATEST_S = 1 << 33
_FILE = Path(__file__).parent / "built"


def built_utc_ms(file: Path = _FILE) -> int:
    """Give the time, Unix, in ms."""
    try:
        seconds = int(file.read_text("ascii"))
    except (OSError, ValueError):
        return EARLIEST_S * 1000
    return (seconds if EARLIEST_S < seconds < _LATEST_S else EARLIEST_S) * 1000
