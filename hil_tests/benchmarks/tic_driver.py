"""The driver alone in a process, so that what it costs can be seen from outside: PORT MODE; SIGTERM ends it.

It says "reading" once the first tick has come, and at its end how many frames were read.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Sequence

from drivers.linky import LinkyMeter
from drivers.reading import Reading

DEVICE = "m"


def boot_ms() -> int:
    """Give CLOCK_BOOTTIME in ms, as the agent does."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


async def main(port: str, mode: str) -> None:
    """Read until told to end."""
    ticks = 0

    def accept(tick: Sequence[Reading]) -> None:
        nonlocal ticks
        # What changes seldom comes in a tick of its own: a frame is counted by its values of now.
        if tick[0].channel.group != DEVICE:
            return
        if ticks == 0:
            print("reading", flush=True)
        ticks += 1

    driver = asyncio.create_task(LinkyMeter(DEVICE, port, boot_ms=boot_ms, remembered_mode=mode).run(accept))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, driver.cancel)
    try:
        await driver
    except asyncio.CancelledError:
        print(ticks, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
