"""Storage that refuses: what was committed is unharmed, StorageError and nothing else comes out, and it works again.

Two ways, both real: a limit on the size of files, within which the kernel refuses any write beyond it (nobody need be
root); and a card (`card`) that answers with I/O errors until the kernel makes its file system read-only, or is full.
"""

import random
import resource
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from buffer import schema
from buffer.errors import StorageError, StorageFull
from buffer.outbox import Outbox
from buffer.tests import card
from buffer.tests.building import check_chain, numbers, open_outbox, pack, row
from buffer.tests.card import Card, mounted
from buffer.tests.watch import Watch
from buffer.tests.writer import QUOTA, Writer

STEPS, STEPS_SOAK = 400, 12_000
REOPEN_EVERY = 100

needs_card = pytest.mark.skipif(card.why_not() is not None, reason=str(card.why_not()))


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let the kernel refuse writes of this process beyond so many bytes of any file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def refuse_at_random(path: Path, seed: int, steps: int) -> None:
    """Do all that an outbox does while writes are refused now and then, and hold it to every promise."""
    rng = random.Random(seed)
    watch = Watch()
    refused = 0
    for life in range(steps // REOPEN_EVERY):
        with closing(open_outbox(path, QUOTA)) as outbox:
            watch.hear("open")
            writer = Writer(outbox, rng.randrange(1 << 30), lambda *words: watch.hear(" ".join(map(str, words))))
            for _ in range(REOPEN_EVERY):
                size = rng.randrange(1 << 17) if rng.random() < 0.3 else resource.RLIM_INFINITY
                with files_up_to(size):
                    try:
                        writer.step()
                    except StorageError:
                        refused += 1
            assert outbox.stats().failures <= refused
        assert watch.faults(path, QUOTA) == [], f"life {life} of seed {seed}"
    assert refused > steps // 40


def test_writes_that_are_refused_at_random_lose_nothing_that_was_committed(tmp_path: Path) -> None:
    """Whatever write of whatever step is refused, every promise made before and after it holds."""
    refuse_at_random(tmp_path / "outbox.db", 1, STEPS)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 6))
def test_thousands_of_refused_writes_lose_nothing(tmp_path: Path, seed: int) -> None:
    """The same, for long."""
    refuse_at_random(tmp_path / "outbox.db", seed, STEPS_SOAK)


@needs_card
def test_a_card_that_refuses_writes_loses_nothing_and_works_again_in_the_same_process(tmp_path: Path) -> None:
    """Commits and seals raise while it refuses and go on when it does not, in blocks that a cut finds written.

    ext4 keeps blocks whose first write failed as "never written", and shows zeros after the next start, whatever was
    written and synced to them since; so the database is made anew.
    """
    with Card(tmp_path / "card") as card_:
        path = card_.mount / "outbox.db"
        with closing(open_outbox(path)) as outbox:
            outbox.commit([row(1)])
            first = outbox.seal("fine", pack)
            outbox.commit([row(2)])
            card_.fail(write=True)
            for _ in range(3):
                with pytest.raises(StorageError, match="check the disk"):
                    outbox.commit([row(3, size=9000)], {"last": 3})
                with pytest.raises(StorageError, match="check the disk"):
                    outbox.seal("fine", pack)
            assert outbox.pending(limit=9) == [first]
            assert (outbox.stats().journal_rows, outbox.stats().failures, outbox.marks()) == (1, 6, {})
            card_.fail()
            outbox.commit([row(3, size=9000)], {"last": 3})
            second = outbox.seal("fine", pack)
            assert first is not None
            assert second is not None
            assert numbers([second]) == [2, 3]
            assert outbox._disk.renewals == 1
            image, _ = card_.cut(1)
    with mounted(image, tmp_path / "look") as root, closing(open_outbox(root / "outbox.db")) as outbox:
        assert outbox.moved_aside is None
        assert outbox.pending(limit=9) == [first, second]
        check_chain([first, second])


@needs_card
@pytest.mark.parametrize("write", [True, False])
def test_a_card_that_died_is_read_only_and_all_that_was_committed_is_on_it(tmp_path: Path, *, write: bool) -> None:
    """The kernel gives the file system up: writes raise, what is pending is still sent; the next start has it all."""
    with Card(tmp_path / "card") as card_, closing(open_outbox(card_.mount / "outbox.db")) as outbox:
        for number in range(1, 9):
            outbox.commit([row(number, size=2000)], {"last": number})
            if number % 4 == 0:
                outbox.seal("fine", pack)
        outbox.commit([row(9)])
        _give_up(card_, write=write)
        with pytest.raises(StorageError, match="check the disk"):
            outbox.commit([row(10)])
        with pytest.raises(StorageError, match="check the disk"):
            outbox.received(outbox.epoch, "fine", 1)
        assert numbers(outbox.pending(limit=9)) == [*range(1, 9)]
        card_.fail()
        with pytest.raises(StorageError, match="check the disk"):  # the kernel does not come back to it
            outbox.commit([row(10)])
        image, _ = card_.cut(1)
    with mounted(image, tmp_path / "look") as root, closing(open_outbox(root / "outbox.db")) as outbox:
        assert outbox.moved_aside is None
        assert (outbox.marks(), outbox.stats().journal_rows) == ({"last": 8}, 1)
        outbox.commit([row(10)])
        outbox.seal("fine", pack)
        check_chain(outbox.pending(limit=9))
        assert numbers(outbox.pending(limit=9)) == [*range(1, 11)]


def _give_up(card_: Card, *, write: bool) -> None:
    """Let the card refuse writes, or flushes alone, until the kernel has made its file system read-only."""
    card_.fail(write=write, flush=True)
    for number in range(100):
        try:
            (card_.mount / f"try-{number}").touch()
        except OSError:
            return
        subprocess.run(["sync", "-f", str(card_.mount)], check=False, capture_output=True)  # noqa: S603, S607 - of the system
    raise AssertionError("the file system goes on")


@needs_card
def test_pages_that_cannot_be_read_are_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A card that does not answer raises StorageError, moves nothing aside, and is read when it answers."""
    with Card(tmp_path / "card") as card_:
        path = card_.mount / "outbox.db"
        with closing(open_outbox(path)) as outbox:
            for number in range(1, 101):
                outbox.commit([row(number, size=9000)])
                outbox.seal("fine", pack)
        with closing(open_outbox(path)) as outbox:
            _forget_pages()
            card_.fail(read=True)
            with pytest.raises(StorageError, match="cannot be read while reading: check the disk"):
                outbox.pending(limit=100)
            card_.fail()
            assert numbers(outbox.pending(limit=100)) == [*range(1, 101)]
        _forget_pages()
        card_.fail(read=True)

        def comes_back(_: Path) -> bool:
            card_.fail()
            return False

        monkeypatch.setattr(schema, "answers", comes_back)
        with closing(open_outbox(path)) as outbox:
            assert outbox.moved_aside is None
            assert outbox.stats().segments_pending == 100


def _forget_pages() -> None:
    """Let the kernel forget what it has read of any disk."""
    Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")


@needs_card
def test_a_card_that_is_truly_full_harms_nothing(tmp_path: Path) -> None:
    """With not a block left commits and seals raise StorageFull; receipts too, and with room again all goes in once."""
    with Card(tmp_path / "card", size=6 << 20) as card_:
        path = card_.mount / "outbox.db"
        with closing(open_outbox(path)) as outbox:
            outbox.commit([row(1)])
            first = outbox.seal("fine", pack)
            outbox.commit([row(2, size=3000)])
            _fill(card_.mount)
            told = 2
            with suppress(StorageFull):  # the WAL has room that it used before
                for _ in range(200):
                    outbox.commit([row(told + 1, size=3000)], {"last": told + 1})
                    told += 1
            with pytest.raises(StorageFull, match="free space"):
                outbox.commit([row(told + 1, size=3000)])
            with pytest.raises(StorageFull, match="free space"):
                outbox.seal("fine", pack)
            assert outbox.pending(limit=9) == [first]
        _fill(card_.mount)
        _try_to_start(path)
        (card_.mount / "filler").unlink()
        with closing(open_outbox(path)) as outbox:
            assert outbox.moved_aside is None
            outbox.commit([row(told + 1, size=3000)], {"last": told + 1})
            outbox.seal("fine", pack)
            assert numbers(outbox.pending(limit=9)) == [*range(1, told + 2)]
        assert list(card_.mount.glob("*unusable*")) == []


def _fill(folder: Path) -> None:
    """Leave no block on a file system."""
    with (folder / "filler").open("ab", buffering=0) as filler:
        for size in (1 << 16, 4096, 1):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError:
                pass


def _try_to_start(path: Path) -> None:
    """Start on a full disk: it works, or it says why not, and harms nothing."""
    try:
        Outbox.open(path, quota_pages=QUOTA).close()
    except StorageError as error:
        assert "disk" in str(error)  # noqa: PT017 - either is right


@needs_card
def test_a_card_that_is_read_only_from_the_start_is_told(tmp_path: Path) -> None:
    """A start on a read-only file system says so, and harms nothing."""
    card.make_image(tmp_path / "image", card.IMAGE_BYTES)
    with mounted(tmp_path / "image", tmp_path / "mount") as root:
        with closing(open_outbox(root / "outbox.db")) as outbox:
            outbox.commit([row(1)])
        subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)  # noqa: S603, S607 - of the system
        with pytest.raises(StorageError, match="check the disk"):
            open_outbox(root / "outbox.db")
        subprocess.run(["mount", "-o", "remount,rw", str(root)], check=True)  # noqa: S603, S607 - of the system
        with closing(open_outbox(root / "outbox.db")) as outbox:
            assert (outbox.moved_aside, outbox.stats().journal_rows) == (None, 1)


LIVES, LIVES_SOAK = 3, 40


def refuse_and_cut(folder: Path, seed: int, lives: int) -> int:
    """Let a card refuse writes now and then, cut the power, go on from what is left; give how often it was made anew.

    A life ends early where the kernel has given the file system up.
    """
    rng = random.Random(seed)
    watch = Watch()
    start: Path | None = None
    renewals = 0
    for life in range(lives):
        with Card(folder / f"card-{life}", image=start) as card_:
            with closing(open_outbox(card_.mount / "outbox.db", QUOTA)) as outbox:
                watch.hear("open")
                writer = Writer(outbox, rng.randrange(1 << 30), lambda *words: watch.hear(" ".join(map(str, words))))
                refused_in_a_row = 0
                for _ in range(rng.randrange(50, 400)):
                    card_.fail(write=rng.random() < 0.05)
                    try:
                        writer.step()
                        refused_in_a_row = 0
                    except StorageError:
                        refused_in_a_row += 1
                    if refused_in_a_row > 20:
                        break
                renewals += outbox._disk.renewals
                image, _ = card_.cut(rng.randrange(1 << 30))
            card_.fail()
        with mounted(image, folder / "look") as root:
            assert watch.faults(root / "outbox.db", QUOTA) == [], f"life {life} of seed {seed}"
        if start is not None:
            start.unlink()
        start = image.rename(folder / f"left-{life}")
    return renewals


@needs_card
def test_a_card_that_refuses_writes_and_then_loses_power_keeps_every_promise(tmp_path: Path) -> None:
    """Whatever was acknowledged before or after a refused write is there after a cut."""
    assert refuse_and_cut(tmp_path, 1, LIVES)


@needs_card
@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 6))
def test_hundreds_of_refused_writes_and_cuts_lose_nothing(tmp_path: Path, seed: int) -> None:
    """The same, for long."""
    assert refuse_and_cut(tmp_path, seed, LIVES_SOAK)
