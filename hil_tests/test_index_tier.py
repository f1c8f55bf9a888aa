"""The index tier whole: what every counter showed at a quarter of an hour, at the centre, against the bench's books.

Nobody waits for the quarter: the wall clock of the box is set to a second before one.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from gateway.centre.decode import Decoded
from hil_tests.bench.clocked import Wall
from hil_tests.bench.site import GAS, GAS_DIAL, GAS_WEIGHT, LINKY, WATER, WATER_DIAL, WATER_WEIGHT
from hil_tests.bench.whole import PATIENCE_S, Status, Whole, boot_ms
from hil_tests.demo.verdict import DATED_BACK_MS, LATE_MS

QUARTER_MS = 900_000
AHEAD_MS = 1_000
COUNTED = {"Wh", "varh", "VAh", "m3"}
"""Units of what is counted up; nothing else of the bench has one of them."""

JITTER_MS = 20
"""Wall clock and boot time are read one after the other."""

PULSES = {GAS: (GAS_DIAL, GAS_WEIGHT), WATER: (WATER_DIAL, WATER_WEIGHT)}

Values = Mapping[str, int]


def whole_frame(status: Status) -> bool:
    """Whether the first and the last index of the Linky were read: its first frame is one that we came into."""
    return {f"{LINKY}.east", f"{LINKY}.easd04"} <= {channel["name"] for channel in status["channels"]}


def shown(ledger: Path, at_ms: int) -> dict[str, set[int]]:
    """Give what the wires said of each channel at a moment, and before, as far as a busy machine may be behind."""
    seen: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for line in ledger.read_text("utf-8").splitlines():
        entry = json.loads(line)
        if entry["boot_ms"] <= at_ms + DATED_BACK_MS:
            for name, value in entry["values"].items():
                seen[name].append((entry["boot_ms"], value))
    return {name: lately(entries, at_ms - LATE_MS) for name, entries in seen.items()}


def lately(entries: list[tuple[int, int]], since_ms: int) -> set[int]:
    """Give the values after a moment, and the one that stood at it."""
    before = [value for moment, value in entries if moment <= since_ms]
    return {*before[-1:], *(value for moment, value in entries if moment > since_ms)}


async def pulsed(whole: Whole) -> Values:
    """Give what the dials of the pulse meters show."""
    counted = (await whole.bench.ask("pulses"))["pulses"]
    return {f"{name}.total": dial + weight * counted[name] for name, (dial, weight) in PULSES.items()}


async def arrived(whole: Whole) -> Decoded:
    """Wait for a segment of the index tier at the centre."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for segment in whole.centre.segments(whole.gateway):
                if segment.tier == "index":
                    return segment
            await asyncio.sleep(0.2)


async def test_a_snapshot_of_all_counters_at_the_quarter(tmp_path: Path) -> None:
    """Every counter of every device is in it, once, with what was on its wire then, and nothing else is."""
    wall = Wall(tmp_path / "wall.json")
    wall.set_to(0, 0)
    async with Whole(tmp_path / "building") as whole:
        whole.agent.program = ("-m", "hil_tests.bench.clocked", str(tmp_path / "wall.json"))
        await whole.begin()
        dials = await pulsed(whole)
        await whole.until(whole_frame, "a whole frame of the Linky")
        quarter_ms = boot_ms() + AHEAD_MS
        wall.set_to(-(time.time_ns() // 1_000_000 + AHEAD_MS) % QUARTER_MS, 0)
        segment = await arrived(whole)
        dials_after = await pulsed(whole)
        assert segment.stream == "index"
        readings = list(segment.content.readings())
        at_ms = readings[0][1]
        assert quarter_ms - JITTER_MS <= at_ms <= boot_ms()
        assert {(moment, quality) for _, moment, _, quality in readings} == {(at_ms, 0)}
        snapshot = {name: value for name, _, value, _ in readings}
        assert len(snapshot) == len(readings)
        books = shown(whole.bench.ledger, at_ms)
        counters = {channel.name for channel in segment.schema.channels if channel.unit in COUNTED}
        assert snapshot.keys() == counters & (books.keys() | dials.keys())
        for name, value in snapshot.items():
            if name in dials:
                on_its_way = PULSES[name.partition(".")[0]][1]
                assert dials[name] - on_its_way <= int(value) <= dials_after[name]
            else:
                assert value in books[name], name
