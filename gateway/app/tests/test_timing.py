"""The centre is asked what time it is, and a reply counts once, to its own question, and soon."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.adjtimex import WallClock
from gateway.app import timing
from gateway.app.timing import ANSWER_S, REFRESH_S, Timing
from gateway.clock import SystemClock
from gateway.wire.messages import TimeReply, TimeRequest

UTC_MS = 1_800_000_000_000


class HandClock(SystemClock):
    """The agent's clock with its hand on boot time, on a machine that knows no wall time."""

    def __init__(self, wall: Callable[[], WallClock | None] = lambda: None) -> None:
        super().__init__(wall=wall)
        self.now_ms = 1_000_000

    def boot_ms(self) -> int:
        return self.now_ms


class Asking:
    """A Timing whose questions are noted."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.asked: list[TimeRequest] = []
        self.timing = Timing(self.clock, self.asked.append)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run it for the length of a block."""
        task = asyncio.create_task(self.timing.run())
        try:
            yield
        finally:
            assert not task.done()
            task.cancel()

    async def questions(self, count: int) -> None:
        """Wait until so many questions were asked."""
        await until(lambda: len(self.asked) >= count)


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - a test polls
            await asyncio.sleep(0.005)


@pytest.fixture(name="asking")
def asking_fixture() -> Asking:
    """Give a gateway that does not know the time."""
    return Asking()


async def test_it_asks_when_there_is_someone_to_ask(asking: Asking) -> None:
    """Not before the first connection, once at each, and never twice with the same nonce."""
    async with asking.running():
        await asyncio.sleep(0.02)
        assert asking.asked == []
        for count in (1, 2, 3):
            asking.timing.connected()
            await asking.questions(count)
        assert len({request.nonce for request in asking.asked}) == len(asking.asked) == 3


async def test_a_reply_places_the_clock(asking: Asking) -> None:
    """The centre's time is taken with half of the trip as its bound."""
    async with asking.running():
        asking.timing.connected()
        await asking.questions(1)
        asking.clock.now_ms += 60
        asking.timing.replied(TimeReply(asking.asked[0].nonce, UTC_MS))
        known = asking.clock.correlation()
        assert known is not None
        assert (known.utc_ms_at(1_000_030), known.uncertainty_ms, known.source) == (UTC_MS, 31, "centre")


async def test_a_reply_to_another_question_counts_for_nothing(asking: Asking) -> None:
    """An old or a made-up nonce leaves the clock unknown."""
    async with asking.running():
        asking.timing.connected()
        await asking.questions(1)
        asking.timing.connected()
        await asking.questions(2)
        for nonce in (asking.asked[0].nonce, bytes(16)):
            asking.timing.replied(TimeReply(nonce, UTC_MS))
        assert asking.clock.correlation() is None


@pytest.mark.parametrize("utc_ms", [0, 1_000_000_000_000, 7_258_118_400_000, (1 << 63) - 1])
async def test_a_centre_that_does_not_know_the_time_tells_none(asking: Asking, utc_ms: int) -> None:
    """A machine without a battery clock begins in 1970: its word would place readings there for good."""
    async with asking.running():
        asking.timing.connected()
        await asking.questions(1)
        asking.timing.replied(TimeReply(asking.asked[0].nonce, utc_ms))
        assert asking.clock.correlation() is None


async def test_a_reply_counts_once(asking: Asking) -> None:
    """The same reply delivered again, later, does not set the clock back."""
    async with asking.running():
        asking.timing.connected()
        await asking.questions(1)
        reply = TimeReply(asking.asked[0].nonce, UTC_MS)
        asking.timing.replied(reply)
        known = asking.clock.correlation()
        asking.clock.now_ms += 5
        asking.timing.replied(reply)
        assert asking.clock.correlation() == known


async def test_a_late_reply_says_too_little(asking: Asking) -> None:
    """After ten seconds half of the way is too much to be unknown."""
    async with asking.running():
        asking.timing.connected()
        await asking.questions(1)
        asking.clock.now_ms += int(ANSWER_S * 1000) + 1
        asking.timing.replied(TimeReply(asking.asked[0].nonce, UTC_MS))
        assert asking.clock.correlation() is None


async def test_it_asks_again_until_it_knows(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that nobody answers is asked again soon; a known time is only refreshed."""
    monkeypatch.setattr(timing, "ANSWER_S", 0.02)
    async with asking.running():
        asking.timing.connected()
        await asking.questions(3)
        asking.timing.replied(TimeReply(asking.asked[-1].nonce, UTC_MS))
        await asyncio.sleep(0.1)
        settled = len(asking.asked)
        await asyncio.sleep(0.1)
        assert len(asking.asked) == settled
        assert REFRESH_S > ANSWER_S
