"""A start on a card that takes no writes: what was held is known, no order is taken, and all is stored later."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from gateway.commands import database, journal
from gateway.commands.change import AnswerPlace, Change
from gateway.commands.errors import StartAgainError, StorageError
from gateway.commands.file import copied, prepared
from gateway.commands.journal import Journal
from gateway.commands.tests.building import Building

BOOT, NEXT_BOOT = bytes(16), bytes([1]) * 16


def sign(_: AnswerPlace, payload: bytes) -> bytes:
    """Sign nothing."""
    return payload


def refusing(path: str, *, replaced: bool) -> sqlite3.Connection:
    """Refuse to open any file."""
    if path != ":memory:":
        raise sqlite3.OperationalError("attempt to write a readonly database")
    return prepared(path, replaced=replaced)


@pytest.fixture(name="card")
def _card(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Give a card that refuses, until it is undone; it is asked again at once."""
    monkeypatch.setattr(journal, "SOONEST_S", 0)
    monkeypatch.setattr(database, "prepared", refusing)
    return monkeypatch


def works(card: pytest.MonkeyPatch) -> None:
    """Let the card take writes."""
    card.setattr(database, "prepared", prepared)


async def test_a_shed_goes_on_and_ends(building: Building, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs goes on to its end and is given back, orders are refused, and every answer comes once it can."""
    await building.order()
    shed = building.values
    assert shed != building.normal
    await building.kill()
    building.clock.reboot(60)
    told = len(building.answers())
    monkeypatch.setattr(journal, "SOONEST_S", 0)
    with monkeypatch.context() as card:
        card.setattr(database, "prepared", refusing)
        await building.start()
        assert (building.values, building.journal.durable) == (shed, False)
        assert not (await building.journal.kept()).release_all
        await building.order(target="pump", magnitude_percent=10)
        assert building.values == shed
        await building.clock.advance(1_800)
        assert building.values == building.normal
        assert len(building.answers()) == told
        assert building.alarms == ["storage"]
    nonce = building.journal.boot_nonce
    await building.journal.open_again()
    assert building.journal.durable
    await building.order(operation="cancel", refers_to="nothing")
    assert (building.last("c1").state, building.last("c2").reason) == ("completed", "storage")
    assert not (await building.journal.kept()).held
    sequences = sorted({sequence for sequence, _ in building.published})
    assert sequences == list(range(1, len(sequences) + 1))
    await building.restart()
    assert building.journal.boot_nonce == nonce
    await building.order()
    assert building.last("c4").state == "started"


async def test_a_first_start(tmp_path: Path, card: pytest.MonkeyPatch) -> None:
    """Without any database orders are refused; what was said in memory is in the file once there can be one."""
    building = await Building(tmp_path).start()
    await building.order(boot_nonce=building.journal.boot_nonce)
    assert (building.last("c1").state, building.last("c1").reason) == ("rejected", "storage")
    works(card)
    epoch, nonce = building.journal.epoch, building.journal.boot_nonce
    await building.journal.open_again()
    await building.order(boot_nonce=nonce)
    assert building.last("c2").state == "started"
    await building.restart()
    assert (building.journal.epoch, building.journal.boot_nonce, building.journal.durable) == (epoch, nonce, True)
    assert building.values["heater"] == 0
    assert not (await building.journal.kept()).release_all
    sequences = sorted({sequence for sequence, _ in building.published})
    assert sequences == list(range(1, len(sequences) + 1))
    await building.kill()
    assert [each.name for each in tmp_path.iterdir()] == ["commands.db"]


@pytest.mark.usefixtures("card")
def test_what_a_full_card_leaves_of_a_first_try_is_none(tmp_path: Path, card: pytest.MonkeyPatch) -> None:
    """A header without any table: orders go on where they were once there is room."""
    path = tmp_path / "commands.db"
    with sqlite3.connect(path) as begun:
        begun.execute("PRAGMA journal_mode = WAL")
    begun.close()
    assert path.stat().st_size > 0
    made = database.Database(path, BOOT, sign)
    works(card)
    made.open_again()
    assert made.durable
    made.close()


@pytest.mark.usefixtures("card")
def test_a_card_that_goes_on_refusing(tmp_path: Path) -> None:
    """It says so each time that it is asked, and what stands in serves on."""
    made = database.Database(tmp_path / "none.db", BOOT, sign)
    with pytest.raises(StorageError, match="read-only"):
        made.open_again()
    assert (made.durable, made.kept().release_all) == (False, True)
    made.close()


async def test_a_file_that_could_not_be_read(tmp_path: Path, card: pytest.MonkeyPatch) -> None:
    """All is released; once the file can be read, only a new start knows what to do with it."""
    works(card)
    kept = await Journal.open(tmp_path / "commands.db", BOOT, sign)
    await kept.commit(Change(hold={"pump": 80}))
    await kept.close()
    card.setattr(database, "prepared", refusing)
    card.setattr(database, "copied", lambda _: None)
    blind = await Journal.open(tmp_path / "commands.db", BOOT, sign)
    assert (await blind.kept()).release_all
    works(card)
    with pytest.raises(StartAgainError, match="new start"):
        await blind.open_again()
    await blind.close()
    again = await Journal.open(tmp_path / "commands.db", BOOT, sign)
    assert (again.durable, (await again.kept()).held) == (True, {"pump": 80})
    await again.close()


@pytest.mark.parametrize("is_full", [True, False])
async def test_a_damaged_one_moved_aside_and_then_a_cut(tmp_path: Path, *, is_full: bool) -> None:
    """Before a new one could be made: the next start knows that there was one, releases all, and tells where it is."""
    path = tmp_path / "commands.db"
    kept = await Journal.open(path, BOOT, sign)
    await kept.commit(Change(hold={"pump": 80}))
    await kept.close()
    path.rename(tmp_path / "commands.db.damaged-1")
    if is_full:
        path.touch()
    for moved in (tmp_path / "commands.db.damaged-1", None):
        again = await Journal.open(path, NEXT_BOOT, sign)
        assert (await again.kept()).release_all
        assert again.moved_aside == moved
        await again.close()


async def test_a_card_without_room_for_a_new_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that opens, but has no room for the number of this boot, is stood in for as well."""
    path = tmp_path / "commands.db"
    kept = await Journal.open(path, BOOT, sign)
    await kept.commit(Change(hold={"pump": 80}))
    await kept.close()
    honest = database.Database._put

    def full(self: database.Database, name: str, value: bytes | int) -> None:
        if self.durable:
            raise sqlite3.OperationalError("database or disk is full")
        honest(self, name, value)

    with monkeypatch.context() as card:
        card.setattr(database.Database, "_put", full)
        made = await Journal.open(path, NEXT_BOOT, sign)
        assert (made.durable, made.epoch, (await made.kept()).held) == (False, kept.epoch, {"pump": 80})
        with pytest.raises(StorageError, match="disk is full"):
            await made.commit(Change(free=("pump",)))
    monkeypatch.setattr(journal, "SOONEST_S", 0)
    await made.open_again()
    await made.commit(Change(free=("pump",)))
    await made.close()
    again = await Journal.open(path, NEXT_BOOT, sign)
    assert (again.boot_nonce, again.epoch, (await again.kept()).held) == (made.boot_nonce, kept.epoch, {})
    await again.close()


async def test_a_copy_has_what_is_in_the_wal(tmp_path: Path) -> None:
    """A process that was killed leaves a WAL: what was committed is in the copy, and the files stay as they were."""
    kept = await Journal.open(tmp_path / "commands.db", BOOT, sign)
    await kept.commit(Change(hold={"pump": 80}))
    cut = tmp_path / "cut.db"
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"commands.db{suffix}", tmp_path / f"cut.db{suffix}")
    await kept.close()
    before = {each: each.read_bytes() for each in tmp_path.glob("cut.db*")}
    copy = copied(cut)
    assert copy is not None
    assert copy.execute("SELECT name, original FROM load").fetchall() == [("pump", 80)]
    copy.close()
    assert {each: each.read_bytes() for each in tmp_path.glob("cut.db*")} == before
    cut.with_name("cut.db-wal").unlink()
    cut.write_bytes(b"no database at all" * 1_000)
    assert copied(cut) is None
