"""A port heard with the agent's own driver, for as long as is wanted, through adapters that leave and come back."""

import asyncio
import errno
import logging
import time
from typing import NoReturn

from drivers.errors import DriverError
from drivers.linky import LinkyMeter
from drivers.linky_line import Doing
from drivers.linky_listener import Listener
from gateway.cli.exits import REFUSED, USAGE, Ended
from gateway.cli.tic.holder import holder_of

AGAIN_S = 0.5
_TAKEN = frozenset({errno.EBUSY, errno.EWOULDBLOCK})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})


def boot_ms() -> int:
    """Give the time since this machine was started, in ms."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class Line:
    """One port; `mode` and `speed` as they are typed, "auto" where they are to be found out."""

    def __init__(self, port: str, mode: str, speed: str) -> None:
        self.port = port
        self.is_told = mode != "auto" and speed != "auto"
        baud = None if speed == "auto" else int(speed)
        self.meter = LinkyMeter("meter", port, boot_ms=boot_ms, mode=mode, speed=baud)
        self._trouble = ""

    @property
    def state(self) -> str:
        """What the line does now and what to check, in a short line; "reading" where there is nothing to check."""
        doing = self.meter.doing
        if doing is Doing.CLOSED:
            return self._trouble or "the port is being opened"
        # Mode and speed, behind it, are told apart.
        return doing.value if doing is Doing.READING else self.meter.state.partition(" (")[0]

    async def hear(self, listener: Listener) -> NoReturn:
        """Hear the line until cancelled; raise Ended where the port cannot be opened at the start."""
        # Who listens sees what the line does; the log is the agent's.
        logging.getLogger("drivers").addHandler(logging.NullHandler())
        self.meter.listener = listener
        while True:
            try:
                await self.meter.run(lambda _: None)
            except DriverError as error:
                if not self.meter.counters["openings"]:
                    raise self._ended(error) from error
                self._trouble = str(error)
            await asyncio.sleep(AGAIN_S)

    def _ended(self, error: DriverError) -> Ended:
        number = error.__cause__.errno if isinstance(error.__cause__, OSError) else None
        holder = holder_of(self.port) if number in _TAKEN else None
        if holder is not None:
            return Ended(REFUSED, f"port {self.port} {holder}")
        return Ended(REFUSED if number in _TAKEN | _FORBIDDEN else USAGE, str(error))
