"""What the registers and calendars of the standard mode hold: STGE, RELAIS, PJOURF+1 and PPOINTE.

Source: Enedis-NOI-CPT_54E version 3, sections 6.2.3.14 and following (tables of the status register and of the
calendars).
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

from linky_tic.errors import StatusError


class Breaker(IntEnum):
    """Why the meter's breaker is open (STGE bits 1-3)."""

    CLOSED = 0
    OVERPOWER = 1
    OVERVOLTAGE = 2
    LOAD_SHEDDING = 3
    ORDERED = 4
    OVERHEAT_ABOVE_SWITCHING_CURRENT = 5
    OVERHEAT = 6


class Euridis(IntEnum):
    """The local wired port (STGE bits 19-20)."""

    OFF = 0
    ON_UNSECURED = 1
    ON_SECURED = 3


class PowerLine(IntEnum):
    """The power-line link to the concentrator (STGE bits 21-22)."""

    NEW_UNLOCKED = 0
    NEW_LOCKED = 1
    REGISTERED = 2


class Colour(IntEnum):
    """A Tempo day (STGE bits 24-27)."""

    NONE = 0
    BLUE = 1
    WHITE = 2
    RED = 3


@dataclass(frozen=True, slots=True)
class Status:
    """STGE. Indexes count from 1 as in NTARF; a peak is 0 (none) to 3. None where the norm defines no such value."""

    contact_open: bool
    breaker: Breaker | None
    cover_open: bool
    overvoltage: bool
    overrun: bool
    producer: bool
    active_energy_negative: bool
    supplier_index: int
    distributor_index: int
    clock_degraded: bool
    standard_mode: bool
    euridis: Euridis | None
    power_line: PowerLine | None
    power_line_synchronised: bool
    colour_today: Colour
    colour_tomorrow: Colour
    peak_notice: int
    peak_running: int


_Kind = TypeVar("_Kind", bound=IntEnum)
_STGE = re.compile(r"[0-9A-F]{8}")


def parse_status(text: str) -> Status:
    """Read STGE, 8 capital hexadecimal digits, bit 0 the least significant; raise StatusError."""
    if not _STGE.fullmatch(text):
        raise StatusError(f"STGE {text!r} is not 8 capital hexadecimal digits (54E, status register)")
    word = int(text, 16)

    def bits(first: int, last: int) -> int:
        return word >> first & ((1 << last - first + 1) - 1)

    return Status(
        contact_open=bool(bits(0, 0)),
        breaker=_member(Breaker, bits(1, 3)),
        cover_open=bool(bits(4, 4)),
        overvoltage=bool(bits(6, 6)),
        overrun=bool(bits(7, 7)),
        producer=bool(bits(8, 8)),
        active_energy_negative=bool(bits(9, 9)),
        supplier_index=bits(10, 13) + 1,
        distributor_index=bits(14, 15) + 1,
        clock_degraded=bool(bits(16, 16)),
        standard_mode=bool(bits(17, 17)),
        euridis=_member(Euridis, bits(19, 20)),
        power_line=_member(PowerLine, bits(21, 22)),
        power_line_synchronised=bool(bits(23, 23)),
        colour_today=Colour(bits(24, 25)),
        colour_tomorrow=Colour(bits(26, 27)),
        peak_notice=bits(28, 29),
        peak_running=bits(30, 31),
    )


def _member(kind: type[_Kind], value: int) -> _Kind | None:
    return next((member for member in kind if member == value), None)


def parse_relays(text: str) -> tuple[bool, ...]:
    """Read RELAIS, 000 to 255: eight relays, the real dry contact first, True closed; raise StatusError."""
    if not re.fullmatch(r"[0-9]{3}", text) or int(text) > 255:
        raise StatusError(f"RELAIS {text!r} is not a number from 000 to 255 (54E, relays)")
    return tuple(bool(int(text) >> relay & 1) for relay in range(8))


class Contact(IntEnum):
    """What a calendar slot does to the dry contact (bits 15-14 of its action)."""

    UNCHANGED = 0
    AS_TEMPO = 1
    OPEN = 2
    CLOSED = 3


@dataclass(frozen=True, slots=True)
class Slot:
    """What holds from `start` on ("HHMM" as sent).

    `contact` is the dry one, `virtual` contacts 1 to 7 (True closed), `supplier_index` None where it does not change.
    """

    start: str
    contact: Contact
    virtual: tuple[bool, ...]
    supplier_index: int | None


_BLOCK = re.compile(r"([0-9A-F]{4})([0-9A-F]{4})")
_UNUSED = "NONUTILE"
_BLOCKS = 11


def parse_calendar(text: str) -> tuple[Slot, ...]:
    """Read PJOURF+1 or PPOINTE, 11 blocks HHMMSSSS or NONUTILE; give the used ones in order; raise StatusError.

    `start` stays a text: the norm writes the hour in decimal, one bench meter was seen writing it in hexadecimal.
    """
    blocks = text.split(" ")
    if len(blocks) != _BLOCKS:
        raise StatusError(f"calendar {text!r} has {len(blocks)} blocks, the norm {_BLOCKS} (54E, calendars)")
    return tuple(_slot(block) for block in blocks if block != _UNUSED)


def _slot(block: str) -> Slot:
    match = _BLOCK.fullmatch(block)
    if match is None:
        raise StatusError(f"calendar block {block!r} is neither HHMMSSSS nor {_UNUSED} (54E, calendars)")
    action = int(match[2], 16)
    index = action & 0xF
    return Slot(
        start=match[1],
        contact=Contact(action >> 14),
        virtual=tuple(bool(action >> 3 + contact & 1) for contact in range(1, 8)),
        supplier_index=index if 1 <= index <= 10 else None,
    )
