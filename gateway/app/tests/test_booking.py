"""What a verified word of the centre does to what may go."""

from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from buffer.outbox import Row
from gateway.app.answering import Answering
from gateway.app.booking import Booking
from gateway.app.commanding import Commanding
from gateway.app.timing import Timing
from gateway.commands.journal import Journal
from gateway.sealing import Receipts, Store
from gateway.uplink.progress import Progress
from gateway.uplink.worker import Uplink
from gateway.wire import cose
from gateway.wire.messages import Heartbeat, Receipt


class Worker:
    """The part of the uplink that hears receipts."""

    def __init__(self) -> None:
        self.progress = Progress(ahead=500, resend_after_ms=1_000)

    def received(self, stream: str, upto: int, ranges: Sequence[tuple[int, int]]) -> None:
        self.progress.received(stream, upto, ranges)

    def heard(self) -> None:
        """Take note of nothing."""


class Commands:
    """The part of the commands that hears heartbeats."""

    def heartbeat(self, issuer: str, epoch: bytes, sequence: int, boot_nonce: bytes) -> None:
        """Take note of nothing."""


class Rig:
    """Books into a real outbox; `ended` runs what a word has begun."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path, quota_pages=1_000)
        self.worker = Worker()
        self.receipts = Receipts(self.store, lambda: 0)
        self.anew = 0
        self._begun: list[Coroutine[object, object, None]] = []
        self.booking = Booking(
            store=self.store,
            receipts=self.receipts,
            journal=cast("Journal", None),
            uplink=cast("Uplink", self.worker),
            answering=cast("Answering", None),
            commanding=cast("Commanding", Commands()),
            timing=cast("Timing", None),
            permits=lambda _stream: True,
            anew=self._count,
            spawn=self._begun.append,
        )

    def seal(self) -> int:
        """Seal a segment; give its number."""
        outbox = self.store.outbox
        outbox.commit([Row("fine", b"lot", 1, 1, 1, b"x")])
        segment = outbox.seal("fine", lambda place, _payloads: b"%d" % place.sequence)
        assert segment is not None
        return segment.sequence

    def heartbeat(self, epoch: bytes) -> None:
        """Hear one heartbeat of a centre that counts in this epoch."""
        header = cose.Header(b"centre-1", Heartbeat.CONTENT, "gw-0001", "receipt", epoch, 1)
        self.booking.heartbeat(Heartbeat(bytes(16)), "centre", header)

    def _count(self) -> None:
        self.anew += 1

    async def ended(self) -> None:
        while self._begun:
            await self._begun.pop(0)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """An outbox with three segments."""
    made = Rig(tmp_path / "outbox.db")
    for _ in range(3):
        made.seal()
    yield made
    made.store.close()


@pytest.mark.parametrize(("upto", "ranges"), [(9, ()), (1, ((3, 1 << 62),)), (3, ((5, 7),))])
async def test_a_receipt_for_more_than_there_is_lets_what_comes_go(
    rig: Rig, upto: int, ranges: tuple[tuple[int, int], ...]
) -> None:
    """Only a wrong centre, or an old copy of the outbox, makes one: what is sealed next was never received."""
    rig.booking.receipt(Receipt(rig.store.outbox.epoch, "fine", upto, ranges))
    await rig.ended()
    await rig.receipts.book()
    assert not rig.worker.progress.wants("fine", 3)
    assert rig.store.outbox.ahead == {"fine"}
    for number in range(4, 8):
        assert rig.seal() == number
        assert rig.worker.progress.wants("fine", number)
        assert number in [each.sequence for each in rig.store.outbox.pending(limit=10)]


def test_a_centre_that_begins_anew_is_noticed_once(rig: Rig) -> None:
    """By the epoch it counts in; the one that is there at the start is none."""
    for epoch, anew in ((b"a" * 8, 0), (b"a" * 8, 0), (b"b" * 8, 1), (b"b" * 8, 1), (b"a" * 8, 1)):
        rig.heartbeat(epoch)
        assert rig.anew == anew
