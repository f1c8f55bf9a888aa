"""What the tests of the wire share: keys, a header, and a small building that changes as a real one does."""

import random
from collections.abc import Iterator
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.channel import Channel, Quantity
from drivers.reading import Reading
from gateway.wire.cose import Header

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
KEY_ID = b"gw-00001"
KEYS = {KEY_ID: KEY.public_key()}
HEADER = Header(
    key_id=KEY_ID,
    content="gw/segment;v=1",
    gateway="gw-00001",
    stream="fine",
    epoch=bytes(range(8)),
    sequence=77,
    previous=bytes(32),
    schema=b"schema-1",
)


def header(**changes: object) -> Header:
    """Give HEADER with some fields changed."""
    return replace(HEADER, **changes)  # type: ignore[arg-type] # a test may put anything anywhere


def channel(name: str, group: str, *, is_text: bool = False) -> Channel:
    """Make a channel of which only name, group and kind matter."""
    return Channel(f"{group}.{name}", group, group, Quantity.STATUS, is_text=is_text)


LINKY_TEXTS = ("adsc", "ngtf", "ltarf", "stge", "msg1", "prm", "pjourf")
LINKY_NUMBERS = ("east", "easf", "easd", "irms", "urms", "sinsts", "smax", *(f"constant{n:02}" for n in range(26)))
LINKY = [channel(name, "linky", is_text=True) for name in LINKY_TEXTS] + [
    channel(name, "linky") for name in LINKY_NUMBERS
]
BMS = [channel(f"{kind}{number:02}", "bms") for kind in "tpeu" for number in range(10)]
PULSES = [channel(f"input{number}", "pulses") for number in range(4)]
CHANNELS = LINKY + BMS + PULSES


def ticks(seconds: int, seed: int = 7) -> Iterator[list[Reading]]:
    """Give what a building reads in order of time: 40 labels each 1.4 s, 40 registers and 4 counters each 10 s.

    The house draws a base load, a fridge and appliances that come and go; few readings differ from the one before.
    """
    rng = random.Random(seed)
    events = [*_linky(rng, seconds), *_slow(rng, seconds)]
    events.sort(key=lambda tick: tick[0].boot_ms)
    yield from events


def _readings(channels: list[Channel], values: list[int | str], boot_ms: int) -> list[Reading]:
    return [Reading(each, value, boot_ms) for each, value in zip(channels, values, strict=True)]


def _linky(rng: random.Random, seconds: int) -> Iterator[list[Reading]]:
    index, voltage, maximum = 23_456_789.0, 236.0, 0
    loads: list[tuple[float, int]] = []
    now = 0.35
    texts: list[int | str] = ["041876123456", "H PLEINE/CREUSE", "HEURE PLEINE", "003A4001", "PAS DE MESSAGE"]
    texts += ["14876543210987", "00008001 NONUTILE NONUTILE NONUTILE"]
    while now < seconds:
        if rng.random() < 1 / 280:
            loads.append((now + rng.randrange(20, 1500), rng.choice([60, 150, 800, 1200, 2000])))
        loads = [load for load in loads if load[0] > now]
        power = 180 + (90 if now % 2400 < 900 else 0) + sum(watts for _, watts in loads)
        power += rng.choice([-2, -1, -1, 0, 0, 0, 0, 1, 1, 2]) if rng.random() < 0.35 else 0
        step = 1.4 + rng.gauss(0, 0.02)
        index += power * step / 3600
        voltage += -0.05 * (voltage - 236) + rng.gauss(0, 0.5)
        maximum = max(maximum, power)
        numbers: list[int | str] = [
            int(index),
            int(index - 3e6),
            int(index - 9e6),
            round(power / voltage),
            round(voltage),
            power,
            maximum,
        ]
        yield _readings(LINKY, [*texts, *numbers, *range(9, 35)], 1_000_000 + int(now * 1000))
        now += step


def _slow(rng: random.Random, seconds: int) -> Iterator[list[Reading]]:
    temperatures = [180 + rng.random() * 300 for _ in range(10)]
    powers = [rng.choice([0, 50, 300, 1500]) for _ in range(10)]
    energies = [rng.randrange(10**6, 9 * 10**6) * 1.0 for _ in range(10)]
    voltages = [2350 + rng.random() * 20 for _ in range(10)]
    counters = [rng.randrange(10**5) for _ in range(4)]
    for second in range(0, seconds, 10):
        boot_ms = 1_000_000 + second * 1000 + round(rng.gauss(0, 6))
        drawn: list[int | str] = []
        for number in range(10):
            temperatures[number] += rng.gauss(0, 0.35)
            voltages[number] += rng.gauss(0, 3)
            if rng.random() < 0.01:
                powers[number] = rng.choice([0, 0, 50, 300, 1500])
            drawn.append(max(0, int(powers[number] * (1 + rng.gauss(0, 0.015)))))
            energies[number] += powers[number] * 10 / 3600
        values = [round(each) for each in temperatures] + drawn + [int(each) for each in energies]
        yield _readings(BMS, values + [round(each) for each in voltages], boot_ms)
        for number, rate in enumerate((0.02, 0.3, 0.005, 0.1)):
            counters[number] += sum(rng.random() < rate for _ in range(10))
        yield _readings(PULSES, list(counters), boot_ms + 3)
