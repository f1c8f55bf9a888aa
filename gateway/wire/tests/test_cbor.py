"""Deterministic CBOR: one value, one encoding, and a reader that nothing can bring down."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import cbor
from gateway.wire.errors import MalformedMessage

INTEGERS = st.integers(-(1 << 64), (1 << 64) - 1)
KEYS = INTEGERS | st.text(max_size=30)
VALUES = st.recursive(
    INTEGERS | st.binary(max_size=300) | st.text(max_size=30) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_encoded_decodes_to_the_same(value: cbor.Value) -> None:
    """Every value that the contract can carry comes back as it was, and an independent reader agrees."""
    data = cbor.encode(value)
    assert cbor.decode(data, depth=30) == value
    assert cbor2.loads(data) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_are_the_one_encoding(data: bytes) -> None:
    """Whatever is accepted is exactly what `encode` writes; all else raises MalformedMessage and nothing else."""
    try:
        value = cbor.decode(data)
    except MalformedMessage:
        return
    assert cbor.encode(value) == data


@given(VALUES, st.data())
def test_no_byte_can_be_changed_without_a_change_of_meaning(value: cbor.Value, data: st.DataObject) -> None:
    """A changed byte makes another value or none: there are never two encodings of one."""
    encoded = cbor.encode(value)
    place = data.draw(st.integers(0, len(encoded) - 1))
    changed = encoded[:place] + bytes([encoded[place] ^ data.draw(st.integers(1, 255))]) + encoded[place + 1 :]
    try:
        other = cbor.decode(changed, depth=30)
    except MalformedMessage:
        return
    assert cbor.encode(other) == changed


def test_keys_stand_in_bytewise_order() -> None:
    """RFC 8949 section 4.2.1: 10, 100, -1, "z", "aa", and not the shorter first, as the older rule had it."""
    assert cbor.encode({"aa": 0, "z": 0, -1: 0, 100: 0, 10: 0}) == bytes.fromhex("a5 0a00 186400 2000 617a00 62616100")
    assert cbor.encode({256: 0, -1: 0}) == bytes.fromhex("a2 19010000 2000")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "cut short"),
        ("0000", "1 bytes follow"),
        ("1817", "shortest"),
        ("190017", "shortest"),
        ("1a0000ffff", "shortest"),
        ("1b00000000ffffffff", "shortest"),
        ("5801", "shortest"),
        ("9f00ff", "indefinite"),
        ("5f4100ff", "indefinite"),
        ("bf0000ff", "indefinite"),
        ("1c", "indefinite or reserved"),
        ("f90000", "float"),
        ("fb3ff0000000000000", "float"),
        ("f7", "simple"),
        ("f820", "simple"),
        ("ff", "simple"),
        ("c000", "tag"),
        ("d81800", "tag"),
        ("a200000000", "twice"),
        ("a201000000", "out of order"),
        ("a1f500", "neither a number nor a text"),
        ("a14100 00", "neither a number nor a text"),
        ("a18000", "nested too deeply|neither"),
        ("61ff", "UTF-8"),
        ("62c3", "cut short"),
        ("5b0000007fffffffff", "cut short"),
        ("7bffffffffffffffff", "cut short"),
        ("9b0000007fffffffff", "claimed"),
        ("bb7fffffffffffffff", "claimed"),
        ("9affffffff00", "claimed"),
    ],
)
def test_every_other_encoding_is_refused(data: str, message: str) -> None:
    """Long forms, indefinite lengths, floats, tags, double or unsorted keys and claimed lengths raise, and say what."""
    with pytest.raises(MalformedMessage, match=message):
        cbor.decode(bytes.fromhex(data))


def test_the_items_of_a_message_are_bounded() -> None:
    """Bytes that are cheap to send and dear to keep, a list of empty lists, are refused before they are made."""
    most = b"\x9a" + cbor.ITEMS.to_bytes(4, "big") + b"\x80" * cbor.ITEMS
    assert len(cbor.decode(most)) == cbor.ITEMS  # type: ignore[arg-type] # a list
    with pytest.raises(MalformedMessage, match="more than 131072 items"):
        cbor.decode(b"\x82" + most + b"\x00")


@pytest.mark.parametrize("opening", [b"\x81", b"\xa1\x00", b"\x82\x00"])
def test_depth_is_bounded_before_the_stack_is(opening: bytes) -> None:
    """A hundred thousand open brackets are refused at the ninth."""
    with pytest.raises(MalformedMessage, match="nested too deeply"):
        cbor.decode(opening * 100_000 + b"\x00")
    assert cbor.decode(b"\x81" * cbor.DEPTH + b"\x00") is not None
