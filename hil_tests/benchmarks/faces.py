"""`make bench-faces`: what the faces of the agent cost, the command line and the page, beside the demo's building.

Everything runs as in service; only the faces are measured, from outside. On stdout stands one JSON line a figure and
nothing else; what is being done goes to stderr. The exit status is 0 where every goal holds.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from hil_tests.bench.broker import BrokerError
from hil_tests.bench.processes import ProcessEnded
from hil_tests.bench.whole import Whole
from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.main import HEARTBEAT_S, IN_SERVICE
from hil_tests.benchmarks.page_figures import page
from hil_tests.benchmarks.short_run import ShortRun

STATUS_RUNS = 20
STATUS_MS, STATUS_MB = 150, 20
"""The most that `gateway status` may take, on a machine that has it in its page cache."""


async def main() -> int:
    """Measure, print, and give the exit status."""
    try:
        with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
            async with Whole(Path(folder), tempo=IN_SERVICE, linky_mode="auto", heartbeat_s=HEARTBEAT_S) as whole:
                _say("the building is started")
                await whole.begin()
                figures = [figure for measure in MEASURES for figure in await measure(whole)]
    except (ProcessEnded, TimeoutError, BrokerError, RuntimeError) as error:
        _say(str(error))
        return 1
    for figure in figures:
        print(figure.as_json(), flush=True)
    return 1 if any(figure.holds is False for figure in figures) else 0


async def command_line(whole: Whole) -> list[Figure]:
    """Ask for the status again and again, each time in a new process; the first, which fills the cache, is not told."""
    program = [str(Path(sys.executable).with_name("gateway")), "status", "--config", str(whole.site)]
    _say(f"`gateway status` is run {STATUS_RUNS} times")
    runs = [await asyncio.to_thread(ShortRun.of, program) for _ in range(1 + STATUS_RUNS)][1:]
    took_ms = [1000 * run.seconds for run in runs]
    return [
        Figure("status_median", round(statistics.median(took_ms), 1), "ms", STATUS_MS),
        Figure("status_worst", round(max(took_ms), 1), "ms", STATUS_MS),
        Figure("status_rss_highest", round(max(run.peak_mb for run in runs), 1), "MB", STATUS_MB),
    ]


MEASURES: tuple[Callable[[Whole], Awaitable[list[Figure]]], ...] = (command_line, page)
"""Each face by itself, one after the other."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
