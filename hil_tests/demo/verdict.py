"""Compares what the bench put on the wires with what the centre verified, reading by reading.

The bench keeps its own ledger, so the agent is never asked to judge itself. What was on the wires between the last
commit before the SIGKILL and the first reading after the restart is left out on both sides: that span is told apart.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hil_tests.bench.site import LINKY

Value = int | str
Seen = tuple[int, Value]
"""Boot time in ms, and the value."""

EARLY_MS = 30
"""A reading may bear a time a little before the ledger's: the two processes read the clock one after the other."""

DATED_BACK_MS = 250
"""A Linky's alone may do so by more: a frame is dated back by what came after it in the fifth of a second that its
reader gathers, at the pace of the line, and a bench that was late sends faster to catch up."""

CUT_MS = 3_000
"""What was heard of a cut frame is stamped when its last character came, its entry when it would have ended."""

SOON_MS, LATE_MS = 500, 4_000
"""How long after the wire a reading is stamped: as a rule, and on a machine that is busy with something else."""


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
    ledger: Mapping[str, Iterable[Seen]],
    verified: Mapping[str, Iterable[Seen]],
    left_out: Sequence[Span],
    perhaps: Mapping[str, Iterable[Seen]] | None = None,
) -> Verdict:
    """Match each channel's ledger with its verified readings, each used once; `perhaps` may have been read, or not."""
    lost: dict[str, int] = defaultdict(int)
    invented: dict[str, int] = defaultdict(int)
    put = found = 0
    for channel in sorted({*ledger, *verified}):
        wires, arrived = sorted(ledger.get(channel, ())), sorted(verified.get(channel, ()))
        # First those that came soon, so that a reading lost inside a span does not take its neighbour's place; what
        # lies in a span and is unmatched then is out of the question.
        early_ms = DATED_BACK_MS if channel.startswith(f"{LINKY}.") else EARLY_MS
        matched, wires_left, arrived_left = _matched(wires, arrived, SOON_MS, early_ms)
        wires_left, arrived_left = _outside(wires_left, left_out), _outside(arrived_left, left_out)
        late, missing, surplus = _matched(wires_left, arrived_left, LATE_MS, early_ms)
        _, _, surplus = _matched(sorted((perhaps or {}).get(channel, ())), surplus, LATE_MS, CUT_MS)
        put += matched + late + len(missing)
        found += matched + late
        if missing:
            lost[channel] = len(missing)
        if surplus:
            invented[channel] = len(surplus)
    return Verdict(put, found, dict(lost), dict(invented))


def _outside(seen: Iterable[Seen], left_out: Sequence[Span]) -> list[Seen]:
    return [s for s in seen if not any(span.holds(s[0]) for span in left_out)]


def _matched(
    wires: Sequence[Seen], arrived: Sequence[Seen], late_ms: int, early_ms: int
) -> tuple[int, list[Seen], list[Seen]]:
    """Match each of the ledger's entries with a verified reading of its own, equal, at most so much later or earlier.

    Gives how many were matched, and what is left on both sides.
    """
    missing: list[Seen] = []
    used: set[int] = set()
    at = 0
    for boot_ms, value in wires:
        while at < len(arrived) and arrived[at][0] < boot_ms - early_ms:
            at += 1
        candidate = at
        while candidate < len(arrived) and arrived[candidate][0] <= boot_ms + late_ms:
            if candidate not in used and arrived[candidate][1] == value:
                used.add(candidate)
                break
            candidate += 1
        else:
            missing.append((boot_ms, value))
    return len(used), missing, [seen for place, seen in enumerate(arrived) if place not in used]
