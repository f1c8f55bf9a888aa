"""The outbox on its one thread: SQLite is only ever touched there."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from buffer.errors import StorageDamaged, StorageError
from buffer.outbox import Outbox, Stats

log = logging.getLogger(__name__)

SOONEST_S, LATEST_S = 1.0, 30.0
"""After so long a card that refused at the start is asked again, at first and in the end."""

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """The Outbox on its one thread; `call` hands a method over and waits without blocking the loop.

    `open_again` is to be run: the outbox may be one that could not be opened yet.
    """

    def __init__(self, path: Path, *, quota_pages: int) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        try:
            self.outbox = self._thread.submit(Outbox.begin, path, quota_pages=quota_pages).result()
            self.last: Stats = self._thread.submit(self.outbox.stats).result()
            """What the outbox held when it was asked last."""
        except BaseException:
            self._thread.shutdown()
            raise
        self._damage: StorageDamaged | None = None
        self._damaged = asyncio.Event()

    async def call(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `method` on the outbox's thread."""
        bound = functools.partial(method, *args, **kwargs)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, bound)
        except StorageDamaged as error:
            self._damage = error
            self._damaged.set()
            raise

    async def watch(self) -> None:
        """Wait for ever; raise StorageDamaged once anybody has met damage: a new start moves the file aside."""
        await self._damaged.wait()
        raise self._damage or StorageDamaged

    async def open_again(self) -> None:
        """Open what the card refused at the start, asking at growing intervals; returns once it is open."""
        pause_s = SOONEST_S
        while self.outbox.refusal is not None:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LATEST_S)
            with contextlib.suppress(StorageError):  # `refusal` tells; what only a new start mends, `watch` raises
                await self.call(self.outbox.open_again)

    async def stats(self) -> Stats:
        """Say what the outbox holds; what it held last, while the disk cannot be read."""
        try:
            self.last = await self.call(self.outbox.stats)
        except StorageError as error:
            log.debug("the outbox cannot be read: %s", error)
        return self.last

    def close(self) -> None:
        """Close the database and its thread, after what was handed over is done."""
        self._thread.submit(self.outbox.close).result()
        self._thread.shutdown()
