"""Deterministic CBOR (RFC 8949 section 4.2.1), and the few types that the contract uses: one value, one encoding.

The reader is our own because the bytes come from outside: it never recurses deeper than it was told, never allocates
what a length merely claims, and refuses whatever `encode` would have written otherwise (long forms, indefinite
lengths, unsorted or double keys, trailing bytes), as well as floats, tags, undefined and simple values. So
`encode(decode(data)) == data`, always.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import cbor2

from gateway.wire.errors import MalformedMessage

Value: TypeAlias = "int | bytes | str | bool | list[Value] | dict[int | str, Value] | None"
"""What `decode` gives."""

Item: TypeAlias = "int | bytes | str | bool | Sequence[Item] | Mapping[int | str, Item] | None"
"""What `encode` takes: as Value, with any sequence and any mapping."""

DEPTH = 8
"""Containers within containers, the outermost counted: the contract's deepest message needs five."""

ITEMS = 1 << 17
"""Entries of all arrays and maps of one message together: what its bytes can make of memory is bounded by it."""

_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP = range(6)  # the major types of RFC 8949 section 3.1
_SIMPLE_OR_FLOAT = 7
_SIMPLE: dict[int, bool | None] = {20: False, 21: True, 22: None}
_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_SHORTEST = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}
"""The least argument that deserves each length (RFC 8949 section 4.2.1: the shortest form, always)."""


def encode(item: Item) -> bytes:
    """Give the one encoding of `item`: definite lengths, shortest forms, keys in bytewise order of their encodings."""
    return cbor2.dumps(_ordered(item))


def decode(data: bytes, *, depth: int = DEPTH) -> Value:
    """Give the value that `data` encodes, if `encode` would give exactly `data` for it; else raise MalformedMessage."""
    reader = _Reader(data)
    value = reader.item(depth)
    if reader.at != len(data):
        raise MalformedMessage(f"CBOR: {len(data) - reader.at} bytes follow the message at offset {reader.at}")
    return value


def _ordered(item: Item) -> object:
    if isinstance(item, Mapping):
        # `canonical=True` of cbor2 sorts by length first (RFC 7049); 4.2.1 sorts bytewise. A dict keeps its order
        # in `dumps`.
        return {key: _ordered(item[key]) for key in sorted(item, key=cbor2.dumps)}
    if isinstance(item, Sequence) and not isinstance(item, str | bytes):
        return [_ordered(each) for each in item]
    return item


class _Reader:
    """A position in `data` that only moves forward, and how many entries may still come."""

    __slots__ = ("at", "data", "room")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.room = ITEMS

    def item(self, depth: int) -> Value:
        """Read one item, with at most `depth` levels of containers in it."""
        start = self.at
        major, argument = self._head()
        if major in (_ARRAY, _MAP):
            if depth == 0:
                raise MalformedMessage(f"CBOR: nested too deeply at offset {start}")
            # Every item takes a byte at least, so a claim beyond what is left is refused before anything is
            # allocated.
            if argument * (major - _ARRAY + 1) > len(self.data) - self.at:
                raise MalformedMessage(f"CBOR: {argument} items claimed at offset {start}, where the bytes end sooner")
            self.room -= argument * (major - _ARRAY + 1)
            if self.room < 0:
                raise MalformedMessage(f"CBOR: more than {ITEMS} items in one message, at offset {start}")
            if major == _ARRAY:
                return [self.item(depth - 1) for _ in range(argument)]
            return self._map(argument, depth - 1)
        return self._single(major, argument)

    def _single(self, major: int, argument: int) -> Value:
        if major == _BYTES:
            return self._take(argument)
        if major == _TEXT:
            return self._text(argument)
        if major == _SIMPLE_OR_FLOAT:
            return _SIMPLE[argument]
        return argument if major == _UINT else -1 - argument

    def _head(self) -> tuple[int, int]:
        """Read the initial byte and its argument; for major type 7, the argument is a key of `_SIMPLE`."""
        start = self.at
        initial = self._take(1)[0]
        major, info = initial >> 5, initial & 0x1F
        if major == _SIMPLE_OR_FLOAT:
            if info not in _SIMPLE:
                raise MalformedMessage(
                    f"CBOR: a float or a simple value at offset {start}, which the contract does not use"
                )
            return major, info
        if major > _MAP:
            raise MalformedMessage(f"CBOR: a tag at offset {start}, which the contract does not use there")
        if info < 24:
            return major, info
        if info not in _ARGUMENT_BYTES:
            raise MalformedMessage(f"CBOR: an indefinite or reserved length at offset {start}")
        argument = int.from_bytes(self._take(_ARGUMENT_BYTES[info]), "big")
        if argument < _SHORTEST[info]:
            raise MalformedMessage(f"CBOR: the number at offset {start} is not in its shortest form")
        return major, argument

    def _take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise MalformedMessage(
                f"CBOR: {count} bytes wanted at offset {self.at}, {len(self.data) - self.at} there: cut short?"
            )
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def _text(self, count: int) -> str:
        start = self.at
        try:
            return self._take(count).decode()
        except UnicodeDecodeError as error:
            raise MalformedMessage(f"CBOR: the text at offset {start} is not UTF-8") from error

    def _map(self, pairs: int, depth: int) -> dict[int | str, Value]:
        found: dict[int | str, Value] = {}
        last = b""
        for _ in range(pairs):
            start = self.at
            key = self.item(0)
            if isinstance(key, bool) or not isinstance(key, int | str):
                raise MalformedMessage(f"CBOR: the key at offset {start} is neither a number nor a text")
            encoded = self.data[start : self.at]
            if encoded <= last:
                raise MalformedMessage(f"CBOR: the key at offset {start} comes twice or out of order")
            last = encoded
            found[key] = self.item(depth)
        return found
