"""The outbox on its one thread: SQLite is only ever touched there."""

import asyncio
import functools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from buffer.errors import StorageError
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
            self._stats = self._thread.submit(self.outbox.stats).result()
        except BaseException:
            self._thread.shutdown()
            raise

    async def call(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `method` on the outbox's thread."""
        bound = functools.partial(method, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._thread, bound)

    async def stats(self) -> Stats:
        """Say what the outbox holds; what it held last, while the disk cannot be read."""
        try:
            self._stats = await self.call(self.outbox.stats)
        except StorageError as error:
            log.debug("the outbox cannot be read: %s", error)
        return self._stats

    def close(self) -> None:
        """Close the database and its thread, after what was handed over is done."""
        self._thread.submit(self.outbox.close).result()
        self._thread.shutdown()
