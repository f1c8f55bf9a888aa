"""Which receipts and which resend requests are due: bookkeeping without I/O and without a clock.

A receipt is due for a stream in which something was committed, a duplicate included (its gateway does not know yet). It
goes at once where much comes: a backlog's window waits for it. Readings that come one segment at a time wait for each
other, for receipts would be a third of all that goes over a line. A hole is asked for once it has stayed for a while,
ever more rarely, its lowest part and what lies above in turn: what was dropped for good never comes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from gateway.centre.contents import StreamKey
from gateway.centre.coverage import Coverage
from gateway.wire.messages import Receipt, Resend

Gap = tuple[int, int]
"""The first and the last number of what is missing."""

RANGES_MAX = 256
"""Ranges named in one receipt; what lies above is receipted once the holes below are filled."""

RESEND_MAX = 500
"""Messages asked for at once."""

_WAIT_MAX_MS = 600_000

_TIERS = frozenset({"fine", "minute", "index"})
"""Streams that come in segments, by their names up to the first "."; all others are few, and receipted at once."""

_BURST_MS = 2_000
"""What comes so soon after the last of its stream is part of a backlog."""


def receipt(key: StreamKey, coverage: Coverage) -> Receipt:
    """Say what has been committed of a stream."""
    _, epoch, stream = key
    return Receipt(epoch, stream, coverage.upto, coverage.ranges(RANGES_MAX))


class Gathering:
    """Streams whose receipt is due `soon_ms` after a commit, or `late_ms` where a segment came alone."""

    def __init__(self, soon_ms: int, late_ms: int) -> None:
        self._soon_ms = soon_ms
        self._late_ms = late_ms
        self._due_ms: dict[StreamKey, int] = {}
        self._last_ms: dict[StreamKey, int] = {}

    def committed(self, keys: Iterable[StreamKey], now_ms: int) -> None:
        """Note that something of these streams was committed."""
        for key in keys:
            is_alone = key[2].partition(".")[0] in _TIERS and now_ms - self._last_ms.get(key, -_BURST_MS) >= _BURST_MS
            self._last_ms[key] = now_ms
            self._put(key, now_ms + (self._late_ms if is_alone else self._soon_ms))

    def again(self, keys: Iterable[StreamKey], now_ms: int) -> None:
        """Note that receipts could not be sent: they are due soon."""
        for key in keys:
            self._put(key, now_ms + self._soon_ms)

    def take(self, now_ms: int) -> set[StreamKey]:
        """Give the streams whose receipt is to be sent now; they wait no more."""
        due = {key for key, due_ms in self._due_ms.items() if now_ms >= due_ms}
        for key in due:
            del self._due_ms[key]
        return due

    def all(self) -> set[StreamKey]:
        """Give all that wait, due or not; they wait no more."""
        waiting = set(self._due_ms)
        self._due_ms.clear()
        return waiting

    def next_ms(self) -> int | None:
        """When the next receipt is due; None where none waits."""
        return min(self._due_ms.values(), default=None)

    def _put(self, key: StreamKey, due_ms: int) -> None:
        self._due_ms[key] = min(due_ms, self._due_ms.get(key, due_ms))


@dataclass(slots=True)
class _Hole:
    """The lowest hole of a stream begins at `first`; what lies up to `reached` was asked for on the way up."""

    first: int
    due_ms: int
    wait_ms: int
    reached: int = 0
    asked: int | None = None
    """Where the last request on the way up began; None where the last was for the lowest part."""

    def has_come(self, gaps: Sequence[Gap]) -> bool:
        """Tell whether what was asked for on the way up is here."""
        asked = self.asked
        return asked is not None and not any(low <= asked <= high for low, high in gaps)

    def request(self, gaps: Sequence[Gap]) -> Gap:
        """Give what to ask for now: the lowest part and what lies above, in turn."""
        lowest = gaps[0][0], _end(*gaps[0])
        if self.asked is None and self.reached:  # the last one was for the lowest part
            above = max(self.reached, lowest[1])
            low, high = next(((max(low, above + 1), high) for low, high in gaps if high > above), lowest)
            self.asked, self.reached = low, _end(low, high)
            return low, self.reached
        self.asked, self.reached = None, max(self.reached, lowest[1])
        return lowest


class Holes:
    """Remembers since when each stream has had its lowest hole, and how far its holes were asked for."""

    def __init__(self, after_ms: int) -> None:
        self._after_ms = after_ms
        self._holes: dict[StreamKey, _Hole] = {}

    def due(self, gaps: Iterable[tuple[StreamKey, Gap]], now_ms: int) -> Iterator[tuple[StreamKey, Resend]]:
        """Give the requests to send now; `gaps` are all of each stream together, from the lowest one on.

        What a gateway has kept may lie above much that it no longer has.
        """
        held, self._holes = self._holes, {}
        for key, those in groupby(gaps, key=itemgetter(0)):
            of_stream = [gap for _, gap in those]
            hole = held.get(key)
            if hole is None or hole.first != of_stream[0][0]:  # it fills: give it time
                hole = _Hole(of_stream[0][0], now_ms + self._after_ms, self._after_ms)
            elif hole.has_come(of_stream):
                hole.asked, hole.wait_ms, hole.due_ms = None, self._after_ms, now_ms + self._after_ms
            elif now_ms >= hole.due_ms:
                hole.wait_ms = min(hole.wait_ms * 2, _WAIT_MAX_MS)
                hole.due_ms = now_ms + hole.wait_ms
                yield key, Resend(key[1], key[2], *hole.request(of_stream))
            self._holes[key] = hole


def _end(first: int, last: int) -> int:
    return min(last, first + RESEND_MAX - 1)
