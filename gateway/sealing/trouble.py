"""A disk that refuses: told in the log at once, and to people, here and at the centre, once it goes on."""

import logging
from collections.abc import Callable, Collection

log = logging.getLogger(__name__)

LASTING = 3
"""Rounds of the work, one after another, that the disk has refused: what is over sooner is no alarm."""


class Trouble:
    """Follows the rounds of the work; `failure` says what is wrong now, None while nothing is."""

    def __init__(self, alarm: Callable[[str, str], None]) -> None:
        self._alarm = alarm
        self._rounds = 0
        self._is_old = False
        self.failure: str | None = None

    def old(self, ahead: Collection[str]) -> None:
        """Tell once that the centre has more of streams than was ever sealed here: numbers are used a second time."""
        if ahead and not self._is_old:
            self._is_old = True
            self._alarm(
                "storage",
                f"the centre has more of the stream {min(ahead)} than was ever sealed in this outbox.db: that is an "
                "old copy, or has lost its end, and what is numbered again is lost at the centre: stop the agent, move "
                "outbox.db and its -wal away, start it again",
            )

    def refused(self, text: str) -> None:
        """Note a round that the disk refused."""
        if self.failure is None:
            log.warning("storage: %s", text)
        self.failure = text
        self._rounds += 1
        if self._rounds == LASTING:
            self._alarm("storage", f"readings wait in memory, within a bound: {text}")

    def worked(self) -> None:
        """Note a round that came to its end."""
        if self._rounds >= LASTING:
            self._alarm("storage", "the disk takes readings again")
        elif self.failure is not None:
            log.warning("storage: works again")
        self.failure = None
        self._rounds = 0
