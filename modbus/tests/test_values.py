"""Registers <-> integers: vectors worked out by hand, and what holds for every value."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modbus.errors import ValueRefusedError, WrongLengthError
from modbus.plan import Read
from modbus.profile import Kind, Order, Point, Profile, Table
from modbus.values import decode, decode_read, encode


def _point(kind: Kind, *, address: int = 0, exponent: int = 0, absent: tuple[int, ...] = ()) -> Point:
    table = Table.COIL if kind is Kind.BIT else Table.HOLDING
    return Point("p", table, address, kind, "current", exponent=exponent, absent=absent)


def _profile(*points: Point, byte_order: Order = Order.BIG, word_order: Order = Order.BIG) -> Profile:
    return Profile("p", "m", ("x",), "s", points, byte_order=byte_order, word_order=word_order)


@pytest.mark.parametrize(
    ("kind", "words", "value"),
    [
        (Kind.BIT, [1], 1),
        (Kind.U16, [0xFFFE], 65534),
        (Kind.I16, [0xFFFE], -2),
        (Kind.U32, [0x0001, 0x0000], 65536),
        (Kind.I32, [0xFFFF, 0xFFFF], -1),
        (Kind.U64, [0, 0, 1, 0], 65536),
        (Kind.I64, [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE], -2),
        (Kind.F32, [0x4366, 0x8000], 230),  # 230.5, and an integer to write: half to even
    ],
)
def test_each_type_is_read_high_part_first(kind: Kind, words: list[int], value: int) -> None:
    """Without another order, the high byte and the high word come first."""
    point = _point(kind)
    assert decode(_profile(point), point, words) == value


@pytest.mark.parametrize(
    ("byte_order", "word_order", "words"),
    [
        (Order.BIG, Order.BIG, [0x1234, 0x5678]),
        (Order.BIG, Order.LITTLE, [0x5678, 0x1234]),
        (Order.LITTLE, Order.BIG, [0x3412, 0x7856]),
        (Order.LITTLE, Order.LITTLE, [0x7856, 0x3412]),
    ],
)
def test_orders_of_bytes_and_words_are_independent(byte_order: Order, word_order: Order, words: list[int]) -> None:
    """The four orders of 0x12345678 that devices have are all read as the same number."""
    point = _point(Kind.U32)
    assert decode(_profile(point, byte_order=byte_order, word_order=word_order), point, words) == 0x12345678


def test_a_float_becomes_the_integer_of_its_declared_exponent() -> None:
    """0.1 V of a float is exactly 1 with exponent -1, not 0.10000000149."""
    point = _point(Kind.F32, exponent=-1)
    for volts, tenths in ((230.1, 2301), (0.1, 1), (-0.05, -1), (1e9, 10_000_000_000)):
        words = struct.unpack(">HH", struct.pack(">f", volts))
        assert decode(_profile(point), point, words) == tenths


@pytest.mark.parametrize(
    ("point", "words"),
    [
        (_point(Kind.I16, absent=(0x8000,)), [0x8000]),
        (_point(Kind.U16, absent=(0xFFFF, 0xFFFE)), [0xFFFE]),
        (_point(Kind.U64, absent=(2**64 - 1,)), [0xFFFF] * 4),
        (_point(Kind.U64), [0xFFFF] * 4),  # does not fit 64 signed bits
        (_point(Kind.F32), [0x7FC0, 0x0000]),  # NaN
        (_point(Kind.F32), [0xFF80, 0x0000]),  # minus infinity
        (_point(Kind.F32, exponent=-12), [0x7F7F, 0xFFFF]),  # the largest float, in steps of 10**-12
    ],
)
def test_what_is_not_available_is_none_and_never_a_number(point: Point, words: list[int]) -> None:
    """An absent pattern, a float that is no number and what does not fit are None."""
    assert decode(_profile(point), point, words) is None


@given(
    st.sampled_from([kind for kind in Kind if kind is not Kind.F32]),
    st.sampled_from(Order),
    st.sampled_from(Order),
    st.integers(-(2**63), 2**63 - 1),
)
def test_what_is_encoded_is_decoded_as_itself(kind: Kind, byte_order: Order, word_order: Order, number: int) -> None:
    """decode(encode(x)) is x for each integer type and each order."""
    bits = 1 if kind is Kind.BIT else 16 * kind.width
    value = number % 2**bits - (2 ** (bits - 1) if kind.is_signed else 0)
    if value > 2**63 - 1:
        value -= 2**63
    point = _point(kind)
    profile = _profile(point, byte_order=byte_order, word_order=word_order)
    words = encode(profile, point, value)
    assert len(words) == kind.width
    assert decode(profile, point, words) == value


@given(st.integers(-(2**24), 2**24), st.sampled_from(Order))
def test_a_float_keeps_every_integer_that_it_can_hold(value: int, word_order: Order) -> None:
    """decode(encode(x)) is x for floats up to 2**24, where a float has every integer."""
    point = _point(Kind.F32)
    profile = _profile(point, word_order=word_order)
    assert decode(profile, point, encode(profile, point, value)) == value


@given(st.sampled_from(Kind), st.lists(st.integers(0, 0xFFFF), min_size=4, max_size=4), st.integers(-12, 12))
def test_any_registers_decode_to_a_64_bit_integer_or_none(kind: Kind, words: list[int], exponent: int) -> None:
    """No pattern of bits raises, and nothing decodes to more than 64 signed bits."""
    point = _point(kind, exponent=exponent)
    value = decode(_profile(point), point, words[: kind.width] if kind is not Kind.BIT else [words[0] & 1])
    assert value is None or -(2**63) <= value < 2**63


@pytest.mark.parametrize(
    ("point", "value"),
    [
        (_point(Kind.U16), -1),
        (_point(Kind.U16), 65536),
        (_point(Kind.I16), 32768),
        (_point(Kind.BIT), 2),
        (_point(Kind.F32), 10**39),
        (_point(Kind.U16, absent=(0xFFFF,)), 65535),
    ],
)
def test_a_value_that_its_type_cannot_hold_is_refused(point: Point, value: int) -> None:
    """Nothing is clipped or wrapped on its way to a device, and "not available" is never written."""
    with pytest.raises(ValueRefusedError, match="'p'"):
        encode(_profile(point), point, value)


def test_a_reply_of_another_length_is_never_decoded() -> None:
    """Too few or too many registers raise, whatever they hold."""
    point = _point(Kind.U32)
    with pytest.raises(WrongLengthError):
        decode(_profile(point), point, [1])
    with pytest.raises(WrongLengthError, match="another request"):
        list(decode_read(_profile(point), Read(Table.HOLDING, 0, 2, (point,)), [1, 2, 3]))


def test_a_read_gives_each_of_its_points_where_it_stands() -> None:
    """The gap between two points is skipped."""
    first, second = _point(Kind.U16, address=10), _point(Kind.I16, address=13)
    values = decode_read(_profile(first, second), Read(Table.HOLDING, 10, 4, (first, second)), [7, 0, 0, 0xFFFF])
    assert list(values) == [(first, 7), (second, -1)]
