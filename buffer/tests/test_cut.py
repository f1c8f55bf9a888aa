"""The power goes at any moment: what was synced is there, whole; on a real file system (see `card` for the choice)."""

import copy
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from buffer.tests import card
from buffer.tests.card import Card, mounted
from buffer.tests.watch import Watch
from buffer.tests.writer import QUOTA

pytestmark = pytest.mark.skipif(card.why_not() is not None, reason=str(card.why_not()))

CUTS = 12
CUTS_SOAK = 60
GENERATIONS_SOAK = 6
"""A soak goes on from what a cut has left, so often."""

LONGEST_S = 60


class Writing:
    """A writer at work, and its words as they come."""

    def __init__(self, path: Path, seed: int, *options: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "buffer.tests.writer", str(path), str(seed), *options], stdout=subprocess.PIPE
        )
        self._rest = b""

    def words(self, at_least: int = 0) -> list[str]:
        """Give the lines told since the last call, waiting for so many."""
        lines: list[str] = []
        pipe = self._pipe()
        while select.select([pipe], [], [], LONGEST_S if len(lines) < at_least else 0)[0]:
            data = os.read(pipe.fileno(), 1 << 16)
            assert data, "the writer has ended"
            *whole, self._rest = (self._rest + data).split(b"\n")
            lines += [line.decode() for line in whole]
        assert len(lines) >= at_least, "the writer stands still"
        return lines

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let it do nothing further meanwhile; what it has asked of the kernel goes on."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        self._pipe().close()

    def _pipe(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout


@dataclass(frozen=True, slots=True)
class Cut:
    """The image that a cut has left, what had been promised by then, and how many writes the disk's cache held."""

    image: Path
    watch: Watch
    unflushed: int


def cuts(
    folder: Path,
    count: int,
    seed: int,
    *options: str,
    start: Path | None = None,
    watch: Watch | None = None,
    lie: bool = False,
) -> Iterator[Cut]:
    """Cut so often during the life of one writer, which starts with the image `start` and what `watch` was promised."""
    rng = random.Random(seed)
    watch = copy.deepcopy(watch) if watch else Watch()
    with Card(folder, image=start) as card_:
        card_.fail(lie=lie)
        writing = Writing(card_.mount / "outbox.db", seed, *options)
        try:
            for number in range(count):
                for line in writing.words(rng.randrange(1, 60)):
                    watch.hear(line)
                time.sleep(rng.random() * 0.004)  # in the midst of a commit as well as between two
                with writing.held():
                    for line in writing.words():
                        watch.hear(line)
                    image, unflushed = card_.cut(seed * 1000 + number)
                    promised = copy.deepcopy(watch)
                    for line in writing.words():  # told after the cut: what was sent is sent, the rest is no promise
                        promised.hear_sent(line)
                        watch.hear(line)
                yield Cut(image, promised, unflushed)
                image.unlink(missing_ok=True)
        finally:
            writing.end()


def faults(image: Path, folder: Path, watch: Watch) -> list[str]:
    """Start from an image as the box would after the cut: the file system's recovery, then ours."""
    with mounted(image, folder) as root:
        path = root / "outbox.db"
        if not path.exists() and not watch.lives:
            return []
        return watch.faults(path, QUOTA)


def test_nothing_synced_is_lost(tmp_path: Path) -> None:
    """After every cut each promise holds: rows, segments and their chain, receipts, marks, reports."""
    for number, cut in enumerate(cuts(tmp_path / "card", CUTS, 1)):
        assert faults(cut.image, tmp_path / "look", cut.watch) == [], f"after cut {number + 1}"


def test_the_same_cuts_show_what_a_commit_without_sync_loses(tmp_path: Path) -> None:
    """With `synchronous=NORMAL` acknowledged rows are gone; were nothing found here, the test above would be blind."""
    found = [faults(cut.image, tmp_path / "look", cut.watch) for cut in cuts(tmp_path / "card", CUTS, 1, "--normal")]
    assert any("acknowledged, and is not there" in fault for each in found for fault in each)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 6))
def test_nothing_is_lost_over_hundreds_of_cuts(tmp_path: Path, seed: int) -> None:
    """The same for longer, each writer going on from what a cut of the one before it has left."""
    start: Path | None = None
    watch = Watch()
    mid_write = 0
    for generation in range(GENERATIONS_SOAK):
        folder = tmp_path / f"card-{generation}"
        for number, cut in enumerate(cuts(folder, CUTS_SOAK, seed * 100 + generation, start=start, watch=watch)):
            assert faults(cut.image, tmp_path / "look", cut.watch) == [], f"cut {number + 1} of {folder}"
            mid_write += cut.unflushed > 0
            if number == CUTS_SOAK - 1:
                start, watch = tmp_path / f"left-{generation}", cut.watch
                cut.image.rename(start)
    assert mid_write > GENERATIONS_SOAK  # cuts that found writes in the disk's cache
    assert watch.told


@pytest.mark.soak
def test_a_card_that_lies_about_its_flushes_is_seen_to(tmp_path: Path) -> None:
    """Where a card says that it has flushed and has not, rows are lost whatever we do: the harness sees that too."""
    lost = 0
    for cut in cuts(tmp_path / "card", CUTS, 1, lie=True):
        try:
            lost += bool(faults(cut.image, tmp_path / "look", cut.watch))
        except subprocess.CalledProcessError:  # not even the file system is left
            lost += 1
    assert lost
