"""What the store receives, in order and as lines: nothing twice, no gap that is only late, every number exact."""

import csv
import io
import json
from pathlib import Path

import pytest

from config.channel import Channel, Quantity
from drivers.reading import Quality, Reading
from gateway.centre import decode
from gateway.centre.follow import Alarmed, DroppedRange, Event, Follower, View
from gateway.centre.lines import Csv, Json, exact, iso
from gateway.centre.source import Progress, Source
from gateway.centre.store import Store
from gateway.centre.tests.speaker import EPOCH, Speaker
from gateway.wire.gaps import BOUND_MS
from gateway.wire.messages import Alarm, ClockRecord, Dropped
from gateway.wire.packing import CONTENT, pack
from gateway.wire.record import Recorder
from gateway.wire.schema import Schema

ENERGY = Channel("m.energy", "m", "m", Quantity.ACTIVE_ENERGY_IMPORT, "Wh", exponent=-1)
TEXT = Channel("m.text", "m", "m", Quantity.MESSAGE, "", is_text=True)
SCHEMA = Schema.of([ENERGY, TEXT])
BOOT = b"b" * 16
UTC_MS = 1_790_000_000_000


class Given:
    """A store, what its gateway says, and a clock that a test moves."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "centre.db"
        self.store = Store.open(self.path)
        self.speaker = Speaker()
        self.now_s = 0.0

    def commit(self, *blobs: bytes) -> None:
        self.store.commit([(self.speaker.genuine(blob), UTC_MS) for blob in blobs], {})
        decode.count(self.store)

    def segment(self, sequence: int, *readings: Reading) -> bytes:
        recorder = Recorder(SCHEMA, BOOT)
        for moment in sorted({each.boot_ms for each in readings}):
            recorder.add([each for each in readings if each.boot_ms == moment])
        record = recorder.take()
        assert record is not None
        return self.speaker.say("fine", sequence, CONTENT, pack([record.payload]), schema=SCHEMA.id)

    def schema(self) -> bytes:
        return self.speaker.say("schema", 1, Schema.CONTENT, SCHEMA.encode())

    def clock(self, source: str = "kernel", sequence: int = 1) -> bytes:
        return self.speaker.say(
            "clock", sequence, ClockRecord.CONTENT, ClockRecord(BOOT, 0, UTC_MS, 20, source).encode()
        )

    def follower(self, *, everything: bool = True, patience_s: float = 10.0) -> Follower:
        view = View(everything=everything, patience_s=patience_s)
        return Follower(self.path, view, now_s=lambda: self.now_s)


@pytest.fixture(name="given")
def given_fixture(tmp_path: Path) -> Given:
    """Give an empty store."""
    return Given(tmp_path)


def numbers(events: list[Event]) -> list[int]:
    """Give the numbers of the segments among events."""
    return [each.sequence for each in events if isinstance(each, decode.Decoded)]


def test_a_backlog_is_no_gap(given: Given) -> None:
    """What is fresh waits for what is below it; what was shown is not shown again."""
    blobs = [given.segment(number, Reading(ENERGY, number, 1_000 * number)) for number in range(1, 7)]
    given.commit(given.schema(), given.clock(), blobs[0], blobs[4])
    follower = given.follower()
    assert numbers(list(follower.look())) == [1]
    assert numbers(list(follower.look())) == []
    given.commit(blobs[2], blobs[1])
    assert numbers(list(follower.look())) == [2, 3]
    given.commit(blobs[3], blobs[5])
    assert numbers(list(follower.look())) == [4, 5, 6]
    follower.close()


def test_what_never_comes_is_waited_for_no_longer_than_told(given: Given) -> None:
    """After its patience a follower goes on behind a hole, and once a range is told dropped, at once."""
    blobs = [given.segment(number, Reading(ENERGY, number, 1_000 * number)) for number in range(1, 9)]
    given.commit(given.schema(), given.clock(), blobs[0], blobs[2])
    follower = given.follower()
    assert numbers(list(follower.look())) == [1]
    given.now_s += 9
    assert numbers(list(follower.look())) == []
    given.now_s += 2
    assert numbers(list(follower.look())) == [3]
    dropped = Dropped(EPOCH, "fine", 4, 6, 3, 4_000, 6_000, bytes(32), "quota")
    given.commit(blobs[6], given.speaker.say("dropped", 1, Dropped.CONTENT, dropped.encode()))
    events = list(follower.look())
    assert (numbers(events), [each for each in events if isinstance(each, DroppedRange)]) == (
        [7],
        [DroppedRange("gw-0001", EPOCH, "fine", 4, 6, 3, "quota")],
    )
    follower.close()


def test_a_boot_without_a_clock_is_waited_for_once(given: Given) -> None:
    """Unplaced segments wait for the clock; where none comes they are told without a time, the next ones at once."""
    blobs = [given.segment(number, Reading(ENERGY, number, 1_000 * number)) for number in range(1, 5)]
    given.commit(given.schema(), blobs[0])
    patient, hasty = given.follower(), given.follower(patience_s=1.0)
    assert numbers([*patient.look(), *hasty.look()]) == []
    given.now_s += 2
    (told,) = hasty.look()
    assert isinstance(told, decode.Decoded)
    assert told.timeline.at(1_000) is None
    given.commit(blobs[1], blobs[2])
    assert numbers(list(hasty.look())) == [2, 3]
    given.commit(given.clock())
    assert numbers(list(patient.look())) == [1, 2, 3]
    patient.close()
    hasty.close()


def test_other_tiers_are_left_out(given: Given) -> None:
    """A tier is the first word of a stream's name, a dwelling's too."""
    recorder = Recorder(SCHEMA, BOOT)
    recorder.add([Reading(ENERGY, 1, 1_000)])
    record = recorder.take()
    assert record is not None
    payload = pack([record.payload])
    streams = ("fine", "minute", "minute.apt-1.research", "index")
    given.commit(given.schema(), given.clock())
    given.commit(*(given.speaker.say(each, 1, CONTENT, payload, schema=SCHEMA.id) for each in streams))
    follower = Follower(given.path, View(everything=True, tiers=frozenset({"minute"})))
    assert [each.stream for each in follower.look() if isinstance(each, decode.Decoded)] == [*streams[1:3]]
    follower.close()
    source = Source(given.path, frozenset({"index"}))
    page = source.page(Progress())
    assert page is not None
    assert [each.stream for each in page.items if isinstance(each, decode.Decoded)] == ["index"]
    source.close()


def test_it_begins_with_what_comes(given: Given) -> None:
    """Without everything, what was committed before is not shown, alarms included."""
    alarm = Alarm("storage", "no room", 5, None)
    given.commit(given.schema(), given.clock(), given.segment(1, Reading(ENERGY, 1, 1_000)))
    given.commit(given.speaker.say("alarm", 1, Alarm.CONTENT, alarm.encode()))
    follower = given.follower(everything=False)
    assert list(follower.look()) == []
    given.commit(
        given.segment(2, Reading(ENERGY, 2, 2_000)), given.speaker.say("alarm", 2, Alarm.CONTENT, alarm.encode())
    )
    events = list(follower.look())
    assert (numbers(events), [each.alarm for each in events if isinstance(each, Alarmed)]) == ([2], [alarm])
    follower.close()


def lines_of(given: Given, lines: Csv | Json, **how: float) -> list[str]:
    """Give all lines that a store makes."""
    follower = given.follower(patience_s=how.get("patience_s", 10.0))
    if "patience_s" in how:
        list(follower.look())
        given.now_s += how["patience_s"]
    made = [*lines.head(), *(line for event in follower.look() for line in lines.lines(event))]
    follower.close()
    return made


def test_csv_tells_states_and_gaps(given: Given) -> None:
    """The columns of docs/missing-data.md after gateway and stream: exact numbers, quoted texts, gaps as rows."""
    late = 1_000 + BOUND_MS + 1
    given.commit(given.schema(), given.clock("meter"))
    given.commit(
        given.segment(
            1,
            Reading(ENERGY, 12_345, 1_000),
            Reading(TEXT, '=cmd|"x";y', 1_000),
            Reading(ENERGY, -5, 2_000, Quality.SUSPECT),
            Reading(TEXT, "more", 3_000, Quality.ESTIMATED),
        ),
        given.segment(2, Reading(ENERGY, 7, late + 1_000)),
    )
    rows = list(csv.reader(io.StringIO("\n".join(lines_of(given, Csv()))), delimiter=";"))
    assert rows[0] == ["gateway", "stream", "time", "channel", "value", "unit", "state", "clock"]
    assert [row[2:] for row in rows[1:]] == [
        [iso(UTC_MS + 1_000), "m.energy", "1234.5", "Wh", "ok", "meter"],
        [iso(UTC_MS + 1_000), "m.text", '\'=cmd|"x";y', "", "ok", "meter"],
        [iso(UTC_MS + 2_000), "m.energy", "-0.5", "Wh", "suspect", "meter"],
        [iso(UTC_MS + 3_000), "m.text", "more", "", "estimated", "meter"],
        [iso(UTC_MS + 2_000), "m.energy", "", "Wh", "absent", "meter"],
        [iso(UTC_MS + late + 1_000), "m.energy", "0.7", "Wh", "ok", "meter"],
    ]


def test_csv_of_what_is_not_placed_has_its_boot_time(given: Given) -> None:
    """Nothing guesses a time: the row tells boot and milliseconds instead."""
    given.commit(given.schema(), given.segment(1, Reading(ENERGY, 10, 1_000)))
    (row,) = lines_of(given, Csv(), patience_s=1.0)[1:]
    assert row == f"gw-0001;fine;;m.energy;1.0;Wh;ok;boot {BOOT.hex()} 1000"


def test_json_is_exact_and_says_what_each_line_is(given: Given) -> None:
    """A number of 64 bits comes out as it went in, which no float could; segments, gaps and alarms have lines too."""
    given.commit(given.schema(), given.clock())
    given.commit(
        given.segment(1, *(Reading(ENERGY, (1 << 64) - 1, at) for at in (1_000, 2_000, 3_000 + BOUND_MS))),
        given.speaker.say("alarm", 1, Alarm.CONTENT, Alarm("storage", "no room", 5, UTC_MS).encode()),
    )
    told = [json.loads(line, parse_float=str) for line in lines_of(given, Json())]
    assert {each["schema"] for each in told} == {"gateway/centre-line/1"}
    assert [each["type"] for each in told] == ["alarm", "segment", "reading", "reading", "gap", "reading"]
    assert told[2]["value"] == "1844674407370955161.5"
    assert (told[4]["state"], told[4]["time"]) == ("absent", iso(UTC_MS + 2_000))
    assert (told[1]["readings"], told[1]["boot_id"]) == (3, BOOT.hex())


@pytest.mark.parametrize(
    ("value", "exponent", "text"),
    [(1234, -1, "123.4"), (-5, -3, "-0.005"), (0, -2, "0.00"), (12, 3, "12000"), (-7, 0, "-7"), (100, -2, "1.00")],
)
def test_exact_numbers(value: int, exponent: int, text: str) -> None:
    """Digits are shifted, never computed."""
    assert exact(value, exponent) == text


def test_a_time_that_no_calendar_has_ends_nothing() -> None:
    """A gateway may place a reading anywhere; it is told as it is."""
    assert iso(1 << 62).endswith("ms")
