"""What the norm says of one label, and the few grammars that values are made of.

The checksum is blind to bit 6 (and the wrong rule to bit 5), so a group is believed only when its value also has the
exact shape that the norm gives this label. The tables themselves are `standard` and `historique` for a Linky, `jaune`,
`emeraude` and `pme_pmi` for older meters; `labels` looks a label up.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """How the meter speaks: another speed, another separator, another checksum rule, other labels.

    HISTORIQUE is a Linky's first mode and the blue electronic meters before it (CBE, CBETM); STANDARD a Linky's
    second; JAUNE the yellow meter (CJE); EMERAUDE the green one's customer interface (ICE); PME_PMI that of firms.
    """

    HISTORIQUE = "historique"
    STANDARD = "standard"
    JAUNE = "jaune"
    EMERAUDE = "emeraude"
    PME_PMI = "pme-pmi"

    @property
    def separator(self) -> bytes:
        """One byte between the pieces of a group (54E section 3; all older meters have the SPACE)."""
        return b"\t" if self is Mode.STANDARD else b" "

    @property
    def baud(self) -> int:
        """Usual line speed in bits a second: 7 bits, even parity, 1 stop (54E section 3)."""
        return 9_600 if self is Mode.STANDARD else 1_200

    @property
    def speeds(self) -> tuple[int, ...]:
        """Every speed that the mode can have, the usual one first.

        Enedis sets that of a PME-PMI meter (second-hand: the README of tic2json).
        """
        return (1_200, 2_400, 4_800, 9_600, 19_200) if self is Mode.PME_PMI else (self.baud,)


@dataclass(frozen=True, slots=True)
class Grammar:
    """The shape of a value, matched whole by `pattern`; `size` is the most characters it has, as the norm counts them.

    `base` is the base of the integer that the text writes (10 or 16), 0 where it is no number. `suffixed` values end
    with their unit; `units` are those to choose from where the meter does (PS in kW or in kVA). `decimals` places
    follow a point or a comma.
    """

    size: int
    pattern: re.Pattern[bytes]
    base: int = 0
    suffixed: bool = False
    units: tuple[str, ...] = ()
    decimals: int = 0

    def number(self, value: str) -> int | None:
        """Give the integer that a value of this shape writes, in units of its last decimal place; None for a text."""
        if not self.base:
            return None
        if not self.suffixed and not self.decimals:
            return int(value, self.base)
        whole, _, fraction = _NUMBER.sub("", value).replace(",", ".").partition(".")
        return int(whole + fraction.ljust(self.decimals, "0"))

    def unit(self, value: str) -> str:
        """Give the one of `units` that a value ends with; "" where the value has none to choose from."""
        written = value.lstrip("+-0123456789., ")
        return written if written in self.units else ""


LEAP_YEAR = rb"(?:[02468][048]|[13579][26])"
"""The last two digits of one, in this century, as a pattern."""
SHORT_DATE = (
    rb"(?:(?:(?:0[1-9]|1[0-9]|2[0-8])/(?:0[1-9]|1[0-2])/[0-9]{2}|(?:29|30)/(?:0[13-9]|1[0-2])/[0-9]{2}"
    rb"|31/(?:0[13578]|1[02])/[0-9]{2}|29/02/%b) "
    rb"(?:(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}|(?:[01][0-9]|2[0-3])(?:/[0-5][0-9]){2})"
    rb"|00/00/00 00(?:(?::00){2}|(?:/00){2}))"
) % LEAP_YEAR
"""The older meters' date, as a pattern (second-hand: Watteco's TIC tools, which write both forms of the time)."""
_NUMBER = re.compile(r"[^0-9.,+-]")
"""What is no part of a number: the unit behind it, and the mark that EMERAUDE sets before it."""


@dataclass(frozen=True, slots=True)
class Label:
    """One row of the norm's table.

    `unit` is the norm's ("" where there is none), the usual one where the value itself says which; `stamped` groups
    carry a horodate; `phase` is 1 to 3 where the value belongs to one; `three_phase` and `producer` labels come from
    such meters only; `personal` ones name the meter or the delivery point.
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

    @property
    def longest(self) -> int:
        """Bytes of the longest group of this label, from its LF to its CR."""
        stamp = 14 if self.stamped else 0
        return 1 + len(self.name) + 1 + stamp + self.size + 1 + 1 + 1


def digits(size: int) -> Grammar:
    """Exactly `size` decimal digits, zero-padded: a number."""
    return Grammar(size, re.compile(rb"[0-9]{%d}" % size), 10)


def serial(size: int) -> Grammar:
    """Exactly `size` decimal digits that name something: no number."""
    return Grammar(size, re.compile(rb"[0-9]{%d}" % size))


def serial_hex(size: int) -> Grammar:
    """Exactly `size` capital hexadecimal digits that name something: no number."""
    return Grammar(size, re.compile(rb"[0-9A-F]{%d}" % size))


def bounded(size: int, pattern: bytes) -> Grammar:
    """Decimal digits of a narrower range, given as a pattern: a number."""
    return Grammar(size, re.compile(pattern), 10)


def hexadecimal(size: int, pattern: bytes | None = None) -> Grammar:
    """Exactly `size` capital hexadecimal digits, or the narrower pattern: a number."""
    return Grammar(size, re.compile(rb"[0-9A-F]{%d}" % size if pattern is None else pattern), 16)


def with_unit(most: int, *units: str, sign: str = "") -> Grammar:
    """1 to `most` digits and their unit, as older meters write a number ("12345kWh"): one of `units`, a SPACE or none.

    `sign` is a pattern for what may stand before the digits.
    """
    choice = "|".join(re.escape(unit) for unit in units)
    pattern = rf"{sign}[0-9]{{1,{most}}} ?(?:{choice})".encode()
    choices = units if len(units) > 1 else ()
    size = bool(sign) + most + 1 + max(map(len, units))
    return Grammar(size, re.compile(pattern), 10, suffixed=True, units=choices)


def decimal(most: int, decimals: int) -> Grammar:
    """Up to `most` digits, signed or not, a point or a comma, and up to `decimals` more: a number."""
    pattern = rf"[+-]?[0-9]{{1,{most}}}[.,][0-9]{{1,{decimals}}}".encode()
    return Grammar(1 + most + 1 + decimals, re.compile(pattern), 10, decimals=decimals)


def short_date() -> Grammar:
    """JJ/MM/AA HH:MM:SS, the time also written HH/MM/SS; all zeros where the meter has no date to give."""
    return shape(17, SHORT_DATE)


def free_text(size: int) -> Grammar:
    """At most `size` printable characters: the norm pads, real suppliers not always (NGTF `PRODUCTEUR`)."""
    return Grammar(size, re.compile(rb"[ -~]{1,%d}" % size))


def shape(size: int, pattern: bytes) -> Grammar:
    """Any other text, matched whole by `pattern`."""
    return Grammar(size, re.compile(pattern))
