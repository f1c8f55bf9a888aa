"""Compares what the bench put on the wires with what the centre verified, reading by reading.

The bench keeps its own ledger, so the agent is never asked to judge itself. What was on the wires between the last
commit before the SIGKILL and the first reading after the restart is left out on both sides: that span is told apart.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Value = int | str
Seen = tuple[int, Value]
"""Boot time in ms, and the value."""

EARLY_MS = 30
"""A reading may bear a time a little before the ledger's: the two processes read the clock one after the other."""

LATE_MS = 4_000
"""How long after the wire a reading may be stamped on a machine that is busy with something else."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span of boot time, in ms, both ends left out of the comparison."""

    first_ms: int
    last_ms: int

    def holds(self, boot_ms: int) -> bool:
        """Say whether a moment lies in it."""
        return self.first_ms < boot_ms < self.last_ms


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of the readings of the ledger."""

    put: int
    found: int
    lost: Mapping[str, int]
    """Readings lost, by channel."""
    invented: Mapping[str, int]
    """Readings verified that never were on the wires, by channel."""


def compare(
    ledger: Mapping[str, Iterable[Seen]], verified: Mapping[str, Iterable[Seen]], left_out: Sequence[Span]
) -> Verdict:
    """Match each channel's ledger with its verified readings, in order, each used once."""
    lost: dict[str, int] = defaultdict(int)
    invented: dict[str, int] = defaultdict(int)
    put = found = 0
    for channel in sorted({*ledger, *verified}):
        wires = _outside(ledger.get(channel, ()), left_out)
        arrived = _outside(verified.get(channel, ()), left_out)
        matched = _matched(wires, arrived)
        put += len(wires)
        found += matched
        if matched < len(wires):
            lost[channel] = len(wires) - matched
        if matched < len(arrived):
            invented[channel] = len(arrived) - matched
    return Verdict(put, found, dict(lost), dict(invented))


def _outside(seen: Iterable[Seen], left_out: Sequence[Span]) -> list[Seen]:
    return sorted((s for s in seen if not any(span.holds(s[0]) for span in left_out)), key=lambda s: s[0])


def _matched(wires: Sequence[Seen], arrived: Sequence[Seen]) -> int:
    """Count the ledger's entries that have a verified reading of their own, equal and not much later."""
    at = matched = 0
    for boot_ms, value in wires:
        candidate = at
        while candidate < len(arrived) and arrived[candidate][0] <= boot_ms + LATE_MS:
            if arrived[candidate][0] >= boot_ms - EARLY_MS and arrived[candidate][1] == value:
                matched += 1
                at = candidate + 1
                break
            candidate += 1
    return matched
