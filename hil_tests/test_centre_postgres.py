"""The centre's sink in a real PostgreSQL: each reading once, whatever is repeated, placed late or away meanwhile."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from config.channel import Channel, Quantity
from drivers.reading import Quality, Reading
from gateway.centre.errors import SinkUnusable
from gateway.centre.sink import Sink, checked, ddl
from gateway.centre.store import Single, Store
from gateway.centre.tests.speaker import EPOCH, Speaker
from gateway.wire.messages import Alarm, ClockRecord, Dropped
from gateway.wire.packing import CONTENT, pack
from gateway.wire.record import Recorder
from gateway.wire.schema import Schema
from hil_tests.bench.postgres import Postgres

POWER = Channel("m.power", "m", "m", Quantity.ACTIVE_POWER_IMPORT, "W", exponent=-1)
TEXT = Channel("m.text", "m", "m", Quantity.MESSAGE, "", is_text=True)
SCHEMA = Schema.of([POWER, TEXT])
BOOT = b"b" * 16
UTC_MS = 1_790_000_000_000
PATIENCE_S = 60.0
DOCUMENT = Path(__file__).parents[1] / "docs" / "platform.md"


@pytest.fixture(name="server", scope="module")
def server_fixture() -> Iterator[Postgres]:
    """Give a running server."""
    with Postgres() as server:
        yield server


class Given:
    """A store that a gateway's messages are committed to, one after another."""

    def __init__(self, folder: Path, gateway: str) -> None:
        self.path = folder / "centre.db"
        self.gateway = gateway
        self.store = Store.open(self.path)
        self.speaker = Speaker(gateway)
        self._clocks = 0

    def commit(self, *blobs: bytes) -> None:
        self.store.commit([(self.speaker.genuine(blob), UTC_MS) for blob in blobs], {})

    def schema(self) -> bytes:
        return self.speaker.say("schema", 1, Schema.CONTENT, SCHEMA.encode())

    def segment(self, sequence: int, *readings: Reading) -> bytes:
        recorder = Recorder(SCHEMA, BOOT)
        for moment in sorted({reading.boot_ms for reading in readings}):
            recorder.add([reading for reading in readings if reading.boot_ms == moment])
        record = recorder.take()
        assert record is not None
        return self.speaker.say("fine", sequence, CONTENT, pack([record.payload]), schema=SCHEMA.id)

    def clock(self, source: str, *, utc_ms: int = UTC_MS) -> bytes:
        self._clocks += 1
        record = ClockRecord(BOOT, 0, utc_ms, 20, source)
        return self.speaker.say("clock", self._clocks, ClockRecord.CONTENT, record.encode())


@pytest.fixture(name="given")
def given_fixture(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Given]:
    """Give an empty store, of a gateway that no other test has."""
    found = Given(tmp_path, f"gw-{request.node.name[:40].strip('_')}")
    yield found
    found.store.close()


@contextmanager
def sinking(given: Given, server: Postgres) -> Iterator[Sink]:
    """Let a sink write, in a thread as the centre has it."""
    sink, ended = Sink(given.path, server.conninfo), threading.Event()
    thread = threading.Thread(target=sink.run, args=(ended,), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        ended.set()
        thread.join(PATIENCE_S)


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def readings(server: Postgres, given: Given, columns: str = "boot_ms") -> list[tuple[object, ...]]:
    """Give some columns of what stands there of a gateway."""
    query = f"SELECT {columns} FROM gateway.reading WHERE gateway = %s ORDER BY boot_ms, channel"  # noqa: S608 - columns of the tests
    return server.ask(query, given.gateway)


def ready(server: Postgres) -> bool:
    """Tell whether the tables are there."""
    return server.ask("SELECT to_regclass('gateway.progress')") != [(None,)]


def identity(given: Given) -> str:
    """Give the name under which the progress of its store stands there."""
    found: bytes = given.store.database.execute("SELECT id FROM identity").fetchone()[0]
    return found.hex()


def test_each_reading_stands_there_once_exact_and_with_its_state(server: Postgres, given: Given) -> None:
    """Values are numeric, texts texts, states named; alarms and drop records too; and a second time changes nothing."""
    said = "a\ttab, a \\ and a \0 and\nmore"
    given.commit(
        given.schema(),
        given.clock("kernel"),
        given.segment(
            1,
            Reading(POWER, -1234, 1_000),
            Reading(TEXT, said, 1_000),
            Reading(POWER, 1 << 63, 2_000, Quality.SUSPECT),
            Reading(POWER, 5, 3_000, Quality.ESTIMATED),
        ),
        given.speaker.say(
            "dropped", 1, Dropped.CONTENT, Dropped(EPOCH, "fine", 2, 3, 7, 1, 2, bytes(32), "quota").encode()
        ),
    )
    alarm = given.speaker.say("evt", 1, Alarm.CONTENT, Alarm("storage", "no room", 5, None).encode())
    given.store.commit([], {}, [Single(given.speaker.genuine(alarm), UTC_MS)])
    progress = "SELECT message, alarm, dropped FROM gateway.progress WHERE store = %s"
    for _ in range(2):
        with sinking(given, server):
            until(lambda: ready(server) and server.ask(progress, identity(given)) == [(4, 1, 1)])
        server.ask("UPDATE gateway.progress SET message = 0, alarm = 0, dropped = 0")
    assert server.ask("SELECT count(*) FROM gateway.alarm WHERE gateway = %s", given.gateway) == [(1,)]
    rows = readings(server, given, "channel, value, text, state, clock, extract(epoch FROM utc)")
    at = UTC_MS // 1_000
    assert rows == [
        ("m.power", Decimal("-123.4"), None, "ok", "trusted", at + 1),
        ("m.text", None, said.replace("\0", "\ufffd"), "ok", "trusted", at + 1),
        ("m.power", Decimal(1 << 63) / 10, None, "suspect", "trusted", at + 2),
        ("m.power", Decimal("0.5"), None, "estimated", "trusted", at + 3),
    ]
    dropped = server.ask("SELECT first, last, readings, reason FROM gateway.dropped WHERE gateway = %s", given.gateway)
    assert dropped == [(2, 3, 7, "quota")]


def test_what_is_not_placed_yet_is_placed_later(server: Postgres, given: Given) -> None:
    """Unplaced rows have no time; a meter places them provisionally, whoever knows better anew, and never back."""
    given.commit(given.schema(), given.segment(1, Reading(POWER, 1, 1_000)))
    with sinking(given, server):
        until(lambda: ready(server) and readings(server, given, "utc, clock") == [(None, None)])
        given.commit(given.clock("meter", utc_ms=UTC_MS - 60_000))
        until(lambda: readings(server, given, "clock") == [("meter",)])
        given.commit(given.clock("centre"), given.segment(2, Reading(POWER, 2, 2_000)))
        until(lambda: readings(server, given, "clock") == [("trusted",)] * 2)
        times = readings(server, given, "extract(epoch FROM utc)::bigint")
        assert times == [(UTC_MS // 1_000 + 1,), (UTC_MS // 1_000 + 2,)]


def test_a_segment_before_its_schema_is_written_with_it(server: Postgres, given: Given) -> None:
    """Order of arrival does not matter."""
    given.commit(given.clock("kernel"), given.segment(1, Reading(POWER, 1, 1_000)))
    with sinking(given, server):
        until(
            lambda: ready(server) and server.ask("SELECT 1 FROM gateway.clock WHERE gateway = %s", given.gateway) != []
        )
        given.commit(given.schema())
        until(lambda: readings(server, given) == [(1_000,)])


def test_it_goes_on_after_the_database_was_away(server: Postgres, given: Given) -> None:
    """A server that crashes or is stopped costs nothing but time: all comes, each once."""
    given.commit(given.schema(), given.clock("kernel"))
    with sinking(given, server) as sink:
        for number in range(1, 61):
            given.commit(given.segment(number, *(Reading(POWER, at, 1_000 * number + at) for at in range(20))))
            if number in (15, 35):
                server.stop(signal.SIGQUIT if number == 15 else signal.SIGINT)
                until(lambda: sink.state.trouble is not None)
                server.start()
        until(lambda: len(readings(server, given)) == 1_200)
        assert sink.state.trouble is None
    assert len(set(readings(server, given))) == 1_200
    progress = server.ask("SELECT message FROM gateway.progress WHERE store = %s", identity(given))
    assert progress == [(62,)]


def test_two_sinks_on_one_store_write_everything_once(server: Postgres, given: Given) -> None:
    """Of several one writes; when that one ends, another goes on."""
    given.commit(given.schema(), given.clock("kernel"))
    with sinking(given, server) as second:
        with sinking(given, server) as first:
            until(lambda: first.state.writes or second.state.writes)
            for number in range(1, 21):
                given.commit(given.segment(number, Reading(POWER, number, 1_000 * number)))
            until(lambda: len(readings(server, given)) == 20)
            assert not (first.state.writes and second.state.writes)
        given.commit(given.segment(21, Reading(POWER, 21, 21_000)))
        until(lambda: len(readings(server, given)) == 21)


def test_gaps_are_told_by_the_rule(server: Postgres, given: Given) -> None:
    """A gap is where two readings lie further apart than three minutes, or three times the channel's shortest step."""
    given.commit(
        given.schema(),
        given.clock("kernel"),
        given.segment(1, *(Reading(POWER, 1, at) for at in (0, 10_000, 20_000, 200_000, 380_001))),
        given.segment(2, *(Reading(TEXT, "slow", at) for at in (0, 600_000, 1_200_000, 4_000_000))),
    )
    with sinking(given, server):
        until(lambda: ready(server) and len(readings(server, given)) == 9)
    query = "SELECT channel, extract(epoch FROM ends - begins) FROM gateway.gap WHERE gateway = %s ORDER BY 1"
    assert server.ask(query, given.gateway) == [("m.power", Decimal("180.001")), ("m.text", Decimal(2_800))]


def test_what_is_told_wrongly_is_said_at_once(server: Postgres, given: Given) -> None:
    """A password on the command line, words that libpq does not know, a role that may not: each is named."""
    for words in ("host=/tmp password=secret", "postgresql://me:secret@host/db"):
        with pytest.raises(SinkUnusable, match="pgpass") as caught:
            checked(words)
        assert "secret" not in str(caught.value)
    with pytest.raises(SinkUnusable, match="libpq"):
        checked("hots=x")
    for order in ("CREATE ROLE reader LOGIN", "CREATE DATABASE other"):
        server.ask(order)  # the role may connect, and make nothing
    sink = Sink(given.path, server.conninfo.replace("user=gateway", "user=reader").replace("=postgres", "=other"))
    with pytest.raises(SinkUnusable, match="permission denied"):
        sink.check()


def test_the_guide_shows_the_tables_as_they_are() -> None:
    """The DDL of the document is that of the program."""
    assert ddl().strip() in DOCUMENT.read_text("utf-8")
