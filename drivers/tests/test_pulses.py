"""Pulse meters over real sockets: the count is the line's own, whatever happened to events and processes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.channel import Quantity
from drivers.errors import DeviceSilent, DriverError, PortLeft, PortMissing
from drivers.pulses import Pulse, PulseMeter
from drivers.reading import Reading
from drivers.simulated import SimulatedLine
from drivers.tests.pulse_output import PulseOutput

_DIAL, _WEIGHT = 1_234_560, 10


def _boot_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class _Totals:
    """Collects what a meter publishes."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self._came = asyncio.Event()

    def __call__(self, readings: Sequence[Reading]) -> None:
        (reading,) = readings
        self.readings.append(reading)
        self._came.set()

    @property
    def values(self) -> list[int | str]:
        return [reading.value for reading in self.readings]

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not enough():
                self._came.clear()
                await self._came.wait()


def _meter(path: Path, *, poll_s: float = 10) -> PulseMeter:
    return PulseMeter(
        "gas",
        SimulatedLine(f"unix:{path}", boot_ms=_boot_ms),
        quantity=Quantity.GAS_VOLUME,
        boot_ms=_boot_ms,
        weight=_WEIGHT,
        dial_index=_DIAL,
        poll_s=poll_s,
    )


@contextlib.asynccontextmanager
async def _output(path: Path, *, count_id: int = 7) -> AsyncIterator[PulseOutput]:
    output = PulseOutput("gas", lambda: 0, ml_per_pulse=1, count_id=count_id, boot_ms=_boot_ms)
    await output.serve(path)
    try:
        yield output
    finally:
        await output.close()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def _running(meter: PulseMeter) -> AsyncIterator[tuple[_Totals, asyncio.Task[None]]]:
    totals = _Totals()
    task = asyncio.create_task(meter.run(totals))
    try:
        yield totals, task
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def test_a_total_is_the_dial_plus_pulses_times_weight(tmp_path: Path) -> None:
    """The first total is published as the line opens, the next at a pulse."""
    async with _output(tmp_path / "gas") as output, _running(_meter(tmp_path / "gas")) as (totals, _):
        await totals.until(lambda: totals.values == [_DIAL])
        output.pulse()
        await totals.until(lambda: len(totals.values) == 2)
        assert totals.values[-1] == _DIAL + _WEIGHT
        assert totals.readings[0].channel.name == "gas.total"


async def test_pulses_before_anybody_listened_are_nobodys(tmp_path: Path) -> None:
    """A new counter begins at the dial, wherever its output stands; what the output gave since is what is counted."""
    async with _output(tmp_path / "gas") as output:
        output.lose(3)
        assert output.heard == 0
        async with _running(_meter(tmp_path / "gas")) as (totals, _):
            await totals.until(lambda: totals.values == [_DIAL])
            output.pulse()
            await totals.until(lambda: len(totals.values) == 2)
        assert totals.values[-1] == _DIAL + _WEIGHT * output.heard == _DIAL + _WEIGHT


async def test_a_burst_gives_one_total_and_counts_every_pulse(tmp_path: Path) -> None:
    """Two hundred pulses at once are two hundred in the total, told at most once a second."""
    async with _output(tmp_path / "gas") as output, _running(_meter(tmp_path / "gas")) as (totals, _):
        await totals.until(lambda: bool(totals.values))
        for _ in range(200):
            output.pulse()
        await totals.until(lambda: totals.values[-1] == _DIAL + 200 * _WEIGHT)
        times = [reading.boot_ms for reading in totals.readings]
        assert times == sorted(set(times))
        assert len(times) <= 2 + (times[-1] - times[0]) // 1000


async def test_pulses_whose_events_were_lost_are_counted(tmp_path: Path) -> None:
    """The sequence number tells how many there were."""
    async with _output(tmp_path / "gas") as output, _running(_meter(tmp_path / "gas")) as (totals, _):
        await totals.until(lambda: bool(totals.values))
        output.lose(4)
        output.pulse()
        await totals.until(lambda: totals.values[-1] == _DIAL + 5 * _WEIGHT)


async def test_the_total_is_told_without_pulses_too(tmp_path: Path) -> None:
    """Each poll_s the total comes, unchanged: silence is told from standstill."""
    async with _output(tmp_path / "gas"), _running(_meter(tmp_path / "gas", poll_s=0.05)) as (totals, _):
        await totals.until(lambda: len(totals.values) >= 4)
        assert set(totals.values) == {_DIAL}


async def test_pulses_before_the_first_opening_are_on_the_dial_already(tmp_path: Path) -> None:
    """The installer reads the dial when the meter is first opened; what the line counted before stands there."""
    async with _output(tmp_path / "gas") as output:
        output.lose(1000)
        async with _running(_meter(tmp_path / "gas")) as (totals, _):
            await totals.until(lambda: totals.values == [_DIAL])


async def test_a_restart_loses_no_pulse_of_a_counter_that_went_on(tmp_path: Path) -> None:
    """Marks of the last commit and the line's own count together give the true total."""
    async with _output(tmp_path / "gas") as output:
        first = _meter(tmp_path / "gas")
        async with _running(first) as (totals, _):
            await totals.until(lambda: bool(totals.values))
            output.pulse()
            await totals.until(lambda: totals.values[-1] == _DIAL + _WEIGHT)
            marks = first.marks
            output.pulse()  # counted after the commit, and lost with the process
        for _ in range(3):
            output.pulse()  # nobody listens
        again = _meter(tmp_path / "gas")
        again.resume(marks)
        async with _running(again) as (totals, _):
            await totals.until(lambda: totals.values == [_DIAL + 5 * _WEIGHT])


async def test_a_counter_that_began_again_adds_what_it_has_counted_since(tmp_path: Path) -> None:
    """Another count id says that the numbers began at 0; what was counted before is kept."""
    meter = _meter(tmp_path / "gas")
    meter.resume({"gas.pulses": 50, "gas.line": 7, "gas.line_seqno": 900})
    async with _output(tmp_path / "gas", count_id=8) as output:
        output.lose(3)
        async with _running(meter) as (totals, _):
            await totals.until(lambda: totals.values == [_DIAL + 53 * _WEIGHT])


async def test_sequence_numbers_wrap_at_32_bits(tmp_path: Path) -> None:
    """After 2**32 - 1 comes 0, and that is one pulse."""
    async with _output(tmp_path / "gas") as output:
        output.lose(2**32 - 1)
        async with _running(_meter(tmp_path / "gas")) as (totals, _):
            await totals.until(lambda: totals.values == [_DIAL])
            output.pulse()
            await totals.until(lambda: totals.values[-1] == _DIAL + _WEIGHT)


async def test_a_counter_that_goes_back_is_not_believed(tmp_path: Path) -> None:
    """The meter ends with an error and its count stays."""
    async with _output(tmp_path / "gas") as output:
        output.lose(100)
        meter = _meter(tmp_path / "gas")
        async with _running(meter) as (totals, task):
            await totals.until(lambda: bool(totals.values))
            output.sequence = 49
            output.pulse()
            with pytest.raises(DeviceSilent, match="went back from 100 to 50"):
                await asyncio.wait_for(task, 5)
            assert meter.total == _DIAL


async def test_a_line_that_is_not_there_is_missing(tmp_path: Path) -> None:
    """PortMissing names the socket and what to do."""
    with pytest.raises(PortMissing, match=r"gas cannot be opened .*start the program"):
        await _meter(tmp_path / "gas").run(_Totals())


async def test_a_line_that_closes_has_left_and_can_be_opened_again(tmp_path: Path) -> None:
    """PortLeft, and after the next start of the driver the count goes on."""
    meter = _meter(tmp_path / "gas")
    async with _output(tmp_path / "gas"), _running(meter) as (totals, task):
        await totals.until(lambda: bool(totals.values))
    with pytest.raises(asyncio.CancelledError):
        task.result()
    async with _output(tmp_path / "gas") as output, _running(meter) as (totals, task):
        await totals.until(lambda: bool(totals.values))
        await output.close()
        with pytest.raises(PortLeft, match="closed by the other side"):
            await asyncio.wait_for(task, 5)


@pytest.mark.parametrize(
    "said",
    [
        b"hello\n",
        b"gw-pulses 2 1 1\n",
        b"gw-pulses 1 -1 1\n",
        b"gw-pulses 1 1 4294967296\n",
        b"gw-pulses 1 9223372036854775808 1\n",
        b"gw-pulses 1 1 1\r\n",
        b"x" * 1000,
        b"gw-pulses 1 1 1\npulse 1\n",
        b"gw-pulses 1 1 1\npulse 1 2 3\n",
        b"gw-pulses 1 1 1\npulse 1 99999999999\n",
        b"gw-pulses 1 1 1\npulse 5 9999999999\n",
        b"gw-pulses 1 1 1\n" + b"9" * 1000 + b"\n",
    ],
)
async def test_anything_else_than_the_protocol_closes_the_line(tmp_path: Path, said: bytes) -> None:
    """A line is read strictly and within bounds; the meter ends with an error that the supervisor knows."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(say, tmp_path / "gas")
    with pytest.raises(DeviceSilent, match="pulse line"):
        await asyncio.wait_for(_meter(tmp_path / "gas").run(_Totals()), 5)
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.01)


async def test_a_pulse_told_ahead_of_time_is_placed_now(tmp_path: Path) -> None:
    """A counter whose clock is ahead puts no reading into the future."""
    async with _output(tmp_path / "gas") as output, _running(_meter(tmp_path / "gas")) as (totals, _):
        await totals.until(lambda: bool(totals.values))
        output._boot_ms = lambda: _boot_ms() + 3_600_000
        output.pulse()
        await totals.until(lambda: len(totals.values) == 2)
        assert totals.readings[-1].boot_ms <= _boot_ms()


def test_an_address_of_another_kind_is_refused() -> None:
    """Only Unix sockets are simulated lines."""
    with pytest.raises(ValueError, match="unix:"):
        SimulatedLine("gpio:17", boot_ms=_boot_ms)


@given(st.dictionaries(st.sampled_from(["gas.pulses", "gas.line", "gas.line_seqno"]), st.integers() | st.text()))
def test_damaged_marks_never_make_a_start_fail(marks: dict[str, int | str]) -> None:
    """Whatever the marks hold, the meter starts, and never below its dial."""
    meter = _meter(Path("gas"))
    meter.resume(marks)
    assert meter.total >= _DIAL


class _Counted:
    """A line that gives a list of advances and ends."""

    def __init__(self, advances: list[int]) -> None:
        self._advances = advances

    async def pulses(self) -> AsyncGenerator[Pulse, None]:
        seqno = 0
        yield Pulse(_boot_ms(), seqno)
        for advance in self._advances:
            seqno = (seqno + advance) % 2**32
            yield Pulse(_boot_ms(), seqno)


@given(st.lists(st.integers(0, 2**31 - 1), max_size=20))
def test_the_total_is_exact_whatever_the_gaps_between_events(advances: list[int]) -> None:
    """However many events were lost between two that came, the total is the sum of what the line counted."""
    meter = PulseMeter(
        "gas", _Counted(advances), quantity=Quantity.GAS_VOLUME, boot_ms=_boot_ms, weight=_WEIGHT, dial_index=_DIAL
    )
    with pytest.raises(DriverError):
        asyncio.run(meter.run(lambda _: None))
    assert meter.total == _DIAL + _WEIGHT * sum(advances)
