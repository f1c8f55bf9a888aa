"""What is known of a line that is listened to: each label's last group, what was refused, how old all is."""

import asyncio
from collections import Counter
from dataclasses import replace

from gateway.cli.tic.hearing import Line, boot_ms
from gateway.cli.tic.masking import masked
from gateway.cli.tic.view import Picture, Row
from gateway.cli.tic.words import meaning, told, value
from linky_tic.decoder import Frame
from linky_tic.group import Group, Reason
from linky_tic.label import Mode
from linky_tic.labels import BY_MODE

_GONE_MS = 60_000
"""What a meter has not said for so long it says no more: ADPS outlives its overrun by a minute here, its age shown."""
_FIRST = ("SINSTS", "PAPP", "SINSTI", "IINST", "IRMS", "ADPS", "ADIR", "URMS", "PA1MN", "PTEC", "LTARF", "PTCOUR")
"""A window of 24 lines begins with what moves."""

_Key = tuple[str, int]


class Watch:
    """Listens to one line; `numbers` True leaves those of meter and delivery point as they are."""

    def __init__(self, line: Line, *, numbers: bool) -> None:
        self.line = line
        self.frames: asyncio.Queue[tuple[Frame, int]] = asyncio.Queue()
        self._numbers = numbers
        self._groups: dict[_Key, tuple[Group, int]] = {}
        self._mode: Mode | None = None
        self._suspect = 0

    def heard(self, data: bytes) -> None:
        """Take characters: what is to be known of them the driver counts."""

    def frame(self, frame: Frame, at_ms: int) -> None:
        """Take a frame; where the meter has another mode now, nothing of the former is left."""
        if not self._numbers:
            frame = replace(frame, groups=tuple(masked(group) for group in frame.groups))
        self._suspect += sum(group.suspect for group in frame.groups)
        found = self.line.meter.found
        if found is not None and found is not self._mode:
            self._mode = found
            self._groups.clear()
        came: dict[_Key, tuple[Group, int]] = {}
        times: Counter[str] = Counter()
        for group in frame.groups:
            if group.value is not None:
                # A four-quadrant ICE says most labels twice in a frame.
                came[group.label, times[group.label]] = (group, at_ms)
                times[group.label] += 1
        held = {key: each for key, each in self._groups.items() if at_ms - each[1] < _GONE_MS}
        # The order is that of a long frame: short ones come between, and the first may have been met in its middle.
        self._groups = {**came, **held, **came} if 2 * len(came) > len(held) else {**held, **came}
        self.frames.put_nowait((frame, at_ms))

    def picture(self) -> Picture:
        """Give what is known now."""
        meter = self.line.meter
        counters = meter.counters
        rates = meter.rates["minute"]
        now = boot_ms()
        held = sorted(self._groups.values(), key=lambda held: _rank(held[0]))
        return Picture(
            port=self.line.port,
            state=self.line.state,
            speed=meter.speed,
            mode=None if meter.found is None else meter.found.value,
            checked_by=meter.checked_by,
            frames_per_minute=None if rates is None else rates.frames_per_min,
            counters=counters,
            refused={reason.value: counters[f"groups_{reason.value}"] for reason in Reason},
            suspect=self._suspect,
            overrun=meter.overrun,
            rows=[self._row(group, now - at_ms) for group, at_ms in held],
        )

    def _row(self, group: Group, age_ms: int) -> Row:
        known = None if group.mode is None else BY_MODE[group.mode].get(group.label)
        is_hidden = known is not None and known.personal and not self._numbers
        shown = "masked" if is_hidden else value(group)
        return Row(group.label, shown, meaning(group), told(group), age_ms, group.reason if group.suspect else None)


def _rank(group: Group) -> int:
    """Give what is looked at first a low number; the rest stays as the meter sends it."""
    if group.suspect:
        return 0
    for rank, name in enumerate(_FIRST, 1):
        if group.label.startswith(name):
            return rank
    return len(_FIRST) + 1 + (group.valid and group.number == 0)
