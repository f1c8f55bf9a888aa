"""A street of meters that live: frame after frame, each a moment after the last, for whoever needs many of them.

Every kind of contract and of connection is there; what a house draws wanders, its indexes rise, tariffs come and go,
a phase goes over what is subscribed and comes back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import NamedTuple

from linky_tic.label import Mode
from linky_tic.tests.encoder import (
    ETX,
    STX,
    Item,
    MeterState,
    Tariff,
    encode_group,
    items_of,
    short_items,
)


@dataclass(frozen=True, slots=True)
class House:
    """One connection: its contract, and how much of what is subscribed it draws when it draws much."""

    tariff: Tariff
    phases: int
    subscribed_kva: int
    producer: bool = False
    peaks: bool = False
    busy: float = 0.6


STREET = (
    House("BASE", 1, 6),
    House("HC", 1, 9),
    House("EJP", 1, 12, peaks=True),
    House("TEMPO", 1, 9, busy=1.1),
    House("BASE", 1, 3, producer=True, busy=1.2),
    House("HC", 3, 18, busy=1.1),
    House("EJP", 3, 36, producer=True),
    House("TEMPO", 3, 12, peaks=True, busy=1.3),
    House("BASE", 3, 9, producer=True),
    House("HC", 1, 6, busy=1.3),
)
_TARIFFS: dict[Tariff, int] = {"BASE": 1, "HC": 2, "EJP": 2, "TEMPO": 6}
_FRAMES_A_TURN = 300
"""So many frames of one meter in a row, as a reader would have them, before the next one's turn."""
_SHORT_FRAMES = 20
_MESSAGES = ("PAS DE          MESSAGE         ", "Coupure prevue le 12/03 9h-11h  ", "RELEVE SPECIALE DEMANDEE        ")
_WINTER = (11, 12, 1, 2, 3)


class Sent(NamedTuple):
    """One group that a meter sent: where in the stream (from its LF to after its CR), and what it says."""

    start: int
    end: int
    item: Item


@dataclass(frozen=True, slots=True)
class Stream:
    """The bytes of many frames, the groups in them, and where each frame ends."""

    mode: Mode
    data: bytes
    sent: tuple[Sent, ...]
    frame_ends: tuple[int, ...]


def stream(mode: Mode, frames: int, seed: int, street: tuple[House, ...] = STREET) -> Stream:
    """Give so many frames of the houses of a street, each for some hundreds of frames in turn."""
    random = Random(seed)
    data = bytearray()
    sent: list[Sent] = []
    ends: list[int] = []
    lives = [life(mode, house, Random(random.random())) for house in street]
    while len(ends) < frames:
        turn = min(_FRAMES_A_TURN, max(1, frames // len(street)), frames - len(ends))
        for items in islice(lives[0], turn):
            data += STX
            for item in items:
                group = encode_group(mode, item)
                sent.append(Sent(len(data), len(data) + len(group), item))
                data += group
            data += ETX
            ends.append(len(data))
        lives.append(lives.pop(0))
    return Stream(mode, bytes(data), tuple(sent), tuple(ends))


def life(mode: Mode, house: House, random: Random) -> Iterator[list[Item]]:
    """Give the groups of one frame after the other, without end."""
    now = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randrange(3 * 365 * 86_400))
    state = _first(house, random)
    short_left = 0
    while True:
        now += timedelta(seconds=house.phases if mode is Mode.STANDARD else 2)
        state = _next(state, house, now, random)
        if mode is Mode.HISTORIQUE and house.phases == 3 and short_items(state)[0].label.startswith("ADIR"):
            short_left = short_left - 1 if short_left else _SHORT_FRAMES
            yield short_items(state) if short_left else items_of(mode, state)
            continue
        items = items_of(mode, state)
        if state.mobile_peaks and mode is Mode.STANDARD:
            items.append(Item("PPOINTE", " ".join(["06004003", "22008001", *["NONUTILE"] * 9])))
        yield items


def _first(house: House, random: Random) -> MeterState:
    def serial(size: int) -> str:
        return "".join(random.choice("0123456789") for _ in range(size))

    indexes = [random.randrange(90_000_000) if n < _TARIFFS[house.tariff] else 0 for n in range(10)]
    return MeterState(
        adsc=serial(12),
        prm=serial(14),
        tariff=house.tariff,
        producer=house.producer,
        subscribed_kva=house.subscribed_kva,
        indexes_wh=indexes,
        distributor_wh=[random.randrange(40_000_000) for _ in range(4)],
        injected_wh=random.randrange(9_000_000) if house.producer else 0,
        reactive_varh=[random.randrange(9_000_000) for _ in range(4)] if house.producer else (0,) * 4,
        power_va=[random.randrange(900)] * house.phases,
        voltage_v=[230] * house.phases,
        highest_va=[0] * house.phases,
        message=random.choice(_MESSAGES),
        mobile_peaks=(Item("DPM1", "01", " 250115060000"), Item("FPM1", "01", " 250116010000")) if house.peaks else (),
    )


def _next(state: MeterState, house: House, now: datetime, random: Random) -> MeterState:
    """Let a second or two pass."""
    share = 1_000 * house.subscribed_kva // house.phases
    power = [_draw(va, share, house.busy, random) for va in state.power_va]
    running = random.randrange(_TARIFFS[house.tariff]) + 1 if random.random() < 0.004 else state.running
    drawn = random.randrange(1 + sum(power) // 1_000)
    indexes = [wh + drawn if n == running else wh for n, wh in enumerate(state.indexes_wh, 1)]
    tempo = house.tariff == "TEMPO"
    return replace(
        state,
        stamp=_stamp(now, random),
        power_va=power,
        voltage_v=[min(253, max(207, volts + random.randint(-1, 1))) for volts in state.voltage_v],
        highest_va=[max(pair) for pair in zip(state.highest_va, power, strict=True)],
        mean_w=sum(power),
        running=running,
        indexes_wh=indexes,
        east_wh=sum(indexes),
        distributor_wh=[state.distributor_wh[0] + drawn, *state.distributor_wh[1:]],
        injected_va=random.randrange(3_000) if house.producer else 0,
        injected_wh=state.injected_wh + random.randrange(2) if house.producer else 0,
        overrun=any(va > share for va in power),
        colour_today=(running + 1) // 2 if tempo else 0,
        colour_tomorrow=random.randrange(4) if tempo and random.random() < 0.01 else state.colour_tomorrow,
        relays=random.randrange(256) if random.random() < 0.002 else state.relays,
    )


def _draw(va: int, share: int, busy: float, random: Random) -> int:
    """Switch something large on or off now and then; wander a little otherwise."""
    if random.random() < 0.03:
        return random.randrange(int(share * busy) + 1)
    return max(0, va + random.randint(-25, 25))


def _stamp(now: datetime, random: Random) -> str:
    """Give the meter's clock, which it doubts now and then."""
    season, hours = ("H", 1) if now.month in _WINTER else ("E", 2)
    if random.random() < 0.01:
        season = season.lower()
    return f"{season}{now + timedelta(hours=hours):%y%m%d%H%M%S}"
