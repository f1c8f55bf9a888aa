"""Whether what was stored is what was read: every segment verified, decoded, and held against the trace."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.wire import cose, packing
from gateway.wire.schema import Schema
from hil_tests.benchmarks.outbox.ours import BOOTED_MS, channels
from hil_tests.benchmarks.outbox.trace import BEGIN_MS, GROUPS, Tick

_FINE = """
SELECT blob FROM segment JOIN stream ON stream.id = segment.stream WHERE name = 'fine' ORDER BY segment.sequence
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """Readings of the trace that are in no segment, that are another there, and that are in one and were never read."""

    lost: int
    wrong: int
    invented: int


def fine_segments(database: Path) -> list[bytes]:
    """Give the segments of the fine tier, in order."""
    with closing(sqlite3.connect(database)) as connection:
        return [row[0] for row in connection.execute(_FINE)]


def judged(trace: Iterable[Tick], blobs: Iterable[bytes], key_id: bytes, public: Ed25519PublicKey) -> Judged:
    """Verify and decode segments and hold them against the trace; raise WireError for one that is not ours."""
    named = [[channel.name for channel in group] for group in channels()]
    schema = Schema.of(channel for group in channels() for channel in group)
    kept: dict[tuple[int, int], tuple[object, ...]] = {}
    for blob in blobs:
        content = packing.unpack(cose.verify(blob, {key_id: public}).payload, schema)
        for number, group in enumerate(GROUPS):
            table = content.groups.get(group.name)
            if table is not None:
                columns = [table.columns.get(name) or [None] * len(table.ticks) for name in named[number]]
                for at, *values in zip(table.ticks, *columns, strict=True):
                    kept[number, at] = tuple(values)
    lost = wrong = 0
    for tick in trace:
        found = kept.pop((tick.group, tick.utc_ms - BEGIN_MS + BOOTED_MS), None)
        if found is None:
            lost += len(tick.values)
        elif found != tick.values:
            wrong += sum(told != read for told, read in zip(found, tick.values, strict=True))
    return Judged(lost, wrong, sum(map(len, kept.values())))
