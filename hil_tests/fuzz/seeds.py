"""What the fuzzer starts from: what meters of each mode send, whole, damaged and cut."""

from collections.abc import Iterator
from random import Random

from linky_tic.label import Mode
from linky_tic.tests.corruption import flipped
from linky_tic.tests.encoder import MeterState, encode_frame, items_of, short_items

_STATES = (
    MeterState(tariff="TEMPO", running=6, colour_today=3, overrun=True, power_va=(2_345,)),
    MeterState(
        power_va=(9_000, 2_345, 345), voltage_v=(231, 232, 229), highest_va=(9_000, 5_000, 6_000), producer=True
    ),
)
_CHOICES = bytes(16)
"""Choices are taken from the end of an input: these name the first property, and no cuts."""


def seeds() -> Iterator[bytes]:
    """Give one input after the other."""
    random = Random(4)
    for mode in Mode:
        for state in _STATES:
            frame = encode_frame(mode, items_of(mode, state))
            for data in (frame, flipped(frame, random, rate=0.02)[0], frame[100:] + b"\x04" + frame[:100]):
                yield data + _CHOICES
    yield encode_frame(Mode.HISTORIQUE, short_items(_STATES[1])) + _CHOICES
    # The other properties choose nearly everything: they start from noise.
    yield from (random.randbytes(size) + bytes([which]) for which in (1, 2) for size in (8, 64, 256))
