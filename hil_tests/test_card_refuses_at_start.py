"""The whole agent started on a card that takes no writes: it meters, says so, and keeps all once the card takes it."""

import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from buffer.errors import StorageError
from buffer.outbox import Outbox
from buffer.tests import card
from gateway.commands.change import AnswerPlace, Change
from gateway.commands.database import Database
from gateway.commands.errors import StorageError as OrdersError
from hil_tests.bench.whole import Whole
from hil_tests.books import POLL_MS, nothing_lost
from hil_tests.demo.verdict import Span
from hil_tests.test_card_fails import CARD_BYTES, failure, fill, goes_on, tells
from hil_tests.test_consent import alarms

QUOTA = 1024

BUSY_MS = 2_000
"""While a process starts, what is on a wire may be read late; what comes before this much later is not compared."""

NEEDS_A_CARD = pytest.mark.skipif(card.why_not() is not None, reason=str(card.why_not()))

BOOT, NEXT = bytes(16), bytes([1]) * 16


@NEEDS_A_CARD
async def test_a_start_on_a_card_that_is_read_only(tmp_path: Path) -> None:
    """After a kill the card is read-only: all is metered and told, and all arrives once it takes it again."""
    card.make_image(tmp_path / "image", CARD_BYTES)
    with card.mounted(tmp_path / "image", tmp_path / "card") as mount:
        async with Whole(tmp_path) as whole:
            store_on(whole, mount)
            since_ms = await whole.begin() + BUSY_MS
            killed_ms = await whole.settled()
            await whole.agent.kill()
            remount(mount, "ro")
            again_ms = await whole.begin()
            await goes_on(whole, "read-only")
            remount(mount, "rw")
            await works_again(whole)
            await nothing_lost(whole, since_ms, Span(killed_ms - POLL_MS, again_ms + BUSY_MS))
            assert not [text for kind, text in alarms(whole) if kind == "journal" or "damaged" in text]


@pytest.mark.soak
@NEEDS_A_CARD
async def test_starts_on_a_card_that_refuses(tmp_path: Path) -> None:
    """Read-only at the first start of all, and full at the next one: all arrives that is read from each start on."""
    card.make_image(tmp_path / "image", CARD_BYTES)
    with card.mounted(tmp_path / "image", tmp_path / "card") as mount:
        async with Whole(tmp_path) as whole:
            store_on(whole, mount)
            remount(mount, "ro")
            since_ms = await whole.begin() + BUSY_MS
            await goes_on(whole, "read-only")
            await tells(whole, "nothing is kept")
            remount(mount, "rw")
            await works_again(whole)

            stopped_ms = await whole.settled()
            await whole.agent.stop()
            fill(mount / "filler")
            full_ms = await whole.begin()
            await goes_on(whole, "no room", all_refused=False)
            (mount / "filler").unlink()
            await works_again(whole)

            await nothing_lost(whole, since_ms, Span(stopped_ms - POLL_MS, full_ms + BUSY_MS))
            assert not [text for _, text in alarms(whole) if "damaged" in text]


@NEEDS_A_CARD
def test_both_databases_on_a_full_card(tmp_path: Path) -> None:
    """What is on a card without any room is known after a start of the machine, and goes on once there is some."""
    # Memory as a disk: it has exactly as much room as it is told, at once.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path)], check=True)
    try:
        _full(tmp_path / "outbox.db", tmp_path / "commands.db")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def _full(readings: Path, commands: Path) -> None:
    with closing(Outbox.open(readings, quota_pages=QUOTA)) as outbox:
        outbox.commit([], {"last": 1})
    with closing(Database(commands, BOOT, signed)) as orders:
        orders.commit(Change(hold={"pump": 80}))
    filler = readings.with_name("filler")
    fill(filler)
    with closing(Outbox.begin(readings, quota_pages=QUOTA)) as full, closing(Database(commands, NEXT, signed)) as held:
        assert ("no room while opening" in str(full.refusal), full.marks()) == (True, {"last": 1})
        assert (held.durable, held.kept().held) == (False, {"pump": 80})
        with pytest.raises(StorageError):
            full.open_again()
        with pytest.raises(OrdersError):
            held.open_again()
        filler.unlink()
        full.open_again()
        full.commit([], {"last": 2})
        held.open_again()
        held.commit(Change(free=("pump",)))
        assert (full.epoch, held.epoch) == (outbox.epoch, orders.epoch)
        assert (full.marks(), held.kept().held) == ({"last": 2}, {})


def store_on(whole: Whole, mount: Path) -> None:
    """Let the agent keep all in a folder of a card."""
    whole.change_site(f'directory = "{whole.state}"', f'directory = "{mount / "gateway"}"')


def remount(place: Path, how: str) -> None:
    """Mount a file system anew where it is: "ro" or "rw"."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


async def works_again(whole: Whole) -> None:
    """Wait until the disk takes what waited in memory."""
    await whole.until(lambda status: failure(status) is None, "a disk that takes readings")


def signed(_: AnswerPlace, payload: bytes) -> bytes:
    """Sign nothing."""
    return payload
