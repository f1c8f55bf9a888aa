"""Sees to it that every answer to a command reaches the centre: sent when stored, and again until its receipt comes."""

import asyncio
import logging
from collections.abc import Callable

from gateway.commands.errors import StorageError
from gateway.commands.journal import Journal

log = logging.getLogger(__name__)

MOST_AT_ONCE = 100

Publish = Callable[[str, bytes], object]
"""Takes a kind ("ack") and a signed message."""


class Answering:
    """Publishes the answers of `journal` while the link is `up`; what has no receipt `again_s` later goes out again."""

    def __init__(self, journal: Journal, publish: Publish, *, up: Callable[[], bool], again_s: float) -> None:
        self._journal = journal
        self._publish = publish
        self._up = up
        self._again_s = again_s
        self._newest = 0
        self._connected = asyncio.Event()

    def stored(self, sequence: int, message: bytes) -> None:
        """Send an answer that was just stored, or is to be repeated; without a link it goes with the next one."""
        self._newest = max(self._newest, sequence)
        if self._up():
            self._publish("ack", message)

    def connected(self) -> None:
        """Note a new connection: whatever has no receipt goes out once more."""
        self._connected.set()

    async def run(self) -> None:
        """Send again until cancelled."""
        while True:
            late = self._newest
            try:
                async with asyncio.timeout(self._again_s):
                    await self._connected.wait()
            except TimeoutError:
                # Only what was there a whole period ago is late; what came since may have its receipt on the way.
                await self._again(late)
            else:
                self._connected.clear()
                await self._again(None)

    async def _again(self, late: int | None) -> None:
        """Send what has no receipt up to number `late`, everything for None."""
        after = 0
        try:
            while self._up() and (page := await self._journal.answers_pending(MOST_AT_ONCE, after)):
                for sequence, message in page:
                    if late is None or sequence <= late:
                        self._publish("ack", message)
                after = page[-1][0]
        except StorageError as error:
            log.warning("answers cannot be read: %s", error)
