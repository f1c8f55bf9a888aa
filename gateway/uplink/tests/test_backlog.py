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


def kinds(order: Sequence[Made]) -> list[str]:
    """Name what was sent."""
    return [f"{each.stream} {each.sequence}" for each in order]


async def sent(backlog: Backlog, progress: Progress, *held: str) -> list[str]:
    """Send whatever may go, and name it in order."""
    order = []
    for _ in range(50):
        while (segment := backlog.next(lambda _: True, held=lambda stream: stream.split(".")[0] in held)) is not None:
            progress.sent(segment.stream, segment.sequence, 0)
            order.append(Made(segment.stream, segment.sequence))
        backlog.read_on()
        await asyncio.sleep(0)
    return kinds(order)


def shelf_of(*names: str) -> tuple[Shelf, Progress, Backlog]:
    """Make a spool with one segment of each of these."""
    shelf, progress, backlog = made(0)
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        shelf.segments.append(Made(name, counts[name]))
    return shelf, progress, backlog


async def test_backlog_goes_by_the_worth_of_its_tiers() -> None:
    """Alarms, then records, then indexes, minutes, and the rest, a dwelling's with its tier."""
    _, progress, backlog = shelf_of("fine", "minute.apt-1.bill", "schema", "index", "alarm", "minute", "dropped")
    order = ["alarm 1", "dropped 1", "schema 1", "index 1", "minute.apt-1.bill 1", "minute 1", "fine 1"]
    assert await sent(backlog, progress) == order


async def test_what_was_sealed_now_passes_the_backlog_but_no_alarm_and_no_record() -> None:
    """A month of indexes waits for the newest fine readings; an old alarm and an old schema do not."""
    _, progress, backlog = shelf_of("index", "schema", "alarm")
    backlog.read_on()
    await asyncio.sleep(0)
    backlog.read_on()
    for segment in (Made("fine", 1), Made("index", 2), Made("alarm", 2)):
        backlog.sealed(segment)
    assert await sent(backlog, progress) == ["alarm 2", "alarm 1", "schema 1", "index 2", "fine 1", "index 1"]


async def test_what_is_held_keeps_nothing_else_waiting() -> None:
    """On a metered link fine readings wait in the spool, fresh or old, and go when they may."""
    shelf, progress, backlog = shelf_of("fine", "minute", "fine", "index")
    backlog.sealed(Made("fine", 3))
    shelf.segments.append(Made("fine", 3))
    assert await sent(backlog, progress, "fine") == ["index 1", "minute 1"]
    shelf.segments.append(Made("minute", 2))
    backlog.sealed(Made("minute", 2))
    assert await sent(backlog, progress, "fine") == ["minute 2"]
    assert await sent(backlog, progress) == ["fine 1", "fine 2", "fine 3"]


async def test_stream_that_is_refused_holds_no_other_back() -> None:
    """What the broker refuses is left out until it may be tried again."""
    _, progress, backlog = shelf_of("index", "minute", "index", "fine")
    backlog.sealed(Made("index", 3))
    backlog.leave_out(["index"])
    assert await sent(backlog, progress) == ["minute 1", "fine 1"]
    backlog.leave_out([])
    assert await sent(backlog, progress) == ["index 1", "index 2"]


async def test_flood_of_fresh_segments_loses_no_alarm() -> None:
    """More fresh ones than memory holds are left to the spool, which has them too, the least urgent first."""
    shelf, progress, backlog = made(0)
    for number in range(1, 41):
        for stream in ("alarm", "fine"):
            shelf.segments.append(Made(stream, number))
            backlog.sealed(shelf.segments[-1])
    order = await sent(backlog, progress)
    assert len(order) == len(set(order)) == 80
    assert all(each.startswith("alarm") for each in order[:32])
    assert max(place for place, each in enumerate(order) if each.startswith("alarm")) < 60
