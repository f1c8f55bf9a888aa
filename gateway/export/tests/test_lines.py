"""The CSV of readings says what docs/missing-data.md promises: each state, each gap, each clock."""

from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from buffer.reader import Reader
from gateway.export.kept import Kept
from gateway.export.lines import HEADER, Lines
from gateway.export.tests.kept_outbox import BOOT, INDEX, OTHER_BOOT, POWER, TARIFF, UTC_AT_0, Filled, Read
from gateway.wire.gaps import BOUND_MS

PARIS = ZoneInfo("Europe/Paris")
MINUTE = 60_000


def ticks(minutes: Sequence[int]) -> list[list[Read]]:
    """A power and an index at each of some minutes."""
    return [[Read(POWER, 100 + each, each * MINUTE), Read(INDEX, 5_000 + each, each * MINUTE)] for each in minutes]


def written(path: Path, lines: Lines, stream: str = "minute") -> list[str]:
    """All lines of a stream's range."""
    with Reader.open(path) as reader:
        kept = Kept(reader)
        parts = list(kept.parts(stream, start_ms=lines.start_ms, end_ms=lines.end_ms))
        assert kept.unreadable == 0
        channels = {each.name: each for part in parts for each in part.channels}
        return list(lines.write((value for part in parts for value in part.values), channels.values()))


def test_values_are_exact_and_placed(tmp_path: Path) -> None:
    """A value has its decimals, its unit and its moment in the site's zone; a tariff is a text."""
    filled = Filled(tmp_path / "outbox.db")
    filled.clock()
    filled.seal("minute", [[Read(POWER, -7, 1_234), Read(INDEX, 1_230, 1_234), Read(TARIFF, 'HP; "été"', 1_234)]])
    filled.close()
    assert written(tmp_path / "outbox.db", Lines(PARIS, BOUND_MS)) == [
        HEADER,
        "2026-11-25T10:46:41.234+01:00;main.east;1.230;kWh;ok;trusted",
        "2026-11-25T10:46:41.234+01:00;main.power;-7;W;ok;trusted",
        '2026-11-25T10:46:41.234+01:00;main.tariff;"HP; ""été""";;ok;trusted',
    ]
    assert written(tmp_path / "outbox.db", Lines(PARIS, BOUND_MS, comma=True))[1].split(";")[2] == "1,230"


def test_a_spreadsheet_runs_no_text(tmp_path: Path) -> None:
    """A text of a device that would be a formula is none."""
    filled = Filled(tmp_path / "outbox.db")
    filled.clock()
    filled.seal("fine", [[Read(TARIFF, "=cmd|' /C calc'!A0", 0)]])
    filled.close()
    assert ";'=cmd|' /C calc'!A0;" in written(tmp_path / "outbox.db", Lines(PARIS, BOUND_MS), "fine")[1]


def test_a_gap_has_a_row(tmp_path: Path) -> None:
    """Between, before and behind: what was not read is a row without a value, never a zero."""
    filled = Filled(tmp_path / "outbox.db")
    filled.clock()
    filled.seal("minute", [*ticks(range(10, 13)), *ticks(range(30, 33))])
    filled.close()
    lines = Lines(PARIS, BOUND_MS, start_ms=UTC_AT_0, end_ms=UTC_AT_0 + 60 * MINUTE)
    rows = [row.split(";") for row in written(tmp_path / "outbox.db", lines)[1:]]
    gaps = [(row[0][11:16], row[1]) for row in rows if row[4] == "absent"]
    assert gaps == [
        ("10:46", "main.east"),
        ("10:46", "main.power"),
        ("10:58", "main.east"),
        ("10:58", "main.power"),
        ("11:18", "main.power"),
        ("11:18", "main.east"),
        ("10:46", "main.tariff"),
    ]
    assert all(row[2] == "" for row in rows if row[4] == "absent")
    assert (lines.count.rows, lines.count.gaps) == (len(rows), 7)


def test_states_and_clocks(tmp_path: Path) -> None:
    """Suspect and estimated are marked; a meter's clock is named; a boot without a clock is told by its boot time."""
    filled = Filled(tmp_path / "outbox.db")
    filled.clock(source="meter")
    filled.seal("minute", [[Read(POWER, 1, 0, 2), Read(INDEX, 1, 0, 1)]])
    filled.seal("minute", [[Read(POWER, 2, 5_000)]], boot=OTHER_BOOT)
    filled.close()
    assert [row.split(";")[4:] for row in written(tmp_path / "outbox.db", Lines(PARIS, BOUND_MS))[1:]] == [
        ["estimated", "meter"],
        ["suspect", "meter"],
        ["ok", f"boot {OTHER_BOOT.hex()} 5000"],
    ]
    assert written(tmp_path / "outbox.db", Lines(PARIS, BOUND_MS))[3].startswith(";main.power;2;W;")


def test_a_segment_whose_schema_is_gone_is_counted(tmp_path: Path) -> None:
    """What cannot be read is said to be so: an empty file that is called whole would be a lie."""
    filled = Filled(tmp_path / "outbox.db")
    filled.seal("minute", ticks(range(3)))
    filled.outbox._db.execute("DELETE FROM segment WHERE id = 1")
    filled.close()
    with Reader.open(tmp_path / "outbox.db") as reader:
        kept = Kept(reader)
        assert (list(kept.parts("minute")), kept.unreadable) == ([], 1)


def test_a_range_takes_what_was_sealed_later(tmp_path: Path) -> None:
    """What was read in a range is found whenever it was sealed, and what lies outside of it is not in the file."""
    filled = Filled(tmp_path / "outbox.db")
    filled.clock()
    filled.seal("minute", ticks(range(3)), utc_ms=UTC_AT_0 + 3 * MINUTE)
    filled.seal("minute", ticks(range(3, 6)), utc_ms=UTC_AT_0 + 100 * MINUTE)
    filled.seal("minute", ticks(range(6, 9)))
    filled.seal("minute", ticks(range(9, 12)), utc_ms=UTC_AT_0 + 101 * MINUTE)
    filled.close()
    lines = Lines(PARIS, BOUND_MS, start_ms=UTC_AT_0 + 4 * MINUTE, end_ms=UTC_AT_0 + 8 * MINUTE)
    rows = written(tmp_path / "outbox.db", lines)[1:]
    assert [row.split(";")[2] for row in rows if "main.power" in row] == ["104", "105", "106", "107"]


def test_an_hour_that_comes_twice(tmp_path: Path) -> None:
    """In autumn the same wall clock time stands there with two offsets."""
    filled = Filled(tmp_path / "outbox.db")
    filled.clock(utc_ms=1_792_888_200_000)  # 2026-10-25 02:30 in summer
    filled.seal("minute", [[Read(POWER, 1, 0)], [Read(POWER, 2, 60 * MINUTE)]], boot=BOOT)
    filled.close()
    times = [row.split(";")[0] for row in written(tmp_path / "outbox.db", Lines(PARIS, 61 * MINUTE))[1:]]
    assert times == ["2026-10-25T02:30:00.000+02:00", "2026-10-25T02:30:00.000+01:00"]
