"""Receipts on their way to the disk: a few wait for a minute and for a commit, many are booked at once.

A card writes whole pages: what is booked together, with a commit, touches pages that are written anyway. Receipts that
wait are lost where the process dies: their segments, `MOST_WAITING` at most, are then sent once more, and dropped at
the other end. Whoever wants to know how much is pending has them booked first.
"""

from collections.abc import Callable, Mapping, Sequence

from buffer.outbox import Outbox
from gateway.sealing.store import Store

MOST_WAITING = 32
"""Segments."""

WAIT_MS = 60_000

Ranges = Sequence[tuple[int, int]]
Noted = list[tuple[int, Ranges]]
"""The receipts of one stream: everything up to a number, and ranges above it."""


class Receipts:
    """Notes what the other end has, for `store`; `boot_ms` tells the time."""

    def __init__(self, store: Store, boot_ms: Callable[[], int]) -> None:
        self._store = store
        self._boot_ms = boot_ms
        self._since_ms: int | None = None
        self._noted: dict[str, Noted] = {}
        self._upto: dict[str, int] = {}
        self._waiting = 0

    async def note(self, stream: str, upto: int, ranges: Ranges = ()) -> None:
        """Take a receipt for everything up to `upto` and `ranges` above; raise StorageError where it is booked now."""
        if self._since_ms is None:
            self._since_ms = self._boot_ms()
        self._noted.setdefault(stream, []).append((upto, ranges))
        self._waiting += max(0, upto - self._upto.get(stream, 0)) + sum(last - first + 1 for first, last in ranges)
        self._upto[stream] = max(upto, self._upto.get(stream, 0))
        if self._waiting > MOST_WAITING:
            await self.book()

    @property
    def due(self) -> bool:
        """Whether something has waited for long enough."""
        return self._since_ms is not None and self._boot_ms() - self._since_ms >= WAIT_MS

    async def book(self) -> None:
        """Book all that waits, now; raise StorageError, and then it waits on."""
        noted = self.take()
        if not noted:
            return
        try:
            await self._store.call(enter, self._store.outbox, noted)
        except BaseException:
            self.put_back(noted)
            raise

    def take(self) -> dict[str, Noted]:
        """Give all that waits, for `enter`; whoever cannot, puts it back."""
        noted, self._noted, self._waiting = self._noted, {}, 0
        self._since_ms = None
        return noted

    def put_back(self, noted: dict[str, Noted]) -> None:
        """Let what was taken wait on."""
        if noted and self._since_ms is None:
            self._since_ms = self._boot_ms()
        for stream, those in noted.items():
            self._noted[stream] = [*those, *self._noted.get(stream, [])]


def enter(outbox: Outbox, noted: Mapping[str, Noted]) -> None:
    """Book receipts, on the outbox's thread, in one transaction; raise StorageError."""
    if not noted:
        return
    with outbox.together("noting receipts"):
        for stream, those in noted.items():
            outbox.received(
                outbox.epoch,
                stream,
                max(upto for upto, _ in those),
                sorted({each for _, ranges in those for each in ranges}),
            )
