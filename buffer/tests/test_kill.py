"""SIGKILL at any moment of storing and draining: what was acknowledged is there, once, and the chain goes on."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from buffer.tests.watch import Watch
from buffer.tests.writer import QUOTA

KILLS = 20
KILLS_SOAK = 300


def kill_and_look(path: Path, kills: int, seed: int) -> Watch:
    """Let one writer after another work on the same database, kill each, and assert that every promise holds."""
    rng = random.Random(seed)
    watch = Watch()
    for life in range(kills):
        # Half of the lives end in the midst of their first steps, where they open, settle and drain.
        steps = rng.choice((rng.randrange(0, 8), rng.randrange(0, 250)))
        for line in _words(path, rng.randrange(1 << 30), steps):
            watch.hear(line)
        assert watch.faults(path, QUOTA) == [], f"after kill {life + 1} of seed {seed}"
    return watch


def _words(path: Path, seed: int, steps: int) -> list[str]:
    """Run a writer until it has told so many steps, kill it in whatever comes next, and give all that it told."""
    with subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "buffer.tests.writer", str(path), str(seed)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline() for _ in range(steps)]
        writer.kill()
        told += writer.stdout.read().splitlines(keepends=True)
    return [line for line in told if line.endswith("\n")]


def test_nothing_acknowledged_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    """After each of several kills every row, segment, receipt, mark and report is what was promised."""
    watch = kill_and_look(tmp_path / "outbox.db", KILLS, 1)
    assert watch.sent
    assert watch.received


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_over_hundreds_of_kills(tmp_path: Path, seed: int) -> None:
    """The same, long enough for quota, reports and withdrawals to be met by a kill too."""
    watch = kill_and_look(tmp_path / "outbox.db", KILLS_SOAK, seed)
    assert watch.told
