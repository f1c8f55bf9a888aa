"""Whether the trace may be measured on: how much of it changes, and how small it can be made at all.

The bound H is what no encoding of these readings gets under; zpaq -m5 came to 0.96 of what `xz -9e` gives for the same
columns, and xz is there on every machine. Figures that are ratios to H mean nothing on a trace that is too easy or too
hard, so the trace has bounds of its own.
"""

import lzma
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cbor2

from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.outbox.trace import DATE, LINKY, Tick

CHANGE_PERCENT, CHANGE_WITHIN = 11.5, 0.5
XZ_BYTES, XZ_WITHIN = 0.070, 0.007
BOUND_OF_XZ = 0.96

_SPARSE = 3


@dataclass(frozen=True, slots=True)
class Honesty:
    """Of how many readings, the share that differs from the one before, and bytes a reading under xz."""

    readings: int
    change_percent: float
    xz_bytes: float

    @property
    def bound(self) -> float:
        """H: bytes a reading."""
        return BOUND_OF_XZ * self.xz_bytes

    def figures(self) -> Iterator[Figure]:
        """Tell both, with how far each is off, which is what has a goal, and the bound."""
        yield Figure("trace_readings", self.readings, "readings")
        yield Figure("trace_changes", round(self.change_percent, 2), "% of the readings")
        off = abs(self.change_percent - CHANGE_PERCENT)
        yield Figure("trace_changes_off", round(off, 2), f"points from {CHANGE_PERCENT}", CHANGE_WITHIN)
        yield Figure("trace_xz", round(self.xz_bytes, 4), "bytes a reading, xz -9e of columnar deltas")
        off = abs(self.xz_bytes - XZ_BYTES)
        yield Figure("trace_xz_off", round(off, 4), f"bytes a reading from {XZ_BYTES}", XZ_WITHIN)
        yield Figure("trace_bound", round(self.bound, 4), f"bytes a reading, {BOUND_OF_XZ} of xz")

    @property
    def holds(self) -> bool:
        """Whether figures may be taken on it."""
        return all(figure.holds is not False for figure in self.figures())


def honesty(trace: Iterable[Tick]) -> Honesty:
    """Judge a trace, which is held in memory: 90 MB for a day."""
    tables: dict[int, tuple[list[int], list[tuple[int | str, ...]]]] = {}
    for tick in trace:
        moments, rows = tables.setdefault(tick.group, ([], []))
        moments.append(tick.utc_ms)
        rows.append(tick.values)
    count = changes = 0
    written: list[object] = []
    for group, (moments, rows) in sorted(tables.items()):
        steps = _steps(moments)
        columns: list[object] = []
        for label, values in enumerate(zip(*rows, strict=True)):
            count += len(values)
            # DATE differs each time, whatever it is kept as.
            changes += len(rows) if (group, label) == (LINKY, DATE) else _changes(values)
            columns.append(_column(values))
        written.append([group, len(moments), moments[0], _varints([*steps[:1], *_steps(steps)]), columns])
    xz = len(lzma.compress(cbor2.dumps(written), preset=9 | lzma.PRESET_EXTREME))
    return Honesty(count, 100 * changes / count, xz / count)


def _changes(values: Sequence[int | str]) -> int:
    return sum(before != after for before, after in pairwise(values))


def _column(values: Sequence[int | str]) -> object:
    """Write a column: the value where there is one only, changes and how far apart, or every difference."""
    first = values[0]
    changed = [at for at, (before, after) in enumerate(pairwise(values)) if before != after]
    if not changed:
        return first
    gaps = _varints([changed[0], *_steps(changed)])
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) < len(values):
        return [first, gaps, [values[at + 1] for at in changed]]
    if len(changed) * _SPARSE < len(values):
        return [first, gaps, _varints(numbers[at + 1] - numbers[at] for at in changed)]
    return [first, _varints(_steps(numbers))]


def _steps(numbers: Sequence[int]) -> list[int]:
    return [after - before for before, after in pairwise(numbers)]


def _varints(numbers: Iterable[int]) -> bytes:
    """Encode as zigzag varints."""
    out = bytearray()
    for number in numbers:
        rest = number << 1 if number >= 0 else (-number << 1) - 1
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)
