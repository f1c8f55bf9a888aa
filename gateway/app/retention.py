"""What the centre has is kept here for a while too, for exports and the occupants' copy; then it goes, or at a word."""

import asyncio
import logging
from collections.abc import Callable

from buffer.errors import StorageDamaged, StorageError
from gateway.app.gives import PURGED
from gateway.app.steady import Steady
from gateway.clock import Clock
from gateway.control.routes import Call, Field, Refusal, Right, Route, Text
from gateway.sealing import Store

log = logging.getLogger(__name__)

LOOK_S = 3_600.0
_DAY_MS = 86_400_000

_PURGE = "Delete all that the centre has signed for; what it has not stays, and so does the history of the page."


class Retention:
    """Lets go, once an hour, what was received and sealed more than `days` ago; `alarm` tells of a purge."""

    def __init__(self, store: Store, clock: Clock, *, days: int, alarm: Callable[[str, str], None]) -> None:
        self._store = store
        self._clock = clock
        self._days = days
        self._alarm = alarm
        self._steady = Steady()

    async def run(self) -> None:
        """Look once an hour until cancelled; never while the time is not known, nor soon after it was set."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Let go what is old."""
        now, known = self._clock.boot_ms(), self._clock.correlation()
        if known is None or not known.is_trusted_at(now) or not self._steady.holds(known, now):
            return
        try:
            gone = await self._store.call(self._store.outbox.expire, known.utc_ms_at(now) - self._days * _DAY_MS)
        except StorageDamaged:
            raise
        except StorageError as error:
            log.warning("what is old cannot be deleted: %s", error)
        else:
            if gone:
                log.info("%d segments that the centre has are older than %d days and deleted", gone, self._days)

    def route(self) -> Route:
        """Give the route by which people delete it at once."""
        reason = Field("reason", Text(1, 200), "why; the centre is told", is_needed=True)
        return Route("POST", "/v1/queue/purge", Right.ACT, _PURGE, self._purge, body=(reason,), gives=PURGED)

    async def _purge(self, call: Call) -> object:
        try:
            gone = await self._store.call(self._store.outbox.purge)
        except StorageError as error:
            raise Refusal(503, str(error)) from error
        self._alarm("purge", f"{gone} segments that the centre has were deleted here: {call.body['reason']}")
        return {"segments": gone}
