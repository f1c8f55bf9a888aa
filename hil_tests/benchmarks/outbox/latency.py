"""How old a reading is when the centre has verified and stored it, with the link up: the whole agent, in real time.

The devices of the bench are read as in service. A segment counts as there when its row can be read in the centre's
database by somebody else, which is after verification and commit; a reading's age is counted from its own time stamp.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hil_tests.bench.whole import Whole, boot_ms
from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.outbox.pilot import TEMPO
from hil_tests.benchmarks.outbox.workshop import Workshop, say

WITHIN_S = 12

_MEASURED_S = 90.0
_LOOK_S = 0.02
_NEWER = "SELECT message.id, stream.name, sequence FROM message JOIN stream ON stream.id = stream WHERE message.id > ?"


def latency(_: Workshop) -> Iterator[Figure]:
    """Tell the median, the 99th percentile and the highest."""
    say(f"readings on their way to the centre, for {_MEASURED_S:.0f} s")
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        unsorted, line = asyncio.run(_ages(Path(folder)))
    ages = sorted(unsorted)
    yield Figure("latency_readings", len(ages), "readings")
    for name, share, goal in (("p50", 0.5, None), ("p99", 0.99, WITHIN_S), ("highest", 1, None)):
        at = min(len(ages) - 1, int(share * len(ages)))
        yield Figure(f"latency_{name}", round(ages[at] / 1000, 2), "s from its time stamp to the centre's store", goal)
    yield Figure("line_live", round(line / _MEASURED_S), "bytes a second on the line, both ways, TCP, TLS and all")


async def _ages(folder: Path) -> tuple[list[int], int]:
    """Give the age in ms of each reading of the fine tier that came, and what passed over the line meanwhile."""
    async with Whole(folder, tempo=TEMPO, linky_mode="standard", heartbeat_s=30) as whole:
        await whole.begin()
        before = await _line(whole)
        seen = await _watched(folder / "centre.db", _MEASURED_S)
        line = await _line(whole) - before
        ages = [
            seen[decoded.sequence] - read_ms
            for decoded in whole.centre.segments(whole.gateway)
            if decoded.stream == "fine" and decoded.sequence in seen
            for _, read_ms, _, _ in decoded.content.readings()
        ]
        return ages, line


async def _line(whole: Whole) -> int:
    """Ask the agent for the bytes that its connections have cost."""
    day = (await whole.status())["link"]["last_24h"]
    return int(day["sent_bytes"] + day["received_bytes"])


async def _watched(database: Path, seconds: float) -> dict[int, int]:
    """Give the boot time at which each segment of the fine tier, that was not there before, was found."""
    seen: dict[int, int] = {}
    until_ms = boot_ms() + round(seconds * 1000)
    with closing(sqlite3.connect(database)) as centre:
        newest = centre.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()[0]
        while boot_ms() < until_ms:
            for number, stream, sequence in centre.execute(_NEWER, (newest,)).fetchall():
                newest = max(newest, number)
                if stream == "fine":
                    seen[sequence] = boot_ms()
            await asyncio.sleep(_LOOK_S)
    return seen
