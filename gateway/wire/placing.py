"""When it was: boot times placed on the UTC scale by the clock records of the same boot.

A record says what time it was at one moment, give or take so much; away from that moment the crystal may have drifted.
The record that is the least uncertain at a moment places it, and what the clocks of kernel and centre can place, a
meter's never does: that one is provisional, and a later record places the same moment anew.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.wire.messages import ClockRecord

DRIFT_PPM = 50
"""How far a crystal may run away from a record, to either side."""

METER = "meter"
"""The source whose word is provisional."""

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Placed:
    """A moment: `utc_ms` (Unix, ms) +- `uncertainty_ms`; `provisional` while only a meter's clock tells it."""

    utc_ms: int
    uncertainty_ms: int
    provisional: bool


class Timeline:
    """The clock records of one boot; an empty one places nothing."""

    def __init__(self, records: Iterable[ClockRecord]) -> None:
        """Take the records in any order; raise ValueError for records of different boots."""
        known = list(records)
        if len({record.boot_id for record in known}) > 1:
            raise ValueError("clock records of different boots: each boot counts its own milliseconds")
        trusted = [record for record in known if record.source != METER]
        self._is_provisional = not trusted
        self._records = _useful(trusted or known)
        self._moments = [record.boot_ms for record in self._records]

    def at(self, boot_ms: int) -> Placed | None:
        """Place a moment of this boot; None while no record tells anything."""
        after = bisect_left(self._moments, boot_ms)
        # Of the useful ones, a further record is always less certain than its neighbour.
        near = self._records[max(0, after - 1) : after + 1]
        best = min(near, key=lambda record: _uncertainty(record, boot_ms), default=None)
        if best is None:
            return None
        uncertainty_ms = -(-_uncertainty(best, boot_ms) // _MILLION)
        return Placed(best.utc_ms_at(boot_ms), uncertainty_ms, self._is_provisional)


def _uncertainty(record: ClockRecord, boot_ms: int) -> int:
    """Uncertainty at a moment, the drift included, in millionths of a millisecond."""
    return record.uncertainty_ms * _MILLION + abs(boot_ms - record.boot_ms) * DRIFT_PPM


def _useful(records: list[ClockRecord]) -> list[ClockRecord]:
    """Leave out, in order of time, every record than which another is at least as certain even at its own moment."""
    ordered = sorted(records, key=lambda record: (record.boot_ms, record.uncertainty_ms))
    return _undercut(_undercut(ordered)[::-1])[::-1]


def _undercut(records: list[ClockRecord]) -> list[ClockRecord]:
    """Leave out what an earlier one in the list undercuts; of those kept, the last is the strictest of all before."""
    kept: list[ClockRecord] = []
    for record in records:
        if not kept or _uncertainty(kept[-1], record.boot_ms) > record.uncertainty_ms * _MILLION:
            kept.append(record)
    return kept
