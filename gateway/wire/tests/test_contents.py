"""One door to every content, and whatever comes through it raises wire errors only, within bounded memory."""

import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import replace

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.reading import Reading
from gateway.wire import cbor, contents, cose, packing
from gateway.wire.errors import MalformedMessage, WireError
from gateway.wire.messages import Message
from gateway.wire.packing import SegmentContent
from gateway.wire.record import Recorder
from gateway.wire.schema import Schema
from gateway.wire.tests.building import CHANNELS, HEADER, KEY, KEYS, channel, header, ticks
from gateway.wire.tests.test_messages import EXAMPLES

SCHEMA = Schema.of(CHANNELS)
BOOT = bytes(range(16))


def _segment() -> bytes:
    recorder = Recorder(SCHEMA, BOOT)
    for readings in ticks(60):
        recorder.add(readings)
    record = recorder.take()
    assert record is not None
    return packing.pack([record.payload])


SEGMENT = _segment()
PAYLOADS = [
    (packing.CONTENT, SEGMENT),
    (Schema.CONTENT, SCHEMA.encode()),
    *((type(each).CONTENT, each.encode()) for each in EXAMPLES),
]


def _verified(content: str, payload: bytes, schema: bytes | None = SCHEMA.id) -> cose.Verified:
    message = cose.sign(replace(HEADER, content=content, schema=schema), payload, KEY)
    return cose.verify(message, KEYS)


def _schema(identity: bytes) -> Schema | None:
    return SCHEMA if identity == SCHEMA.id else None


@pytest.mark.parametrize(
    "changes",
    [
        {"stream": "minute.abcdefghijkl.abcdefghijk"},
        {"content": Schema.CONTENT, "stream": "schema.apt-12.research"},
        {"content": "gw/alarm;v=1", "stream": "alarm", "schema": None},
        {"content": "gw/alarm;v=1", "stream": "evt", "schema": None, "previous": None},
    ],
)
def test_a_content_has_its_place(changes: dict[str, object]) -> None:
    """Stream, chain and schema are those of the content."""
    contents.hold_place(header(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"stream": "schema"},
        {"stream": "fine.apt-12"},
        {"stream": "minute.abcdefghijklm.research"},
        {"stream": "minute.apt-12.abcdefghijkl"},
        {"previous": None},
        {"schema": None},
        {"content": "gw/alarm;v=1", "stream": "alarm"},
        {"content": "gw/alarm;v=1", "stream": "evt", "schema": None},
        {"content": "gw/alarm;v=1", "stream": "alarm", "schema": None, "previous": None},
        {"content": "gw/receipt;v=1", "stream": "cmd", "schema": None, "previous": None},
    ],
)
def test_a_content_in_another_place_is_refused(changes: dict[str, object]) -> None:
    """Whatever the topic says, which may be mapped or unknown."""
    with pytest.raises(MalformedMessage):
        contents.hold_place(header(**changes))


def test_a_schema_under_another_id_is_refused() -> None:
    """Its header names what it holds."""
    with pytest.raises(MalformedMessage, match="names another one"):
        contents.read(_verified(Schema.CONTENT, SCHEMA.encode(), bytes(8)), _schema)


@pytest.mark.parametrize(("start", "first"), [(-1, 1), (1, -1), (1 << 63, 0)])
def test_a_segment_begins_in_its_boot(start: int, first: int) -> None:
    """Its start and what its groups add are times, not only their sum."""
    payload = packing.deflate(cbor2.dumps([1, BOOT, start, [[0, first, 1, []]], b""]))
    with pytest.raises(MalformedMessage):
        packing.unpack(payload, SCHEMA)


def _read(content: str, payload: bytes) -> Message | Schema | SegmentContent:
    return contents.read(_verified(content, payload), _schema)


def test_each_content_is_read_as_what_it_is() -> None:
    """Segments, schemas and every message come back."""
    assert _read(Schema.CONTENT, SCHEMA.encode()) == SCHEMA
    segment = _read(packing.CONTENT, SEGMENT)
    assert isinstance(segment, SegmentContent)
    assert segment.count() == sum(len(readings) for readings in ticks(60))
    for message in EXAMPLES:
        assert _read(type(message).CONTENT, message.encode()) == message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("gw/segment;v=2", "version 1 of gw/segment is read here, and the sender is newer: update this reader"),
        ("gw/birth;v=12", "version 1 of gw/birth is read here, and the sender is newer: update this reader"),
        ("gw/weather;v=1", "gw/weather;v=1: no such content is known here"),
    ],
)
def test_a_newer_content_is_refused_with_what_to_do(content: str, said: str) -> None:
    """It is genuine, and nothing of it is guessed."""
    with pytest.raises(MalformedMessage, match=said):
        _read(content, SEGMENT)


def test_an_older_content_is_for_the_sender_to_update() -> None:
    """A reader that no longer knows a version says so."""
    assert "the sender is older: update the sender" in contents.unknown("gw/segment;v=1", ["gw/segment;v=3"])


@pytest.mark.parametrize("schema", [None, bytes(8)])
def test_a_segment_without_its_schema_waits(schema: bytes | None) -> None:
    """It is to be kept and read later."""
    with pytest.raises(MalformedMessage, match="keep it, read it later"):
        contents.read(_verified(packing.CONTENT, SEGMENT, schema), _schema)


@given(st.sampled_from(sorted(contents.KNOWN)), st.binary(max_size=300))
def test_random_payloads_raise_wire_errors_only(content: str, payload: bytes) -> None:
    """Signed noise, of whatever content."""
    for each in (payload, packing.deflate(payload)):
        try:
            _read(content, each)
        except WireError:
            continue


@given(st.sampled_from(PAYLOADS), st.data())
def test_spoilt_payloads_raise_wire_errors_only(example: tuple[str, bytes], data: st.DataObject) -> None:
    """Bytes changed, taken out, put in or doubled, before and after compression."""
    content, payload = example
    inner = content == packing.CONTENT and data.draw(st.booleans())
    spoilt = bytearray(packing.inflate(payload) if inner else payload)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(spoilt)))
        spoilt[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        _read(content, packing.deflate(bytes(spoilt)) if inner else bytes(spoilt))
    except WireError:
        return


@given(st.data())
def test_spoilt_messages_raise_wire_errors_only(data: st.DataObject) -> None:
    """A whole message with some bytes changed is never taken."""
    message = bytearray(cose.sign(HEADER, SEGMENT, KEY))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    if bytes(message) != cose.sign(HEADER, SEGMENT, KEY):
        with pytest.raises(WireError):
            cose.verify(bytes(message), KEYS)


def _content(groups: object, numbers: bytes) -> bytes:
    return packing.deflate(cbor2.dumps([1, BOOT, 0, groups, numbers]))


def _bombs() -> Iterator[tuple[str, bytes]]:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    yield "a gigabyte of zeros", deflater.compress(bytes(1 << 26)) + deflater.flush()
    count = packing.CELLS_LIMIT
    yield "a million ticks", _content([[0, 0, count, [5]]], bytes(count))
    many = 100_000
    runs = bytes([1]) * (2 * many) + bytes([1, 1]) * many + bytes([2] * (many - 1))
    yield (
        "runs of one tick each",
        _content([[0, 0, 2 * many, [{0: [5], 1: 2 * many, 2: many}]]], bytes(2 * many) + runs),
    )
    yield "a column of a million texts", _content([[0, 0, 1000, [[["x"] * 130_000, 900]]]], bytes(4000))
    yield "lists of lists", packing.deflate(b"\x85\x01\x50" + BOOT + b"\x00\x9a\x00\x0f\x00\x00" + b"\x80" * 0xF0000)
    yield "long numbers", _content([[0, 0, 100_000, [5]]], (b"\xff" * 9 + b"\x01") * 100_000)
    yield "long texts", _content([[0, 0, 5, [["x" * 1024] * 1000]]], bytes(5))


@pytest.mark.parametrize(("name", "payload"), list(_bombs()), ids=[name for name, _ in _bombs()])
def test_memory_is_bounded(name: str, payload: bytes) -> None:
    """Whatever a payload claims, reading it takes less than 64 MB."""
    assert len(payload) <= cose.LIMIT, name
    schema = Schema.of([channel("x", "a")])
    tracemalloc.start()
    try:
        packing.unpack(payload, schema)
    except WireError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 64 << 20


def test_a_real_day_is_far_from_every_bound() -> None:
    """A lot of a quarter of an hour of the example building takes a tenth of the cells and less of the bytes."""
    recorder = Recorder(SCHEMA, BOOT)
    records = []
    for readings in ticks(900):
        recorder.add(readings)
    record = recorder.take()
    assert record is not None
    records.append(record.payload)
    payload = packing.pack(records)
    content = packing.unpack(payload, SCHEMA)
    assert content.count() * 10 < packing.CELLS_LIMIT
    assert len(packing.inflate(payload)) * 20 < packing.INFLATED_LIMIT
    assert len(payload) * 20 < cose.LIMIT
    assert 20 * len(CHANNELS) < cbor.ITEMS


def test_a_reading_is_what_was_read() -> None:
    """The door gives tables, and tables give readings."""
    recorder = Recorder(SCHEMA, BOOT)
    recorder.add([Reading(CHANNELS[0], "x", 5)])
    record = recorder.take()
    assert record is not None
    segment = _read(packing.CONTENT, packing.pack([record.payload]))
    assert isinstance(segment, SegmentContent)
    assert list(segment.readings()) == [(CHANNELS[0].name, 5, "x", 0)]
