"""What a serial receiver makes of a line: even parity in bit 7, flipped bits, and the nonsense of a wrong speed."""

from random import Random

_WITH_PARITY = bytes(byte | (byte.bit_count() % 2) << 7 for byte in range(128)) + bytes(range(128, 256))
_BITS = 10
"""Start, eight bits with the lowest first, stop."""


def with_parity(characters: bytes) -> bytes:
    """Put even parity in bit 7 of 7-bit characters: 7E1 as 8N1 shows it."""
    return characters.translate(_WITH_PARITY)


def flipped(received: bytes, rate: float, random: Random) -> bytes:
    """Flip one bit in a share `rate` of the bytes."""
    if rate <= 0:
        return received
    return bytes(byte ^ (1 << random.randrange(8)) if random.random() < rate else byte for byte in received)


def misread(sent: bytes, line_baud: int, reader_baud: int) -> bytes:
    """Give what a receiver set to `reader_baud` reads while `sent` passes at `line_baud`.

    It waits for a falling edge, then samples the middle of eight bits of its own length, as a UART does; a wrong stop
    bit is not told.
    """
    levels = [1]
    for byte in sent:
        levels += [0, *(byte >> bit & 1 for bit in range(8)), 1]
    levels += [1] * (_BITS * (1 + line_baud // reader_baud))
    length = line_baud / reader_baud
    received = bytearray()
    at = 1.0
    while (start := _edge(levels, at)) is not None:
        if start + (_BITS - 0.5) * length >= len(levels):
            break
        received.append(sum(levels[int(start + (bit + 1.5) * length)] << bit for bit in range(8)))
        at = start + (_BITS - 0.5) * length
    return bytes(received)


def _edge(levels: list[int], at: float) -> float | None:
    """Give the next moment, in bits of the line, at which it is low."""
    if int(at) < len(levels) and levels[int(at)] == 0:
        return at
    try:
        return float(levels.index(0, int(at) + 1))
    except ValueError:
        return None
