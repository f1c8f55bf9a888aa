"""Tells systemd how we are (sd_notify): ready, alive, about to end. Without systemd, nothing is said to nobody.

The watchdog is fed by progress: an agent whose loop turns while nothing reaches the disk any more is not alive, and is
killed and started again. What counts as progress is left to whoever calls.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping
from typing import Self

log = logging.getLogger(__name__)

FIRST_LOOK_S = 1.0
NO_WATCHDOG_EVERY_S = 30.0
"""How often the state is told where no watchdog waits for it."""


class Notifier:
    """Says things to the service manager, which waits `watchdog_s` for the next sign of life; None: for ever."""

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        self._address = address
        self.watchdog_s = watchdog_s

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Make the one that the environment asks for: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID of systemd."""
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        wait_us = environment.get("WATCHDOG_USEC", "")
        watchdog_s = int(wait_us) / 1e6 if ours and wait_us.isdecimal() and int(wait_us) else None
        return cls(environment.get("NOTIFY_SOCKET") or None, watchdog_s)

    def ready(self) -> None:
        """Say that start-up is over."""
        self._say("READY=1")

    def alive(self, state: str) -> None:
        """Feed the watchdog, and say in a line how we are."""
        self._say("WATCHDOG=1", _status(state))

    def state(self, state: str) -> None:
        """Say in a line how we are; the watchdog is not fed."""
        self._say(_status(state))

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._say("STOPPING=1")

    async def keep(self, progress: Callable[[], int], state: Callable[[], str]) -> None:
        """Feed the watchdog until cancelled, each time that `progress` has gone on since the last time."""
        every_s = NO_WATCHDOG_EVERY_S if self.watchdog_s is None else self.watchdog_s / 6
        fed_at = None
        wait_s = min(FIRST_LOOK_S, every_s)
        while self._address is not None:
            await asyncio.sleep(wait_s)
            wait_s = every_s
            reached = progress()
            if reached != fed_at:
                self.alive(state())
                fed_at = reached
            else:
                self.state(state())

    def _say(self, *lines: str) -> None:
        """Send one datagram; a manager that does not listen is not worth a failure, its watchdog will tell."""
        if self._address is None:
            return
        # "@" stands for the zero byte of an abstract socket.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.settimeout(0)
                out.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            log.debug("systemd does not listen at %s: %s", self._address, error)


def _status(state: str) -> str:
    return "STATUS=" + " ".join(state.split())
