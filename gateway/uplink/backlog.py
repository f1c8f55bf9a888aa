"""Which segment the uplink sends next: the freshly sealed ones first, then the backlog, read page by page.

Pages are read in the background, so that what is signed singly never waits for the disk. What was sent and what must go
again is `progress`'s business, publishing is the worker's.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from gateway.uplink.progress import Progress
from gateway.uplink.settings import Sealed, Spool

_PAGE = 64
_FRESH = 32


class Backlog:
    """Segments to send, in order; `wake` is called when a page has come."""

    def __init__(self, spool: Spool, progress: Progress, wake: Callable[[], None]) -> None:
        self._spool = spool
        self._progress = progress
        self._wake = wake
        self._fresh: deque[Sealed] = deque()
        self._page: deque[Sealed] = deque()
        self._reading: asyncio.Task[Sequence[Sealed]] | None = None
        self._dry = False

    def sealed(self, segment: Sealed | None) -> None:
        """Take a fresh segment, or the word that there is one in the spool."""
        if segment is None:
            self._dry = False
            return
        self._fresh.append(segment)
        if len(self._fresh) > _FRESH:
            self._fresh.popleft()
            self._dry = False

    def next(self) -> Sealed | None:
        """Give the next segment that still has to go, None where there is none in memory."""
        progress = self._progress
        while self._fresh:
            segment = self._fresh.popleft()
            if not progress.follows(segment.stream, segment.sequence):
                self._dry = False
            if progress.wants(segment.stream, segment.sequence):
                return segment
        while self._page:
            segment = self._page.popleft()
            wanted = progress.wants(segment.stream, segment.sequence)
            progress.passed(segment.stream, segment.sequence)
            if wanted:
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
        elif not self._page and not self._dry and self._progress.room:
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
        self.rewind()

    async def _read(self) -> Sequence[Sealed]:
        return await self._spool.pending(limit=_PAGE, after=self._progress.cursors())
