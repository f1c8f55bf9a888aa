"""A meter's line through everything that happens to one: found at any speed, followed, silent, noisy, pulled out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from drivers.errors import DriverError
from drivers.linky import LinkyMeter
from drivers.reading import Reading
from hil_tests.bench.linky import BenchLinky, Fate, SentFrame, _boot_ms
from hil_tests.test_bench_linky import House
from linky_tic.label import Mode

SOON_MS = 400
"""A frame is stamped at most so long after its last character."""
FOUND_S = 10.0


class Street:
    """A meter on a pty, its ledger, and a driver that is started again when it fails."""

    def __init__(self, folder: Path) -> None:
        self.sent: list[SentFrame] = []
        self.readings: list[Reading] = []
        self.house = House()
        self.linky = BenchLinky(folder / "tic", self.house, ledger=self.sent.append)
        self.meter = LinkyMeter("m", str(folder / "tic"), boot_ms=_boot_ms)

    async def drive(self) -> None:
        """Run the driver for ever, as the supervisor does."""
        while True:
            with suppress(DriverError):
                await self.meter.run(self._accept)
            await asyncio.sleep(0.1)

    def _accept(self, tick: Sequence[Reading]) -> None:
        self.readings += tick

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Let meter and driver run for the length of a block, and hold that nothing was read that was not sent."""
        tasks = [asyncio.create_task(self.linky.run()), asyncio.create_task(self.drive())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for reading in self.readings:
            assert self._was_sent(reading), reading

    def _was_sent(self, reading: Reading) -> bool:
        """Tell whether a frame that ended at its moment, or was cut off by the end of the test, said it."""
        label = reading.channel.name.partition(".")[2]
        near = [frame for frame in self.sent if -50 <= reading.boot_ms - frame.boot_ms <= SOON_MS + 1_200]
        told = [{name.lower(): value for name, value in frame.values.items()} for frame in near]
        return not near or any(each.get(label) == reading.value for each in told)

    async def found(self, mode: Mode, speed: int) -> float:
        """Wait until the meter is read in that mode; give how many seconds its line made no sense to the driver."""
        began = asyncio.get_running_loop().time()
        await until(lambda: (self.meter.found, self.meter.speed) == (mode, speed))
        return asyncio.get_running_loop().time() - began


async def until(condition: Callable[[], object], patience_s: float = 20) -> None:
    """Wait for what must come; the test fails if it does not."""
    async with asyncio.timeout(patience_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


@pytest.fixture
def street(tmp_path: Path) -> Street:
    """Give a street; nothing runs yet."""
    return Street(tmp_path)


async def test_a_linky_is_followed_to_and_fro(street: Street) -> None:
    """Standard, historique, standard: each change is found within ten seconds of its first frame, nothing is wrong."""
    async with street.alive():
        assert await street.found(Mode.STANDARD, 9_600) <= FOUND_S
        await until(lambda: street.readings)
        for mode in (Mode.HISTORIQUE, Mode.STANDARD, Mode.HISTORIQUE):
            street.linky.mode = mode
            # Its present frame is still one of the mode before.
            assert await street.found(mode, mode.baud) <= FOUND_S + 1.5
            count = len(street.readings)
            await until(lambda before=count: len(street.readings) > before)  # type: ignore[misc]
    assert {"m.sinsts", "m.papp"} <= {reading.channel.name for reading in street.readings}
    assert street.meter.counters["resynchronisations"] == 3


async def test_every_speed_of_a_pme_pmi_meter_is_found(tmp_path: Path) -> None:
    """Named in the site file, it is found at each of its speeds, from each to the next."""
    street = Street(tmp_path)
    street.meter = LinkyMeter("m", str(tmp_path / "tic"), boot_ms=_boot_ms, mode="pme-pmi")
    street.linky.mode = Mode.PME_PMI
    street.linky.speed = 19_200
    async with street.alive():
        assert await street.found(Mode.PME_PMI, 19_200) <= FOUND_S
        for speed in (4_800, 9_600, 2_400, 1_200):
            frame_s = 10_020 / (street.linky.speed or 1_200)
            street.linky.speed = speed
            assert await street.found(Mode.PME_PMI, speed) <= frame_s + FOUND_S


async def test_a_meter_that_auto_does_not_cover_is_named(street: Street) -> None:
    """A PME-PMI meter under "auto" gives no reading, and its state says what to write in the site file."""
    street.linky.mode, street.linky.speed = Mode.PME_PMI, 19_200
    async with street.alive():
        await street.found(Mode.PME_PMI, 19_200)
        count = len(street.sent)
        await until(lambda: len(street.sent) > count + 1)
        assert street.meter.state == (
            'pme-pmi, 19200 Bd: not a Linky, and not read; write mode = "pme-pmi" in the site file'
        )
    assert street.readings == []


async def test_half_frames_and_replugging(street: Street) -> None:
    """Pulled out in the middle of a frame and plugged in again, it is read within seconds, without being looked for."""
    async with street.alive():
        await until(lambda: street.readings)
        for _ in range(3):
            await asyncio.sleep(0.3)
            street.linky.unplug()
            await until(lambda: street.meter.state == "not open")
            street.linky.plug()
            plugged_ms, found_before = _boot_ms(), street.meter.counters["resynchronisations"]
            await until(lambda at=plugged_ms: street.readings[-1].boot_ms > at, 6)  # type: ignore[misc]
            assert street.meter.counters["resynchronisations"] == found_before
    assert Fate.UNPLUGGED in {frame.fate for frame in street.sent}


async def test_a_silent_line_is_stale_within_five_seconds(street: Street) -> None:
    """It says so, its newest value is stale after 5 s whatever its frames were, and it goes on by itself."""
    street.linky.mode = Mode.HISTORIQUE
    street.meter = LinkyMeter("m", str(street.linky._port), boot_ms=_boot_ms, remembered_mode="historique")
    async with street.alive():
        await until(lambda: street.readings)
        street.linky.silent = True
        await until(lambda: street.meter.state.startswith("silent"))
        assert _boot_ms() - street.readings[-1].boot_ms <= 5_000
        assert street.meter.stale_after_ms == 5_000
        street.linky.silent = False
        count = len(street.readings)
        await until(lambda: len(street.readings) > count, 6)
        assert street.meter.state == "historique, 1200 Bd"


async def test_a_very_noisy_line_gives_nothing_wrong(street: Street) -> None:
    """With three characters in a hundred damaged most groups are lost, and what is read was sent."""
    street.linky.noise = 0.03
    async with street.alive():
        await until(lambda: len(street.sent) >= 8)
    counters = street.meter.counters
    assert counters["groups_valid"] > 0
    assert counters["characters_damaged"] > 50
