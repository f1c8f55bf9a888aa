"""Runs a Meter and collects what it gives, tick by tick."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from drivers.ports import Meter
from drivers.reading import Reading


class Ticks:
    """Collects what a meter gives, tick by tick."""

    def __init__(self) -> None:
        self.ticks: list[Sequence[Reading]] = []
        self._came = asyncio.Event()

    def __call__(self, readings: Sequence[Reading]) -> None:
        self.ticks.append(readings)
        self._came.set()

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait until a tick makes `enough` true."""
        async with asyncio.timeout(10):
            while not enough():
                self._came.clear()
                await self._came.wait()


@contextlib.asynccontextmanager
async def running(meter: Meter) -> AsyncIterator[tuple[Ticks, asyncio.Task[None]]]:
    """Run `meter` until the block is left; give its ticks and its task."""
    ticks = Ticks()
    task = asyncio.create_task(meter.run(ticks))
    try:
        yield ticks, task
    finally:
        task.cancel()
        await asyncio.wait((task,))
