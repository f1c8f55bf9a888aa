"""The numbers of a segment: varints in one byte string, written and read in the order in which the columns need them.

A varint has seven bits a byte, the lowest first, the high bit set on all but the last, and no byte more than it needs.
A number that may be negative goes as zigzag: 0, -1, 1, -2, 2 become 0, 1, 2, 3, 4.
"""

from collections.abc import Iterable

from gateway.wire.errors import MalformedMessage

_VARINT_BYTES = 10


def write_varints(numbers: Iterable[int]) -> bytes:
    """Encode numbers from 0."""
    out = bytearray()
    for each in numbers:
        rest = each
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def read_varints(data: bytes) -> list[int]:
    """Decode what `write_varints` gave, and nothing else; raise MalformedMessage."""
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
            if shift and not byte:
                raise MalformedMessage("segment: a varint is longer than it needs to be")
            numbers.append(number)
            number = shift = 0
    if shift:
        raise MalformedMessage("segment: a varint is cut short")
    return numbers


def zigzag(number: int) -> int:
    """Fold a number of either sign to one from 0."""
    return number << 1 if number >= 0 else (-number << 1) - 1


class Numbers:
    """What is left of a segment's numbers; each is taken once, in order."""

    __slots__ = ("_all", "_at")

    def __init__(self, data: bytes) -> None:
        """Decode them all; raise MalformedMessage."""
        self._all = read_varints(data)
        self._at = 0

    def take(self, count: int) -> list[int]:
        """Give the next `count` numbers; raise MalformedMessage if there are fewer."""
        taken = self._all[self._at : self._at + count]
        if len(taken) < count:
            raise MalformedMessage(f"segment: {count} more numbers wanted, {len(taken)} left")
        self._at += count
        return taken

    def take_signed(self, count: int) -> list[int]:
        """Give the next `count` numbers, of either sign."""
        return [-(each >> 1) - 1 if each & 1 else each >> 1 for each in self.take(count)]

    def end(self) -> None:
        """Raise MalformedMessage if any is left."""
        if self._at < len(self._all):
            raise MalformedMessage(f"segment: {len(self._all) - self._at} numbers that nothing asks for")
