"""The queue of what is signed singly."""

import asyncio

from gateway.uplink.singles import Single, Singles


def single(name: str, expires_boot_ms: int | None = None) -> Single:
    """Make a message that carries its name."""
    return Single("ack", name.encode(), 1, expires_boot_ms, None, asyncio.get_running_loop().create_future())


async def test_order_is_that_of_arrival() -> None:
    """Messages leave in the order in which they came."""
    queue = Singles()
    for name in "abc":
        queue.add(single(name), 0)
    assert [taken.payload for _ in range(3) if (taken := queue.take(0))] == [b"a", b"b", b"c"]
    assert queue.take(0) is None


async def test_refused_messages_get_their_places_back() -> None:
    """What the broker refused goes again before what came after it, in whatever order the refusals come."""
    queue = Singles()
    for name in "abcd":
        queue.add(single(name), 0)
    first, second, third = (queue.take(0) for _ in range(3))
    assert first is not None
    assert second is not None
    assert third is not None
    for back in (second, third, first):
        queue.put_back(back)
    assert [waiting.payload for waiting in queue] == [b"a", b"b", b"c", b"d"]


async def test_expired_message_is_given_up_and_counted() -> None:
    """A message past its expiry is not sent; its maker hears of it."""
    queue, late = Singles(), single("late", 10)
    queue.add(late, 0)
    queue.add(single("next"), 0)
    taken = queue.take(10)
    assert taken is not None
    assert taken.payload == b"next"
    assert late.done.result() is False
    assert queue.dropped == 1


async def test_full_queue_gives_the_newest_up() -> None:
    """Beyond its limit the queue takes nothing more: it is bounded, and what it refuses is told and counted."""
    queue, refused = Singles(limit=1), single("refused")
    queue.add(single("kept"), 0)
    queue.add(refused, 0)
    assert refused.done.result() is False
    assert (len(queue), queue.dropped) == (1, 1)


async def test_expired_messages_make_room() -> None:
    """A full queue drops what has expired before it refuses what is new."""
    queue, late, fresh = Singles(limit=1), single("late", 5), single("fresh")
    queue.add(late, 0)
    queue.add(fresh, 6)
    assert late.done.result() is False
    assert not fresh.done.done()
