"""Fresh segments first, then the backlog, read page by page."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.uplink.backlog import Backlog
from gateway.uplink.progress import Progress


@dataclass(frozen=True, slots=True)
class Made:
    """A segment of a test."""

    stream: str
    sequence: int
    blob: bytes = b""


class Shelf:
    """A spool in memory that notes how often it was asked."""

    def __init__(self, count: int) -> None:
        self.segments = [Made("fine", number) for number in range(1, count + 1)]
        self.questions = 0

    async def pending(self, *, limit: int, after: Mapping[str, int], order: Sequence[str]) -> Sequence[Made]:
        """Serve a page."""
        self.questions += 1
        found = [each for each in self.segments if each.sequence > after.get(each.stream, 0)]
        ranks = {tier: place for place, tier in enumerate(order)}
        return sorted(found, key=lambda each: ranks.get(each.stream.partition(".")[0], len(ranks)))[:limit]


async def drain(backlog: Backlog, progress: Progress) -> list[int]:
    """Send whatever there is, and give the numbers in order."""
    order = []
    for _ in range(50):
        while (segment := backlog.next(lambda _: True)) is not None:
            progress.sent(segment.stream, segment.sequence, 0)
            order.append(segment.sequence)
        backlog.read_on()
        await asyncio.sleep(0)
    return order


def made(count: int) -> tuple[Shelf, Progress, Backlog]:
    """Make a spool with so many segments."""
    shelf, progress = Shelf(count), Progress(ahead=10_000, resend_after_ms=1_000)
    return shelf, progress, Backlog(shelf, progress, lambda: None)


async def test_backlog_comes_in_order_and_once() -> None:
    """All pages come, in order, each segment once, and an empty spool is not asked for ever."""
    shelf, progress, backlog = made(200)
    assert await drain(backlog, progress) == list(range(1, 201))
    questions = shelf.questions
    assert await drain(backlog, progress) == []
    assert shelf.questions == questions


async def test_fresh_segment_is_first_and_costs_no_reading() -> None:
    """A segment handed over goes before the backlog; in steady state the disk is not read for it."""
    shelf, progress, backlog = made(10)
    backlog.sealed(Made("fine", 11))
    assert (await drain(backlog, progress))[0] == 11
    shelf.segments.append(Made("fine", 11))
    await drain(backlog, progress)
    questions = shelf.questions
    for number in (12, 13):
        shelf.segments.append(Made("fine", number))
        backlog.sealed(shelf.segments[-1])
        assert await drain(backlog, progress) == [number]
    assert shelf.questions == questions


async def test_more_fresh_segments_than_memory_are_read_later() -> None:
    """Fresh segments beyond what is kept in memory are not lost: they are read from the spool."""
    shelf, progress, backlog = made(0)
    await drain(backlog, progress)
    for number in range(1, 101):
        shelf.segments.append(Made("fine", number))
        backlog.sealed(shelf.segments[-1])
    assert sorted(await drain(backlog, progress)) == list(range(1, 101))


async def test_rewind_reads_again_what_was_taken_back() -> None:
    """After a refusal the spool is read again from there."""
    _, progress, backlog = made(5)
    await drain(backlog, progress)
    progress.failed("fine", 3)
    backlog.rewind()
    assert await drain(backlog, progress) == [3]
