"""Asks the centre what time it is, for as long as the machine does not know it itself: buildings often block NTP."""

import asyncio
import logging
import os
from collections.abc import Callable

from gateway.clock import SystemClock
from gateway.wire.messages import TimeReply, TimeRequest

log = logging.getLogger(__name__)

EARLIEST_UTC_MS, LATEST_UTC_MS = 1_735_689_600_000, 7_258_118_400_000
"""2025 and 2200: what a centre tells that lies outside comes from a machine that does not know the time itself.

Readings that such an answer placed would stay where nobody looks for them.
"""

NONCE_BYTES = 16
ANSWER_S = 10.0
"""A reply that comes later than this says too little: half of the way is unknown."""

REFRESH_S = 3600.0


class Timing:
    """Sends a TimeRequest by `ask` at each connection and each hour; a reply counts once, to its own question."""

    def __init__(self, clock: SystemClock, ask: Callable[[TimeRequest], None]) -> None:
        self._clock = clock
        self._ask = ask
        self._asked: tuple[bytes, int] | None = None
        self._connected = asyncio.Event()

    def connected(self) -> None:
        """Note that there is a connection to ask over."""
        self._connected.set()

    def replied(self, reply: TimeReply) -> None:
        """Take a verified reply."""
        if self._asked is None or reply.nonce != self._asked[0]:
            return
        asked_ms = self._asked[1]
        self._asked = None
        if not EARLIEST_UTC_MS <= reply.utc_ms < LATEST_UTC_MS:
            log.warning("the centre's clock is wrong (Unix time %d ms): its answer is not taken", reply.utc_ms)
            return
        if self._clock.boot_ms() - asked_ms <= ANSWER_S * 1000:
            self._clock.replied(asked_ms, reply.utc_ms)

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self._connected.wait()
            self._connected.clear()
            nonce = os.urandom(NONCE_BYTES)
            self._asked = (nonce, self._clock.boot_ms())
            self._ask(TimeRequest(nonce))
            try:
                async with asyncio.timeout(self._pause_s()):
                    await self._connected.wait()
            except TimeoutError:
                self._connected.set()

    def _pause_s(self) -> float:
        known = self._clock.correlation()
        trusted = known is not None and known.is_trusted_at(self._clock.boot_ms())
        return REFRESH_S if trusted else ANSWER_S
