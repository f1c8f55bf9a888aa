"""One group of a frame, judged: its separators, its checksum by the rule of its mode, then the grammar of its label.

A group that fails any of them has a reason and no value. What lies between the groups (framing) is the decoder's.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from linky_tic.label import Label, Mode
from linky_tic.labels import BY_MODE, LONGEST_LABEL


class Reason(StrEnum):
    """Why a group is refused."""

    CUT = "cut"
    """An end, or its beginning, is missing; or it is longer than any group of the norm."""
    CONTROL_CHARACTER = "control_character"
    """A character that no group holds, such as the one a driver puts in place of a parity error."""
    CHECKSUM = "checksum"
    UNKNOWN_LABEL = "unknown_label"
    """Its checksum is right, the norm knows no such label in this mode."""
    GRAMMAR = "grammar"
    """Its checksum is right, its horodate or its value has not the shape that the norm gives this label."""


@dataclass(frozen=True, slots=True)
class Group:
    """One group: `value` is the text as sent, spaces included ("" for DATE); `horodate` is SAAMMJJhhmmss as sent.

    A refused group has `reason` and neither value nor horodate; its label is "" unless it is one that the norm knows.
    A `suspect` group is valid by every rule, and `reason` says why it is not plausible all the same.
    """

    label: str
    value: str | None
    horodate: str | None = None
    valid: bool = True
    reason: str | None = None
    suspect: bool = False
    mode: Mode | None = None

    @property
    def number(self) -> int | None:
        """The integer that the value writes, in the norm's base; None for a text or a refused group."""
        if self.value is None or self.mode is None:
            return None
        known = BY_MODE[self.mode].get(self.label)
        return int(self.value, known.grammar.base) if known is not None and known.is_number else None


_FOREIGN = re.compile(rb"[^\t -~]")
_LABEL = re.compile(rb"([A-Z0-9+\-]{1,%d})([\t ])" % LONGEST_LABEL)
_HORODATE = re.compile(
    rb"[HEhe ](?:0{12}|[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9])"
)
_HORODATE_SIZE = 13
_BY_SEPARATOR = {mode.separator[0]: mode for mode in Mode}
_KNOWN = {mode: {name.encode(): label for name, label in table.items()} for mode, table in BY_MODE.items()}


def checksum(mode: Mode, label_to_separator: bytes) -> int:
    """Give the checksum of a group, given from its label to the separator before the checksum, that one included.

    Historique (mode 1) leaves the last separator out, standard (mode 2) counts it in (54E section 3).
    """
    counted = label_to_separator if mode is Mode.STANDARD else label_to_separator[:-1]
    return (sum(counted) & 0x3F) + 0x20


def judge(content: bytes, mode: Mode | None = None) -> Group:
    """Judge the bytes between a group's LF and its CR.

    With a `mode`, groups of the other one are refused. Without, the separator after the label tells the mode, and
    only that mode's checksum rule and labels count.
    """
    head = _LABEL.match(content)
    found = _BY_SEPARATOR[content[head.end(1)]] if head is not None else None
    known = _KNOWN[found].get(head[1]) if head is not None and found is not None else None
    if _FOREIGN.search(content):
        return refused(known, found, Reason.CONTROL_CHARACTER)
    if head is None or found is None or len(content) < head.end() + 2 or content[-2] != found.separator[0]:
        return refused(known, found, Reason.CUT)
    if checksum(found, content[:-1]) != content[-1]:
        return refused(known, found, Reason.CHECKSUM)
    if known is None or mode not in (None, found):
        return refused(known, found, Reason.UNKNOWN_LABEL)
    return _read(known, content[head.end() : -2])


def refused(known: Label | None, mode: Mode | None, reason: Reason) -> Group:
    """Make the Group of damaged bytes: whatever they hold, it is not shown."""
    return Group(known.name if known is not None else "", None, None, valid=False, reason=reason.value, mode=mode)


def label_at(content: bytes) -> tuple[Label | None, Mode | None]:
    """Tell the label that damaged bytes still begin with, and the mode of its separator, where they do."""
    head = _LABEL.match(content)
    if head is None:
        return None, None
    mode = _BY_SEPARATOR[content[head.end(1)]]
    return _KNOWN[mode].get(head[1]), mode


def _read(known: Label, data: bytes) -> Group:
    horodate = None
    if known.stamped:
        stamp, rest = data[:_HORODATE_SIZE], data[_HORODATE_SIZE:]
        if not _HORODATE.fullmatch(stamp) or rest[:1] != known.mode.separator:
            return refused(known, known.mode, Reason.GRAMMAR)
        horodate, data = stamp.decode("ascii"), rest[1:]
    if not known.grammar.pattern.fullmatch(data):
        return refused(known, known.mode, Reason.GRAMMAR)
    return Group(known.name, data.decode("ascii"), horodate, mode=known.mode)
