"""How many segments there are in each state: kept in memory, since counting them would read them all."""

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
    """The pending segments of each stream that has some, and the number of the received ones; follows commits."""

    def __init__(self, pending: Mapping[str, Total], received: int) -> None:
        self.pending = dict(pending)
        self.received = received

    @property
    def whole(self) -> Total:
        """All that is pending."""
        total = Total()
        for each in self.pending.values():
            total = total.plus(each)
        return total

    def known(self) -> tuple[dict[str, Total], int]:
        """Give what is known, for `restore`."""
        return dict(self.pending), self.received

    def restore(self, known: tuple[dict[str, Total], int]) -> None:
        """Forget what was noted since: it did not happen."""
        self.pending, self.received = known

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
