"""Which values of a frame are worth a Reading: what is so now with each frame, the rest when it changes.

    each frame   currents, voltages and powers of now, an overrun while it lasts
    an index     with each frame while it runs: for a minute after it last moved
    the rest     texts, status, calendars, maxima and means, what is subscribed: when it changes, comes or goes

Everything is repeated within a minute: a receiver that was away knows it again, a value that no longer comes is told
from one that no longer changes, and each of the history's minutes has it. A change is told at once, of a value or of
what is thought of it, and so is everything after a pause of the line.

The rest is a group of its own ("linky.slow"), and when one of it is due, all that the frame has of it is given in one
tick: on the wire "unchanged" costs nothing, "not read" does.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from drivers.linky_channels import Pace, Point
from drivers.reading import Quality, Reading

REPEAT_MS = 57_000
"""With a frame of 3 s, the longest of a Linky, within a minute."""


@dataclass(slots=True)
class _Told:
    """What was given last of a channel, and when; `moved_ms` is when its value last changed, or was first known."""

    value: int | str
    quality: Quality
    at_ms: int
    moved_ms: int


class Report:
    """Follows the values of one meter; `forget` after a pause of its line."""

    def __init__(self) -> None:
        self._indexes: dict[str, _Told] = {}
        self._slow: dict[str, _Told] = {}

    def forget(self) -> None:
        """Give everything again with the next frame."""
        self._indexes.clear()
        self._slow.clear()

    def due(self, found: Iterable[tuple[Point, Reading]], *, whole: bool) -> Iterator[Sequence[Reading]]:
        """Give the ticks of a frame, each of one group: what is due of its Readings; `whole` if nothing of it is lost.

        A frame without a single one of the slow group, as three-phase meters send in an overrun, says nothing of it.
        """
        fast: list[Reading] = []
        slow: list[Reading] = []
        slow_due = False
        for point, reading in found:
            if point.pace is Pace.CHANGE:
                slow.append(reading)
                slow_due = slow_due or _is_due(self._slow.get(reading.channel.name), reading, point.pace)
            elif point.pace is Pace.FRAME:
                fast.append(reading)
            elif _is_due(self._indexes.get(reading.channel.name), reading, point.pace):
                fast.append(reading)
                _note(self._indexes, reading)
        if whole and slow:
            gone = self._slow.keys() - {reading.channel.name for reading in slow}
            slow_due = slow_due or bool(gone)
            for name in gone:
                del self._slow[name]
        if fast:
            yield tuple(fast)
        if slow_due:
            for reading in slow:
                _note(self._slow, reading)
            yield tuple(slow)


def _is_due(told: _Told | None, reading: Reading, pace: Pace) -> bool:
    if told is None:
        return True
    if told.value != reading.value or told.quality is not reading.quality:
        return True
    if pace is Pace.INDEX and reading.boot_ms - told.moved_ms < REPEAT_MS:
        return True
    return reading.boot_ms - told.at_ms >= REPEAT_MS


def _note(told: dict[str, _Told], reading: Reading) -> None:
    before = told.get(reading.channel.name)
    if before is None or before.value != reading.value:
        told[reading.channel.name] = _Told(reading.value, reading.quality, reading.boot_ms, reading.boot_ms)
    else:
        before.quality, before.at_ms = reading.quality, reading.boot_ms
