"""One column of a segment: what a channel said at each tick, exactly, in as few bytes as will tell it.

A column is written over the ticks in which the channel was read, in the shortest of these forms:

    value                       the same at every tick [first, deltas]             a zigzag varint for each further
    tick: its difference from the one before [first, gaps, deltas]       changes only: how many ticks apart, less one
    (varints), and by how much (zigzag varints) [texts, gaps, indexes]      the same for texts: each different text
    once, and which one comes

and, where it was not read at every tick or not always good, as a map: {0: one of these, 1: lengths of runs read, not
read, read ... (varints), 2: quality, length, quality, length ... (varints)}.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeVar

from gateway.wire import cbor
from gateway.wire.errors import MalformedMessage
from gateway.wire.record import TEXT_BYTES, VALUE_BOUND

QUALITY_MAX = 15

_T = TypeVar("_T")

_BODY, _PRESENCE, _QUALITY = 0, 1, 2
_SPARSE = 5
"""Changes only pays when fewer than one tick in so many brings one."""

_VARINT_BYTES = 10


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


def write_varints(numbers: Iterable[int]) -> bytes:
    """Encode numbers from 0: seven bits a byte, the lowest first, the high bit set on all but the last."""
    out = bytearray()
    for each in numbers:
        rest = each
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def read_varints(data: bytes) -> list[int]:
    """Decode what `write_varints` gave; raise MalformedMessage."""
    if data.isascii():
        return list(data)
    numbers: list[int] = []
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift >= 7 * _VARINT_BYTES:
                raise MalformedMessage(f"segment: a varint of more than {_VARINT_BYTES} bytes")
        else:
            numbers.append(number)
            number = shift = 0
    if shift:
        raise MalformedMessage("segment: a varint is cut short")
    return numbers


def write_signed(numbers: Iterable[int]) -> bytes:
    """Encode numbers of either sign: zigzag (0, -1, 1, -2 ...), then as `write_varints`."""
    return write_varints(each << 1 if each >= 0 else (-each << 1) - 1 for each in numbers)


def read_signed(data: bytes) -> list[int]:
    """Decode what `write_signed` gave; raise MalformedMessage."""
    return [-(each >> 1) - 1 if each & 1 else each >> 1 for each in read_varints(data)]


def write_column(runs: Sequence[Run]) -> cbor.Item:
    """Encode a column given as runs, at least one of them read; neighbours differ."""
    read = [run for run in runs if run.value is not None]
    body = _write_body(_merge_values(read))
    extras: dict[int | str, cbor.Item] = {}
    if len(read) != len(runs):
        extras[_PRESENCE] = write_varints(_presence(runs))
    if any(run.quality for run in read):
        extras[_QUALITY] = write_varints(number for run in _merge_quality(read) for number in run)
    return {_BODY: body, **extras} if extras else body


def read_column(item: cbor.Value, ticks: int) -> Column:
    """Decode a column of a table with so many ticks; raise MalformedMessage."""
    if not isinstance(item, dict):
        return Column(_read_body(item, ticks), None)
    if _BODY not in item or item.keys() - {_BODY, _PRESENCE, _QUALITY}:
        raise MalformedMessage("segment: a column's map has other keys than 0, 1 and 2")
    lengths = read_varints(_octets(item[_PRESENCE])) if _PRESENCE in item else [ticks]
    if sum(lengths) != ticks:
        raise MalformedMessage(f"segment: presence of {sum(lengths)} ticks in a table of {ticks}")
    read = sum(lengths[::2])
    values = _read_body(item[_BODY], read)
    quality = _read_quality(_octets(item[_QUALITY]), read) if _QUALITY in item else None
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


def _write_body(runs: Sequence[tuple[int | str, int]]) -> cbor.Item:
    if len(runs) == 1:
        return runs[0][0]
    gaps = write_varints(length - 1 for _, length in runs[:-1])
    texts = [value for value, _ in runs if isinstance(value, str)]
    if texts:
        different = list(dict.fromkeys(texts))
        index = {text: number for number, text in enumerate(different)}
        return [different, gaps, write_varints(index[text] for text in texts[1:])]
    numbers = [value for value, _ in runs if isinstance(value, int)]
    steps = [after - before for before, after in pairwise(numbers)]
    if len(steps) * _SPARSE < sum(length for _, length in runs) - 1:
        return [numbers[0], gaps, write_signed(steps)]
    dense: list[int] = [0] * (runs[0][1] - 1)
    for step, (_, length) in zip(steps, runs[1:], strict=True):
        dense.append(step)
        dense.extend([0] * (length - 1))
    return [numbers[0], write_signed(dense)]


def _read_body(item: cbor.Value, ticks: int) -> list[int | str | None]:
    """Decode one of the four forms to exactly `ticks` values."""
    if ticks == 0:
        raise MalformedMessage("segment: a column that was never read")
    if isinstance(item, int | str) and not isinstance(item, bool):
        return [_value(item)] * ticks
    if not isinstance(item, list) or len(item) not in (2, 3):
        raise MalformedMessage("segment: a column is none of the known forms")
    first = item[0]
    if isinstance(first, list):
        return _read_texts(first, item, ticks)
    if isinstance(first, bool) or not isinstance(first, int):
        raise MalformedMessage("segment: a column begins with neither a number nor texts")
    if len(item) == 2:
        deltas = read_signed(_octets(item[1]))
        if len(deltas) != ticks - 1:
            raise MalformedMessage(f"segment: {len(deltas) + 1} values in a column of {ticks}")
        return _bounded(list(accumulate(deltas, initial=first)))
    steps = read_signed(_octets(item[2]))
    return _stretch(_bounded(list(accumulate(steps, initial=first))), _octets(item[1]), ticks)


def _read_texts(texts: list[cbor.Value], item: list[cbor.Value], ticks: int) -> list[int | str | None]:
    if len(item) != 3 or not texts:
        raise MalformedMessage("segment: a column of texts needs texts, gaps and indexes")
    known = [_value(text) for text in texts if isinstance(text, str)]
    indexes = [0, *read_varints(_octets(item[2]))]
    if len(known) != len(texts) or max(indexes) >= len(texts):
        raise MalformedMessage("segment: a column names a text that is not there")
    return _stretch([known[each] for each in indexes], _octets(item[1]), ticks)


def _stretch(values: list[int | str | None], gaps: bytes, ticks: int) -> list[int | str | None]:
    """Repeat each value up to where the next one comes, the last one to the end."""
    lengths = [gap + 1 for gap in read_varints(gaps)]
    last = ticks - sum(lengths)
    if len(lengths) != len(values) - 1 or last < 1:
        raise MalformedMessage("segment: a column's gaps and values do not match its ticks")
    stretched: list[int | str | None] = []
    for value, length in zip(values, [*lengths, last], strict=True):
        stretched.extend([value] * length)
    return stretched


def _read_quality(data: bytes, ticks: int) -> list[int]:
    numbers = read_varints(data)
    if len(numbers) % 2 or sum(numbers[1::2]) != ticks or max(numbers[::2], default=0) > QUALITY_MAX:
        raise MalformedMessage("segment: a column's quality does not match its ticks")
    return [quality for quality, length in zip(numbers[::2], numbers[1::2], strict=True) for _ in range(length)]


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


def _octets(item: cbor.Value) -> bytes:
    if not isinstance(item, bytes):
        raise MalformedMessage("segment: a byte string of varints is wanted in a column")
    return item
