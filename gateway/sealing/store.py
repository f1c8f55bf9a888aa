"""The outbox on its one thread: SQLite is only ever touched there."""

import asyncio
import functools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from buffer.errors import StorageDamaged, StorageError
from buffer.outbox import Outbox, Stats

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """The Outbox on its one thread; `call` hands a method over and waits without blocking the loop."""

    def __init__(self, path: Path, *, quota_pages: int) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        try:
            self.outbox = self._thread.submit(Outbox.open, path, quota_pages=quota_pages).result()
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
