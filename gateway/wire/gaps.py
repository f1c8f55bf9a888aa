"""Where nothing was read, for whoever has the readings alone and knows no periods: the rule of docs/missing-data.md.

Two readings of a channel are a gap apart where more lies between them than the tier's bound, or than three times the
shortest distance between two readings of that channel so far, whichever is longer.
"""

from typing import Final

BOUND_MS: Final = 180_000
INDEX_BOUND_MS: Final = 20 * 60_000
"""The same in an index tier."""

_TIMES = 3


def bound_ms(stream: str) -> int:
    """Give the bound of a stream by its tier: "index.apt-12.research" is one of the tier index."""
    return INDEX_BOUND_MS if stream.partition(".")[0] == "index" else BOUND_MS


class Gaps:
    """Follows channels through their readings, each in order of time; one that goes back in time is let pass."""

    def __init__(self, bound: int = BOUND_MS) -> None:
        self._bound = bound
        self._last: dict[str, int] = {}
        self._shortest: dict[str, int] = {}

    def reading(self, channel: str, at_ms: int) -> int | None:
        """Note a reading; where a gap lies before it, give the time of the reading before that gap."""
        before = self._last.get(channel)
        if before is None or at_ms > before:
            self._last[channel] = at_ms
        if before is None or at_ms <= before:
            return None
        distance = at_ms - before
        shortest = self._shortest.get(channel)
        if shortest is None or distance < shortest:
            shortest = self._shortest[channel] = distance
        return before if distance > max(self._bound, _TIMES * shortest) else None

    def last(self, channel: str) -> int | None:
        """Give the time of a channel's newest reading, None before the first."""
        return self._last.get(channel)

    def open_at(self, channel: str, end_ms: int) -> bool:
        """Tell whether a gap runs at `end_ms`: nothing was read of that channel for too long, or ever."""
        last = self._last.get(channel)
        if last is None:
            return True
        return end_ms - last > max(self._bound, _TIMES * self._shortest.get(channel, 0))

    def forget(self) -> None:
        """Begin another scale, as the boot time of another boot; what is known of the channels' periods stays."""
        self._last.clear()
