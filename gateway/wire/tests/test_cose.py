"""The signature: what is accepted is exactly what was signed, under exactly our profile."""

from collections.abc import Callable

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import cose
from gateway.wire.errors import MalformedMessage, SignatureError, WireError
from gateway.wire.tests.building import HEADER, KEY, KEY_ID, KEYS, OTHER_KEY, header

PAYLOAD = b"12345678"
PLACE: list[object] = [
    HEADER.gateway,
    HEADER.stream,
    HEADER.epoch,
    HEADER.sequence,
    HEADER.previous,
    HEADER.schema,
]
GATEWAY, STREAM, EPOCH, SEQUENCE, PREVIOUS, SCHEMA = range(6)
LABELS: dict[object, object] = {1: -8, 3: HEADER.content, 4: HEADER.key_id, -65537: PLACE}


def place(number: int, part: object) -> dict[object, object]:
    """Give LABELS with one part of the place replaced."""
    return LABELS | {-65537: [*PLACE[:number], part, *PLACE[number + 1 :]]}


def by_hand(
    labels: object = LABELS,
    *,
    unprotected: object = None,
    payload: object = PAYLOAD,
    key: Ed25519PrivateKey = KEY,
    tag: int | None = 18,
    protected: bytes | None = None,
    context: str = "Signature1",
    external: list[object] | None = None,
) -> bytes:
    """Sign with nothing of ours (RFC 9052 section 4.4), any part replaced."""
    head = cbor2.dumps(labels) if protected is None else protected
    bound = ["gw/v1", HEADER.gateway, HEADER.stream] if external is None else external
    signature = key.sign(cbor2.dumps([context, head, cbor2.dumps(bound), payload]))
    parts = [head, {} if unprotected is None else unprotected, payload, signature]
    return cbor2.dumps(parts if tag is None else cbor2.CBORTag(tag, parts))


def without(*labels: int) -> dict[object, object]:
    """Give LABELS without some."""
    return {label: value for label, value in LABELS.items() if label not in labels}


def test_a_message_made_by_hand_is_the_message_that_we_make() -> None:
    """Our bytes are those of an independent encoder that follows RFC 9052, and verify as what was said."""
    message = cose.sign(HEADER, PAYLOAD, KEY)
    assert message == by_hand()
    assert cose.verify(message, KEYS) == cose.Verified(HEADER, PAYLOAD)


def test_peek_reads_the_same_header_without_proof() -> None:
    """The header is read before any key is known, even of a forged message."""
    assert cose.peek(by_hand(key=OTHER_KEY)) == HEADER


def test_a_message_without_chain_and_schema_leaves_them_out() -> None:
    """None stays None, and takes a byte."""
    plain = header(previous=None, schema=None)
    message = cose.sign(plain, PAYLOAD, KEY)
    assert message == by_hand(LABELS | {-65537: [*PLACE[:4], None, None]})
    assert cose.verify(message, KEYS).header == plain


def _tampered() -> bytes:
    return by_hand().replace(b"12345678", b"12345679")


NEGATIVE: dict[str, Callable[[], bytes]] = {
    "tampered payload": _tampered,
    "wrong key, same id": lambda: by_hand(key=OTHER_KEY),
    "key id unprotected only": lambda: by_hand(without(4), unprotected={4: KEY_ID}),
    "algorithm unprotected only": lambda: by_hand(without(1), unprotected={1: -8}),
    "algorithm missing": lambda: by_hand(without(1)),
    "algorithm ES256": lambda: by_hand(LABELS | {1: -7}),
    "unknown critical label": lambda: by_hand({1: -8, 2: [-65600], **without(1), -65600: 1}),
    "untagged": lambda: by_hand(tag=None),
    "tag of MAC0": lambda: by_hand(tag=17),
    "tag of CWT around": lambda: cbor2.dumps(cbor2.CBORTag(61, cbor2.loads(by_hand()))),
    "trailing byte": lambda: by_hand() + b"\x00",
    "payload null": lambda: by_hand(payload=None),
    "cut short": lambda: by_hand()[:-3],
    "empty": lambda: b"",
    "random": lambda: bytes((number * 89 + 7) % 256 for number in range(100)),
    "double label": lambda: by_hand(protected=b"\xa5" + cbor2.dumps(LABELS)[1:3] + cbor2.dumps(LABELS)[1:]),
    "deep nesting": lambda: b"\xd2" + b"\x81" * 5000 + b"\x00",
    "huge length": lambda: b"\xd2\x84\x5b\x00\x00\x00\x7f\xff\xff\xff\xff",
    "detached payload in the unprotected header": lambda: by_hand(unprotected={-1: PAYLOAD}),
    "unknown private label": lambda: by_hand(LABELS | {-65600: 1}),
    "text label": lambda: by_hand(LABELS | {"alg": -8}),
    "unsorted labels": lambda: by_hand(dict(reversed(LABELS.items()))),
    "tag 18 in a long form": lambda: b"\xd8\x12" + by_hand()[1:],
    "five parts": lambda: cbor2.dumps(cbor2.CBORTag(18, [*cbor2.loads(by_hand()).value, b""])),
    "signature too short": lambda: cbor2.dumps(cbor2.CBORTag(18, [*cbor2.loads(by_hand()).value[:3], bytes(63)])),
    "another context": lambda: by_hand(context="Signature"),
    "another contract version": lambda: by_hand(external=["gw/v2", HEADER.gateway, HEADER.stream]),
    "another gateway's message": lambda: by_hand(external=["gw/v1", "gw-00002", HEADER.stream]),
    "another stream's message": lambda: by_hand(external=["gw/v1", HEADER.gateway, "cmd"]),
    "header empty": lambda: by_hand({}),
    "header no map": lambda: by_hand([1, -8]),
    "sequence zero": lambda: by_hand(place(SEQUENCE, 0)),
    "sequence negative": lambda: by_hand(place(SEQUENCE, -1)),
    "sequence true": lambda: by_hand(place(SEQUENCE, bool(1))),
    "epoch short": lambda: by_hand(place(EPOCH, bytes(7))),
    "previous short": lambda: by_hand(place(PREVIOUS, bytes(31))),
    "previous as a text": lambda: by_hand(place(PREVIOUS, "x" * 32)),
    "place of five parts": lambda: by_hand(LABELS | {-65537: PLACE[:5]}),
    "place of seven parts": lambda: by_hand(LABELS | {-65537: [*PLACE, None]}),
    "place missing": lambda: by_hand(without(-65537)),
    "place null": lambda: by_hand(LABELS | {-65537: None}),
    "place within a place": lambda: by_hand(LABELS | {-65537: [PLACE, *PLACE[1:]]}),
    "algorithm true": lambda: by_hand(LABELS | {1: True}),
    "schema long": lambda: by_hand(place(SCHEMA, bytes(9))),
    "gateway with a wildcard": lambda: by_hand(place(GATEWAY, "gw/+")),
    "stream in capitals": lambda: by_hand(place(STREAM, "Fine")),
    "stream with an empty part": lambda: by_hand(place(STREAM, "minute..research")),
    "stream of four parts": lambda: by_hand(place(STREAM, "minute.a.b.c")),
    "stream of 33 characters": lambda: by_hand(place(STREAM, "minute.apt-12345678.abcdefghijklm")),
    "stream and a line end": lambda: by_hand(place(STREAM, "fine\n")),
    "content without version": lambda: by_hand(LABELS | {3: "gw/segment"}),
    "content as a number": lambda: by_hand(LABELS | {3: 60}),
    "key id empty": lambda: by_hand(LABELS | {4: b""}),
    "key id as text": lambda: by_hand(LABELS | {4: "gw-00001"}),
}


@pytest.mark.parametrize("name", NEGATIVE)
def test_whatever_is_outside_the_profile_is_refused(name: str) -> None:
    """Each of these is well signed where it can be, and still raises WireError and nothing else."""
    with pytest.raises(WireError):
        cose.verify(NEGATIVE[name](), KEYS)


@pytest.mark.parametrize("name", ["wrong key, same id", "another stream's message", "another contract version"])
def test_a_message_that_was_not_signed_as_such_is_a_signature_error(name: str) -> None:
    """Well formed and not proved is told apart from malformed: it counts as an attack."""
    with pytest.raises(SignatureError, match="wrong signature"):
        cose.verify(NEGATIVE[name](), KEYS)


def test_a_key_that_is_not_trusted_is_a_signature_error() -> None:
    """A message of an unknown key is refused by name."""
    with pytest.raises(SignatureError, match=r"b'gw-00001'.*not trusted"):
        cose.verify(by_hand(), {b"other": KEY.public_key()})


@given(st.data())
def test_no_single_byte_can_be_changed(data: st.DataObject) -> None:
    """Any change of any byte is refused."""
    message = bytearray(by_hand())
    message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(WireError):
        cose.verify(bytes(message), KEYS)


@given(st.binary(max_size=400))
def test_random_bytes_raise_wire_errors_only(data: bytes) -> None:
    """Neither verify nor peek raises anything else, with and without the right first byte."""
    for message in (data, b"\xd2\x84" + data):
        with pytest.raises(WireError):
            cose.verify(message, KEYS)


def test_a_message_beyond_the_limit_is_not_looked_at() -> None:
    """The size is refused before anything is decoded."""
    message = cose.sign(HEADER, bytes(2000), KEY)
    assert cose.verify(message, KEYS, limit=len(message)).payload == bytes(2000)
    with pytest.raises(MalformedMessage, match="at most"):
        cose.verify(message, KEYS, limit=len(message) - 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"gateway": "a/b"},
        {"gateway": ""},
        {"stream": "#"},
        {"content": "text/plain"},
        {"epoch": b""},
        {"sequence": 0},
        {"sequence": 1 << 63},
        {"previous": b"x"},
        {"schema": b"x"},
        {"key_id": b""},
        {"key_id": bytes(65)},
    ],
)
def test_a_header_that_receivers_refuse_cannot_be_signed(wrong: dict[str, object]) -> None:
    """The sender is held to the same profile, before its key is used."""
    with pytest.raises(MalformedMessage):
        cose.sign(header(**wrong), PAYLOAD, KEY)


@pytest.mark.parametrize("stream", ["fine", "minute.apt-12.research", "index.123456789012.abcdefghijk"])
def test_a_dwelling_has_streams_of_its_own(stream: str) -> None:
    """A tier, a dwelling, a purpose: 32 characters at most."""
    assert cose.verify(cose.sign(header(stream=stream), PAYLOAD, KEY), KEYS).header.stream == stream


def test_the_envelope_stays_small() -> None:
    """All that signing adds to a segment is what the figures on bytes a reading count with: at most 200 bytes."""
    assert len(cose.sign(HEADER, bytes(1400), KEY)) - 1400 <= 200
