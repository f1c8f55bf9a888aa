"""A file that cannot be used: moved aside, never a loop of crashes."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from buffer.errors import StorageError
from buffer.moving import MOVED_ASIDE_KEPT, is_of_newer_release
from buffer.outbox import Outbox
from buffer.schema import VERSION
from buffer.tests.building import open_outbox, pack, row


def _filled(path: Path, rows: int = 40) -> bytes:
    """Make a database with some segments and rows; give its epoch."""
    outbox = open_outbox(path)
    for number in range(1, rows + 1):
        outbox.commit([row(number, size=700)], {"last": number})
        if number % 3 == 0:
            outbox.seal("fine", pack)
    outbox.close()
    return outbox.epoch


def _noise_over_everything(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(30_000))


def _noise_in_the_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:16384] = random.Random(2).randbytes(12288)
    path.write_bytes(data)


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


def _text(path: Path) -> None:
    path.write_text("this is no database\n" * 100)


def _run(statement: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        connection = sqlite3.connect(path)
        connection.execute(statement)
        connection.commit()
        connection.close()

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        _noise_over_everything,
        _noise_in_the_middle,
        _cut_short,
        _text,
        _run("PRAGMA application_id = 1"),
        _run("DELETE FROM identity"),
        _run("UPDATE stream SET last_sequence = 2"),
    ],
    ids=["noise", "middle", "cut", "text", "foreign", "no epoch", "numbers reused"],
)
def test_an_unusable_file_is_moved_aside_and_a_new_one_takes_its_place(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """The old bytes are kept under a name that says when, and the new database has a new epoch and works."""
    path = tmp_path / "outbox.db"
    epoch = _filled(path)
    damage(path)
    bad = path.read_bytes()
    outbox = open_outbox(path)
    assert outbox.moved_aside is not None
    assert outbox.moved_aside.name.startswith("outbox.db.unusable-2")
    assert outbox.moved_aside.read_bytes() == bad
    assert outbox.epoch != epoch
    outbox.commit([row(1)])
    segment = outbox.seal("fine", pack)
    assert segment is not None
    assert segment.sequence == 1
    outbox.close()
    again = open_outbox(path)
    assert again.moved_aside is None
    again.close()


def test_a_wal_left_by_an_unusable_database_never_gets_into_the_new_one(tmp_path: Path) -> None:
    """A kill leaves a WAL with committed rows; beside a database that is noise, it must not fill the new one."""
    path = tmp_path / "outbox.db"
    alive = open_outbox(tmp_path / "alive.db")
    alive._db.execute("PRAGMA wal_checkpoint")  # so that the WAL holds some pages only, and mends nothing
    alive.commit([row(1)], {"last": 1})
    path.with_name("outbox.db-wal").write_bytes((tmp_path / "alive.db-wal").read_bytes())
    alive.close()
    _noise_over_everything(path)
    outbox = open_outbox(path)
    assert outbox.moved_aside is not None
    assert (outbox.stats().journal_rows, outbox.marks()) == (0, {})
    outbox.commit([row(2)])
    outbox.close()


def test_files_moved_aside_do_not_fill_the_card(tmp_path: Path) -> None:
    """Only the newest few are kept, each under a name of its own."""
    path = tmp_path / "outbox.db"
    for _ in range(MOVED_ASIDE_KEPT + 3):
        _text(path)
        open_outbox(path).close()
    assert len(list(tmp_path.glob("*.unusable-*"))) == MOVED_ASIDE_KEPT


def test_a_newer_release_finds_its_database_again(tmp_path: Path) -> None:
    """Beside it the older one begins anew; it is never removed, and put back it goes on where it was."""
    path = tmp_path / "outbox.db"
    epoch = _filled(path)
    _run("PRAGMA user_version = 99")(path)
    outbox = open_outbox(path)
    assert outbox.moved_aside is not None
    assert is_of_newer_release(outbox.moved_aside)
    assert outbox.epoch != epoch
    outbox.close()
    for _ in range(MOVED_ASIDE_KEPT + 1):
        _text(path)
        open_outbox(path).close()
    outbox.moved_aside.replace(path)
    _run(f"PRAGMA user_version = {VERSION}")(path)  # as the newer release does, which knows it
    back = open_outbox(path)
    assert (back.epoch, back.moved_aside) == (epoch, None)
    back.close()


def test_a_place_that_cannot_be_opened_is_told_with_what_to_do(tmp_path: Path) -> None:
    """A missing folder is no damage: nothing is moved, the message names the path."""
    with pytest.raises(StorageError, match="check the disk and who may write there"):
        open_outbox(tmp_path / "missing" / "outbox.db")


def test_a_quota_too_small_to_work_is_refused(tmp_path: Path) -> None:
    """A quota that could not hold one long segment is a mistake of the configuration."""
    with pytest.raises(ValueError, match="at least"):
        open_outbox(tmp_path / "outbox.db", quota_pages=3)


@pytest.mark.parametrize("seed", range(25))
def test_no_flipped_bytes_make_a_loop_of_crashes(tmp_path: Path, seed: int) -> None:
    """With bytes flipped anywhere, the third start at the latest takes rows and seals them again."""
    path = tmp_path / "outbox.db"
    _filled(path)
    rng = random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 5, 50, 500])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(data)
    for attempt in range(3):
        outbox = open_outbox(path)
        try:
            _work(outbox)
        except StorageError:
            assert attempt < 2
        else:
            break
        finally:
            outbox.close()


def _work(outbox: Outbox) -> None:
    """Do all that an agent does."""
    outbox.commit([row(1000)], {"last": 1000})
    outbox.seal("fine", lambda place, payloads: place.previous + b"".join(payloads))
    outbox.pending(limit=1000)
    outbox.received(outbox.epoch, "fine", 5)
    outbox.resend(outbox.epoch, "fine", 1, 3)
    outbox.stats()
