"""The store's own thread: who wants something of the store hands it over here."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway.centre.errors import DispatchError, StoreUnavailable
from gateway.centre.store import Store
from gateway.centre.tables import is_unavailable

T = TypeVar("T")

_OPENS = 20
_OPENS_AFTER_S = 0.25


class Keeper:
    """Opens the store in a thread, runs what is asked of it one after another, closes it."""

    def __init__(self, database: Path, taker: str) -> None:
        self._path = database
        self._taker = taker
        self._store: Store | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Open or make the store; raise StoreUnusable or StoreUnavailable."""
        self._thread = ThreadPoolExecutor(1, "centre-store")
        for attempt in range(_OPENS):
            try:
                self._store = await self._run(lambda: Store.open(self._path, self._taker))
            except sqlite3.Error as error:
                # Several that start at once stand in each other's way for a moment.
                if attempt == _OPENS - 1 or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise _unavailable(self._path, error) from error
                await asyncio.sleep(_OPENS_AFTER_S)
            else:
                return

    async def do(self, work: Callable[[Store], T]) -> T:
        """Give what `work` gives; raise StoreUnavailable where the store cannot be used just now."""
        store = self._store
        if store is None:
            raise DispatchError("the centre is not running: start it first")
        try:
            return await self._run(lambda: work(store))
        except sqlite3.Error as error:
            if not is_unavailable(error):
                raise
            raise _unavailable(self._path, error) from error

    async def close(self) -> None:
        """Close the store after all that was handed over; what is handed over later is refused."""
        store, self._store = self._store, None
        if store is not None:
            await self._run(lambda: _leave(store))
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _leave(store: Store) -> None:
    try:
        store.release()
    except sqlite3.Error:  # it runs out by itself
        pass
    finally:
        store.close()


def _unavailable(path: Path, error: sqlite3.Error) -> StoreUnavailable:
    what = {
        sqlite3.SQLITE_FULL: "no room left: free space on the disk",
        sqlite3.SQLITE_BUSY: "held by another process: end that one",
        sqlite3.SQLITE_READONLY: "it cannot be written: check the disk and its rights",
        sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check the folder and its rights",
    }.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "check the disk")
    return StoreUnavailable(f"{path}: {error}: {what}; nothing is receipted meanwhile")
