"""The wall clock of the box is set by an hour, back, and to 1970, while the whole works: nothing is moved by it."""

import time
from pathlib import Path

from hil_tests.bench.clocked import Wall
from hil_tests.bench.whole import Status, Whole, boot_ms
from hil_tests.test_commands import PATIENCE_S, ready

HOUR_MS = 3_600_000
SHED_S = 6
RIGHT_MS = 1_000
"""How far a time may be off that should be the true one."""


def true_utc_ms() -> int:
    """What time it is."""
    return time.time_ns() // 1_000_000


def knows_the_time(status: Status) -> bool:
    """Whether the agent says what time it is, and is right."""
    clock = status["clock"]
    return bool(clock["trusted"]) and abs(clock["utc_ms"] - true_utc_ms()) < RIGHT_MS


async def shed_while(whole: Whole, wall: Wall, step_ms: int) -> None:
    """Shed for some seconds while somebody sets the clock; it ends when it should, and says when in true time."""
    began_ms = boot_ms()
    command = await whole.centre.shed(whole.gateway, 40, SHED_S)
    started = (await whole.centre.answered(command, "started", PATIENCE_S)).answer
    wall.set_to(step_ms, None)
    ended = (await whole.centre.answered(command, "completed", SHED_S + PATIENCE_S)).answer
    relay_ms = started.detail["relay_boot_ms"]
    assert isinstance(relay_ms, int)
    assert relay_ms >= began_ms
    assert abs(ended.boot_ms - relay_ms - 1_000 * SHED_S) < RIGHT_MS
    assert ended.utc_ms is not None
    assert abs(ended.utc_ms - true_utc_ms() - ended.boot_ms + boot_ms()) < RIGHT_MS
    assert knows_the_time(await whole.status())


async def test_steps_of_the_wall_clock_move_nothing(tmp_path: Path) -> None:
    """Readings stay where they were read, sheds last as long as they should, and a clock that two tell apart alarms."""
    wall = Wall(tmp_path / "wall.json")
    wall.set_to(0, 2)
    async with Whole(tmp_path / "building") as whole:
        whole.agent.program = ("-m", "hil_tests.bench.clocked", str(tmp_path / "wall.json"))
        await ready(whole)
        await whole.until(lambda status: status["clock"]["source"] == "kernel", "the kernel's word")
        for step_ms in (HOUR_MS, -true_utc_ms()):
            await shed_while(whole, wall, step_ms)
        # A kernel that vouches for a time which the centre's contradicts: one of them is wrong, and people are told.
        wall.set_to(-HOUR_MS, 60_000)
        await whole.until(knows_the_time, "the centre's word")
        await whole.until(lambda _: "behind the centre's: one is wrong" in whole.agent.log.read_text(), "the alarm")
        now_ms = await whole.settled()
        booted_ms = true_utc_ms() - boot_ms()
        placed = [
            decoded.timeline.at(tick)
            for decoded in whole.centre.segments(whole.gateway)
            for table in decoded.content.groups.values()
            for tick in table.ticks
        ]
        assert placed
        for each in placed:
            assert each is not None
            assert each.utc_ms < booted_ms + now_ms + 30_000
            assert each.utc_ms > booted_ms + now_ms - 600_000
