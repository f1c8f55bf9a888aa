"""What the norm says of one label, and the few grammars that values are made of.

The checksum is blind to bit 6 (and the wrong rule to bit 5), so a group is believed only when its value also has the
exact shape that the norm gives this label. The tables themselves are `standard` and `historique`; `labels` looks a
label up.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """How the meter speaks: another speed, another separator, another checksum rule, other labels."""

    HISTORIQUE = "historique"
    STANDARD = "standard"

    @property
    def separator(self) -> bytes:
        """One byte between the pieces of a group (54E section 3)."""
        return b"\t" if self is Mode.STANDARD else b" "

    @property
    def baud(self) -> int:
        """Line speed in bits a second: 7 bits, even parity, 1 stop (54E section 3)."""
        return 9_600 if self is Mode.STANDARD else 1_200


@dataclass(frozen=True, slots=True)
class Grammar:
    """The exact shape of a value: `size` characters as the norm counts them, matched whole by `pattern`.

    `base` is the base of the integer that the text writes (10 or 16), 0 where it is no number.
    """

    size: int
    pattern: re.Pattern[bytes]
    base: int = 0


@dataclass(frozen=True, slots=True)
class Label:
    """One row of the norm's table.

    `unit` is the norm's ("" where there is none); `stamped` groups carry a horodate; `phase` is 1 to 3 where the
    value belongs to one; `three_phase` and `producer` labels come from such meters only; `personal` ones name the
    meter or the delivery point.
    """

    name: str
    mode: Mode
    grammar: Grammar
    unit: str
    meaning: str
    stamped: bool
    phase: int | None
    three_phase: bool
    producer: bool
    personal: bool

    @property
    def size(self) -> int:
        """Characters of the value, as the norm counts them."""
        return self.grammar.size

    @property
    def is_number(self) -> bool:
        """Tell whether the value writes an integer."""
        return self.grammar.base != 0


def digits(size: int) -> Grammar:
    """Exactly `size` decimal digits, zero-padded: a number."""
    return Grammar(size, re.compile(rb"[0-9]{%d}" % size), 10)


def serial(size: int) -> Grammar:
    """Exactly `size` decimal digits that name something: no number."""
    return Grammar(size, re.compile(rb"[0-9]{%d}" % size))


def bounded(size: int, pattern: bytes) -> Grammar:
    """Decimal digits of a narrower range, given as a pattern: a number."""
    return Grammar(size, re.compile(pattern), 10)


def hexadecimal(size: int, pattern: bytes | None = None) -> Grammar:
    """Exactly `size` capital hexadecimal digits, or the narrower pattern: a number."""
    return Grammar(size, re.compile(rb"[0-9A-F]{%d}" % size if pattern is None else pattern), 16)


def free_text(size: int) -> Grammar:
    """At most `size` printable characters: the norm pads, real suppliers not always (NGTF `PRODUCTEUR`)."""
    return Grammar(size, re.compile(rb"[ -~]{1,%d}" % size))


def shape(size: int, pattern: bytes) -> Grammar:
    """Any other text, matched whole by `pattern`."""
    return Grammar(size, re.compile(pattern))
