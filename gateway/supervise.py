"""Keeps a driver running: an expected failure starts it again, later each time; a bug goes through and ends us."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from drivers.errors import DriverError

log = logging.getLogger(__name__)

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
PLUGGED_S = 2.0
"""The longest for a port of its own: to look whether its adapter is back costs nobody anything."""

STEADY_S = 60.0
"""A driver that ran for so long has earned a fresh start of its back-off."""


class Supervised:
    """One driver under supervision; `failure` is the text of what is wrong now, None while it runs."""

    def __init__(  # noqa: PLR0913 - its clock, its sleep and its chance are given by tests
        self,
        name: str,
        run: Callable[[], Awaitable[None]],
        *,
        now_s: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        longest_delay_s: float = LONGEST_DELAY_S,
    ) -> None:
        self.name = name
        self.failure: str | None = None
        self.restarts = 0
        self._run = run
        self._now_s = now_s
        self._sleep = sleep
        self._jitter = jitter
        self._longest_delay_s = longest_delay_s

    async def run(self) -> None:
        """Run until cancelled. A text that repeats itself is logged once, not at each attempt."""
        delay = FIRST_DELAY_S
        while True:
            started = self._now_s()
            try:
                await self._run()
            except DriverError as error:
                if str(error) != self.failure:
                    log.warning("%s: %s", self.name, error)
                self.failure = str(error)
            else:
                raise RuntimeError(f"the driver {self.name} ended by itself: a driver runs until it is cancelled")
            if self._now_s() - started > STEADY_S:
                delay = FIRST_DELAY_S
            self.restarts += 1
            # Half of the delay is random, so that the devices of one bus do not come back in step after a power cut.
            await self._sleep(delay * (0.5 + 0.5 * self._jitter()))
            delay = min(delay * 2, self._longest_delay_s)

    def reads_again(self) -> None:
        """Say that the driver gave something: what was wrong is over."""
        if self.failure is not None:
            log.info("%s: reads again", self.name)
            self.failure = None
