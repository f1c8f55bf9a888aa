"""Hands what the historian has rolled up to the disk, and lets what is old go.

A few minutes go together, and at once where somebody asks for the history: a card is written for nobody's sake least.
"""

import asyncio
import logging

from buffer.errors import StorageError
from gateway.app.steady import Steady
from gateway.clock import Clock
from gateway.historian import MINUTE_MS, Historian
from gateway.sealing import Store

log = logging.getLogger(__name__)

HOURS_KEPT = 31 * 24 + 1
DAYS_KEPT = 3 * 366 + 31
"""What is shown: 31 days by hour, three years by month, each with the one that runs; months are made of days."""

TOGETHER = 5
"""Minutes that are stored at one time: each alone would write the same pages again, a fifth of all that is written."""

_MOST_TOGETHER = 2_000
"""Rollups in memory from which they are stored before that: in a large building a minute has thousands."""

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


def kept_hours(retention_days: int) -> int:
    """Give for how many hours minutes are kept: 31 days, or as long as readings are."""
    return min(HOURS_KEPT, 24 * retention_days + 1)


class Keeping:
    """Keeps the history of `historian` in `store`; what a disk refuses is given to it again the next time."""

    def __init__(self, historian: Historian, store: Store, clock: Clock, *, hours_kept: int = HOURS_KEPT) -> None:
        self._historian = historian
        self._store = store
        self._clock = clock
        self._hours_kept = hours_kept
        self._pruned_hour: int | None = None
        self._steady = Steady()
        self._flushing = asyncio.Lock()
        self.failure: str | None = None
        """Why the disk did not take the last minutes."""

    async def run(self) -> None:
        """Store what is complete, a few minutes at a time, until cancelled."""
        try:
            self._historian.resume(await self._store.call(self._store.outbox.history.newest))
        except StorageError as error:
            log.warning("history: %s", error)
        while True:
            await self.flush()
            for _ in range(TOGETHER):
                await asyncio.sleep(MINUTE_MS / 1000)
                if self._historian.waiting > _MOST_TOGETHER:
                    break

    async def flush(self, *, whole: bool = False) -> None:
        """Store what is complete, with `whole` also the minute that runs."""
        async with self._flushing:  # what is on its way to the disk must not be given to it twice
            await self._flush(whole=whole)

    async def _flush(self, *, whole: bool) -> None:
        now = self._clock.boot_ms()
        correlation = self._clock.correlation()
        minutes = self._historian.take(now, correlation, whole=whole)
        history = self._store.outbox.history
        try:
            await self._store.call(history.add, minutes)
            self._historian.stored(minutes)
            may_go = correlation is not None and not correlation.provisional and self._steady.holds(correlation, now)
            if correlation is not None and may_go and minutes:
                await self._prune(correlation.utc_ms_at(now))
        except StorageError as error:
            if self.failure is None:
                log.warning("history: %s", error)
            self.failure = str(error)
        else:
            self.failure = None

    async def _prune(self, utc_ms: int) -> None:
        """Let go what is old, once an hour."""
        hour = utc_ms // _HOUR_MS
        if hour != self._pruned_hour:
            days_from = utc_ms // _DAY_MS - DAYS_KEPT
            hours_from = hour - self._hours_kept
            await self._store.call(self._store.outbox.history.prune, hours_from=hours_from, days_from=days_from)
            self._pruned_hour = hour
