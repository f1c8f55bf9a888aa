"""Which segment may go next, and which must go again: bookkeeping without I/O and without a clock.

A PUBACK only moves the window, so a segment stays here until the centre's receipt: first *sent*, then forgotten.
Segments that the broker refused, that were in flight when the line fell, or that the centre never receipted are sent
again, in order. What is stored, and what is done for good, is the outbox's business.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

MOST_PATIENCE = 16
"""A centre that receipts nothing is asked ever more rarely, up to this many times the first patience."""

SILENCE_MS = 180_000
"""After so long without a word of it the centre counts as away: it says something each minute."""


@dataclass(slots=True)
class _Lane:
    """One stream: up to `cursor` everything was sent or is done; `sent` (sequence -> when) waits for its receipt.

    Of what was sent, the broker had nobody to give `unheard` to.
    """

    cursor: int = 0
    upto: int = 0
    ranges: tuple[tuple[int, int], ...] = ()
    sent: dict[int, int] = field(default_factory=dict)
    unheard: set[int] = field(default_factory=set)
    patience: int = 1

    def advance(self) -> None:
        """Move the cursor over what was sent ahead of it."""
        while self.cursor + 1 in self.sent:
            self.cursor += 1

    def done(self, sequence: int) -> bool:
        return sequence <= self.upto or any(first <= sequence <= last for first, last in self.ranges)


class Progress:
    """What was sent and not receipted yet; `ahead` segments at most, each sent again `resend_after_ms` later.

    With `needs_word` that is only so while the centre is heard: to one that is away the broker keeps what it can, and
    what is sent again would lie there twice.
    """

    def __init__(self, *, ahead: int, resend_after_ms: int, needs_word: bool = False) -> None:
        self._ahead = ahead
        self._resend_after_ms = resend_after_ms
        self._needs_word = needs_word
        self._word_ms: int | None = None
        self._present_since_ms = 0
        self._lanes: dict[str, _Lane] = {}

    @property
    def unreceipted(self) -> int:
        """Segments sent whose receipt has not come."""
        return sum(len(lane.sent) for lane in self._lanes.values())

    def has_room(self, more: int = 0) -> bool:
        """Whether another segment may go before a receipt comes; `more` than usual, for what must not wait."""
        return self.unreceipted < self._ahead + more

    def cursors(self) -> dict[str, int]:
        """Where to read on in each stream."""
        return {name: lane.cursor for name, lane in self._lanes.items()}

    def wants(self, stream: str, sequence: int) -> bool:
        """Whether this segment still has to go: neither sent nor receipted."""
        lane = self._lane(stream)
        return sequence not in lane.sent and not lane.done(sequence)

    def follows(self, stream: str, sequence: int) -> bool:
        """Whether nothing lies between the cursor and this segment."""
        return sequence <= self._lane(stream).cursor + 1

    def passed(self, stream: str, sequence: int) -> None:
        """Move the cursor over a segment that was read in order."""
        lane = self._lane(stream)
        lane.cursor = max(lane.cursor, sequence)
        lane.advance()

    def sent(self, stream: str, sequence: int, now_ms: int) -> None:
        """Note that a segment went to the broker."""
        lane = self._lane(stream)
        lane.sent.pop(sequence, None)  # the dictionary is kept in the order of sending
        lane.sent[sequence] = now_ms
        lane.unheard.discard(sequence)
        lane.advance()

    def failed(self, stream: str, sequence: int) -> None:
        """Take back a segment that the broker did not take: everything from it on is looked at again, in order."""
        lane = self._lane(stream)
        lane.sent.pop(sequence, None)
        lane.cursor = min(lane.cursor, sequence - 1)

    def unheard(self, stream: str, sequence: int) -> None:
        """Note that the broker took a segment and had nobody to give it to (0x10)."""
        lane = self._lane(stream)
        if sequence in lane.sent:
            lane.unheard.add(sequence)

    def word(self, now_ms: int) -> None:
        """Note a word of the centre: it is there."""
        if self._word_ms is None or now_ms - self._word_ms > SILENCE_MS:
            self._present_since_ms = now_ms
        self._word_ms = now_ms

    def heard(self) -> bool:
        """Take back what nobody heard, now that the centre is there; True where there was any."""
        any_unheard = False
        for lane in self._lanes.values():
            again = lane.unheard & lane.sent.keys()
            lane.unheard.clear()
            if again:
                any_unheard = True
                lane.cursor = min(lane.cursor, min(again) - 1)
                for sequence in again:
                    del lane.sent[sequence]
        return any_unheard

    def received(self, stream: str, upto: int, ranges: Sequence[tuple[int, int]]) -> None:
        """Take the centre's receipt: all up to `upto` and the `ranges` above it are there."""
        lane = self._lane(stream)
        if upto < lane.upto:
            return  # receipts may overtake each other; an older one says nothing new
        lane.upto = upto
        lane.ranges = tuple(ranges)
        lane.cursor = max(lane.cursor, upto)
        lane.patience = 1
        for sequence in [sequence for sequence in lane.sent if lane.done(sequence)]:
            del lane.sent[sequence]

    def settled(self, stream: str, ranges: Sequence[tuple[int, int]]) -> None:
        """Take it that these ranges are done, whatever else is: where the broker's word counts as a receipt."""
        lane = self._lane(stream)
        joined = sorted([(1, lane.upto), *lane.ranges, *ranges] if lane.upto else [*lane.ranges, *ranges])
        merged: list[tuple[int, int]] = []
        for first, last in joined:
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        upto = merged.pop(0)[1] if merged and merged[0][0] == 1 else 0
        self.received(stream, upto, merged)

    def again(self, stream: str, first: int, last: int) -> None:
        """Send a range again, whatever was receipted before: the centre asks for it."""
        lane = self._lane(stream)
        lane.upto = min(lane.upto, first - 1)
        lane.ranges = tuple(_without(lane.ranges, first, last))
        lane.cursor = min(lane.cursor, first - 1)
        for sequence in [sequence for sequence in lane.sent if first <= sequence <= last]:
            del lane.sent[sequence]

    def overdue(self, now_ms: int, in_flight: Collection[tuple[str, int]]) -> bool:
        """Take back what has waited too long for its receipt; True where there was any.

        What is in flight is left alone: the broker itself has not answered for it yet.
        """
        any_late = False
        if self._needs_word and (self._word_ms is None or now_ms < self._present_since_ms + self._resend_after_ms):
            return False  # what waits in the broker comes first, and its receipts with it
        for name, lane in self._lanes.items():
            limit = now_ms - self._resend_after_ms * lane.patience
            if self._needs_word and self._word_ms is not None:
                limit = min(limit, self._word_ms - 1)
            late = [
                sequence for sequence, when in lane.sent.items() if when <= limit and (name, sequence) not in in_flight
            ]
            if late:
                any_late = True
                lane.patience = min(lane.patience * 2, MOST_PATIENCE)
                lane.cursor = min(lane.cursor, min(late) - 1)
                for sequence in late:
                    del lane.sent[sequence]
        return any_late

    def next_overdue_ms(self) -> int | None:
        """When `overdue` may next have something to say; None where something else must happen first."""
        due = None
        for lane in self._lanes.values():
            first = next(iter(lane.sent.values()), None)
            if first is None or (self._needs_word and (self._word_ms is None or first >= self._word_ms)):
                continue
            at = first + self._resend_after_ms * lane.patience
            due = at if due is None else min(due, at)
        if due is None or not self._needs_word:
            return due
        return max(due, self._present_since_ms + self._resend_after_ms)

    def _lane(self, stream: str) -> _Lane:
        lane = self._lanes.get(stream)
        if lane is None:
            lane = self._lanes[stream] = _Lane()
        return lane


def _without(ranges: Iterable[tuple[int, int]], first: int, last: int) -> Iterable[tuple[int, int]]:
    """Cut `first..last` out of the ranges."""
    for low, high in ranges:
        if low < first:
            yield low, min(high, first - 1)
        if high > last:
            yield max(low, last + 1), high
