"""From ticks to a segment and back: exact, alone, small, and bounded against whoever would abuse it."""

import random
import zlib
from collections.abc import Sequence

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers.reading import Quality, Reading
from gateway.wire import cose, packing
from gateway.wire.errors import MalformedMessage, WireError
from gateway.wire.record import LOT_MS, Record, Recorder
from gateway.wire.schema import Schema
from gateway.wire.tests.building import BMS, CHANNELS, HEADER, KEY, LINKY, PULSES, channel, ticks

BOOT = bytes(range(16))
TEXTS = [channel("mode", "a", is_text=True), channel("message", "a", is_text=True)]
NUMBERS = [channel("x", "a"), channel("y", "a"), channel("z", "a")]
OTHERS = [channel("p", "b"), channel("q", "b")]
SMALL = [*NUMBERS, *OTHERS, *TEXTS]
SCHEMA = Schema.of(SMALL)

INTEGERS = st.integers(-3, 3) | st.integers(1 - (1 << 64), (1 << 64) - 1)
TEXT_VALUES = st.sampled_from(["", "HEURE PLEINE", "é" * 9])
Flat = tuple[str, int, int | str, int]


def flat(readings: Sequence[Reading]) -> list[Flat]:
    """Give readings as a segment's `readings` gives them."""
    return [(each.channel.name, each.boot_ms, each.value, int(each.quality)) for each in readings]


def unpack_lots(records: Sequence[Record], schema: Schema = SCHEMA) -> list[packing.SegmentContent]:
    """Pack and unpack each lot of records by itself."""
    lots: dict[bytes, list[bytes]] = {}
    for record in records:
        lots.setdefault(record.lot, []).append(record.payload)
    return [packing.unpack(packing.pack(lot), schema) for lot in lots.values()]


@st.composite
def tick(draw: st.DrawFn) -> list[Reading]:
    """Draw some channels of one group with values, at a time that the test sets later."""
    group = draw(st.sampled_from([[*NUMBERS, *TEXTS], OTHERS]))
    chosen = draw(st.lists(st.sampled_from(group), min_size=1, max_size=len(group), unique=True))
    return [
        Reading(
            each,
            draw(TEXT_VALUES) if each.is_text else draw(INTEGERS),
            0,
            draw(st.sampled_from([Quality.OK, Quality.OK, Quality.OK, Quality.ESTIMATED, Quality.SUSPECT])),
        )
        for each in chosen
    ]


@settings(deadline=None, max_examples=200)
@given(st.lists(tick() | st.sampled_from(["take", "restart"]), max_size=40), st.randoms(use_true_random=False))
def test_every_reading_comes_back_exactly_and_no_other(steps: list[list[Reading] | str], rng: random.Random) -> None:
    """Whatever was read, left out, taken and restarted in whatever order: each lot alone gives its readings back."""
    recorder = Recorder(SCHEMA, BOOT)
    records: list[Record] = []
    wanted: list[Flat] = []
    now = 5_000
    for step in [*steps, "take"]:
        if step == "restart":
            recorder.restart()
        elif isinstance(step, str):
            taken = recorder.take()
            records.extend([taken] if taken else [])
        else:
            now += rng.choice([0, 1, 1000, 1400, 100_000])
            readings = [Reading(each.channel, each.value, now, each.quality) for each in step]
            recorder.add(readings)
            wanted.extend(flat(readings))
    contents = unpack_lots(records)
    found = [reading for content in contents for reading in content.readings()]
    assert sorted(found, key=repr) == sorted(wanted, key=repr)
    assert sum(content.count() for content in contents) == sum(record.count for record in records) == len(wanted)


def test_what_was_not_read_is_none_and_what_did_not_change_is_there() -> None:
    """No value where it was not read, the same value where it was read again, tick by tick."""
    recorder = Recorder(SCHEMA, BOOT)
    x, y = NUMBERS[:2]
    recorder.add([Reading(x, 5, 1000), Reading(y, 7, 1000)])
    recorder.add([Reading(x, 5, 2000)])
    recorder.add([Reading(x, 5, 3001), Reading(y, 7, 3001)])
    record = recorder.take()
    assert record is not None
    table = packing.unpack(packing.pack([record.payload]), SCHEMA).groups["a"]
    assert table == packing.Table([1000, 2000, 3001], {"a.x": [5, 5, 5], "a.y": [7, None, 7]}, {})
    assert (record.first_ms, record.last_ms, record.count) == (1000, 3001, 5)


def test_quality_is_told_only_where_it_is_not_good() -> None:
    """A channel that was good throughout has no quality column; the others have one entry for each tick."""
    recorder = Recorder(SCHEMA, BOOT)
    x, y = NUMBERS[:2]
    recorder.add([Reading(x, 5, 1000), Reading(y, 7, 1000, Quality.SUSPECT)])
    recorder.add([Reading(x, 5, 2000), Reading(y, 7, 2000)])
    recorder.add([Reading(x, 5, 3000)])
    record = recorder.take()
    assert record is not None
    assert packing.unpack(packing.pack([record.payload]), SCHEMA).groups["a"].quality == {"a.y": [2, 0, 0]}


def test_a_restart_in_the_midst_of_a_record_lets_it_stand_alone() -> None:
    """Readings added between the last take and the seal belong to the next segment, which decodes without this one."""
    recorder = Recorder(SCHEMA, BOOT)
    x, y = NUMBERS[:2]
    recorder.add([Reading(x, 5, 1000), Reading(y, 7, 1000)])
    first = recorder.take()
    recorder.add([Reading(x, 5, 2000), Reading(y, 8, 2000)])
    recorder.restart()
    recorder.add([Reading(x, 5, 3000), Reading(y, 8, 3000)])
    second = recorder.take()
    assert first is not None
    assert second is not None
    assert first.lot != second.lot
    assert packing.unpack(packing.pack([second.payload]), SCHEMA).groups["a"].columns == {
        "a.x": [5, 5],
        "a.y": [8, 8],
    }


def test_a_new_process_continues_the_journal_of_the_old_one() -> None:
    """Records of two runs of one boot, sealed together, do not take the old run's last values for new readings."""
    before, after = Recorder(SCHEMA, BOOT), Recorder(SCHEMA, BOOT)
    x, y = NUMBERS[:2]
    before.add([Reading(x, 5, 1000), Reading(y, 7, 1000)])
    after.add([Reading(x, 5, 9000)])
    records = [record.payload for record in (before.take(), after.take()) if record]
    assert packing.unpack(packing.pack(records), SCHEMA).groups["a"].columns == {"a.x": [5, 5], "a.y": [7, None]}


def test_a_lot_ends_by_itself_when_nobody_seals() -> None:
    """A segment never grows beyond what receivers accept, even if sealing fails for hours."""
    recorder = Recorder(SCHEMA, BOOT)
    lots = []
    for now in range(0, 3 * LOT_MS, 60_000):
        recorder.add([Reading(NUMBERS[0], 1, now)])
        record = recorder.take()
        assert record is not None
        lots.append(record.lot)
    assert len(set(lots)) == 3


def test_nothing_added_gives_no_record() -> None:
    """An idle flush stores nothing."""
    recorder = Recorder(SCHEMA, BOOT)
    assert recorder.take() is None
    recorder.restart()
    assert recorder.take() is None


@pytest.mark.parametrize(
    ("readings", "error", "message"),
    [
        ([Reading(NUMBERS[0], "5", 0)], TypeError, "whole number"),
        ([Reading(TEXTS[0], 5, 0)], TypeError, "text"),
        ([Reading(NUMBERS[0], bool(1), 0)], TypeError, "whole number"),
        ([Reading(NUMBERS[0], 1 << 64, 0)], ValueError, "64 bits"),
        ([Reading(TEXTS[0], "x" * 1025, 0)], ValueError, "1024"),
        ([Reading(NUMBERS[0], 5, 0), Reading(NUMBERS[0], 5, 0)], ValueError, "twice"),
        ([Reading(channel("w", "a"), 5, 0)], KeyError, "w"),
        ([Reading(channel("w", "c"), 5, 0)], KeyError, "c"),
    ],
)
def test_a_driver_that_breaks_its_word_is_told(readings: list[Reading], error: type[Exception], message: str) -> None:
    """The wrong kind of value, a double or an unknown channel raise before anything wrong is stored."""
    with pytest.raises(error, match=message):
        Recorder(SCHEMA, BOOT).add(readings)


def _record(boot: bytes = BOOT, schema: Schema = SCHEMA) -> bytes:
    recorder = Recorder(schema, boot)
    recorder.add([Reading(NUMBERS[0], 5, 1000)])
    record = recorder.take()
    assert record is not None
    return record.payload


def test_a_segment_tells_its_boot() -> None:
    """The boot id comes back: the clock records of that boot place what is read."""
    assert packing.unpack(packing.pack([_record()]), SCHEMA).boot_id == BOOT


def test_a_record_tells_its_boot_and_its_schema() -> None:
    """What was recorded under an older configuration is sealed under that one's schema id."""
    assert packing.origin(_record()) == packing.Origin(BOOT, SCHEMA.id)


def test_records_that_do_not_belong_together_are_not_packed() -> None:
    """Different boots or schemas, nothing at all, and a first record that needs an earlier one raise."""
    recorder = Recorder(SCHEMA, BOOT)
    recorder.add([Reading(NUMBERS[0], 5, 1000)])
    recorder.take()
    recorder.add([Reading(NUMBERS[0], 5, 2000)])
    later = recorder.take()
    assert later is not None
    for records in (
        [],
        [later.payload],
        [_record(), _record(boot=bytes(16))],
        [_record(), _record(schema=Schema.of(SMALL[::-1]))],
    ):
        with pytest.raises(ValueError, match=r"stand alone|different boots"):
            packing.pack(records)


@pytest.mark.parametrize(("seal_s", "most"), [(300, 0.20), (60, 0.50), (10, 2.0)])
def test_a_building_takes_few_bytes_a_reading(seal_s: int, most: float) -> None:
    """84 channels, of whose readings some 11 % change, stay within the figure, signature included, and come back."""
    schema = Schema.of(CHANNELS)
    recorder = Recorder(schema, BOOT)
    wanted: list[Flat] = []
    blobs: list[bytes] = []
    records: list[bytes] = []
    begun = flushed = 0
    for readings in ticks(1800):
        now = readings[0].boot_ms
        if now - flushed >= 10_000:
            taken = recorder.take()
            records.extend([taken.payload] if taken else [])
            flushed = now
            if records and now - begun >= seal_s * 1000:
                blobs.append(cose.sign(HEADER, packing.pack(records), KEY))
                recorder.restart()
                records, begun = [], now
        recorder.add(readings)
        wanted.extend(flat(readings))
    taken = recorder.take()
    blobs.append(cose.sign(HEADER, packing.pack([*records, taken.payload] if taken else records), KEY))
    found: list[Flat] = []
    for blob in blobs:
        payload = cose.verify(blob, {HEADER.key_id: KEY.public_key()}).payload
        found.extend(packing.unpack(payload, schema).readings())
    assert sorted(found, key=repr) == sorted(wanted, key=repr)
    assert sum(map(len, blobs)) / len(wanted) <= most
    assert _changed(wanted) == pytest.approx(0.115, abs=0.02)


def _changed(readings: list[Flat]) -> float:
    last: dict[str, int | str] = {}
    changes = 0
    for name, _, value, _ in readings:
        changes += last.get(name) != value
        last[name] = value
    return changes / len(readings)


def _content(groups: object, numbers: object = b"\x02\x00\x00", *, boot: object = BOOT, start: object = 1000) -> bytes:
    return packing.deflate(cbor2.dumps([1, boot, start, groups, numbers]))


GROUP: list[object] = [0, 0, 3, [5]]
"""Group "a", three ticks, channel "a.x", always 5; its numbers: two second differences and the channel's gap."""


def test_the_example_below_is_itself_sound() -> None:
    """What the next test spoils is accepted unspoilt."""
    content = packing.unpack(_content([GROUP]), SCHEMA)
    assert content.groups == {"a": packing.Table([1000, 1001, 1002], {"a.x": [5, 5, 5]}, {})}


def _column(column: object, numbers: bytes = b"") -> bytes:
    """Put another column there, and what it takes from the numbers."""
    return _content([[0, 0, 3, [column]]], b"\x02\x00\x00" + numbers)


def _text(column: object, numbers: bytes = b"") -> bytes:
    """Put a column of channel "a.mode" there."""
    return _content([[0, 0, 3, [column]]], b"\x02\x00\x05" + numbers)


def test_the_columns_below_are_sound_when_whole() -> None:
    """Each form of a column is accepted with exactly its numbers."""
    for payload, wanted in (
        (_column([5], b"\x02\x01"), [5, 6, 5]),
        (_column([5, 1], b"\x00\x02"), [5, 6, 6]),
        (_column([(1 << 64) - 2, 1], b"\x00\x02"), [(1 << 64) - 2, (1 << 64) - 1, (1 << 64) - 1]),
        (_column({0: 5, 1: 2}, b"\x02\x01"), [5, 5, None]),
        (_column({0: 5, 2: 2}, b"\x01\x01\x00\x02"), [5, 5, 5]),
        (_text([["a", "b"], 1], b"\x01\x01"), ["a", "a", "b"]),
        (_text("x" * 1024), ["x" * 1024] * 3),
    ):
        assert list(packing.unpack(payload, SCHEMA).groups["a"].columns.values()) == [wanted]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"noise",
        packing.deflate(b""),
        zlib.compress(cbor2.dumps([1, BOOT, 1000, [GROUP], b"\x02\x00\x00"])),
        _content([GROUP])[:-1],
        _content([GROUP]) + b"x",
        packing.deflate(cbor2.dumps([2, BOOT, 0, [GROUP], b"\x02\x00\x00"])),
        packing.deflate(cbor2.dumps([True, BOOT, 0, [GROUP], b"\x02\x00\x00"])),
        packing.deflate(cbor2.dumps([1, BOOT, 0, [GROUP]])),
        packing.deflate(cbor2.dumps([1, BOOT, 0, [GROUP], b"\x02\x00\x00", 0])),
        packing.deflate(cbor2.dumps([1, BOOT, 0, [GROUP], b"\x02\x00\x00"]) + b"\x00"),
        _content([GROUP], boot=b"short"),
        _content([GROUP], start=None),
        _content([GROUP], start=-5),
        _content({}),
        _content([], b""),
        _content([GROUP], None),
        _content([GROUP], b""),
        _content([GROUP], b"\x02\x00"),
        _content([GROUP], b"\x02\x00\x00\x00"),
        _content([GROUP], b"\x02\x00\x80\x00"),
        _content([GROUP], b"\x02\x00\x80"),
        _content([GROUP, GROUP], b"\x02\x00\x00\x02\x00\x00"),
        _content([[2, *GROUP[1:]]]),
        _content([[-1, *GROUP[1:]]]),
        _content([[True, *GROUP[1:]]]),
        _content([GROUP[:3]]),
        _content([[*GROUP, 0]]),
        _content([[0, "0", *GROUP[2:]]]),
        _content([[0, 0, "3", [5]]]),
        _content([[0, 0, True, [5]]], b"\x00"),
        _content([[0, 0, 0, [5]]], b"\x00"),
        _content([[0, 0, -1, [5]]], b"\x00"),
        _content([[0, 0, 1 << 63, [5]]]),
        _content([[0, 0, 3, 5]]),
        _content([[0, 0, 2, [5]]], b"\x05\x00", start=1),
        _content([[0, 0, 3, [5]]], b"\x02\x00\x03"),
        _content([[0, 0, 3, [5]]], b"\x02\x00\x7f"),
        _content([[0, 0, 3, [5]]], b"\x02\x00\x00\x00"),
        _column(None),
        _column(bool(1)),
        _column("text"),
        _column(b"bytes"),
        _column(1 << 63 << 1),
        _column([]),
        _column([5]),
        _column([5], b"\x02"),
        _column([5], b"\x02\x02\x02"),
        _column([True], b"\x02\x02"),
        _column([None], b"\x02\x02"),
        _column([(1 << 64) - 1], b"\x02\x02"),
        _column([5, 0]),
        _column([5, "1"], b"\x00\x02"),
        _column([5, True], b"\x00\x02"),
        _column([5, -1]),
        _column([5, 3], b"\x00\x00\x00\x02\x02\x02"),
        _column([5, 1], b"\x02\x02"),
        _column([5, 1, 0], b"\x00\x02"),
        _column([(1 << 64) - 1, 1], b"\x00\x02"),
        _column({}),
        _column({0: 5}),
        _column({1: 1}, b"\x03"),
        _column({0: 5, 3: 1}),
        _column({0: 5, "1": 1}),
        _column({0: 5, 1: 1}, b"\x02"),
        _column({0: 5, 1: 2}, b"\x00\x03"),
        _column({0: 5, 1: 3}, b"\x03\x00\x00"),
        _column({0: 5, 1: 0}),
        _column({0: 5, 1: 5}, b"\x01\x00\x01\x00\x01"),
        _column({0: 5, 1: b"\x03"}),
        _column({0: 5, 2: 1}, b"\x01\x02"),
        _column({0: 5, 2: 1}, b"\x10\x03"),
        _column({0: 5, 2: 2}, b"\x01\x03\x00\x00"),
        _column({0: 5, 2: 1}, b"\x01"),
        _column({0: {0: 5}, 2: 1}, b"\x01\x03"),
        _text(5),
        _text([["a", "b"]], b"\x01\x01"),
        _text([["a"], 1], b"\x01\x01"),
        _text([["a", "b"], 1], b"\x02\x01"),
        _text([[], 1], b"\x01\x00"),
        _text([["a", 5], 1], b"\x01\x01"),
        _text([["a", ["b"]], 1], b"\x01\x00"),
        _text("x" * 1025),
        _text("é" * 513),
    ],
)
def test_what_no_gateway_packs_is_refused(payload: bytes) -> None:
    """Each of these raises MalformedMessage and nothing else."""
    with pytest.raises(MalformedMessage):
        packing.unpack(payload, SCHEMA)


@example(b"\x80")
@given(st.binary(max_size=200))
def test_random_bytes_raise_wire_errors_only(data: bytes) -> None:
    """Neither noise nor compressed noise raises anything else."""
    for payload in (data, packing.deflate(data), packing.deflate(b"\x85\x01\x50" + BOOT + b"\x00" + data)):
        with pytest.raises(WireError):
            packing.unpack(payload, SCHEMA)


@given(st.data())
def test_a_changed_byte_inside_raises_wire_errors_only(data: st.DataObject) -> None:
    """A segment spoilt before compression is refused or decodes to bounded values; no other error escapes."""
    recorder = Recorder(SCHEMA, BOOT)
    for number in range(6):
        recorder.add([Reading(each, number % 4 * 100, number * 1000) for each in NUMBERS[number % 2 :]])
        recorder.add([Reading(each, "ab"[number % 2], number * 1000) for each in TEXTS])
    record = recorder.take()
    assert record is not None
    inner = bytearray(packing.inflate(packing.pack([record.payload])))
    inner[data.draw(st.integers(0, len(inner) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        content = packing.unpack(packing.deflate(bytes(inner)), SCHEMA)
    except WireError:
        return
    assert all(abs(value) < 1 << 64 for _, _, value, _ in content.readings() if isinstance(value, int))


def test_a_bomb_is_refused_before_it_is_inflated() -> None:
    """A megabyte that would inflate to a gigabyte, and a few bytes that would claim millions of values, are refused."""
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(64)) + bomb.flush()
    with pytest.raises(MalformedMessage, match="inflated"):
        packing.unpack(payload, SCHEMA)
    schema = Schema.of([channel(f"c{number}", "a") for number in range(100)])
    many = _content([[0, 0, 1_000_000, [5] * 100]], bytes(1_000_100 - 1))
    assert len(many) < 2000
    with pytest.raises(MalformedMessage, match="values"):
        packing.unpack(many, schema)


def test_groups_share_the_room_for_values() -> None:
    """Two groups, each within the limit, are refused together."""
    schema = Schema.of([channel("x", "a"), channel("x", "b")])
    most = packing.CELLS_LIMIT // 2
    numbers = bytes(most) + bytes(most) + b"\x01"
    with pytest.raises(MalformedMessage, match="values"):
        packing.unpack(_content([[0, 0, most, [5]], [1, 0, most + 1, [5]]], numbers), schema)


def test_the_building_has_the_size_that_the_figures_speak_of() -> None:
    """40 labels, 40 registers and 4 counters."""
    assert (len(LINKY), len(BMS), len(PULSES)) == (40, 40, 4)
