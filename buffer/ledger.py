"""How many segments there are in each state, and the last number of each stream, kept in memory.

Counting them would read them all, and what is asked with each receipt must not wait for a card.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from buffer.segments import Total


@dataclass(slots=True)
class Gone:
    """What a transaction removed: received segments, and the pending ones of each stream with their readings."""

    received: int = 0
    pending: dict[str, Total] = field(default_factory=dict)

    def lose(self, stream: str, some: Total) -> None:
        """Add pending segments of a stream."""
        self.pending[stream] = self.pending.get(stream, Total()).plus(some)


class Ledger:
    """The pending segments of each stream that has some, and the number of the received ones; follows commits.

    `last` is the number that each stream has used last.
    """

    def __init__(self, pending: Mapping[str, Total], received: int, last: Mapping[str, int]) -> None:
        self.pending = dict(pending)
        self.received = received
        self.last = dict(last)

    @property
    def whole(self) -> Total:
        """All that is pending."""
        total = Total()
        for each in self.pending.values():
            total = total.plus(each)
        return total

    def known(self) -> tuple[dict[str, Total], int, dict[str, int]]:
        """Give what is known, for `restore`."""
        return dict(self.pending), self.received, dict(self.last)

    def restore(self, known: tuple[dict[str, Total], int, dict[str, int]]) -> None:
        """Forget what was noted since: it did not happen."""
        self.pending, self.received, self.last = known

    def add(self, stream: str, some: Total) -> None:
        """Take note of segments that are pending now."""
        if some.entries:
            self.pending[stream] = self.pending.get(stream, Total()).plus(some)

    def take(self, stream: str, some: Total) -> None:
        """Take note of segments that are no longer pending."""
        left = self.pending.get(stream, Total()).minus(some)
        if left.entries > 0:
            self.pending[stream] = left
        else:
            self.pending.pop(stream, None)

    def lose(self, gone: Gone) -> None:
        """Take note of what was removed."""
        self.received -= gone.received
        for stream, some in gone.pending.items():
            self.take(stream, some)
