"""Bytes on the wire, of MQTT and what it carries, both ways; ours beside ThingsBoard's.

Ours: every segment of every tier with its topic and content type, the broker's acknowledgement, the centre's signed
receipts and their acknowledgements. ThingsBoard's: what `rivals.py` publishes, and the acknowledgements. Keep-alives,
TLS and TCP are left out on both sides, and so are the centre's heartbeats, which are there for shedding.
"""

from collections.abc import Iterator
from itertools import islice

from gateway.centre.settings import RECEIPT_LATE_S
from gateway.outgoing import FINE
from gateway.wire import cose
from gateway.wire.keys import SigningKey
from gateway.wire.messages import Receipt
from hil_tests.bench.pki import CENTRE_EPOCH, CENTRE_KEY_ID
from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.outbox import packets
from hil_tests.benchmarks.outbox.ours import DOWN_S, GATEWAY, UP_S, Kept
from hil_tests.benchmarks.outbox.packets import PUBACK, Properties
from hil_tests.benchmarks.outbox.rivals import NAIVE_TOPIC, TB_BATCH, TB_NAME, TB_TOPIC, naive_rows, tb_packs, tb_row
from hil_tests.benchmarks.outbox.stores import LIVE_DAYS
from hil_tests.benchmarks.outbox.trace import GROUPS, Tick, readings, ticks
from hil_tests.benchmarks.outbox.workshop import Workshop

LIVE_UNDER_TB, OFFLINE_UNDER_TB = 8, 100

_A_RECEIPT = 50
"""Segments of a backlog that the centre commits, and receipts, together, at least."""

_SAMPLE = 10_000
"""Polls of the trace that the others are measured on: three hours."""


def wire(shop: Workshop) -> Iterator[Figure]:
    """Tell bytes a reading, live and for a backlog, and how many times fewer they are."""
    sample = list(islice(ticks(), _SAMPLE))
    count = sum(map(readings, sample))
    theirs = {"live": sum(_tb_live(tick) for tick in sample) / count, "offline": _tb_backlog(sample) / count}
    yield Figure("wire_naive", round(sum(map(_naive, sample)) / count, 1), "bytes a reading")
    for mode, seal_s, days, goal, together in (
        ("live", UP_S, LIVE_DAYS, LIVE_UNDER_TB, int(RECEIPT_LATE_S // UP_S) + 1),
        ("offline", DOWN_S, 1, OFFLINE_UNDER_TB, _A_RECEIPT),
    ):
        kept = shop.kept(seal_s, days, receipts=mode == "live")
        up, down = _up(kept) / kept.readings, _down(shop.key, kept, together) / kept.readings
        yield Figure(f"wire_{mode}_up", round(up, 3), "bytes a reading, what is published and its acknowledgements")
        yield Figure(f"wire_{mode}_receipts", round(down, 3), "bytes a reading")
        yield Figure(f"wire_{mode}", round(up + down, 3), "bytes a reading, both ways")
        yield Figure(f"wire_{mode}_tb", round(theirs[mode], 2), "bytes a reading, both ways", rival=TB_NAME)
        times = theirs[mode] / (up + down)
        yield Figure(f"wire_{mode}_under_tb", round(times, 1), "times", goal, TB_NAME, at_least=True)


def _up(kept: Kept) -> int:
    """Add up every segment as it is published, and its PUBACK."""
    whole = 0
    for stream, sizes in kept.sizes.items():
        for size, how_often in sizes.items():
            packet = packets.publish(f"gw/v1/{GATEWAY}/tele/{stream}", size, Properties(kept.contents[stream]))
            whole += how_often * (packet + PUBACK)
    return whole


def _down(key: SigningKey, kept: Kept, together: int) -> int:
    """Add up the receipts, one for so many segments of the fine tier, one for each of the others, and their PUBACKs."""
    whole = 0
    for stream, sizes in kept.sizes.items():
        count = sizes.total()
        header = cose.Header(
            key_id=CENTRE_KEY_ID.encode(),
            content=Receipt.CONTENT,
            gateway=GATEWAY,
            stream="receipt",
            epoch=CENTRE_EPOCH,
            sequence=count,
        )
        blob = cose.sign(header, Receipt(bytes(8), stream, count).encode(), key.private)
        told = Properties(Receipt.CONTENT, expires=True)
        packet = packets.publish(f"gw/v1/{GATEWAY}/receipt", len(blob), told)
        # What does not come each ten seconds is receipted one by one, but for a backlog.
        messages = together if stream == FINE or together >= _A_RECEIPT else 1
        whole += -(-count // messages) * (packet + PUBACK)
    return whole


def _tb_live(tick: Tick) -> int:
    """Give the bytes of a poll that is published as soon as it is stored."""
    return sum(packets.publish(TB_TOPIC, len(pack)) + PUBACK for pack in tb_packs([tb_row(tick)]))


def _tb_backlog(sample: list[Tick]) -> int:
    """Give the bytes of polls that are published in batches."""
    rows = [tb_row(tick) for tick in sample]
    batches = [rows[at : at + TB_BATCH] for at in range(0, len(rows), TB_BATCH)]
    return sum(packets.publish(TB_TOPIC, len(pack)) + PUBACK for batch in batches for pack in tb_packs(batch))


def _naive(tick: Tick) -> int:
    """Give the bytes of a message for each reading, under a topic of its own."""
    group = GROUPS[tick.group]
    return sum(
        packets.publish(NAIVE_TOPIC.format(group.name, label.name), len(row)) + PUBACK
        for label, row in zip(group.labels, naive_rows(tick), strict=True)
    )
