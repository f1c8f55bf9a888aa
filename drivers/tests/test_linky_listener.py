"""Who listens beside the driver hears all that it hears, on a real pty."""

import asyncio
import os
import time
import tty
from contextlib import suppress

from drivers.linky import LinkyMeter
from linky_tic.decoder import Frame
from linky_tic.label import Mode
from linky_tic.tests.encoder import Item, encode_frame

FRAME = encode_frame(Mode.STANDARD, [Item("IRMS1", "002"), Item("URMS1", "231"), Item("SINSTS1", "48370")])


class Heard:
    def __init__(self) -> None:
        self.data = b""
        self.frames: list[tuple[Frame, int]] = []
        self.ended = asyncio.Event()

    def heard(self, data: bytes) -> None:
        self.data += data
        if self.data.endswith(FRAME):
            self.ended.set()

    def frame(self, frame: Frame, at_ms: int) -> None:
        self.frames.append((frame, at_ms))


async def test_a_listener_hears_every_character_and_every_judged_frame() -> None:
    """Characters come as they were sent, frames with the doubts of the driver, after mode and speed are known."""

    def now() -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    master, slave = os.openpty()
    tty.setraw(slave)
    heard = Heard()
    meter = LinkyMeter("m", os.ttyname(slave), boot_ms=now, remembered_mode="standard")
    meter.listener = heard
    assert (meter.found, meter.checked_by) == (None, None)
    task = asyncio.create_task(meter.run(lambda _: None))
    began = now()
    try:
        async with asyncio.timeout(8):
            # The port is set before the driver first waits, in this very loop's next turn.
            await asyncio.sleep(0)
            os.write(master, FRAME)
            await heard.ended.wait()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        os.close(master)
        os.close(slave)
    ((frame, at_ms),) = heard.frames
    assert [(group.label, group.suspect) for group in frame.groups] == [
        ("IRMS1", False),
        ("URMS1", False),
        ("SINSTS1", True),
    ]
    assert began <= at_ms <= now()
    assert (meter.found, meter.speed, meter.checked_by) == (Mode.STANDARD, 9_600, "software")
