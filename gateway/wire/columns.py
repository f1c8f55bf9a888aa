"""One column of a segment: what a channel said at each tick, exactly, in as few bytes as will tell it.

A column is written over the ticks in which the channel was read, in the shortest of these forms; what stands behind
the arrow is taken from the segment's numbers (`numbers`), in this order:

    value                the same at every tick
    [first]              -> for each further tick its difference from the one before, signed
    [first, n]           -> n gaps, n signed steps: changes only, how many ticks apart, less one, and by how much
    [texts, n]           -> n gaps, n indexes: each different text once, the first one first, and which one comes

and, where it was not read at every tick or not always good, as a map {0: one of these, 1: n, 2: m}: before the
numbers of its form come n lengths of runs, read, not read, read ... (the first may be 0), and m pairs of quality and
length over the ticks in which it was read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeVar

from gateway.wire import cbor
from gateway.wire.errors import MalformedMessage
from gateway.wire.numbers import Numbers, zigzag
from gateway.wire.record import TEXT_BYTES, VALUE_BOUND

QUALITY_MAX = 15

_T = TypeVar("_T")

_BODY, _PRESENCE, _QUALITY = 0, 1, 2
_SPARSE = 5
"""Changes only pays when fewer than one tick in so many brings one."""


@dataclass(frozen=True, slots=True)
class Run:
    """`length` ticks in a row with the same value and quality; None: not read."""

    value: int | str | None
    quality: int
    length: int


@dataclass(frozen=True, slots=True)
class Column:
    """A channel's values at the ticks of its table, None where it was not read; `quality` None: good throughout."""

    values: list[int | str | None]
    quality: list[int] | None


def write_column(runs: Sequence[Run], numbers: list[int]) -> cbor.Item:
    """Encode a column given as runs, at least one of them read; neighbours differ. Its numbers go to `numbers`."""
    read = [run for run in runs if run.value is not None]
    extras: dict[int | str, cbor.Item] = {}
    if len(read) != len(runs):
        presence = _presence(runs)
        extras[_PRESENCE] = len(presence)
        numbers.extend(presence)
    if any(run.quality for run in read):
        quality = _merge_quality(read)
        extras[_QUALITY] = len(quality)
        numbers.extend(number for pair in quality for number in pair)
    body = _write_body(_merge_values(read), numbers)
    return {_BODY: body, **extras} if extras else body


def read_column(item: cbor.Value, ticks: int, numbers: Numbers) -> Column:
    """Decode a column of a table with so many ticks; raise MalformedMessage."""
    if not isinstance(item, dict):
        return Column(_read_body(item, ticks, numbers), None)
    if _BODY not in item or len(item) < 2 or item.keys() - {_BODY, _PRESENCE, _QUALITY}:
        raise MalformedMessage("segment: a column's map has other keys than 0, and 1 or 2")
    lengths = _read_presence(item[_PRESENCE], ticks, numbers) if _PRESENCE in item else [ticks]
    read = sum(lengths[::2])
    quality = _read_quality(item[_QUALITY], read, numbers) if _QUALITY in item else None
    values = _read_body(item[_BODY], read, numbers)
    if _PRESENCE not in item:
        return Column(values, quality)
    return Column(_spread(values, lengths, None), None if quality is None else _spread(quality, lengths, 0))


def _presence(runs: Sequence[Run]) -> list[int]:
    """Lengths of the runs read, not read, read ...; the first is 0 if the column begins unread."""
    lengths = [0]
    for run in runs:
        if (run.value is not None) is (len(lengths) % 2 == 1):
            lengths[-1] += run.length
        else:
            lengths.append(run.length)
    return lengths


def _merge_values(read: Sequence[Run]) -> list[tuple[int | str, int]]:
    merged: list[tuple[int | str, int]] = []
    for run in read:
        if run.value is None:
            continue
        if merged and merged[-1][0] == run.value:
            merged[-1] = (run.value, merged[-1][1] + run.length)
        else:
            merged.append((run.value, run.length))
    return merged


def _merge_quality(read: Sequence[Run]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for run in read:
        if merged and merged[-1][0] == run.quality:
            merged[-1] = (run.quality, merged[-1][1] + run.length)
        else:
            merged.append((run.quality, run.length))
    return merged


def _write_body(runs: Sequence[tuple[int | str, int]], numbers: list[int]) -> cbor.Item:
    if len(runs) == 1:
        return runs[0][0]
    gaps = [length - 1 for _, length in runs[:-1]]
    texts = [value for value, _ in runs if isinstance(value, str)]
    if texts:
        different = list(dict.fromkeys(texts))
        index = {text: number for number, text in enumerate(different)}
        numbers.extend(gaps)
        numbers.extend(index[text] for text in texts[1:])
        return [different, len(gaps)]
    values = [value for value, _ in runs if isinstance(value, int)]
    steps = [zigzag(after - before) for before, after in pairwise(values)]
    if len(steps) * _SPARSE < sum(length for _, length in runs) - 1:
        numbers.extend(gaps)
        numbers.extend(steps)
        return [values[0], len(gaps)]
    numbers.extend([0] * (runs[0][1] - 1))
    for step, (_, length) in zip(steps, runs[1:], strict=True):
        numbers.append(step)
        numbers.extend([0] * (length - 1))
    return [values[0]]


def _read_body(item: cbor.Value, ticks: int, numbers: Numbers) -> list[int | str | None]:
    """Decode one of the four forms to exactly `ticks` values."""
    if ticks == 0:
        raise MalformedMessage("segment: a column that was never read")
    if isinstance(item, int | str) and not isinstance(item, bool):
        return [_value(item)] * ticks
    if not isinstance(item, list) or len(item) not in (1, 2):
        raise MalformedMessage("segment: a column is none of the known forms")
    first, changes = item[0], None if len(item) == 1 else _count(item[1], ticks - 1)
    if isinstance(first, list):
        return _read_texts(first, changes, ticks, numbers)
    if isinstance(first, bool) or not isinstance(first, int):
        raise MalformedMessage("segment: a column begins with neither a number nor texts")
    if changes is None:
        return _bounded(list(accumulate(numbers.take_signed(ticks - 1), initial=first)))
    lengths = _lengths(numbers.take(changes), ticks)
    return _stretch(_bounded(list(accumulate(numbers.take_signed(changes), initial=first))), lengths)


def _read_texts(texts: list[cbor.Value], changes: int | None, ticks: int, numbers: Numbers) -> list[int | str | None]:
    known = [_value(text) for text in texts if isinstance(text, str)]
    if changes is None or not texts or len(known) != len(texts):
        raise MalformedMessage("segment: a column of texts needs texts, and how often they change")
    lengths = _lengths(numbers.take(changes), ticks)
    indexes = [0, *numbers.take(changes)]
    if max(indexes) >= len(texts):
        raise MalformedMessage("segment: a column names a text that is not there")
    return _stretch([known[each] for each in indexes], lengths)


def _lengths(gaps: Sequence[int], ticks: int) -> list[int]:
    """How many ticks each value holds, the last one to the end."""
    lengths = [gap + 1 for gap in gaps]
    last = ticks - sum(lengths)
    if last < 1:
        raise MalformedMessage("segment: a column's changes lie beyond its ticks")
    return [*lengths, last]


def _stretch(values: Sequence[int | str | None], lengths: Sequence[int]) -> list[int | str | None]:
    stretched: list[int | str | None] = []
    for value, length in zip(values, lengths, strict=True):
        stretched.extend([value] * length)
    return stretched


def _read_presence(item: cbor.Value, ticks: int, numbers: Numbers) -> list[int]:
    lengths = numbers.take(_count(item, ticks + 1))
    if sum(lengths) != ticks or 0 in lengths[1:]:
        raise MalformedMessage("segment: a column's runs of read and not read do not match its ticks")
    return lengths


def _read_quality(item: cbor.Value, ticks: int, numbers: Numbers) -> list[int]:
    pairs = numbers.take(2 * _count(item, ticks))
    qualities, lengths = pairs[::2], pairs[1::2]
    if sum(lengths) != ticks or 0 in lengths or max(qualities, default=0) > QUALITY_MAX:
        raise MalformedMessage("segment: a column's quality does not match its ticks")
    return [quality for quality, length in zip(qualities, lengths, strict=True) for _ in range(length)]


def _spread(values: Sequence[_T], lengths: Sequence[int], absent: _T) -> list[_T]:
    """Put `absent` where the channel was not read."""
    spread: list[_T] = []
    taken = 0
    for number, length in enumerate(lengths):
        if number % 2 == 0:
            spread.extend(values[taken : taken + length])
            taken += length
        else:
            spread.extend([absent] * length)
    return spread


def _bounded(numbers: list[int]) -> list[int | str | None]:
    if min(numbers) <= -VALUE_BOUND or max(numbers) >= VALUE_BOUND:
        raise MalformedMessage("segment: a value beyond 64 bits")
    return list(numbers)


def _value(value: int | str) -> int | str:
    if isinstance(value, str):
        if len(value.encode()) > TEXT_BYTES:
            raise MalformedMessage(f"segment: a text of more than {TEXT_BYTES} bytes")
        return value
    _bounded([value])
    return value


def _count(item: cbor.Value, most: int) -> int:
    if type(item) is not int or not 1 <= item <= most:
        raise MalformedMessage(f"segment: a column counts {item!r:.20} where 1 to {most} can be")
    return item
