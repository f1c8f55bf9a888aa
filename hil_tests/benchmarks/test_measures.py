"""What the benchmarks measure with: a goal that cannot be broken, or a look that sees nothing, would prove nothing."""

import json
import os
import subprocess
import sys

import pytest

from hil_tests.benchmarks.cost import Cost
from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.short_run import ShortRun


@pytest.mark.parametrize(
    ("figure", "holds"),
    [
        (Figure("rss", 64.0, "MB", 64), True),
        (Figure("rss", 64.1, "MB", 64), False),
        (Figure("readings", 33.0, "1/s", 33, at_least=True), True),
        (Figure("readings", 32.9, "1/s", 33, at_least=True), False),
        (Figure("pss", 99.0, "MB"), None),
    ],
)
def test_a_goal_is_a_bound(figure: Figure, holds: bool | None) -> None:  # noqa: FBT001 - the expected answer
    """A goal is kept up to the bound itself and broken beyond it; without a goal nothing is claimed."""
    assert figure.holds is holds


def test_the_line_that_is_printed() -> None:
    """A figure is one line of JSON with exactly these keys."""
    line = Figure("rss", 59.2, "MB", 64, "others: 73 MB").as_json()
    assert "\n" not in line
    assert json.loads(line) == {
        "figure": "rss",
        "value": 59.2,
        "unit": "MB",
        "goal": 64,
        "holds": True,
        "rival": "others: 73 MB",
    }


_ON_ORDER = """
import sys, time
for line in sys.stdin:
    if line == "memory\\n":
        kept = b"x" * (40 << 20)
    elif line == "free\\n":
        kept = None
    elif line == "work\\n":
        while time.process_time() < 0.5:
            pass
    elif line == "wait\\n":
        for _ in range(100):
            time.sleep(0.0001)
    print("done", flush=True)
"""


def test_cost_is_that_of_the_process() -> None:
    """Memory taken, memory given back, work done and waits ended by a process are each seen from outside."""
    with subprocess.Popen(
        [sys.executable, "-c", _ON_ORDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        looks = []
        for order in ("nothing", "memory", "free", "work", "wait"):
            process.stdin.write(f"{order}\n")
            assert process.stdout.readline() == "done\n"
            looks.append(Cost.of(process.pid))
        process.stdin.close()
    nothing, memory, free, work, wait = looks
    assert 39 < memory.rss_mb - nothing.rss_mb < 42
    assert 39 < memory.pss_mb - nothing.pss_mb < 42
    assert free.rss_mb < nothing.rss_mb + 2
    assert free.rss_peak_mb >= memory.rss_mb - 1
    assert nothing.cpu_s < 0.5 <= work.cpu_s + 1 / os.sysconf("SC_CLK_TCK")
    assert wait.wakeups - work.wakeups >= 100
    assert work.wakeups - nothing.wakeups < 100


def test_a_short_run_is_measured_whole() -> None:
    """Time that a program waits and memory that it had for a moment both count, and none of the one that asks."""
    ours = b"x" * (60 << 20)
    bare = ShortRun.of([sys.executable, "-c", "pass"])
    greedy = ShortRun.of([sys.executable, "-c", "import time; kept = b'x' * (40 << 20); del kept; time.sleep(0.5)"])
    assert 38 < greedy.peak_mb - bare.peak_mb < 42
    assert bare.peak_mb < 30 < len(ours) >> 20
    assert greedy.seconds >= 0.5


def test_a_short_run_that_fails_is_no_figure() -> None:
    """A program that ends badly has not done what is measured."""
    with pytest.raises(RuntimeError, match="ended with 3: told on stderr"):
        ShortRun.of([sys.executable, "-c", "import sys; print('told on stderr', file=sys.stderr); sys.exit(3)"])
