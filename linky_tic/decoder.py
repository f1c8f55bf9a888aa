"""Bytes of a line to groups and frames, however the bytes come cut into pieces.

    frame   STX group* ETX, or cut by EOT, or by the STX of the next one
    group   LF content CR; a LF that noise turned into 0x0B, 0x0C, 0x0E or 0x0F counts when it directly follows a CR

Framing only: `group` judges what stands in a group, `plausibility` what a frame's values say together. No I/O and no
clock.
"""

import re
from collections import Counter
from dataclasses import dataclass

from linky_tic.family import Family
from linky_tic.group import Group, Reason, judge, label_at, refused
from linky_tic.label import Mode
from linky_tic.labels import LONGEST_GROUP, MOST_LABELS
from linky_tic.plausibility import judge_power

STX, ETX, EOT, LF, CR = 0x02, 0x03, 0x04, 0x0A, 0x0D

_DELIMITER = re.compile(rb"[\x02\x03\x04\n\r]")
_DAMAGED_LF = (0x0B, 0x0C, 0x0E, 0x0F)
_START = -1
"""What precedes the first byte: nothing is known of it, so nothing that follows it is a group."""

_CONTENT_LIMIT = LONGEST_GROUP
_TAIL_LIMIT = _CONTENT_LIMIT + 2
"""What is kept of an unfinished piece: enough to know that it is too long, a damaged LF before it included."""
_GROUPS_LIMIT = 2 * MOST_LABELS
"""More than any frame has (a four-quadrant ICE sends most labels twice); one that never ends stays bounded."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The groups of one frame, in order, refused ones included.

    `complete` from its STX to its ETX, whatever the groups are worth; False where it was cut or its beginning was
    missed. `mode` is the one that the decoder was told or that most valid groups show, None where there is no valid
    group.
    """

    mode: Mode | None
    complete: bool
    groups: tuple[Group, ...]


Event = Group | Frame


class Decoder:
    """Decodes one line; with a `mode`, groups of any other are refused, else the line tells it (see `family`).

    A Group is given as soon as its CR is fed; a Frame follows with the same groups, judged together (`suspect`).
    Memory is bounded whatever is fed; no bytes make it raise.
    """

    def __init__(self, mode: Mode | None = None) -> None:
        self._mode = mode
        self._family = Family(mode)
        self._reset()

    def _reset(self) -> None:
        self._tail = b""
        self._before = _START
        self._begun = False
        self._groups: list[Group] = []

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes, in pieces of any size; give what they complete, in the order of the line."""
        events: list[Event] = []
        data = self._tail + data
        start = 0
        for match in _DELIMITER.finditer(data):
            at = match.start()
            if at == start and data[at] == LF:
                # Between two groups of a good line, which is half of all delimiters: nothing ends there.
                self._before = LF
            else:
                self._take(data[start:at], data[at], events)
            start = at + 1
        self._tail = data[start : start + _TAIL_LIMIT]
        return events

    def flush(self) -> list[Event]:
        """End the stream: give what was left open, a cut group and an incomplete frame; then it can be fed anew.

        The family that the stream has shown is still known: a pause changes no meter.
        """
        events: list[Event] = []
        content = self._opened(self._tail)
        if content:
            self._cut(content, events)
        self._end(events, complete=False)
        self._reset()
        return events

    def _take(self, piece: bytes, delimiter: int, events: list[Event]) -> None:
        content = self._opened(piece)
        if content is not None:
            if delimiter != CR or len(content) > _CONTENT_LIMIT:
                if content:
                    self._cut(content, events)
            elif self._mode is not None:
                self._add(judge(content, self._mode), events)
            else:
                self._add(self._family.judge(content), events)
        elif piece and delimiter == CR and self._before != _START:
            self._add(refused(None, None, Reason.CUT), events)
        if delimiter in (STX, ETX, EOT):
            self._end(events, complete=delimiter == ETX and self._begun)
            self._begun = delimiter == STX
        self._before = delimiter

    def _opened(self, piece: bytes) -> bytes | None:
        """Give the bytes after the LF that opened a group, damaged or not; None where there was none."""
        if self._before == LF:
            return piece
        if self._before == CR and piece and piece[0] in _DAMAGED_LF:
            return piece[1:]
        return None

    def _cut(self, content: bytes, events: list[Event]) -> None:
        self._add(refused(*label_at(content, self._family.known), Reason.CUT), events)

    def _add(self, group: Group, events: list[Event]) -> None:
        events.append(group)
        self._groups.append(group)
        if len(self._groups) >= _GROUPS_LIMIT:
            self._end(events, complete=False)
            self._begun = False

    def _end(self, events: list[Event], *, complete: bool) -> None:
        if self._groups:
            events.append(Frame(self._frame_mode(), complete, judge_power(self._groups)))
            self._groups = []

    def _frame_mode(self) -> Mode | None:
        if self._mode is not None:
            return self._mode
        seen = Counter(group.mode for group in self._groups if group.valid)
        return seen.most_common(1)[0][0] if seen else None
