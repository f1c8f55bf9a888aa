"""Takes the numbers that name a meter or a delivery point out of a TIC stream, and leaves the rest as it was.

    a whole group, known label     stays; a personal one's number is all 0, its checksum right again; so are 12 digits
                                   and more in a row in a text, or in all in a message, which may be such a number
    a whole group, unknown label   stays; its digits are 0 where they are 6 or more: what it is shaped like is seen
    anything else                  its digits are x, whatever its label seems to be: no part of a number cut in two, or
                                   spliced into another group, is left. Damaged, it was no value before either

A group that was refused is refused as it was, for the same reason: its checksum is moved by what its text was.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from linky_tic.group import Group, Reason, judge
from linky_tic.label import Label, Mode
from linky_tic.labels import BY_MODE, LONGEST_GROUP

_CR, _LF = 0x0D, 0x0A
_DELIMITER = re.compile(rb"[\x02\x03\x04\n\r]")
_DAMAGED_LF = (b"\x0b", b"\x0c", b"\x0e", b"\x0f")
_LABEL = re.compile(rb"([A-Za-z0-9_+\-]+)[\t ]")
_TEXT = re.compile(rb".*[\t ].*[\t ]", re.DOTALL)
"""What stands before a checksum; with one separator alone, what follows it is the cut beginning of a value."""
_KNOWN = frozenset(name.encode() for table in BY_MODE.values() for name in table)
_PERSONAL = frozenset(name.encode() for table in BY_MODE.values() for name, label in table.items() if label.personal)
_NUMBER_OF_A_TEXT = 12
"""Digits of the shorter of the two numbers, ADSC's; a PRM has 14."""
_NUMBER_OF_NOBODY_KNOWS_WHAT = 6
"""Digits of half of it: damage that passes the checksum may have taken some."""
_MESSAGES = frozenset({"MSG1", "MSG2"})
"""Somebody wrote them, a number perhaps in several pieces, as it stands on a bill."""
_DIGITS_OF_A_LABEL = 2

# Bit 7 may be there in what somebody else caught: a digit is one with it as well, and keeps it.
_DIGITS = b"0123456789\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9"
_HEX_DIGITS = _DIGITS + b"ABCDEF\xc1\xc2\xc3\xc4\xc5\xc6"
_HEX_RUN = re.compile(rb"[%b]{4,}" % _HEX_DIGITS)
"""An ADS may have letters: with a digit among them they are no word."""
_PRINTED = bytes(byte for byte in range(256) if 0x20 < byte & 0x7F < 0x7F)


def _crossing_out(characters: bytes) -> bytes:
    return bytes.maketrans(characters, bytes(byte & 0x80 | ord("x") for byte in characters))


_NO_DIGIT, _NO_HEX, _NOTHING = map(_crossing_out, (_DIGITS, _HEX_DIGITS, _PRINTED))
_ZERO = bytes.maketrans(b"0123456789ABCDEF", b"0" * 16)
_ZERO_DIGIT = bytes.maketrans(b"0123456789", b"0" * 10)


class Masking:
    """Masks one stream, fed in pieces of any size; what it gives does not depend on them."""

    def __init__(self) -> None:
        self._held = b""
        self._before = 0
        self._too_long = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; give those before the last delimiter, masked."""
        data = self._held + data
        out = bytearray()
        start = 0
        for match in _DELIMITER.finditer(data):
            at = match.start()
            out += self._masked(data[start:at], data[at])
            out.append(data[at])
            self._before, self._too_long = data[at], False
            start = at + 1
        self._held = data[start:]
        if len(self._held) > LONGEST_GROUP or self._too_long:
            out += self._endless(self._held)
            self._held, self._too_long = b"", True
        return bytes(out)

    def flush(self) -> bytes:
        """End the stream: give what was held back, masked."""
        rest, self._held = self._masked(self._held, None), b""
        return rest

    def _masked(self, piece: bytes, delimiter: int | None) -> bytes:
        if self._too_long or len(piece) > LONGEST_GROUP:
            return self._endless(piece)
        if self._before == _CR and piece[:1] in _DAMAGED_LF:
            return piece[:1] + _content(piece[1:], is_whole=delimiter == _CR)
        return _content(piece, is_whole=delimiter == _CR and self._before == _LF)

    def _endless(self, piece: bytes) -> bytes:
        """Mask a part, as long as it may be, of what is longer than any group."""
        head = b"" if self._too_long else _known_head(piece)
        return head + piece[len(head) :].translate(_NO_HEX)


def masked(group: Group) -> Group:
    """Give a decoded group as `Masking` would have left it."""
    if group.value is None:
        return group
    known = None if group.mode is None else BY_MODE[group.mode].get(group.label)
    return replace(group, value=_value(group.value.encode(), known).decode())


def _content(content: bytes, *, is_whole: bool) -> bytes:
    """Mask what stands between two delimiters; `is_whole` where a LF and a CR are these."""
    if not is_whole:
        return _damaged(content)
    groups = [judge(content, mode) for mode in Mode]
    for mode, group in zip(Mode, groups, strict=True):
        if group.valid:
            return _revalued(content, group, BY_MODE[mode][group.label])
    for group in groups:
        if group.reason == Reason.UNKNOWN_LABEL and _is_new(group.label.encode()):
            return _revalued(content, group, None) if group.value is not None else _shifted(content, _unreadable)
    return _shifted(content, _damaged)


def _is_new(label: bytes) -> bool:
    """Tell whether a label is one that nobody knows, and no label with the beginning of a number run into it."""
    return label not in _KNOWN and len(label) > 0 and _count(label) <= _DIGITS_OF_A_LABEL


def _unreadable(text: bytes) -> bytes:
    """Cross out what follows a label that nobody knows: several pieces, the first of them no horodate."""
    head = _LABEL.match(text)
    at = 0 if head is None else head.end()
    return text[:at] + _crossed_out(text[at:])


def _revalued(content: bytes, group: Group, known: Label | None) -> bytes:
    value = (group.value or "").encode()
    end = len(content) - 2
    return _shifted(content, lambda text: text[: end - len(value)] + _value(value, known) + text[end:])


def _value(value: bytes, known: Label | None) -> bytes:
    """Mask the value of a whole group; `known` None where nobody knows its label."""
    if known is None:
        return value.translate(_ZERO_DIGIT) if _count(value) >= _NUMBER_OF_NOBODY_KNOWS_WHAT else value
    if known.personal:
        return value.translate(_ZERO)
    if known.name in _MESSAGES and _count(value) >= _NUMBER_OF_A_TEXT:
        return value.translate(_ZERO_DIGIT)
    return re.sub(rb"[0-9]{%d,}" % _NUMBER_OF_A_TEXT, lambda run: b"0" * len(run[0]), value)


def _shifted(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change a text before its checksum, and move that one along: right stays right, wrong as wrong as it was."""
    text, check = content[:-1], content[-1:]
    if not _TEXT.fullmatch(text) or not b" " <= check <= b"_":
        return change(content)
    changed = change(text)
    return changed + bytes([(check[0] - 0x20 + sum(changed) - sum(text) & 0x3F) + 0x20])


def _damaged(text: bytes) -> bytes:
    head = _known_head(text)
    rest = text[len(head) :]
    return head + (rest.translate(_NOTHING) if head[:-1] in _PERSONAL else _crossed_out(rest))


def _known_head(text: bytes) -> bytes:
    """Give the label that a text begins with, its separator with it, where somebody knows it."""
    head = _LABEL.match(text)
    return head[0] if head is not None and head[1] in _KNOWN else b""


def _crossed_out(text: bytes) -> bytes:
    return _HEX_RUN.sub(_crossed_out_run, text).translate(_NO_DIGIT)


def _crossed_out_run(run: re.Match[bytes]) -> bytes:
    return run[0].translate(_NO_HEX) if _count(run[0]) else run[0]


def _count(text: bytes) -> int:
    """Count the digits of a text."""
    return len(text) - len(text.translate(None, _DIGITS))
