"""`make bench-main`: memory, CPU and start-up time of the agent, in the demo's building at the pace of one in service.

Broker, bench and agent are processes of their own, the centre is in this one; only the agent is measured, from outside,
by what the kernel keeps of it. On stdout stands one JSON line a figure and nothing else; what is being done goes to
stderr. The exit status is 0 where every goal holds. Of the starts the longest is told; it includes the interpreter's.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hil_tests.bench.broker import BrokerError
from hil_tests.bench.processes import ProcessEnded, tail
from hil_tests.bench.site import LINKY, Tempo
from hil_tests.bench.whole import Status, Whole, boot_ms, meter
from hil_tests.benchmarks.cost import Cost
from hil_tests.benchmarks.figure import Figure

IN_SERVICE = Tempo()
"""Journal and segments of 10 s, Modbus polled each 10 s and 60 s."""

HEARTBEAT_S = 30.0
STARTS = 5
LOOK_S = 0.02
WARM_UP_S = 20.0
MEASURED_S = 60.0
PATIENCE_S = 20.0

RSS_MB, CPU_PERCENT, START_S, WAKEUPS_A_S = 64, 1.5, 3, 40
"""The most that each may be."""

VALUES_A_S = 28
"""The least that the Linky's line must give, a 40-label frame each 1.4 s: with fewer, what the agent needs for them
says nothing of a real building. Of what does not change a Reading is made once a minute only."""

Found = Callable[[Status], bool]

RIVAL_RSS = "ThingsBoard IoT Gateway idles at 65 to 73 MB"
RIVAL_CPU = "ThingsBoard IoT Gateway idles at 10 to 15 % of a core"


async def main() -> int:
    """Measure, print, and give the exit status."""
    try:
        with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
            building = Whole(Path(folder), tempo=IN_SERVICE, linky_mode="auto", heartbeat_s=HEARTBEAT_S)
            async with building as whole:
                figures = [*await _starts(whole), *await _in_service(whole)]
    except (ProcessEnded, TimeoutError, BrokerError) as error:
        _say(str(error))
        return 1
    for figure in figures:
        print(figure.as_json(), flush=True)
    return 1 if any(figure.holds is False for figure in figures) else 0


async def _starts(whole: Whole) -> list[Figure]:
    """Start the agent again and again, the mode of its line known from before; it is left running."""
    _say("the agent is started for the first time: it finds the mode of its line, and remembers it")
    await whole.agent.start()
    await whole.until(_linky_stored, "the first frame on the disk", patience_s=PATIENCE_S)
    any_reading, linky_frame = [], []
    for _ in range(STARTS):
        await whole.agent.stop()
        begun = boot_ms()
        await whole.agent.start()
        any_reading.append(await _seconds_until(whole, begun, _stored))
        linky_frame.append(await _seconds_until(whole, begun, _linky_stored))
        _say(f"started: first reading stored after {any_reading[-1]:.2f} s, first frame after {linky_frame[-1]:.2f} s")
    return [
        Figure("start_to_first_reading_stored", max(any_reading), "s", START_S),
        Figure("start_to_first_linky_frame_stored", max(linky_frame), "s", START_S),
    ]


async def _in_service(whole: Whole) -> list[Figure]:
    """Let the agent serve, and compare what it had cost before and after."""
    await whole.until(lambda status: status["link"]["connected"], "a connection")
    _say(f"connected; warming up for {WARM_UP_S:.0f} s, then measuring for {MEASURED_S:.0f} s")
    await asyncio.sleep(WARM_UP_S)
    pid = whole.agent.pid
    # The agent is asked for its count outside of what is measured.
    (values, taken), begun = await _counted(whole), time.monotonic()
    before, measured_from = Cost.of(pid), time.monotonic()
    await asyncio.sleep(MEASURED_S)
    after, measured_s = Cost.of(pid), time.monotonic() - measured_from
    values_then, taken_then = await _counted(whole)
    counted_s = time.monotonic() - begun
    cpu_percent = round(100 * (after.cpu_s - before.cpu_s) / measured_s, 2)
    return [
        Figure("rss", round(after.rss_mb, 1), "MB", RSS_MB, RIVAL_RSS),
        Figure("rss_highest", round(after.rss_peak_mb, 1), "MB", RSS_MB, RIVAL_RSS),
        Figure("pss", round(after.pss_mb, 1), "MB"),
        Figure("cpu", cpu_percent, "% of a core", CPU_PERCENT, RIVAL_CPU),
        Figure("wakeups", round((after.wakeups - before.wakeups) / measured_s, 1), "1/s", WAKEUPS_A_S),
        Figure("linky_values", round((values_then - values) / counted_s, 1), "1/s", VALUES_A_S, at_least=True),
        Figure("readings", round((taken_then - taken) / counted_s, 1), "1/s"),
    ]


async def _counted(whole: Whole) -> tuple[int, int]:
    """Give how many values the Linky has said until now, and how many readings were taken of all meters."""
    status = await whole.status()
    return meter(status, LINKY)["counters"]["groups_valid"], status["readings_taken"]


async def _seconds_until(whole: Whole, begun_ms: int, found: Found) -> float:
    """Ask the agent often until `found`; give the time since `begun_ms`, too long by one look at most."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        status = await whole.agent.status()
        if status is not None and found(status):
            return (boot_ms() - begun_ms) / 1000
        await asyncio.sleep(LOOK_S)
    raise TimeoutError(f"nothing was stored within {PATIENCE_S:.0f} s; the log ends:\n{tail(whole.agent.log)}")


def _stored(status: Status) -> bool:
    """Say whether anything that was read since the start is on the disk."""
    return status["outbox"]["last_commit_ms"] is not None


def _linky_stored(status: Status) -> bool:
    """Say whether the Linky's first frame since the start is on the disk."""
    first, committed = meter(status, LINKY)["first_read_ms"], status["outbox"]["last_commit_ms"]
    return first is not None and committed is not None and committed >= first


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
