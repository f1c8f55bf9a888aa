"""What the values of older meters hold that have several fields: those of CJE, and the dynamic tariff of PME-PMI.

Second-hand, as `jaune` and `pme_pmi` say; a field whose meaning no source tells keeps the norm's letters.
"""

import re
from dataclasses import dataclass

from linky_tic.errors import FieldsError
from linky_tic.horodate import Horodate, parse_short_date


@dataclass(frozen=True, slots=True)
class Jaune:
    """JAUNE hh:mn:jj:mm:pt:dp:abcde:kp; `period` is pt, the tariff period, as sent."""

    hour: int
    minute: int
    day: int
    month: int
    period: str
    dp: str
    abcde: int
    kp: int


_JAUNE = re.compile(r"(\d\d):(\d\d):(\d\d):(\d\d):([^:]*):([^:]*):(\d{5}):(\d\d)", re.ASCII)


def parse_jaune(text: str) -> Jaune:
    """Read JAUNE; raise FieldsError."""
    match = _JAUNE.fullmatch(text)
    if match is None:
        raise FieldsError(f"JAUNE {text!r} is not hh:mn:jj:mm:pt:dp:abcde:kp (02E, CJE)")
    hour, minute, day, month, period, dp, abcde, kp = match.groups()
    return Jaune(int(hour), int(minute), int(day), int(month), period, dp, int(abcde), int(kp))


@dataclass(frozen=True, slots=True)
class PeriodStart:
    """PERCC and PERCP jj:mm:hh:cg."""

    day: int
    month: int
    hour: int
    cg: int


def parse_period_start(text: str) -> PeriodStart:
    """Read PERCC or PERCP; raise FieldsError."""
    return PeriodStart(*_numbers(text, (2, 2, 2, 2), "jj:mm:hh:cg"))


@dataclass(frozen=True, slots=True)
class Fcou:
    """FCOU hh:mn:dd."""

    hour: int
    minute: int
    dd: int


def parse_fcou(text: str) -> Fcou:
    """Read FCOU; raise FieldsError."""
    return Fcou(*_numbers(text, (2, 2, 2), "hh:mn:dd"))


def parse_energies(text: str) -> tuple[int, ...]:
    """Read ENERG, six indexes; raise FieldsError."""
    return _numbers(text, (6,) * 6, "six numbers of 6 digits")


def parse_four(text: str) -> tuple[int, ...]:
    """Read PMAXC, PMAXP, TDEPA, PSOUSC or PSOUSP, one number for each tariff period; raise FieldsError."""
    return _numbers(text, (5,) * 4, "four numbers of 5 digits")


def parse_dynamic(text: str) -> tuple[Horodate | None, str]:
    """Read TDYN1CD and the like, JJ/MM/AA HH:MM:SS-ppp: the moment and the tariff period; raise HorodateError."""
    date, _, period = text.partition("-")
    return parse_short_date(date), period


def _numbers(text: str, sizes: tuple[int, ...], what: str) -> tuple[int, ...]:
    pieces = text.split(":")
    if tuple(map(len, pieces)) != sizes or not all(re.fullmatch(r"[0-9]+", piece) for piece in pieces):
        raise FieldsError(f"{text!r} is not {what}, colons between (02E, CJE)")
    return tuple(map(int, pieces))
