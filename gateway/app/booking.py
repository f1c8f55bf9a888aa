"""What is done with each verified word of the centre: booked in the room it is for, one by one.

`inbound` verifies; here a receipt marks what may go, a resend request brings it back, a heartbeat shows that the
centre is alive, a reply tells the time.
"""

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence

from buffer.errors import StorageError
from gateway.app.answering import Answering
from gateway.app.commanding import Commanding
from gateway.app.timing import Timing
from gateway.commands.errors import StorageError as JournalError
from gateway.commands.journal import Journal
from gateway.sealing import Receipts, Store
from gateway.uplink.worker import Uplink
from gateway.wire import cose
from gateway.wire.messages import Heartbeat, Receipt, Resend, TimeReply

log = logging.getLogger(__name__)

ANSWERS = "ack"


class Booking:
    """Hears what `inbound` has verified; whatever waits for a disk is done by `spawn`.

    `permits` says of which streams something may leave, also again; `anew` is called where a centre begins anew.
    """

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        *,
        store: Store,
        receipts: Receipts,
        journal: Journal,
        uplink: Uplink,
        answering: Answering,
        commanding: Commanding,
        timing: Timing,
        permits: Callable[[str], bool],
        anew: Callable[[], None],
        spawn: Callable[[Coroutine[object, object, None]], None],
    ) -> None:
        self._store = store
        self._receipts = receipts
        self._journal = journal
        self._uplink = uplink
        self._answering = answering
        self._commanding = commanding
        self._timing = timing
        self._permits = permits
        self._anew = anew
        self._epochs: set[bytes] = set()
        self._spawn = spawn

    def receipt(self, receipt: Receipt) -> None:
        """Mark what the centre has committed."""
        self._spawn(_guarded(self._received(receipt)))

    def resend(self, resend: Resend) -> None:
        """Send a range again."""
        self._spawn(_guarded(self._resent(resend)))

    def heartbeat(self, heartbeat: Heartbeat, issuer: str, header: cose.Header) -> None:
        """Note that the centre is alive, and whether it is one with a new store."""
        if header.epoch not in self._epochs:
            if self._epochs:  # the first one is there when the agent starts, and so is a clock record
                self._anew()
            self._epochs.add(header.epoch)
        self._commanding.heartbeat(issuer, header.epoch, header.sequence, heartbeat.boot_nonce)
        self._uplink.heard()

    def time(self, reply: TimeReply) -> None:
        """Take the centre's time."""
        self._timing.replied(reply)

    def taken(self, ranges: Mapping[str, Sequence[tuple[int, int]]]) -> None:
        """Mark what the broker has taken, where the site says that this is a receipt (`receipts = "puback"`)."""
        self._spawn(_guarded(self._taken(ranges)))

    async def _taken(self, ranges: Mapping[str, Sequence[tuple[int, int]]]) -> None:
        for stream, done in ranges.items():
            if stream == ANSWERS:
                await self._journal.answers_received(self._journal.epoch, 0, done)
            else:
                self._uplink.settled(stream, done)
                await self._receipts.note(stream, 0, done)

    async def _received(self, receipt: Receipt) -> None:
        outbox = self._store.outbox
        if receipt.stream == ANSWERS:
            await self._journal.answers_received(receipt.epoch, receipt.upto, receipt.ranges)
        elif receipt.epoch == outbox.epoch:
            self._uplink.received(receipt.stream, *_existing(receipt, outbox.last(receipt.stream)))
            await self._receipts.note(receipt.stream, receipt.upto, receipt.ranges)

    async def _resent(self, resend: Resend) -> None:
        outbox = self._store.outbox
        if resend.stream == ANSWERS:
            await self._journal.answers_again(resend.epoch, resend.first, resend.last)
            self._answering.connected()
        elif resend.epoch == outbox.epoch and self._permits(resend.stream):
            await self._receipts.book()  # in the order in which they came
            await self._store.call(outbox.resend, resend.epoch, resend.stream, resend.first, resend.last)
            self._uplink.again(resend.stream, resend.first, resend.last)


def _existing(receipt: Receipt, last: int) -> tuple[int, list[tuple[int, int]]]:
    # What a wrong centre names beyond the last segment must not keep the next ones here; `outbox.ahead` tells of it.
    return min(receipt.upto, last), [(low, min(high, last)) for low, high in receipt.ranges if low <= last]


async def _guarded(work: Coroutine[object, object, None]) -> None:
    # A receipt that could not be booked comes again: the centre repeats itself when it is sent something twice.
    try:
        await work
    except (StorageError, JournalError) as error:
        log.warning("a word of the centre could not be booked: %s", error)
