"""The driver on a line at its true rate: what it costs, and how it finds the meter after a remote change of mode."""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers.linky import LinkyMeter
from drivers.reading import Reading
from hil_tests.bench.linky import BenchLinky, Fate, SentFrame
from hil_tests.benchmarks.cost import Cost
from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.tic_driver import boot_ms
from linky_tic.label import Mode
from linky_tic.labels import BY_MODE

CPU_PERCENT, FOUND_S = 0.3, 10.0
"""The most that each may be."""

WARM_UP_S = 5.0
MEASURED_S = 60.0
_PATIENCE_S = 30.0
_STAYS_S = (3.1, 4.7, 2.3, 5.9, 3.6, 4.2)
"""How long the meter keeps each mode once it was found: each change falls elsewhere in a frame."""
_SAME_MOMENT_MS = 3_000
"""The longest frame takes less: a value is held against the frames of its own moment, not against older ones."""
_MODES = (Mode.HISTORIQUE, Mode.STANDARD)


@dataclass(frozen=True, slots=True)
class Wave:
    """A house that draws another power in every second, so that an old value cannot pass for a new one."""

    phase_va: tuple[int, ...]
    index_wh: tuple[int, ...]
    voltage_v: tuple[int, ...] = (231,)
    tariff: int = 1
    subscribed_kva: int = 9
    overrun: bool = False

    @classmethod
    def sample(cls, now_ms: int) -> "Wave":
        """Give what the meter sees."""
        second = now_ms // 1_000
        return cls((500 + second * 37 % 6_000,), (1_000_000, 2_000_000 + second % 100_000))


async def line() -> list[Figure]:
    """Measure the cost in both modes and the changes of mode, all at once, each on a line of its own."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        costs = (_cost(Path(folder) / mode, mode) for mode in _MODES)
        found = await asyncio.gather(*costs, _changes(Path(folder) / "changing"))
    return [figure for figures in found for figure in figures]


@contextlib.asynccontextmanager
async def _meter(port: Path, mode: Mode, sent: list[SentFrame]) -> AsyncIterator[BenchLinky]:
    linky = BenchLinky(port, Wave((0,), (0, 0)), mode=mode, ledger=sent.append)
    linky.plug()
    task = asyncio.create_task(linky.run())
    try:
        yield linky
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _cost(port: Path, mode: Mode) -> list[Figure]:
    """Compare what the driver's process had cost before and after."""
    sent: list[SentFrame] = []
    command = (sys.executable, "-m", "hil_tests.benchmarks.tic_driver", str(port), mode.value)
    async with _meter(port, mode, sent):
        driver = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert driver.stdout is not None
        try:
            await asyncio.wait_for(driver.stdout.readline(), _PATIENCE_S)
            await asyncio.sleep(WARM_UP_S)
            before, begun = Cost.of(driver.pid), time.monotonic()
            await asyncio.sleep(MEASURED_S)
            after, took_s = Cost.of(driver.pid), time.monotonic() - begun
        finally:
            driver.terminate()
            rest, _ = await driver.communicate()
    heard = sum(frame.fate is Fate.HEARD for frame in sent)
    cpu = 100 * (after.cpu_s - before.cpu_s) / took_s
    return [
        Figure(f"tic_cpu_{mode}", round(cpu, 3), "% of a core, at the line's true rate", CPU_PERCENT),
        Figure(f"tic_rss_{mode}", round(after.rss_mb, 1), "MB, interpreter included"),
        # A driver that reads nothing would cost little: the first frame is lost to finding the start, no other.
        Figure(f"tic_ticks_{mode}", int(rest), f"frames read of {heard} sent", heard - 2, at_least=True),
    ]


async def _changes(port: Path) -> list[Figure]:
    """Change the mode to and fro; tell the worst time until the first value of the new one, and count wrong values."""
    sent: list[SentFrame] = []
    told: list[Reading] = []
    arrived: asyncio.Queue[set[str]] = asyncio.Queue()

    def accept(tick: Sequence[Reading]) -> None:
        told.extend(tick)
        arrived.put_nowait({_label(reading) for reading in tick})

    worst_s = 0.0
    mode = Mode.STANDARD
    async with _meter(port, mode, sent) as linky:
        meter = LinkyMeter("m", str(port), boot_ms=boot_ms, remembered_mode=mode.value)
        driver = asyncio.create_task(meter.run(accept))
        try:
            await _first(arrived, mode)
            for stay_s in _STAYS_S:
                await asyncio.sleep(stay_s)
                mode = linky.mode = Mode.HISTORIQUE if mode is Mode.STANDARD else Mode.STANDARD
                changed = time.monotonic()
                await _first(arrived, mode)
                worst_s = max(worst_s, time.monotonic() - changed)
            await asyncio.sleep(_SAME_MOMENT_MS / 1_000)
        finally:
            driver.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await driver
    wrong = [reading for reading in told if not _was_sent(reading, sent)]
    for reading in wrong:
        print(f"never sent at its moment: {reading}", file=sys.stderr)
    return [
        Figure("tic_mode_found_worst", round(worst_s, 2), f"s, of {len(_STAYS_S)} changes", FOUND_S),
        Figure("tic_wrong_around_changes", len(wrong), f"of {len(told)} values", 0),
    ]


async def _first(arrived: asyncio.Queue[set[str]], mode: Mode) -> None:
    """Wait for a value that only this mode has."""
    (other,) = set(_MODES) - {mode}
    own = set(BY_MODE[mode]) - set(BY_MODE[other])
    async with asyncio.timeout(_PATIENCE_S):
        while not await arrived.get() & own:
            pass


def _label(reading: Reading) -> str:
    return reading.channel.name.partition(".")[2].upper()


def _was_sent(reading: Reading, sent: Sequence[SentFrame]) -> bool:
    """Say whether the meter said this at about this moment; what is no label's own value is not asked about."""
    label = _label(reading)
    if not any(label in BY_MODE[mode] for mode in _MODES):
        return True
    return any(
        frame.values.get(label) == reading.value
        for frame in sent
        if abs(frame.boot_ms - reading.boot_ms) <= _SAME_MOMENT_MS
    )
