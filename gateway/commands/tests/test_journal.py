"""What the command database keeps, on its own thread."""

import hashlib
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gateway.commands.change import AnswerPlace, Arrival, Change, Entry
from gateway.commands.errors import StorageError
from gateway.commands.journal import Journal
from gateway.wire.messages import Answer

BOOT = bytes(16)
EPOCH = bytes(8)


def sign(place: AnswerPlace, payload: bytes) -> bytes:
    """Put the place before the payload, so that a test can read it."""
    return place.epoch + place.sequence.to_bytes(8) + place.previous + payload


def answer(command_id: str, state: str = "received") -> Answer:
    """Give an answer."""
    return Answer(command_id, state, None, 1, None, {})


async def test_answers_are_chained_over_restarts(tmp_path: Path) -> None:
    """Sequence and hash chain go on after a restart, in the epoch that the database was made with."""
    path, previous, epochs = tmp_path / "commands.db", bytes(32), set()
    for start in range(3):
        journal = await Journal.open(path, BOOT, sign)
        [one, two] = await journal.commit(Change(answers=(answer("a"), answer("b"))))
        for sequence, blob in (one, two):
            assert blob[8:16] == sequence.to_bytes(8)
            assert blob[16:48] == previous
            previous = hashlib.sha256(blob).digest()
        assert two[0] == 2 * start + 2
        epochs.add(one[1][:8])
        assert one[1][:8] == journal.epoch
        await journal.close()
    assert len(epochs) == 1


async def test_value_to_restore_is_the_first(tmp_path: Path) -> None:
    """A later intent never overwrites the value to restore, until the load is back."""
    journal = await Journal.open(tmp_path / "commands.db", BOOT, sign)
    await journal.commit(Change(hold={"pump": 80}))
    await journal.commit(Change(hold={"pump": 30}))
    assert (await journal.kept()).held == {"pump": 80}
    await journal.commit(Change(free=("pump",)))
    await journal.commit(Change(hold={"pump": 30}))
    assert (await journal.kept()).held == {"pump": 30}
    await journal.close()


async def test_a_change_is_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    """A change whose answer cannot be signed leaves nothing behind."""

    def broken(place: AnswerPlace, payload: bytes) -> bytes:
        if place.sequence == 1:
            raise RuntimeError(payload.hex())
        return sign(place, payload)

    journal = await Journal.open(tmp_path / "commands.db", BOOT, broken)
    arrival = Arrival("centre", EPOCH, 7, bytes(32))
    whole = Change(entries=(Entry("c", False, "{}"),), hold={"pump": 1}, arrival=arrival)  # noqa: FBT003 - not over
    with pytest.raises(RuntimeError):
        await journal.commit(Change(whole.entries, (answer("c"),), hold=whole.hold, arrival=arrival))
    kept = await journal.kept()
    assert (kept.entries, kept.held) == ((), {})
    assert (await journal.standing("centre", EPOCH, 7)).high_water is None
    await journal.commit(whole)
    assert (await journal.standing("centre", EPOCH, 7)).high_water == 7
    await journal.close()


async def test_switching_times_are_of_this_boot(tmp_path: Path) -> None:
    """A switching of another boot counts as from before this one."""
    journal = await Journal.open(tmp_path / "commands.db", BOOT, sign)
    await journal.commit(Change(switched={"pump": 70_000}))
    assert (await journal.kept()).switched == {"pump": 70_000}
    await journal.close()
    journal = await Journal.open(tmp_path / "commands.db", bytes([1]) * 16, sign)
    assert (await journal.kept()).switched == {"pump": 0}
    await journal.close()


async def test_works_on_its_own_thread(tmp_path: Path) -> None:
    """No statement runs on the thread of the event loop."""
    threads = []

    def watched(place: AnswerPlace, payload: bytes) -> bytes:
        threads.append(threading.current_thread())
        return sign(place, payload)

    journal = await Journal.open(tmp_path / "commands.db", BOOT, watched)
    await journal.commit(Change(answers=(answer("a"),)))
    assert threading.current_thread() not in threads
    assert len(threads) == 1
    await journal.close()


async def test_one_agent_only(tmp_path: Path) -> None:
    """A second agent on the same database is refused, and moves nothing aside."""
    path = tmp_path / "commands.db"
    journal = await Journal.open(path, BOOT, sign)
    with pytest.raises(StorageError, match="only one agent"):
        await Journal.open(path, BOOT, sign)
    assert sorted(file.name for file in tmp_path.glob("*damaged*")) == []
    await journal.commit(Change(hold={"pump": 1}))
    await journal.close()


async def test_damage_in_the_middle_is_found(tmp_path: Path) -> None:
    """A page of rubbish is found at the start; the file is kept aside, and everything is to be released."""
    path = tmp_path / "commands.db"
    journal = await Journal.open(path, BOOT, sign)
    entries = tuple(Entry(f"c{number}", over=False, body="x" * 500) for number in range(200))
    await journal.commit(Change(entries=entries, hold={"pump": 80}))
    await journal.close()
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(4 * 4096))
    journal = await Journal.open(path, BOOT, sign)
    assert journal.moved_aside == tmp_path / "commands.db.damaged-1"
    assert (await journal.kept()).release_all
    assert (await journal.standing("centre", EPOCH, 1)).replaced
    await journal.commit(Change(all_released=True))
    await journal.close()
    journal = await Journal.open(path, BOOT, sign)
    assert not (await journal.kept()).release_all
    assert (await journal.standing("centre", EPOCH, 1)).replaced
    await journal.close()


async def test_a_healthy_start_releases_nothing_by_force(tmp_path: Path) -> None:
    """The first start of all makes an empty database, durable, with nothing to release."""
    journal = await Journal.open(tmp_path / "commands.db", BOOT, sign)
    assert journal.durable
    assert journal.moved_aside is None
    kept = await journal.kept()
    assert (kept.release_all, kept.held, kept.entries) == (False, {}, ())
    await journal.close()


_WRITER = """
import sys, asyncio, pathlib
from gateway.commands.change import Change
from gateway.commands.journal import Journal

async def main():
    journal = await Journal.open(pathlib.Path(sys.argv[1]), bytes(16), lambda place, payload: payload)
    for number in range(100_000):
        await journal.commit(Change(hold={f"load{number}": number}))
        print(number, flush=True)

asyncio.run(main())
"""


def test_what_was_stored_survives_sigkill(tmp_path: Path) -> None:
    """Every commit that returned is there after SIGKILL, and the database is whole."""
    path = tmp_path / "commands.db"
    with subprocess.Popen([sys.executable, "-c", _WRITER, path], stdout=subprocess.PIPE) as process:  # noqa: S603 - ours
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 40:
                break
        process.kill()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kept = {row[0] for row in db.execute("SELECT original FROM load")}
    db.close()
    assert kept >= set(range(41))
