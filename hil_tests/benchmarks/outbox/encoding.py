"""How small the signed readings are, beside what no encoding gets under, and beside what others write."""

from collections.abc import Iterator
from itertools import islice

from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.outbox.ours import DOWN_S, UP_S
from hil_tests.benchmarks.outbox.proof import fine_segments, judged
from hil_tests.benchmarks.outbox.rivals import TB_NAME, naive_rows, tb_row
from hil_tests.benchmarks.outbox.stores import LIVE_DAYS
from hil_tests.benchmarks.outbox.trace import readings, ticks
from hil_tests.benchmarks.outbox.workshop import Workshop

OVER_BOUND = {60: 6.0, 300: 2.5}
"""Length of a segment in s -> the most times the entropy bound that its bytes may be."""

_FINE = "fine"
_SAMPLE = 10_000


def encoding(shop: Workshop) -> Iterator[Figure]:
    """Tell bytes a reading of the fine tier's signed segments, for each length of a segment."""
    bound = shop.honesty.bound
    for seal_s, days in ((UP_S, LIVE_DAYS), (60, 0.5), (300, 1), (DOWN_S, 1)):
        kept = shop.kept(seal_s, days, receipts=seal_s == UP_S)
        size = kept.blob_bytes(_FINE) / kept.readings
        yield Figure(f"blob_{seal_s:g}_s", round(size, 4), "bytes a reading")
        yield Figure(f"blob_{seal_s:g}_s_over_bound", round(size / bound, 2), "times H", OVER_BOUND.get(int(seal_s)))
        coarse = kept.blob_bytes() - kept.blob_bytes(_FINE)
        yield Figure(
            f"blob_{seal_s:g}_s_others", round(coarse / kept.readings, 4), "bytes a reading, all other streams"
        )
    # What is small and not the same would be no feat.
    database = shop.database(UP_S, LIVE_DAYS, receipts=True)
    key = shop.key
    found = judged(ticks(days=LIVE_DAYS), fine_segments(database), key.key_id, key.private.public_key())
    for name in ("lost", "wrong", "invented"):
        yield Figure(f"decoded_{name}", getattr(found, name), f"readings of {LIVE_DAYS:g} days", 0)
    sample = list(islice(ticks(), _SAMPLE))
    count = sum(map(readings, sample))
    polls = sum(len(tb_row(tick)) for tick in sample) / count
    rows = sum(len(row) for tick in sample for row in naive_rows(tick)) / count
    yield Figure("json_poll", round(polls, 1), "bytes a reading", rival=TB_NAME)
    yield Figure("json_reading", round(rows, 1), "bytes a reading", rival="a JSON text for each reading")
