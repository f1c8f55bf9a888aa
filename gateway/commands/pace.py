"""Waiting for a moment of boot time, as a port: the agent waits for real, tests move the time by hand."""

import asyncio
from typing import Protocol

from gateway.clock import Clock

_STRIDE_S = 10
"""Longest single sleep: the loop's clock stands still while the machine is suspended, boot time does not."""


class Pace(Protocol):
    """Something that can wait."""

    async def sleep_until(self, boot_ms: int) -> None:
        """Return at that boot time, at once if it is past."""


class RealPace:
    """Waits for real, by the given clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def sleep_until(self, boot_ms: int) -> None:
        """Return at that boot time, at once if it is past."""
        while (left_ms := boot_ms - self._clock.boot_ms()) > 0:  # noqa: ASYNC110 - time is what is waited for
            await asyncio.sleep(min(left_ms / 1000, _STRIDE_S))


async def first(pace: Pace, boot_ms: int, event: asyncio.Event) -> bool:
    """Wait for the event or for the moment, whichever is first; give whether it was the event."""
    if event.is_set():
        return True
    waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(pace.sleep_until(boot_ms))]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    return event.is_set()
