"""The Linky as a Meter, on a real pty and with a clock that the test moves where time must pass."""

import asyncio
import logging
import os
import time
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from drivers.errors import PortLeft, PortMissing
from drivers.linky import LinkyMeter
from drivers.reading import Quality, Reading
from linky_tic.label import Mode
from linky_tic.tests.encoder import Item, MeterState, encode_frame, items_of

STATE = MeterState(power_va=(2_345,), east_wh=12_345_678, tariff="HC", running=2)
FRAMES = {mode: encode_frame(mode, items_of(mode, STATE)) for mode in Mode}
LINKYS = (Mode.HISTORIQUE, Mode.STANDARD)


class Clock:
    """Boot time that runs as it does, plus what a test adds."""

    def __init__(self) -> None:
        self.added_ms = 0

    def __call__(self) -> int:
        """Give CLOCK_BOOTTIME in ms."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000 + self.added_ms


class Rig:
    """A pty, a meter on it, and what the meter gave: both ticks of one frame together."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.port = os.ttyname(self.slave)
        self.clock = Clock()
        self.ticks: list[tuple[Reading, ...]] = []

    def meter(self, mode: str = "auto", remembered: str | None = None) -> LinkyMeter:
        """Make a meter on this pty."""
        return LinkyMeter("linky", self.port, boot_ms=self.clock, mode=mode, remembered_mode=remembered)

    def accept(self, tick: Sequence[Reading]) -> None:
        """Take a tick, which is of one moment and one group."""
        assert len({(reading.boot_ms, reading.channel.group) for reading in tick}) == 1
        if self.ticks and self.ticks[-1][0].boot_ms == tick[0].boot_ms:
            assert self.ticks[-1][0].channel.group != tick[0].channel.group
            self.ticks[-1] += tuple(tick)
        else:
            self.ticks.append(tuple(tick))

    @asynccontextmanager
    async def running(self, meter: LinkyMeter) -> AsyncIterator[None]:
        """Run the meter meanwhile."""
        task = asyncio.create_task(meter.run(self.accept))
        await until(lambda: meter.state != "not open")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def write(self, data: bytes) -> None:
        """Put characters on the line."""
        os.write(self.master, data)

    def close(self) -> None:
        """Take everything down."""
        for fd in (self.master, self.slave):
            with suppress(OSError):
                os.close(fd)


@pytest.fixture
def rig() -> Iterator[Rig]:
    """Give a rig, closed in the end."""
    made = Rig()
    yield made
    made.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait for what must come; the test fails if it does not."""
    async with asyncio.timeout(8):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def told(tick: Sequence[Reading]) -> dict[str, int | str]:
    """Give the values of a tick by channel."""
    return {reading.channel.name: reading.value for reading in tick}


@pytest.mark.parametrize("mode", LINKYS)
async def test_the_first_frame_is_given_whole(rig: Rig, mode: Mode) -> None:
    """Every value of it comes, at one moment; neither the meter's number nor its clock does."""
    meter = rig.meter(remembered=mode)
    before = rig.clock()
    async with rig.running(meter):
        rig.write(FRAMES[mode])
        await until(lambda: rig.ticks)
    (tick,) = rig.ticks
    assert len({reading.boot_ms for reading in tick}) == 1
    assert before <= tick[0].boot_ms <= rig.clock()
    names = {item.label for item in items_of(mode, STATE)} - {"ADSC", "ADCO", "PRM", "DATE"}
    values = told(tick)
    assert set(values) == {f"linky.{name.lower()}" for name in names}
    power = "linky.sinsts" if mode is Mode.STANDARD else "linky.papp"
    assert values[power] == (2_345 if mode is Mode.STANDARD else 2_350)
    assert meter.power_va == (tick[0].boot_ms, values[power])
    assert {reading.channel for reading in tick} <= set(meter.channels)
    assert (meter.line_mode, meter.state) == (mode.value, "not open")


@pytest.mark.parametrize("remembered", [None, "historique", "standard", "nonsense"])
@pytest.mark.parametrize("mode", Mode)
async def test_the_mode_is_found_whatever_was_remembered(rig: Rig, mode: Mode, remembered: str | None) -> None:
    """From any starting point the meter's mode is found, and remembered for the next start."""
    meter = rig.meter(remembered=remembered)
    async with rig.running(meter):
        rig.write(FRAMES[mode])
        await until(lambda: meter.found is mode)
        # A pty has no speed that could be wrong: what is heard at any of the mode's own is heard.
        assert meter.speed in mode.speeds
        assert meter.line_mode == mode.value


async def test_a_fixed_mode_believes_nothing_else(rig: Rig) -> None:
    """A meter that the site file says is historique gives no reading from standard frames, and says why."""
    meter = rig.meter(mode="historique")
    async with rig.running(meter):
        rig.write(FRAMES[Mode.STANDARD])
        await until(lambda: meter.counters["groups_unknown_label"] > 30)
        for _ in range(4):
            rig.clock.added_ms += 2_000
            rig.write(FRAMES[Mode.STANDARD])
            await asyncio.sleep(0.3)
        assert meter.state.startswith("only noise for ")
        assert meter.state.endswith("check the wires, the adapter and the mode (historique, 1200 Bd)")
    assert rig.ticks == []
    assert meter.counters["groups_valid"] == 0


def test_another_mode_is_refused() -> None:
    """A mode that does not exist is refused at once."""
    with pytest.raises(ValueError, match="fast"):
        LinkyMeter("linky", "/dev/null", boot_ms=Clock(), mode="fast")


async def test_a_change_of_mode_is_followed(rig: Rig) -> None:
    """When the meter is switched to the other mode from afar, its frames are read again."""
    meter = rig.meter(remembered="standard")
    async with rig.running(meter):
        rig.write(FRAMES[Mode.STANDARD])
        await until(lambda: len(rig.ticks) == 1)
        for _ in range(2):
            rig.write(FRAMES[Mode.HISTORIQUE])
        await until(lambda: len(rig.ticks) >= 3)
        assert (meter.line_mode, meter.state) == ("historique", "historique, 1200 Bd")


async def test_an_overrun_is_told_and_ends(rig: Rig) -> None:
    """ADPS raises `overrun` before its frame ends; the next frame without it lowers it."""
    meter = rig.meter(remembered="historique")
    over = encode_frame(Mode.HISTORIQUE, items_of(Mode.HISTORIQUE, MeterState(power_va=(9_999,), overrun=True)))
    async with rig.running(meter):
        rig.write(over[:-30])
        await until(lambda: meter.overrun)
        assert rig.ticks == []
        rig.write(over[-30:] + FRAMES[Mode.HISTORIQUE])
        await until(lambda: len(rig.ticks) == 2)
        assert not meter.overrun


async def test_an_overrun_is_not_claimed_for_ever(rig: Rig) -> None:
    """When the line falls silent during an overrun, it is no longer claimed after five seconds."""
    meter = rig.meter(remembered="standard")
    async with rig.running(meter):
        rig.write(encode_frame(Mode.STANDARD, [Item("STGE", "00000080"), Item("SINSTS", "09999")]))
        await until(lambda: meter.overrun)
        rig.clock.added_ms = 5_000
        assert not meter.overrun


async def test_silence_is_said_and_ends(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A silent line says for how long and what to check, within 5 s, once in the log; the next frame ends it."""
    caplog.set_level(logging.INFO)
    meter = rig.meter(remembered="standard")
    async with rig.running(meter):
        rig.write(FRAMES[Mode.STANDARD])
        await until(lambda: rig.ticks)
        rig.clock.added_ms = 5_000
        assert meter.state.startswith("silent for 5 s: check the wires")
        await until(lambda: any("silent" in record.message for record in caplog.records))
        rig.clock.added_ms = 30_000
        await asyncio.sleep(1.5)
        rig.write(FRAMES[Mode.STANDARD])
        await until(lambda: len(rig.ticks) == 2)
        assert meter.state == "standard, 9600 Bd"
    assert sum("silent" in record.message for record in caplog.records) == 1


async def test_a_silent_port_is_opened_anew(rig: Rig) -> None:
    """After a minute of silence the port is closed and opened again, and frames are read as before."""
    meter = rig.meter(remembered="standard")
    async with rig.running(meter):
        rig.write(FRAMES[Mode.STANDARD])
        await until(lambda: rig.ticks)
        rig.clock.added_ms = 61_000
        await until(lambda: meter.counters["openings"] == 2)
        rig.write(FRAMES[Mode.STANDARD])
        await until(lambda: len(rig.ticks) == 2)


async def test_a_cut_frame_gives_its_good_groups(rig: Rig) -> None:
    """What was received of a frame is delivered when the line pauses, damaged groups left out and counted."""
    meter = rig.meter(remembered="standard")
    items = [Item("EAST", "000000123"), Item("IRMS1", "002"), Item("SINSTS", "00500"), Item("PREF", "09")]
    data = encode_frame(Mode.STANDARD, items).replace(b"00500", b"00501")
    async with rig.running(meter):
        rig.write(data[:-6])
        await until(lambda: rig.ticks)
    assert told(rig.ticks[0]) == {"linky.east": 123, "linky.irms1": 2}
    counters = meter.counters
    assert (counters["groups_checksum"], counters["groups_cut"], counters["groups_valid"]) == (1, 1, 2)
    assert (counters["frames"], counters["frames_incomplete"]) == (0, 1)


async def test_an_implausible_value_is_suspect(rig: Rig) -> None:
    """A power that its current cannot carry, and an index that goes backwards, come as SUSPECT, with their values."""
    meter = rig.meter(remembered="standard")
    first = [Item("EAST", "000000123"), Item("IRMS1", "002"), Item("URMS1", "230"), Item("SINSTS1", "48370")]
    async with rig.running(meter):
        rig.write(encode_frame(Mode.STANDARD, first))
        rig.write(encode_frame(Mode.STANDARD, [Item("EAST", "000000100")]))
        await until(lambda: len(rig.ticks) == 2)
    suspect = [
        (reading.channel.name, reading.value)
        for tick in rig.ticks
        for reading in tick
        if reading.quality is Quality.SUSPECT
    ]
    assert suspect == [("linky.sinsts1", 48_370), ("linky.east", 100)]


async def test_noise_does_not_flood_the_log(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand damaged groups are counted, and told in no line of the log."""
    caplog.set_level(logging.DEBUG, logger="drivers.linky")
    meter = rig.meter(remembered="standard")
    damaged = encode_frame(Mode.STANDARD, [Item("SINSTS", "00500")] * 100).replace(b"00500", b"00400")
    async with rig.running(meter):
        rig.write(FRAMES[Mode.STANDARD])
        await until(lambda: meter.line_mode and meter.counters["frames"] == 1)
        for _ in range(10):
            rig.write(damaged)
            await asyncio.sleep(0.15)
        await until(lambda: meter.counters["groups_checksum"] == 1_000)
    assert len(caplog.records) <= 2


async def test_a_port_that_leaves_ends_the_driver_with_what_was_read(rig: Rig) -> None:
    """When the adapter is pulled out, the groups already read are delivered and PortLeft is raised."""
    meter = rig.meter(remembered="standard")
    task = asyncio.create_task(meter.run(rig.accept))
    await until(lambda: meter.state != "not open")
    rig.write(FRAMES[Mode.STANDARD][:200])
    await until(lambda: meter.counters["groups_valid"])
    os.close(rig.master)
    with pytest.raises(PortLeft):
        await task
    assert told(rig.ticks[0])["linky.vtic"] == "02"
    assert meter.state == "not open"


async def test_a_missing_port_is_told() -> None:
    """A meter without its port fails at once, naming the port and what to do."""
    with pytest.raises(PortMissing, match=r"/nowhere/tic is not there: plug"):
        await LinkyMeter("linky", "/nowhere/tic", boot_ms=Clock()).run(lambda _: None)


async def test_frames_that_waited_are_dated_back(rig: Rig) -> None:
    """Of two frames read in one piece, the first is dated earlier by the time that the second took on the line."""
    meter = rig.meter(remembered="standard")
    frame = FRAMES[Mode.STANDARD]
    async with rig.running(meter):
        rig.clock.added_ms = 5_000
        rig.write(frame + frame)
        await until(lambda: len(rig.ticks) == 2)
    first, second = (tick[0].boot_ms for tick in rig.ticks)
    assert second - first == len(frame) * 10_000 // 9_600
