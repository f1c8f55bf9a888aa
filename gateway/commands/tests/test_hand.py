"""The hand on one load, where orders and releases meet in the middle of an exchange with the device."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.commands.hand import Delayed, Hand, Held
from gateway.commands.tests.building import PUMP, MemorySwitch, SimulatedClock, settle


class Recorder:
    """A boss that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def held(self, outcome: Held) -> None:
        """Note an outcome."""
        self.told.append(f"held {outcome.read_back} {outcome.failure}".strip())

    def delayed(self, delay: Delayed) -> None:
        """Note a delay."""
        self.told.append(f"delayed to {delay.boot_ms}")

    async def back(self, load: str, _switched_ms: int | None) -> None:
        """Note that a load is back."""
        self.told.append(f"back {load}")

    def freed(self) -> None:
        """Note that the hand is free."""
        self.told.append("freed")

    def alarm(self, kind: str, _text: str) -> None:
        """Note an alarm."""
        self.told.append(kind)


class Interrupted(MemorySwitch):
    """A device during whose next read something else happens."""

    meanwhile: Callable[[], None] | None = None

    async def read(self) -> int:
        """Give the value, and let the other thing happen."""
        value = await super().read()
        if self.meanwhile is not None:
            self.meanwhile()
            self.meanwhile = None
        return value


class Bench:
    """A hand at work."""

    def __init__(self) -> None:
        self.switch = Interrupted("pump", 100)
        self.boss = Recorder()
        self.clock = SimulatedClock()
        self.hand = Hand(PUMP, self.switch, self.clock, self.clock, self.boss)

    async def shed(self, value: int) -> None:
        """Reserve and hold, as the executor does once the intent is stored."""
        self.hand.reserve(await self.hand.present())
        self.hand.hold(value)
        await settle()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """Give a hand that works."""
    made = Bench()
    task = asyncio.ensure_future(made.hand.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_order_during_a_release(bench: Bench) -> None:
    """A load that is asked for again while its release is being verified is never declared free."""
    await bench.shed(40)
    bench.boss.told.clear()
    bench.switch.meanwhile = lambda: bench.hand.reserve(999)
    bench.hand.release(0)
    await settle()
    assert bench.boss.told == []
    assert bench.hand.original == 100
    bench.hand.hold(50)
    await settle()
    assert bench.boss.told == ["held 50"]
    bench.hand.release(0)
    await settle()
    assert (bench.switch.value, bench.boss.told[-2:]) == (100, ["back pump", "freed"])


async def test_abandoned_order_during_a_release(bench: Bench) -> None:
    """If that order comes to nothing the release is finished."""
    await bench.shed(40)
    bench.switch.meanwhile = lambda: bench.hand.reserve(999)
    bench.hand.release(0)
    await settle()
    bench.hand.abandon()
    await settle()
    assert bench.boss.told[-2:] == ["back pump", "freed"]
    assert bench.hand.free


async def test_release_during_a_write(bench: Bench) -> None:
    """A release that comes while a shed is being read back follows it, and nothing is left behind."""
    bench.hand.reserve(await bench.hand.present())
    bench.switch.meanwhile = lambda: bench.hand.release(0)
    bench.hand.hold(40)
    await settle()
    assert bench.switch.written == [40, 100]
    assert bench.hand.free


async def test_sooner_release_wins(bench: Bench) -> None:
    """A release under way can be brought forward, and is never put off."""
    await bench.shed(40)
    now = bench.clock.now_ms
    bench.hand.release(now + 100_000)
    bench.hand.release(now + 200_000)
    await bench.clock.advance(99)
    assert bench.switch.value == 40
    bench.hand.release(now + 50_000)
    await settle()
    assert bench.switch.value == 100


async def test_held_value_that_was_changed_is_written_once_more(bench: Bench) -> None:
    """Asked for the value that it holds, the hand reads, and writes only if the device holds another."""
    await bench.shed(40)
    bench.hand.hold(40)
    await settle()
    assert bench.switch.written == [40]
    bench.switch.value = 77
    bench.hand.hold(40)
    await settle()
    assert bench.switch.written == [40, 40]
