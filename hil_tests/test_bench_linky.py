"""The bench's Linky behaves as a real line does, and the driver reads it through every fault."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from drivers.errors import DriverError
from drivers.linky import LinkyMeter
from drivers.reading import Reading
from drivers.serial_line import SerialLine
from hil_tests.bench.linky import BenchLinky, Fate, SentFrame, _boot_ms
from hil_tests.bench.uart import flipped, misread, with_parity
from linky_tic.decoder import Decoder
from linky_tic.group import Group
from linky_tic.label import Mode
from linky_tic.tests.captures import VALID, capture
from linky_tic.tests.encoder import encode_frame, standard_items

NO_VALUES = {"ADSC", "ADCO", "PRM", "DATE"}


@dataclass
class House:
    """A source whose state the test sets."""

    phase_va: tuple[int, ...] = (1_500,)
    voltage_v: tuple[int, ...] = (230,)
    index_wh: tuple[int, ...] = (1_000, 2_000)
    tariff: int = 1
    subscribed_kva: int = 9
    overrun: bool = False

    def sample(self, _boot_ms: int) -> "House":
        """Give itself."""
        return self


class Rig:
    """A house, its Linky on a pty, the ledger, and a driver that is started again when it fails."""

    def __init__(self, folder: Path) -> None:
        self.house = House()
        self.sent: list[SentFrame] = []
        self.ticks: list[dict[str, int | str]] = []
        self.known: list[dict[str, int | str]] = [{}]
        self._tick_ms = 0
        self.errors: list[DriverError] = []
        self.port = folder / "tic"
        self.linky = BenchLinky(self.port, self.house, ledger=self.sent.append)
        self.meter = LinkyMeter("m", str(self.port), boot_ms=_boot_ms, remembered_mode="standard")

    def _accept(self, tick: Sequence[Reading]) -> None:
        """Keep what each frame gave, both of its ticks together, and what was known after it."""
        told = {reading.channel.name: reading.value for reading in tick}
        if tick[0].boot_ms == self._tick_ms:
            self.ticks[-1].update(told)
            self.known[-1].update(told)
        else:
            self.ticks.append(told)
            self.known.append({**self.known[-1], **told})
        self._tick_ms = tick[0].boot_ms

    def knew(self, frame: SentFrame) -> bool:
        """Tell whether at some moment all that a frame said was known."""
        return any(_expected(frame).items() <= known.items() for known in self.known)

    def heard(self) -> list[SentFrame]:
        """Give the frames that were put whole on a line that was listened to."""
        return [frame for frame in self.sent if frame.fate is Fate.HEARD]

    def fates(self) -> set[Fate]:
        """Give what became of the frames so far."""
        return {frame.fate for frame in self.sent}

    async def drive(self) -> None:
        """Run the driver for ever, as the supervisor does."""
        while True:
            try:
                await self.meter.run(self._accept)
            except DriverError as error:
                self.errors.append(error)
                await asyncio.sleep(0.1)


def _expected(frame: SentFrame) -> dict[str, int | str]:
    return {f"m.{label.lower()}": value for label, value in frame.values.items() if label not in NO_VALUES}


@asynccontextmanager
async def running(*work: asyncio.Task[None]) -> AsyncIterator[None]:
    """Keep tasks running meanwhile."""
    try:
        yield
    finally:
        for task in work:
            task.cancel()
        for task in work:
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """Give a rig whose meter sends; nobody listens yet."""
    made = Rig(tmp_path)
    async with running(asyncio.create_task(made.linky.run())):
        await until(made.port.exists)
        yield made


async def until(condition: Callable[[], object]) -> None:
    """Wait for what must come; the test fails if it does not."""
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("mode", [Mode.HISTORIQUE, Mode.STANDARD])
async def test_every_frame_that_the_ledger_calls_heard_is_read(rig: Rig, mode: Mode) -> None:
    """What the ledger says was heard comes out of the driver, every value of it, in either mode."""
    rig.linky.mode = mode
    async with running(asyncio.create_task(rig.drive())):
        await until(lambda: len(rig.heard()) >= 2)
        await until(lambda: rig.knew(rig.heard()[1]))
        assert rig.knew(rig.heard()[0])
    assert rig.meter.line_mode == mode.value


async def test_a_change_of_mode_is_found(rig: Rig) -> None:
    """When the meter changes mode and speed, the wrong speed is told in the ledger, and frames are read again."""
    async with running(asyncio.create_task(rig.drive())):
        await until(rig.heard)
        rig.linky.mode = Mode.HISTORIQUE
        await until(lambda: any(frame.mode is Mode.HISTORIQUE for frame in rig.heard()))
        assert Fate.WRONG_SPEED in rig.fates()
        await until(lambda: rig.knew(rig.heard()[-1]))


async def test_an_overrun_reaches_the_driver_and_ends(rig: Rig) -> None:
    """STGE tells the overrun, the driver shows it, and shows its end."""
    async with running(asyncio.create_task(rig.drive())):
        rig.house.overrun = True
        await until(lambda: rig.meter.overrun)
        rig.house.overrun = False
        await until(lambda: not rig.meter.overrun)


async def test_a_pulled_adapter_comes_back_under_its_name(rig: Rig) -> None:
    """Unplugged, the port is gone and the ledger says so; plugged in again, frames are read as before."""
    async with running(asyncio.create_task(rig.drive())):
        await until(rig.heard)
        rig.linky.unplug()
        await until(lambda: len(rig.errors) >= 2 and Fate.UNPLUGGED in rig.fates())
        assert not rig.port.exists()
        rig.linky.plug()
        before = len(rig.heard())
        await until(lambda: len(rig.heard()) > before)
        await until(lambda: rig.knew(rig.heard()[-1]))


async def test_silence_is_a_line_without_characters(rig: Rig) -> None:
    """A silent meter puts nothing on the line, and speaks again when told."""
    async with running(asyncio.create_task(rig.drive())):
        await until(rig.heard)
        rig.linky.silent = True
        await until(lambda: rig.meter.state.startswith("silent"))
        count = len(rig.sent)
        rig.linky.silent = False
        await until(lambda: len(rig.sent) > count and "silent" not in rig.meter.state)


async def test_noise_damages_frames_and_no_value(rig: Rig) -> None:
    """With one character in a hundred flipped, frames are called damaged, and every value that is read was sent."""
    rig.linky.noise = 0.01
    async with running(asyncio.create_task(rig.drive())):
        await until(lambda: len(rig.ticks) >= 3 and sum(frame.fate is Fate.DAMAGED for frame in rig.sent) >= 3)
    sent = [_expected(frame) for frame in rig.sent]
    assert rig.meter.counters["characters_damaged"] > 10
    for tick in rig.ticks[:3]:
        for name, value in tick.items():
            assert any(values.get(name) == value for values in sent), (name, value)


async def test_what_nobody_hears_is_lost(rig: Rig) -> None:
    """Without a reader frames are called unheard, and a reader who comes later gets none of them."""
    await until(lambda: len(rig.sent) >= 2)
    assert rig.fates() == {Fate.UNHEARD}
    rig.linky.silent = True
    await asyncio.sleep(1.2)
    with SerialLine(str(rig.port), 9_600) as line:
        assert await line.read(0.2) == b""


async def test_a_reader_that_sleeps_blocks_nobody(rig: Rig) -> None:
    """When the reader's buffer is full, further characters are lost and the ledger says so."""
    rig.linky.silent = True
    await asyncio.sleep(1.2)
    with SerialLine(str(rig.port), 9_600):
        rig.linky._put(b"x", 9_600)
        fates = [rig.linky._put(b"x" * 4_096, 9_600) for _ in range(64)]
    assert fates[0] is Fate.HEARD
    assert fates[-1] is Fate.UNREAD


async def test_a_wrong_speed_gives_nonsense(rig: Rig) -> None:
    """A reader at 1200 Bd on a standard line gets characters, and no group in them."""
    received = b""
    with SerialLine(str(rig.port), 1_200) as line:
        await until(lambda: Fate.WRONG_SPEED in rig.fates())
        received += await line.read(1.0)
    assert len(received) > 50
    assert not any(isinstance(event, Group) and event.valid for event in Decoder().feed(received))


@pytest.mark.parametrize("name", ["linky-standard-tri-base-implausible-sinsts.tic", "linky-historique-mono-base.tic"])
async def test_a_capture_is_replayed_at_its_speed(rig: Rig, name: str) -> None:
    """A replayed capture is read by the driver, whole, and is not put in the ledger."""
    rig.linky.silent = True
    mode = Mode.STANDARD if "standard" in name else Mode.HISTORIQUE
    data = capture(name)
    async with running(asyncio.create_task(rig.drive())):
        await until(lambda: rig.meter.state.startswith(("looking", "silent")))
        count = len(rig.sent)
        for _ in range(5):
            rig.linky.replay(data, mode)
        # A value for each group but the meter's number and its clock.
        await until(lambda: any(len(tick) == VALID[name][1] - 1 for tick in rig.ticks))
    assert len(rig.sent) <= count + 1


def test_the_line_has_the_speed_of_its_mode() -> None:
    """A frame is sent in pieces whose duration on the line adds up to ten bits a character."""
    waited: list[float] = []

    class Paced(BenchLinky):
        async def _wait(self, seconds: float) -> None:
            waited.append(seconds)

    linky = Paced(Path("/nowhere/tic"), House())
    for mode in Mode:
        waited.clear()
        assert asyncio.run(linky._send(b"x" * 960, mode.baud)) is Fate.UNPLUGGED
        assert sum(waited) == pytest.approx(960 * 10 / mode.baud)
        assert max(waited) <= 0.05


def test_three_phase_overruns_are_told_in_short_frames(tmp_path: Path) -> None:
    """A three-phase historique meter in overrun sends 20 short frames for each long one, and long ones otherwise."""
    house = House((14_000, 100, 100), (230, 230, 230), subscribed_kva=18)
    linky = BenchLinky(tmp_path / "tic", house, mode=Mode.HISTORIQUE)
    kinds = ["long" if items[-1].label == "PPOT" else items[0].label for items in (linky._items() for _ in range(42))]
    assert kinds == (["ADIR1"] * 20 + ["long"]) * 2
    house.phase_va = (100, 100, 100)
    linky._overrun_until_ms = 0
    assert {items[-1].label for items in (linky._items() for _ in range(5))} == {"PPOT"}


@pytest.mark.parametrize(("line", "reader"), [(1_200, 9_600), (9_600, 1_200), (1_200, 38_400)])
def test_a_receiver_at_another_speed(line: int, reader: int) -> None:
    """A receiver at another speed reads more or fewer characters, none of which make a group; at the same, all."""
    random = Random(7)
    frame = encode_frame(Mode.STANDARD, standard_items(BenchLinky(Path("tic"), House()).template))
    sent = with_parity(frame)
    assert misread(sent, line, line) == sent
    nonsense = misread(sent, line, reader)
    assert nonsense != sent
    assert (len(nonsense) > len(sent)) is (reader > line)
    events = Decoder().feed(bytes(byte & 0x7F for byte in nonsense))
    assert not any(isinstance(event, Group) and event.valid for event in events)
    assert flipped(sent, 0.0, random) == sent
    changed = sum(a != b for a, b in zip(sent, flipped(sent, 0.1, random), strict=True))
    assert 0 < changed < len(sent) // 4


def test_parity_is_even() -> None:
    """With its parity bit every character has an even number of ones."""
    assert all(byte.bit_count() % 2 == 0 for byte in with_parity(bytes(range(128))))
