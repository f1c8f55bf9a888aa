"""Alarms: told to people here at once, and kept in a stream of their own until the centre has signed for them.

Where the disk refuses one it is said singly, from memory, as it is where there were too many in an hour. What would
name a household that has consented to nothing is told with the name left out.
"""

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable, Collection

from buffer.errors import StorageDamaged, StorageError
from buffer.outbox import Segment
from gateway.app.voice import Voice, alarm_of
from gateway.clock import Clock, utc_ms_at
from gateway.control.events import Events
from gateway.sealing import Signer, Store
from gateway.wire.messages import Alarm

log = logging.getLogger(__name__)

STREAM = "alarm"
KIND = "evt/alarm"
EVENT = "alarms"

MOST_AN_HOUR = 120
"""More than these are not kept: what repeats itself must not wear the card out, nor push readings from it."""

_HOUR_MS = 3_600_000
_MOST_WAITING = 256
_LEFT_OUT = "(a household)"
_WORD = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Alarms:
    """Keeps alarms and sends them; `run` it, and `end` it when it was cancelled.

    `private` gives the names that may not leave, `sealed` takes each alarm that is kept, `publish` one that is not.
    """

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        *,
        store: Store,
        signer: Signer,
        clock: Clock,
        voice: Voice,
        events: Events,
        private: Callable[[], Collection[str]],
        sealed: Callable[[Segment], None],
        publish: Callable[[str, bytes], object],
    ) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._voice = voice
        self._events = events
        self._private = private
        self._sealed = sealed
        self._publish = publish
        self._waiting: deque[Alarm] = deque()
        self._told = asyncio.Event()
        self._kept_ms: deque[int] = deque(maxlen=MOST_AN_HOUR)

    def tell(self, kind: str, text: str) -> None:
        """Tell people, here and at the centre; returns at once."""
        log.warning("%s: %s", kind, text)
        self._events.tell(EVENT, {"kind": kind, "text": text})
        now = self._clock.boot_ms()
        alarm = alarm_of(kind, self._without_names(text), now, utc_ms_at(self._clock, now))
        if len(self._waiting) >= _MOST_WAITING:  # a disk that hangs
            self._publish(KIND, self._voice.alarm(alarm))
            return
        self._waiting.append(alarm)
        self._told.set()

    async def run(self) -> None:
        """Keep each alarm as it is told, until cancelled."""
        while True:
            await self._told.wait()
            self._told.clear()
            keeping = asyncio.ensure_future(self.end())
            try:
                await asyncio.shield(keeping)
            except asyncio.CancelledError:
                await asyncio.wait((keeping,))  # else it would be kept twice
                raise

    async def end(self) -> None:
        """Keep what was told and is not kept yet."""
        while self._waiting:
            alarm = self._waiting[0]
            if self._is_too_often(alarm.boot_ms):
                self._publish(KIND, self._voice.alarm(alarm))
            else:
                await self._keep(alarm)
            self._waiting.popleft()

    async def _keep(self, alarm: Alarm) -> None:
        payload = alarm.encode()
        try:
            segment = await self._store.call(
                self._store.outbox.add,
                STREAM,
                count=0,
                first_ms=alarm.boot_ms,
                last_ms=alarm.boot_ms,
                pack=lambda place, _: self._signer.sign(place, Alarm.CONTENT, payload),
                utc_ms=alarm.utc_ms,
            )
        except StorageError as error:
            log.warning("an alarm cannot be kept: %s", error)
            self._publish(KIND, self._voice.alarm(alarm))
            if isinstance(error, StorageDamaged):
                raise
        else:
            self._kept_ms.append(alarm.boot_ms)
            self._sealed(segment)

    def _is_too_often(self, now_ms: int) -> bool:
        kept = self._kept_ms
        return len(kept) == MOST_AN_HOUR and now_ms - kept[0] < _HOUR_MS

    def _without_names(self, text: str) -> str:
        private = self._private()
        if not private:
            return text
        return _WORD.sub(lambda found: _LEFT_OUT if found[0] in private else found[0], text)
