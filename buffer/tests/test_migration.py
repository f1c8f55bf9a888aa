"""Every database that an earlier version left is brought up to date with all that it holds, also over kills, cuts."""

import gzip
import random
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from buffer import schema
from buffer.tests import card
from buffer.tests.building import check_chain, numbers, open_outbox, pack
from buffer.tests.card import Card, mounted

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = sorted(int(each.name.split(".")[0].removeprefix("version-")) for each in FIXTURES.glob("*.db.gz"))

MIGRATING = """
import os, signal, sys
from pathlib import Path
from buffer import tables
from buffer.tests.building import open_outbox
migrate, left = tables.migrate, int(sys.argv[2])
def step():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
def stepping(connection):
    connection.set_progress_handler(step, 1)
    migrate(connection)
    connection.set_progress_handler(None, 0)
tables.migrate = stepping
open_outbox(Path(sys.argv[1])).close()
print(int(sys.argv[2]) - left)
"""

Content = dict[str, list[dict[str, Any]]]


def unpack(version: int, folder: Path) -> Path:
    """Put an old database, with its WAL, into a folder; give its path."""
    path = folder / "outbox.db"
    for suffix in ("", "-wal"):
        packed = (FIXTURES / f"version-{version}.db{suffix}.gz").read_bytes()
        path.with_name(path.name + suffix).write_bytes(gzip.decompress(packed))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    return path


def content(path: Path) -> Content:
    """Give every row of every table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        tables = [each[0] for each in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")] for table in tables}  # noqa: S608 - the file's own names


def old_content(version: int, folder: Path) -> Content:
    """Give what an old database holds, read from a copy that nothing else touches."""
    folder.mkdir()
    return content(unpack(version, folder))


def holds(path: Path, old: Content) -> None:
    """Assert that the database at `path` is of today's version and still holds what the old one held."""
    with closing(sqlite3.connect(path)) as connection:
        assert schema.pragma(connection, "user_version") == schema.VERSION
    new = content(path)
    for table, rows in old.items():
        found = [{name: row[name] for name in was} for row, was in zip(new[table], rows, strict=True)]
        assert found == rows, table


def test_every_earlier_version_is_kept_as_a_file() -> None:
    """Whoever adds a migration keeps a database of the version before."""
    assert set(range(1, schema.VERSION)) <= set(VERSIONS)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_database_is_brought_up_to_date_and_goes_on(tmp_path: Path, version: int) -> None:
    """All that it held is there; what waited is sealed, numbers and chains go on, receipts and losses still count."""
    old = old_content(version, tmp_path / "old")
    path = unpack(version, tmp_path)
    outbox = open_outbox(path)
    assert outbox.moved_aside is None
    pending = outbox.pending(limit=1000)
    assert sorted(each.blob for each in pending) == sorted(
        each["blob"] for each in old["segment"] if not each["received"]
    )
    assert outbox.epoch == old["identity"][0]["epoch"]
    assert outbox.marks() == {"pulses.gas": 92, "mode": "standard"} | ({"carried": 7} if version > 3 else {})
    outbox.close()
    holds(path, old)
    outbox = open_outbox(path)
    stats = outbox.stats()
    assert stats.journal_rows == len(old["journal"])
    lost = [each for each in old["dropped"] if each.get("reason", "quota") == "quota"]
    assert (stats.dropped_readings, len(stats.dropped)) == (sum(each["count"] for each in lost), len(old["dropped"]))
    last = {each["name"]: (each["last_sequence"], each["last_digest"]) for each in old["stream"]}
    sealed = [outbox.seal("fine", pack), outbox.seal("fine", pack), outbox.seal("minute", pack)]
    assert [numbers([each]) for each in sealed if each] == [[90, 91], [92, 93], [94]]
    check_chain([each for each in sealed[:2] if each], last["fine"][0] + 1, last["fine"][1])
    assert outbox.received(outbox.epoch, "fine", 1000) > 2
    for each in outbox.unreported():
        outbox.report(each, pack)
    assert outbox.unreported() == ()
    outbox.close()


@pytest.mark.parametrize("version", [each for each in VERSIONS if each < schema.VERSION])
def test_a_kill_in_the_midst_of_a_migration_harms_nothing(tmp_path: Path, version: int) -> None:
    """Wherever it is killed, the next start does the migration again, or finds it done."""
    old = old_content(version, tmp_path / "old")
    steps = int(_migrate(unpack(version, tmp_path), 1 << 60))
    rng = random.Random(version)
    for _ in range(6):
        path = unpack(version, tmp_path)
        assert _migrate(path, rng.randrange(1, steps)) == ""
        outbox = open_outbox(path)
        assert outbox.moved_aside is None
        outbox.close()
        holds(path, old)


def _migrate(path: Path, kill_at: int) -> str:
    """Migrate in a process that kills itself at that step; give what it said, the number of steps, if it came to."""
    return subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", MIGRATING, str(path), str(kill_at)], capture_output=True, text=True, check=False
    ).stdout


@pytest.mark.soak
@pytest.mark.skipif(card.why_not() is not None, reason=str(card.why_not()))
@pytest.mark.parametrize("version", [each for each in VERSIONS if each < schema.VERSION])
def test_a_power_cut_in_the_midst_of_a_migration_harms_nothing(tmp_path: Path, version: int) -> None:
    """The same on a file system whose power goes at any moment of it."""
    old = old_content(version, tmp_path / "old")
    rng = random.Random(version)
    with Card(tmp_path / "card") as card_:
        for number in range(40):
            path = unpack(version, card_.mount)
            subprocess.run(["sync", "-f", str(path)], check=True)  # noqa: S603, S607 - of the system
            with subprocess.Popen(  # noqa: S603 - our own
                [sys.executable, "-c", MIGRATING, str(path), "0"], stdout=subprocess.DEVNULL
            ) as child:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(0.05 + rng.random() * 0.1)
                image, _ = card_.cut(number)
            with mounted(image, tmp_path / "look") as root:
                outbox = open_outbox(root / "outbox.db")
                assert outbox.moved_aside is None
                outbox.close()
                holds(root / "outbox.db", old)
            image.unlink()
