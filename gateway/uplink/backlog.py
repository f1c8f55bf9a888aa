"""Which segment the uplink sends next: alarms and records, then what was sealed now, then the backlog, page by page.

Pages are read in the background, so that what is signed singly never waits for the disk, and come in the order of
`streams.ORDER`. What was sent and what must go again is `progress`'s business, publishing is the worker's.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence

from gateway.uplink import streams
from gateway.uplink.progress import Progress
from gateway.uplink.settings import Sealed, Spool

_PAGE = 32
_FRESH = 32
_BEYOND = (1 << 63) - 1


class Backlog:
    """Segments to send, in order; `wake` is called when a page has come."""

    def __init__(self, spool: Spool, progress: Progress, wake: Callable[[], None]) -> None:
        self._spool = spool
        self._progress = progress
        self._wake = wake
        self._fresh: dict[int, deque[Sealed]] = {}
        self._page: deque[Sealed] = deque()
        self._reading: asyncio.Task[Sequence[Sealed]] | None = None
        self._dry = False
        self._left_out: frozenset[str] = frozenset()

    def sealed(self, segment: Sealed | None) -> None:
        """Take a fresh segment, or the word that there is one in the spool."""
        if segment is None or segment.stream in self._left_out:
            self._dry = False
            return
        self._fresh.setdefault(streams.rank(segment.stream), deque()).append(segment)
        if sum(map(len, self._fresh.values())) > _FRESH:
            last = max(self._fresh)
            dropped = self._fresh[last][0].stream
            self._drop_fresh(last)
            if streams.is_urgent(dropped):
                self.rewind()  # it goes before the page that is in memory

    def leave_out(self, names: Collection[str]) -> None:
        """Leave these streams, for now, to the spool: the broker refuses them."""
        left_out = frozenset(names)
        if left_out != self._left_out:
            self._left_out = left_out
            self.forget(left_out)

    def forget(self, names: Collection[str]) -> None:
        """Forget what was read of some streams: their segments may no longer leave, and the spool gives no more."""
        self.rewind()
        for rank, queue in list(self._fresh.items()):
            kept = deque(each for each in queue if each.stream not in names)
            if kept:
                self._fresh[rank] = kept
            else:
                del self._fresh[rank]

    def next(self, ready: Callable[[Sealed], bool], *, held: Callable[[str], bool] = lambda _: False) -> Sealed | None:
        """Give the next segment that still has to go; None where there is none in memory, or it is not `ready`.

        What is `held` waits in the spool, and keeps nothing else waiting.
        """
        while (queue := self._first(held)) is not None:
            segment = queue[0]
            is_wanted = self._progress.wants(segment.stream, segment.sequence)
            if is_wanted and not ready(segment):
                return None
            queue.popleft()
            if queue is self._page:
                self._progress.passed(segment.stream, segment.sequence)
            else:
                if not self._progress.follows(segment.stream, segment.sequence):
                    self._dry = False
                if not queue:
                    del self._fresh[streams.rank(segment.stream)]
            if is_wanted:
                return segment
        return None

    def read_on(self) -> None:
        """Take the page that has come, or ask for the next one where memory is empty and more is to be had."""
        if self._reading is not None:
            if not self._reading.done():
                return
            page = self._reading.result()
            self._reading = None
            self._page.extend(page)
            self._dry = len(page) < _PAGE
            self._wake()
        elif not self._page and not self._dry:
            self._reading = asyncio.ensure_future(self._read())
            self._reading.add_done_callback(lambda _: self._wake())

    def rewind(self) -> None:
        """Forget what was read: the cursors have gone back."""
        self._page.clear()
        self._dry = False
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def stop(self) -> None:
        """Forget everything: there is no connection to send it over."""
        self._fresh.clear()
        self._left_out = frozenset()
        self.rewind()

    def _first(self, held: Callable[[str], bool]) -> deque[Sealed] | None:
        """Give the queue whose first segment is next."""
        while self._fresh:
            rank = min(self._fresh)
            if self._page and streams.is_urgent(self._page[0].stream) and streams.rank(self._page[0].stream) < rank:
                return self._page
            if not held(self._fresh[rank][0].stream):
                return self._fresh[rank]
            self._drop_fresh(rank)
        # The page is in order: where its first is held, so is everything behind it.
        return self._page if self._page and not held(self._page[0].stream) else None

    def _drop_fresh(self, rank: int) -> None:
        """Leave the oldest fresh segment of a rank to the spool, which has it too."""
        self._fresh[rank].popleft()
        if not self._fresh[rank]:
            del self._fresh[rank]
        self._dry = False

    async def _read(self) -> Sequence[Sealed]:
        after: Mapping[str, int] = {**self._progress.cursors(), **dict.fromkeys(self._left_out, _BEYOND)}
        return await self._spool.pending(limit=_PAGE, after=after, order=streams.ORDER)
