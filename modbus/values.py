"""Registers <-> exact integers.

A value is `integer x 10**exponent`; the integer is what is read, kept and sent. A pattern that the profile calls
absent, a float that is no number, and what does not fit 64 signed bits is None: not available, never zero.
"""

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import isfinite

from modbus.errors import ValueRefusedError, WrongLengthError
from modbus.plan import Read
from modbus.profile import Kind, Order, Point, Profile

_LARGEST = 2**63 - 1


def decode(profile: Profile, point: Point, words: Sequence[int]) -> int | None:
    """Give the value that `words` (registers as received, or one bit) hold, None where it is not available.

    Raises WrongLengthError.
    """
    if len(words) != point.kind.width:
        raise WrongLengthError(f"point '{point.key}' takes {point.kind.width} registers, and {len(words)} came")
    pattern = _join(profile, words)
    if pattern in point.absent:
        return None
    if point.kind is Kind.F32:
        return _from_float(pattern, point.exponent)
    if point.kind.is_signed and pattern >> (16 * point.kind.width - 1):
        pattern -= 1 << (16 * point.kind.width)
    return pattern if pattern <= _LARGEST else None


def decode_read(profile: Profile, read: Read, words: Sequence[int]) -> Iterator[tuple[Point, int | None]]:
    """Give each point of `read` with its value; raise WrongLengthError unless `words` are all that was asked for."""
    if len(words) != read.count:
        raise WrongLengthError(
            f"{read.count} from {read.table} {read.address} were asked for, and {len(words)} came: "
            "this is the answer to another request"
        )
    for point in read.points:
        start = point.address - read.address
        yield point, decode(profile, point, words[start : start + point.kind.width])


def encode(profile: Profile, point: Point, value: int) -> tuple[int, ...]:
    """Give the registers (or the one bit) that hold `value`; the point's write limits are the caller's to check.

    Raises ValueRefusedError for what the type cannot hold, or what would read back as "not available".
    """
    bits = 1 if point.kind is Kind.BIT else 16 * point.kind.width
    if point.kind is Kind.F32:
        pattern = _to_float(point, value)
    else:
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if point.kind.is_signed else (0, (1 << bits) - 1)
        if not low <= value <= min(high, _LARGEST):
            raise ValueRefusedError(f"point '{point.key}': {value} does not fit {point.kind} ({low} to {high})")
        pattern = value & ((1 << bits) - 1)
    if pattern in point.absent:
        raise ValueRefusedError(f"point '{point.key}': {value} is the pattern that means \"not available\"")
    return _split(profile, pattern, point.kind.width)


def _join(profile: Profile, words: Sequence[int]) -> int:
    pattern = 0
    for word in words if profile.word_order is Order.BIG else reversed(words):
        pattern = pattern << 16 | (word if profile.byte_order is Order.BIG else _swapped(word))
    return pattern


def _split(profile: Profile, pattern: int, width: int) -> tuple[int, ...]:
    words = [pattern >> 16 * shift & 0xFFFF for shift in range(width)]
    if profile.word_order is Order.BIG:
        words.reverse()
    return tuple(words if profile.byte_order is Order.BIG else map(_swapped, words))


def _swapped(word: int) -> int:
    return (word & 0xFF) << 8 | word >> 8


def _from_float(pattern: int, exponent: int) -> int | None:
    (number,) = struct.unpack(">f", pattern.to_bytes(4, "big"))
    if not isfinite(number):
        return None
    # A Fraction holds the float exactly; one rounding, half to even, then gives the integer of the declared exponent.
    value = round(Fraction(number) / Fraction(10) ** exponent)
    return value if abs(value) <= _LARGEST else None


def _to_float(point: Point, value: int) -> int:
    try:
        packed = struct.pack(">f", float(value * Fraction(10) ** point.exponent))
    except OverflowError:
        raise ValueRefusedError(f"point '{point.key}': {value} is too large for {point.kind}") from None
    return int.from_bytes(packed, "big")
