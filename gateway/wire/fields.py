"""How a message's fields are told from bytes: one table of fields a message, each with number, bounds and name.

A message is a CBOR map with small numbers as keys. `write` holds a sender to the same bounds as `read` holds whatever
comes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.wire import cbor
from gateway.wire.errors import MalformedMessage

_T = TypeVar("_T")
Take = Callable[[cbor.Value], _T]
"""Turns a CBOR value into a field's value; raises ValueError with what is wanted."""

UINT63 = (1 << 63) - 1

UNPRINTABLE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]")
"""What no text of a message holds: controls, other ends of lines, what turns the direction of what follows.

A list of code points, and not what a library calls printable: that changes from one version of Unicode to the next.
"""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its number in the map, its name in the dataclass, its bounds; an optional one may be absent (None)."""

    number: int
    name: str
    take: Take[object]
    optional: bool = False


def write(message: object, fields: Sequence[Field]) -> bytes:
    """Encode the fields of a dataclass; raise MalformedMessage for one that a receiver would refuse."""
    payload = cbor.encode(
        {field.number: value for field in fields if (value := getattr(message, field.name)) is not None}
    )
    read(payload, fields, type(message).__name__)
    return payload


def read(payload: bytes, fields: Sequence[Field], what: str) -> dict[str, Any]:
    """Decode to keyword arguments for the dataclass; raise MalformedMessage that names the field and what is wanted."""
    found = cbor.decode(payload)
    if not isinstance(found, dict):
        raise MalformedMessage(f"{what}: a map is wanted")
    unknown = found.keys() - {field.number for field in fields}
    if unknown:
        raise MalformedMessage(f"{what}: unknown field {min(map(str, unknown))!r:.80}")
    values: dict[str, Any] = {}
    for field in fields:
        if field.number not in found:
            if not field.optional:
                raise MalformedMessage(f"{what}: field {field.number} ({field.name}) is missing")
            values[field.name] = None
            continue
        try:
            values[field.name] = field.take(found[field.number])
        except ValueError as error:
            raise MalformedMessage(f"{what}: field {field.number} ({field.name}): {error} is wanted") from error
    return values


def integer(low: int, high: int) -> Take[int]:
    """Take a whole number, bounds included."""

    def take(value: cbor.Value) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return value

    return take


def text(longest: int, shortest: int = 0) -> Take[str]:
    """Take a text of so many characters, without UNPRINTABLE ones."""

    def take(value: cbor.Value) -> str:
        if not isinstance(value, str) or not shortest <= len(value) <= longest or UNPRINTABLE.search(value):
            raise ValueError(f"a printable text of {shortest} to {longest} characters")
        return value

    return take


def matching(pattern: re.Pattern[str]) -> Take[str]:
    """Take a text of that form."""

    def take(value: cbor.Value) -> str:
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise ValueError(f"a text of the form {pattern.pattern}")
        return value

    return take


def octets(shortest: int, longest: int | None = None) -> Take[bytes]:
    """Take a byte string of exactly so many bytes, or of so many at least and at most."""
    most = shortest if longest is None else longest

    def take(value: cbor.Value) -> bytes:
        if not isinstance(value, bytes) or not shortest <= len(value) <= most:
            raise ValueError(f"a byte string of {shortest} to {most} bytes")
        return value

    return take


def sequence(of: Take[_T], longest: int) -> Take[tuple[_T, ...]]:
    """Take an array, all of a kind; given as a tuple."""

    def take(value: cbor.Value) -> tuple[_T, ...]:
        if not isinstance(value, list) or len(value) > longest:
            raise ValueError(f"a list of at most {longest} entries")
        return tuple(of(each) for each in value)

    return take


def ranges(longest: int) -> Take[tuple[tuple[int, int], ...]]:
    """Take ranges [first, last] of sequence numbers, both included, rising and apart."""

    def take(value: cbor.Value) -> tuple[tuple[int, int], ...]:
        if not isinstance(value, list) or len(value) > longest:
            raise ValueError(f"a list of at most {longest} ranges")
        found: list[tuple[int, int]] = []
        floor = 0
        for pair in value:
            if not isinstance(pair, list) or len(pair) != 2:
                raise ValueError("ranges of two numbers each")
            first, last = pair
            if type(first) is not int or type(last) is not int or not floor < first <= last <= UINT63:
                raise ValueError("rising ranges that do not touch, first <= last")
            found.append((first, last))
            floor = last + 1
        return tuple(found)

    return take


Scalar = int | str | bool
Detail = Mapping[str, "Scalar | Sequence[Scalar]"]
"""What an answer may say besides its state."""

_DETAIL_NAMES = 32
_DETAIL_ENTRIES = 64
_DETAIL_CHARACTERS = 256
_DETAIL_TEXT = text(_DETAIL_CHARACTERS)


def detail(value: cbor.Value) -> dict[str, Scalar | list[Scalar]]:
    """Take few names, each with a number, a text, a truth or a list of these."""
    if not isinstance(value, dict) or len(value) > _DETAIL_NAMES:
        raise ValueError(f"a map of at most {_DETAIL_NAMES} names")
    name = text(32, 1)
    found: dict[str, Scalar | list[Scalar]] = {}
    for key, entry in value.items():
        if isinstance(entry, list):
            if len(entry) > _DETAIL_ENTRIES:
                raise ValueError(f"lists of at most {_DETAIL_ENTRIES} entries")
            found[name(key)] = [_scalar(each) for each in entry]
        else:
            found[name(key)] = _scalar(entry)
    return found


def _scalar(value: cbor.Value) -> Scalar:
    if isinstance(value, bool) or (isinstance(value, int) and -UINT63 <= value <= UINT63):
        return value
    if isinstance(value, str):
        return _DETAIL_TEXT(value)
    raise ValueError(f"numbers of 63 bits, truths and texts of at most {_DETAIL_CHARACTERS} characters")
