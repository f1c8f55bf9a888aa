"""Messages signed singly: answers, alarms, status, time requests.

They are published at once, ahead of any backlog, in the order in which they were given; the queue is bounded.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

QUEUE_LIMIT = 1_000


@dataclass(slots=True, eq=False)
class Single:
    """One message on its way; `done` becomes True with the broker's acknowledgement, False where it was given up."""

    kind: str
    payload: bytes
    qos: int
    expires_boot_ms: int | None
    correlation: bytes | None
    done: asyncio.Future[bool]
    place: int = 0

    def arrived(self) -> None:
        """Say that the broker has it."""
        if not self.done.done():
            self.done.set_result(True)

    def give_up(self) -> None:
        """Say that it will not be sent any more."""
        if not self.done.done():
            self.done.set_result(False)


class Singles:
    """A bounded queue in order of arrival; what the broker refused comes back to its place."""

    def __init__(self, limit: int = QUEUE_LIMIT) -> None:
        self.dropped = 0
        self._limit = limit
        self._queue: deque[Single] = deque()
        self._places = 0

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, single: Single, now_ms: int, *, connected: bool = True) -> None:
        """Queue one; where the queue is full it is given up, and counted: its maker holds it still.

        One of QoS 0 is given up where there is no connection.
        """
        if single.qos == 0 and not connected:
            single.give_up()
            return
        if len(self._queue) >= self._limit:
            self.expire(now_ms)
        if len(self._queue) >= self._limit:
            self.dropped += 1
            single.give_up()
            return
        self._places += 1
        single.place = self._places
        self._queue.append(single)

    def put_back(self, single: Single) -> None:
        """Give one its old place again: the broker did not take it."""
        after = [other for other in self._queue if other.place > single.place]
        before = [other for other in self._queue if other.place < single.place]
        self._queue = deque([*before, single, *after])

    def take(self, now_ms: int) -> Single | None:
        """Give the next one that is still worth sending."""
        while self._queue:
            single = self._queue.popleft()
            if single.expires_boot_ms is None or single.expires_boot_ms > now_ms:
                return single
            self._give_up(single)
        return None

    def expire(self, now_ms: int) -> None:
        """Give up what is past its expiry."""
        late = [single for single in self if single.expires_boot_ms is not None and single.expires_boot_ms <= now_ms]
        for single in late:
            self._queue.remove(single)
            self._give_up(single)

    def __iter__(self) -> Iterator[Single]:
        return iter(self._queue)

    def _give_up(self, single: Single) -> None:
        self.dropped += 1
        single.give_up()
