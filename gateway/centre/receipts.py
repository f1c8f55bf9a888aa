"""Which receipts and which resend requests are due: bookkeeping without I/O and without a clock.

A receipt is due for a stream in which something was committed, a duplicate included (its gateway does not know yet). A
hole is asked for once it has stayed for a while, ever more rarely, and only its lowest part: what was dropped for good
never comes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.centre.contents import StreamKey
from gateway.centre.coverage import Coverage
from gateway.wire.messages import Receipt, Resend

RANGES_MAX = 256
"""Ranges named in one receipt; what lies above is receipted once the holes below are filled."""

RESEND_MAX = 500
"""Messages asked for at once."""

_WAIT_MAX_MS = 600_000


def receipt(key: StreamKey, coverage: Coverage) -> Receipt:
    """Say what has been committed of a stream."""
    _, epoch, stream = key
    return Receipt(epoch, stream, coverage.upto, coverage.ranges(RANGES_MAX))


@dataclass(slots=True)
class _Hole:
    first: int
    due_ms: int
    wait_ms: int


class Holes:
    """Remembers since when each stream has had its lowest hole."""

    def __init__(self, after_ms: int) -> None:
        self._after_ms = after_ms
        self._holes: dict[StreamKey, _Hole] = {}

    def due(self, gaps: Iterable[tuple[StreamKey, tuple[int, int]]], now_ms: int) -> Iterator[tuple[StreamKey, Resend]]:
        """Give the requests to send now; `gaps` are the lowest gap of each stream that has one."""
        held = self._holes
        self._holes = {}
        for key, (first, last) in gaps:
            hole = held.get(key)
            if hole is None or hole.first != first:  # it fills: give it time
                hole = _Hole(first, now_ms + self._after_ms, self._after_ms)
            elif now_ms >= hole.due_ms:
                hole.wait_ms = min(hole.wait_ms * 2, _WAIT_MAX_MS)
                hole.due_ms = now_ms + hole.wait_ms
                yield key, Resend(key[1], key[2], first, min(last, first + RESEND_MAX - 1))
            self._holes[key] = hole
