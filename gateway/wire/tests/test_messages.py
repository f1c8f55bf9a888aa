"""Messages: each comes back as it was sent, and nothing out of bounds is sent or taken."""

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import cbor
from gateway.wire.enrolling import Enrolment, Issued, Renewal
from gateway.wire.errors import MalformedMessage, WireError
from gateway.wire.messages import (
    Alarm,
    Answer,
    Birth,
    ClockRecord,
    Command,
    Dropped,
    Heartbeat,
    Receipt,
    Resend,
    TimeReply,
    TimeRequest,
)

Message = (
    Alarm
    | Answer
    | Birth
    | ClockRecord
    | Command
    | Dropped
    | Enrolment
    | Heartbeat
    | Issued
    | Receipt
    | Renewal
    | Resend
    | TimeReply
    | TimeRequest
)

EPOCH = bytes(range(8))
NONCE = bytes(range(16))
COMMAND = Command(
    id="c-1",
    operation="shed",
    target="building",
    magnitude_percent=40,
    start_utc_ms=None,
    duration_s=900,
    priority=3,
    issued_utc_ms=1_800_000_000_000,
    expires_utc_ms=1_800_000_060_000,
)
EXAMPLES: list[Message] = [
    Receipt(EPOCH, "fine", 7, ((9, 9), (12, 40))),
    Receipt(EPOCH, "fine", 0),
    Resend(EPOCH, "schema", 1, 3),
    Heartbeat(NONCE),
    TimeRequest(NONCE),
    TimeReply(NONCE, 1_800_000_000_000),
    Birth("0.1.0", NONCE, NONCE, EPOCH, EPOCH, "trusted", ("shed",), ("linky: standard, 9600 Bd", "bms: 40 points")),
    Birth("0.1.0", NONCE, NONCE, EPOCH, None, ""),
    Alarm("storage", "Le disque est plein : libérer de la place", 5),
    Alarm("storage", "", 5, 1_800_000_000_000),
    COMMAND,
    replace(COMMAND, start_utc_ms=1, boot_nonce=NONCE, operation="cancel", refers_to="c-0"),
    Answer("c-1", "refused", "expired", 5, None, {}),
    Answer("c-1", "effective", None, 5, 6, {"saved_w": 1200, "loads": ["hp1", 2, True], "estimated": False, "n": ""}),
    ClockRecord(NONCE, 5, 1_800_000_000_000, 12, "kernel"),
    Dropped(EPOCH, "fine", 3, 17, 40_000, 5, 9, bytes(32), "quota"),
    Enrolment(bytes(64), bytes(32)),
    Renewal(bytes(100)),
    Issued(bytes(32), b"gw-0001-2026", (bytes(400), bytes(300))),
    Issued(bytes(32), b"gw-0001-2026", refused="this gateway is revoked"),
    Dropped(EPOCH, "minute.apt-12.research", 3, 3, 0, 9, 5, bytes(32), "what a later gateway says"),
]


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was_sent(message: Message) -> None:
    """decode(encode(x)) is x, and the bytes are the one encoding."""
    payload = message.encode()
    assert type(message).decode(payload) == message
    assert cbor.encode(cbor.decode(payload)) == payload


def test_every_message_names_its_content_once() -> None:
    """Contents are distinct and versioned, so a payload is never read as something else."""
    contents = {type(message).CONTENT for message in EXAMPLES}
    assert len(contents) == len({type(message) for message in EXAMPLES})
    assert all(content.startswith("gw/") and content.endswith(";v=1") for content in contents)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_field_numbers_are_distinct_and_cover_the_dataclass(message: Message) -> None:
    """Every attribute is on the wire, under a number of its own."""
    fields = type(message).FIELDS
    assert len({field.number for field in fields}) == len(fields)
    assert [field.name for field in fields] == list(type(message).__dataclass_fields__)[-len(fields) :]


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_field_more_or_a_required_one_less_is_refused(message: Message) -> None:
    """Unknown fields and missing ones raise, each by name or number."""
    found: dict[Any, Any] = cbor2.loads(message.encode())
    with pytest.raises(MalformedMessage, match="unknown field '99'"):
        type(message).decode(cbor2.dumps(found | {99: 0}))
    for field in type(message).FIELDS:
        rest = {number: value for number, value in found.items() if number != field.number}
        if not field.optional:
            with pytest.raises(MalformedMessage, match=rf"\({field.name}\) is missing"):
                type(message).decode(cbor2.dumps(rest))


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_field_of_another_kind_is_refused(message: Message) -> None:
    """No field takes null, a truth or a container of the wrong kind for what it should be."""
    found: dict[Any, Any] = cbor2.loads(message.encode())
    others: list[object] = [None, True, -1, [[[]]], {"a": {"b": 1}}]
    for field in type(message).FIELDS:
        for wrong in others:
            if field.name in {"magnitude_percent", "duration_s"} and wrong == -1:
                continue  # what makes no sense is a message all the same: it is answered, not garbled
            with pytest.raises(MalformedMessage, match=rf"\({field.name}\)"):
                type(message).decode(cbor2.dumps(dict(sorted((found | {field.number: wrong}).items()))))


@pytest.mark.parametrize(
    "message",
    [
        Receipt(EPOCH, "fine", 7, ((9, 8),)),
        Receipt(EPOCH, "fine", 7, ((9, 12), (12, 13))),
        Receipt(EPOCH, "fine", 7, ((9, 12), (13, 14))),
        Receipt(EPOCH, "fine", 7, ((9, 12), (1, 2))),
        Receipt(EPOCH, "fine", 7, ((0, 1),)),
        Receipt(EPOCH, "fine", 7, tuple((each * 3, each * 3 + 1) for each in range(1, 1026))),
        Receipt(bytes(7), "fine", 7),
        Receipt(EPOCH, "fine", 7, ((7, 9),)),
        Receipt(EPOCH, "fine", 7, ((8, 9),)),
        Receipt(EPOCH, "", 7),
        Receipt(EPOCH, "Fine", 7),
        Receipt(EPOCH, "x" * 33, 7),
        Receipt(EPOCH, "fine", 1 << 63),
        Resend(EPOCH, "fine", 0, 3),
        Resend(EPOCH, "fine", 4, 3),
        Heartbeat(bytes(7)),
        Heartbeat(bytes(33)),
        replace(COMMAND, magnitude_percent=1001),
        replace(COMMAND, priority=16),
        replace(COMMAND, id=""),
        replace(COMMAND, id="x" * 65),
        replace(COMMAND, target="hp\n1"),
        replace(COMMAND, duration_s=1 << 63),
        Answer("c-1", "done", None, 5, None, {"x": 1.5}),  # type: ignore[dict-item] # what is refused
        Answer("c-1", "done", None, 5, None, {"x": 1 << 63}),
        Answer("c-1", "done", None, 5, None, {"x": "y" * 257}),
        Answer("c-1", "done", None, 5, None, {"x": "y\n"}),
        Answer("c-1", "done", None, 5, None, {"x" * 33: 1}),
        Answer("c-1", "done", None, 5, None, {"x": [1] * 65}),
        Answer("c-1", "done", None, 5, None, {str(number): 1 for number in range(33)}),
        Alarm("storage", "x" * 513, 5),
        Issued(bytes(32), b"k"),
        Issued(bytes(32), b"k", (bytes(64),), "no"),
        Dropped(EPOCH, "fine", 4, 3, 40_000, 5, 9, bytes(32), "quota"),
        Dropped(EPOCH, "fine", 0, 3, 40_000, 5, 9, bytes(32), "quota"),
        Dropped(EPOCH, "fine", 3, 4, 40_000, 5, 9, bytes(31), "quota"),
    ],
)
def test_what_receivers_refuse_cannot_be_sent(message: Message) -> None:
    """Bounds hold for the sender as well."""
    with pytest.raises(MalformedMessage, match=type(message).__name__ + "|CBOR"):
        message.encode()


@pytest.mark.parametrize("text", ["trop\u202flong\u00a0: ²", "\U0001faa6", "\ue000", "\u200b"])
def test_a_text_is_any_that_people_write(text: str) -> None:
    """What one version of Unicode has and another has not is no reason to refuse a message."""
    assert Alarm.decode(Alarm("storage", text, 5).encode()).text == text


@pytest.mark.parametrize("wrong", ["\n", "\x00", "\x7f", "\x85", "\u2028", "\u202e", "\u2066"])
def test_a_text_that_would_change_what_stands_beside_it_is_refused(wrong: str) -> None:
    """Ends of lines and changes of direction: a line of a log stays one."""
    with pytest.raises(MalformedMessage, match="printable"):
        Alarm("storage", f"a{wrong}b", 5).encode()


@given(st.sampled_from(EXAMPLES), st.binary(max_size=80))
def test_random_bytes_raise_wire_errors_only(message: Message, data: bytes) -> None:
    """No message can be made to raise anything else, from nothing or from a map's beginning."""
    for payload in (data, message.encode()[: len(data) % 40] + data):
        try:
            decoded = type(message).decode(payload)
        except WireError:
            continue
        assert decoded.encode() == payload


@given(st.sampled_from(EXAMPLES), st.data())
def test_a_changed_byte_is_refused_or_makes_another_message(message: Message, data: st.DataObject) -> None:
    """There are never two encodings of one message."""
    payload = bytearray(message.encode())
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        decoded = type(message).decode(bytes(payload))
    except WireError:
        return
    assert decoded != message
    assert decoded.encode() == payload


def test_a_clock_record_places_moments_of_its_boot() -> None:
    """The distance in boot time is the distance in UTC."""
    assert ClockRecord(NONCE, 5_000, 1_800_000_000_000, 12, "kernel").utc_ms_at(2_000) == 1_799_999_997_000
