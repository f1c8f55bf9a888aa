"""Every answer reaches the centre: sent when stored, again when its receipt is late, and over a new link."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.app import answering
from gateway.app.answering import Answering
from gateway.commands.errors import StorageError

AGAIN_S = 0.05
PATIENCE_S = 10


class Answers:
    """The journal's answers without a receipt; `sent` is what was published, and the link may be down."""

    def __init__(self, *, up: bool = True, again_s: float = AGAIN_S) -> None:
        self.pending: dict[int, bytes] = {}
        self.sent: list[bytes] = []
        self.up = up
        self.broken = False
        self.looked = 0
        self.answering = Answering(self, self._publish, up=lambda: self.up, again_s=again_s)  # type: ignore[arg-type]

    def store(self, sequence: int) -> None:
        """Store an answer, as the executor does, and tell."""
        self.pending[sequence] = b"answer %d" % sequence
        self.answering.stored(sequence, self.pending[sequence])

    async def answers_pending(self, limit: int, after: int = 0) -> list[tuple[int, bytes]]:
        self.looked += after == 0
        if self.broken:
            raise StorageError("the card is gone")
        return [(s, m) for s, m in sorted(self.pending.items()) if s > after][:limit]

    def _publish(self, kind: str, message: bytes) -> None:
        assert kind == "ack"
        self.sent.append(message)


@asynccontextmanager
async def running(answers: Answers) -> AsyncIterator[None]:
    """Run the sender for the length of a block."""
    task = asyncio.create_task(answers.answering.run())
    try:
        yield
    finally:
        assert not task.done()
        task.cancel()


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - a test polls
            await asyncio.sleep(0.005)


async def test_an_answer_is_sent_when_it_is_stored() -> None:
    """Nothing waits for a timer."""
    answers = Answers(again_s=3_600)
    async with running(answers):
        answers.store(1)
        assert answers.sent == [b"answer 1"]


async def test_what_has_no_receipt_goes_out_again_until_it_has() -> None:
    """A PUBACK is no proof: only the centre's receipt ends it."""
    answers = Answers()
    async with running(answers):
        answers.store(1)
        await until(lambda: len(answers.sent) >= 3)
        del answers.pending[1]
        count, looked = len(answers.sent), answers.looked
        await until(lambda: answers.looked >= looked + 2)
        assert len(answers.sent) == count


async def test_what_is_not_late_yet_is_not_sent_again() -> None:
    """An answer stored within the period may have its receipt on the way."""
    answers = Answers()
    async with running(answers):
        answers.store(1)
        await until(lambda: answers.looked >= 2)
        answers.store(2)
        looked = answers.looked
        await until(lambda: answers.looked > looked)
        assert answers.sent.count(b"answer 2") == 1
        assert answers.sent.count(b"answer 1") > 1


async def test_a_new_connection_sends_everything_in_order() -> None:
    """What was stored before, also by an earlier process, goes out once more, page after page."""
    answers = Answers(again_s=3_600)
    answers.pending = {number: b"answer %d" % number for number in range(1, 2 * answering.MOST_AT_ONCE + 2)}
    async with running(answers):
        answers.answering.connected()
        await until(lambda: len(answers.sent) == len(answers.pending))
        assert answers.sent == list(answers.pending.values())


async def test_without_a_link_nothing_is_queued() -> None:
    """A day without a broker must not pile up a copy of each answer for each period."""
    answers = Answers(up=False)
    async with running(answers):
        answers.store(1)
        await asyncio.sleep(4 * AGAIN_S)
        assert answers.sent == []
        answers.up = True
        answers.answering.connected()
        await until(lambda: bool(answers.sent))
        assert answers.sent[0] == b"answer 1"


async def test_a_disk_that_cannot_be_read_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is said, and tried again."""
    answers = Answers()
    answers.broken = True
    async with running(answers):
        answers.store(1)
        await until(lambda: answers.looked >= 2)
        answers.broken = False
        await until(lambda: len(answers.sent) >= 2)
    assert "the card is gone" in caplog.text
