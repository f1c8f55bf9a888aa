"""One group of a frame, judged: its separators, its checksum by the rule of its mode, then the grammar of its label.

A group that fails any of them has a reason and no value. What lies between the groups (framing) is the decoder's.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from linky_tic.label import LEAP_YEAR, Label, Mode
from linky_tic.labels import BY_MODE, LONGEST_LABEL


class Reason(StrEnum):
    """Why a group is refused."""

    CUT = "cut"
    """An end, or its beginning, is missing; or it is longer than any group of the norm."""
    CONTROL_CHARACTER = "control_character"
    """A character that no group holds, such as the one a driver puts in place of a parity error."""
    CHECKSUM = "checksum"
    UNKNOWN_LABEL = "unknown_label"
    """Its checksum is right, no source knows such a label in this mode: its text is there, its meaning is not."""
    GRAMMAR = "grammar"
    """Its checksum is right, its horodate or its value has not the shape that the norm gives this label."""


@dataclass(frozen=True, slots=True)
class Group:
    """One group: `value` is the text as sent, spaces included ("" for DATE); `horodate` is SAAMMJJhhmmss as sent.

    A refused group has `reason` and neither value nor horodate, but for an unknown label, which has its text; the
    label of a damaged one is "" unless it is one that the norm knows. A `suspect` group is valid by every rule, and
    `reason` says why it is not plausible all the same.
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
        """The integer that the value writes, in the norm's base; None for a text or a refused group.

        In units of the last decimal place where there are any: TGPHI -2.83 is -283.
        """
        known = self._known()
        return None if known is None or self.value is None else known.grammar.number(self.value)

    @property
    def unit(self) -> str:
        """The unit of `number`: the norm's, or the one that the value itself ends with where the meter chooses."""
        known = self._known()
        return "" if known is None or self.value is None else known.grammar.unit(self.value) or known.unit

    def _known(self) -> Label | None:
        return BY_MODE[self.mode].get(self.label) if self.valid and self.mode is not None else None


_FOREIGN = re.compile(rb"[^\t -~]")
_LABEL = re.compile(rb"([A-Za-z0-9_+\-]{1,%d})([\t ])" % LONGEST_LABEL)
_HORODATE = re.compile(
    rb"[HEhe ](?:0{12}|(?:[0-9]{2}(?:(?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])(?:29|30)"
    rb"|(?:0[13578]|1[02])31)|%b0229)(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9])" % LEAP_YEAR
)
"""Days that there are: what passes here, `horodate` reads."""
_HORODATE_SIZE = 13
_TAB = Mode.STANDARD.separator[0]
_KNOWN = {mode: {name.encode(): label for name, label in table.items()} for mode, table in BY_MODE.items()}
_FAMILIES = tuple(mode for mode in Mode if mode is not Mode.STANDARD)
"""The modes that a SPACE may belong to."""


def _sole_owners() -> dict[bytes, Mode]:
    """Give the labels that one family alone has."""
    owners: dict[bytes, list[Mode]] = {}
    for mode in _FAMILIES:
        for name in _KNOWN[mode]:
            owners.setdefault(name, []).append(mode)
    return {name: modes[0] for name, modes in owners.items() if len(modes) == 1}


ONLY_IN = _sole_owners()
"""Labels that one family alone has: they tell it."""

_REMEMBERED = 512
"""Groups judged last: most of a frame is what the frame before said. More than any frame has, some 200 kB."""


def checksum(mode: Mode, label_to_separator: bytes) -> int:
    """Give the checksum of a group, given from its label to the separator before the checksum, that one included.

    Mode 1, the SPACE's, leaves the last separator out; mode 2, the HT's, counts it in (54E section 3).
    """
    counted = label_to_separator if mode is Mode.STANDARD else label_to_separator[:-1]
    return (sum(counted) & 0x3F) + 0x20


@lru_cache(maxsize=_REMEMBERED)
def judge(content: bytes, mode: Mode | None = None, family: Mode | None = None) -> Group:
    """Judge the bytes between a group's LF and its CR.

    With a `mode`, groups of any other are refused. Without, the separator after the label tells the checksum rule; a
    HT means the standard mode, a SPACE the `family` of older meters, or, None, the one that alone has this label.
    """
    head = _LABEL.match(content)
    if head is None:
        return refused(None, None, Reason.CONTROL_CHARACTER if _FOREIGN.search(content) else Reason.CUT)
    separator = content[head.end(1)]
    found = _mode_of(head[1], separator, family if mode is None else mode)
    known = _KNOWN[found].get(head[1]) if found is not None else None
    data = content[head.end() : -2]
    reason = _damage(content, head.end(), separator)
    if reason is None and mode is not None and mode is not found:
        reason = Reason.UNKNOWN_LABEL
    if reason is not None:
        return refused(known, found, reason)
    return _unknown(head[1], data, found) if known is None else _read(known, data)


def _damage(content: bytes, start: int, separator: int) -> Reason | None:
    """Tell what is wrong with the characters, the pieces or the checksum of a group whose data are at `start`."""
    if _FOREIGN.search(content):
        return Reason.CONTROL_CHARACTER
    if len(content) < start + 2 or content[-2] != separator:
        return Reason.CUT
    counted = content[:-1] if separator == _TAB else content[:-2]
    return None if (sum(counted) & 0x3F) + 0x20 == content[-1] else Reason.CHECKSUM


def family_shown(content: bytes) -> Mode | None:
    """Tell the one family of older meters in which bytes between a LF and a CR are a valid group; None if no one is."""
    group = judge(content)
    return group.mode if group.valid and group.mode is not Mode.STANDARD else None


def refused(known: Label | None, mode: Mode | None, reason: Reason) -> Group:
    """Make the Group of damaged bytes: whatever they hold, it is not shown."""
    return Group(known.name if known is not None else "", None, None, valid=False, reason=reason.value, mode=mode)


def label_at(content: bytes, family: Mode | None = None) -> tuple[Label | None, Mode | None]:
    """Tell the label that damaged bytes still begin with, and its mode, where they do; `family` as in `judge`."""
    head = _LABEL.match(content)
    if head is None:
        return None, None
    mode = _mode_of(head[1], content[head.end(1)], family)
    return (None, None) if mode is None else (_KNOWN[mode].get(head[1]), mode)


def _mode_of(label: bytes, separator: int, family: Mode | None) -> Mode | None:
    if separator == _TAB:
        return Mode.STANDARD
    return family if family is not None and family is not Mode.STANDARD else ONLY_IN.get(label)


def _unknown(label: bytes, data: bytes, mode: Mode | None) -> Group:
    """Make the Group of a label that nobody knows: its text as sent, its horodate apart where it has one."""
    horodate = None
    if _HORODATE.match(data) and data[_HORODATE_SIZE : _HORODATE_SIZE + 1] == b"\t":
        horodate, data = data[:_HORODATE_SIZE].decode("ascii"), data[_HORODATE_SIZE + 1 :]
    value = data.decode("ascii") if b"\t" not in data else None
    return Group(label.decode("ascii"), value, horodate, valid=False, reason=Reason.UNKNOWN_LABEL.value, mode=mode)


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
