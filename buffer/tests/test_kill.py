"""SIGKILL at any moment: what was acknowledged is there, once, and the chain goes on."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from buffer.outbox import Segment
from buffer.tests.building import check_chain, numbers, open_outbox

ROUNDS = 6


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_acknowledged_is_lost_and_nothing_comes_twice(tmp_path: Path, seed: int) -> None:
    """After each of several kills, the rows are 1 to n without gap or double, n at least the last acknowledged."""
    path = tmp_path / "outbox.db"
    rng = random.Random(seed)
    for _ in range(ROUNDS):
        acknowledged = _run_and_kill(path, steps=rng.randrange(1, 40))
        outbox = open_outbox(path)
        assert outbox.moved_aside is None
        segments = outbox.pending(limit=10_000)
        journal = [json.loads(row[0])[0] for row in outbox._db.execute("SELECT payload FROM journal ORDER BY id")]
        assert int(outbox.marks()["last"]) == (numbers(segments) + journal)[-1]
        outbox.close()
        _check(segments, journal, acknowledged)


def _run_and_kill(path: Path, steps: int) -> dict[str, int]:
    """Let a writer acknowledge some steps, kill it in the middle of whatever comes next, give its last words."""
    said: dict[str, int] = {}
    with subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "buffer.tests.writer", str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        for _ in range(steps):
            kind, number = writer.stdout.readline().split()
            said[kind] = int(number)
        writer.kill()
        for line in writer.stdout.read().splitlines():  # what it acknowledged before the kill took hold
            if len(line.split()) == 2:
                said[line.split()[0]] = int(line.split()[1])
    return said


def _check(segments: list[Segment], journal: list[int], acknowledged: dict[str, int]) -> None:
    check_chain(segments)
    stored = numbers(segments) + journal
    assert stored == list(range(1, len(stored) + 1))
    assert len(stored) >= acknowledged["row"]
    assert len(segments) >= acknowledged.get("segment", 0)
