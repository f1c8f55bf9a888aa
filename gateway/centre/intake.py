"""What comes: judged and committed, and only then acknowledged; decoded afterwards, when nothing waits to be committed.

Where the store cannot be written, nothing is acknowledged: what came waits here and in the broker, and is tried again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from gateway.centre import decode
from gateway.centre.dispatch import now_utc_ms
from gateway.centre.errors import StoreUnavailable
from gateway.centre.ingest import Arrival, Taken, take
from gateway.centre.keeper import Keeper
from gateway.centre.keyring import Keyring
from gateway.centre.link import Delivered
from gateway.centre.standing import Standing
from gateway.centre.store import Store

log = logging.getLogger(__name__)

_BATCH = 500
_AGAIN_S = 0.5
_AGAIN_MAX_S = 10.0
_OTHERS_LEFT_MS = 15_000
"""What another centre has committed and not decoded by then, it does not decode any more."""
_LOOK_S = 1.0


class Intake:
    """Takes what is delivered; `settle` acknowledges, `follow` learns what follows from each commit."""

    def __init__(
        self,
        keeper: Keeper,
        keyring: Keyring,
        standing: Standing,
        settle: Callable[[Delivered], None],
        follow: Callable[[Taken], Awaitable[None]],
    ) -> None:
        self._keeper = keeper
        self._keyring = keyring
        self._standing = standing
        self._settle = settle
        self._follow = follow
        self._arrived: asyncio.Queue[Delivered] = asyncio.Queue()
        self._committed = asyncio.Event()

    def put(self, delivered: Delivered) -> None:
        """Take one arrival; returns at once."""
        self._arrived.put_nowait(delivered)

    async def commit(self) -> None:
        """Commit what arrives, batch by batch, for ever."""
        while True:
            batch = [await self._arrived.get()]
            while not self._arrived.empty() and len(batch) < _BATCH:
                batch.append(self._arrived.get_nowait())
            taken = await self._kept([delivered.arrival for delivered in batch])
            for delivered in batch:
                self._settle(delivered)
            if taken.due:
                self._committed.set()
            await self._follow(taken)

    async def decode(self) -> None:
        """Count readings while nothing waits to be committed, for ever."""
        while True:
            with suppress(StoreUnavailable):
                while await self._keeper.do(_count):
                    # A backlog is committed first, and yet what is decoded never stands still.
                    await asyncio.sleep(0 if self._arrived.empty() else 0.1)
                    self._standing.tallies = await self._keeper.do(Store.tallies)
                self._standing.undecoded = await self._keeper.do(decode.waiting)
                self._standing.tallies = await self._keeper.do(Store.tallies)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._committed.wait(), _LOOK_S)
            self._committed.clear()

    async def _kept(self, arrivals: list[Arrival]) -> Taken:
        """Commit one batch, however long the store takes to be there."""
        pause_s = _AGAIN_S
        while True:
            try:
                taken = await self._keeper.do(partial(take, judge=self._keyring.judge, batch=arrivals))
            except StoreUnavailable as error:
                if self._standing.trouble is None:
                    log.error("%s", error)  # noqa: TRY400 - the text says it all
                self._standing.trouble = str(error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _AGAIN_MAX_S)
            else:
                if self._standing.trouble is not None:
                    log.warning("the store can be written again: what came meanwhile is committed now")
                self._standing.trouble = None
                return taken


def _count(store: Store) -> bool:
    return decode.count(store, others_before_utc_ms=now_utc_ms() - _OTHERS_LEFT_MS)
