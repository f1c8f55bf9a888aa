"""The trace that every figure of the outbox is taken on: one building's readings, made from a seed, tick after tick.

A Linky's standard frame of 40 labels each 1.4 s, 40 channels of a Modbus controller and 4 pulse counters each 10 s: 33
readings a second. `load.py` says what the house draws. `honest.py` proves that the trace is neither more regular nor
more random than a real building's. Plain Python without dependencies: the rivals read it in environments of their own.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from math import sin
from random import Random
from typing import NamedTuple

from hil_tests.benchmarks.outbox.load import household

SEED = 5
BEGIN_MS = 1_795_046_400_000
"""Midnight of 19 November 2026, UTC: the trace begins."""

DAY_S = 86_400
FRAME_S, POLL_S = 1.4, 10


@dataclass(frozen=True, slots=True)
class Label:
    """One channel: whole numbers are `value x 10**exponent`."""

    name: str
    exponent: int = 0
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """What is read at one moment; a tick holds a value for each of its labels."""

    name: str
    labels: tuple[Label, ...]


class Tick(NamedTuple):
    """One frame or poll: UTC in ms, the number of its group, a value for each label.

    DATE, the meter's own clock, stands as seconds by which it differs from the tick, so that whoever keeps readings as
    numbers can: `date_text` gives what the frame says. It is counted as a reading that changes each time.
    """

    utc_ms: int
    group: int
    values: tuple[int | str, ...]


_TEXTS = frozenset({"ADSC", "NGTF", "LTARF", "STGE", "DPM1", "FPM1", "MSG1", "PJOURF+1"})
_LINKY = (
    *("ADSC", "VTIC", "DATE", "NGTF", "LTARF", "EAST"),
    *(f"EASF{number:02d}" for number in range(1, 11)),
    *(f"EASD{number:02d}" for number in range(1, 5)),
    *("IRMS1", "URMS1", "PREF", "PCOUP", "SINSTS", "SMAXSN", "SMAXSN-1", "CCASN", "CCASN-1", "UMOY1"),
    *("STGE", "DPM1", "FPM1", "MSG1", "PRM", "RELAIS", "NTARF", "NJOURF", "NJOURF+1", "PJOURF+1"),
)
_PLANT = (("t", 10, -1), ("p", 10, 0), ("e", 10, 0), ("u", 6, -1), ("q", 4, -2))
_PULSES = (0.02, 0.3, 0.005, 0.1)
"""Pulses a second, on average."""

GROUPS = (
    Group("linky", tuple(Label(name, is_text=name in _TEXTS) for name in _LINKY)),
    Group(
        "plant", tuple(Label(f"{kind}{at:02d}", exponent) for kind, count, exponent in _PLANT for at in range(count))
    ),
    Group("pulses", tuple(Label(f"c{number}") for number in range(len(_PULSES)))),
)
LINKY, PLANT, PULSES = range(3)
DATE = _LINKY.index("DATE")


def ticks(seed: int = SEED, *, days: float = 1) -> Iterator[Tick]:
    """Give the ticks of so many days, in order of time; a day has 2.85 million readings and takes half a second."""
    end_s = days * DAY_S
    return heapq.merge(_linky(seed, end_s), _plant(seed, end_s), _pulses(seed, end_s))


def readings(tick: Tick) -> int:
    """Count what a tick brings."""
    return len(tick.values)


def date_text(tick: Tick) -> str:
    """Write the DATE of a Linky's tick as its frame does, in winter time."""
    return _horodate(tick.utc_ms // 1000 + int(tick.values[DATE]))


def _horodate(utc_s: int) -> str:
    days, second = divmod(utc_s, DAY_S)
    # Days to a date (proleptic Gregorian): strftime would be the slowest part of every rival.
    shifted = days + 719_468
    era, of_era = divmod(shifted, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year = year_of_era + era * 400 + (month <= 2)
    minutes, second = divmod(second, 60)
    return f"H{year % 100:02d}{month:02d}{day:02d}{minutes // 60:02d}{minutes % 60:02d}{second:02d}"


def _linky(seed: int, end_s: float) -> Iterator[Tick]:
    random = Random(f"linky {seed}")
    gauss = random.gauss
    power = household(seed)
    drawn, second = next(power), 0
    total, off_peak, peak = 23_456_789.0, 12_345_678.0, 11_111_111.0
    volts, mean_volts, volts_sum, volts_count = 236.0, 236, 0.0, 0
    highest, highest_before, day = 0, 4210, 0
    curve, curve_before, curve_sum, curve_count = 850, 910, 0.0, 0
    ten, half = 0, 0
    at = 0.35
    while at < end_s:
        while second < int(at):
            drawn, second = next(power), second + 1
        step = FRAME_S + gauss(0, 0.02)
        is_peak = 6 <= at // 3600 % 24 < 22
        volts += -0.05 * (volts - 236 - 2 * sin(at / 5000)) + gauss(0, 0.5)
        energy = drawn * 0.95 * step / 3600
        total += energy
        if is_peak:
            peak += energy
        else:
            off_peak += energy
        if int(at // DAY_S) != day:
            day, highest_before, highest = int(at // DAY_S), highest, 0
        watts, shown_volts = round(drawn), round(volts)
        highest = max(highest, watts)
        volts_sum, volts_count = volts_sum + volts, volts_count + 1
        if int(at // 600) != ten:
            ten, mean_volts = int(at // 600), round(volts_sum / volts_count)
            volts_sum, volts_count = 0.0, 0
        curve_sum, curve_count = curve_sum + drawn, curve_count + 1
        if int(at // 1800) != half:
            half, curve_before, curve = int(at // 1800), curve, int(curve_sum / curve_count)
            curve_sum, curve_count = 0.0, 0
        first, other = int(off_peak), int(peak)
        yield Tick(
            BEGIN_MS + int(at * 1000),
            LINKY,
            (
                *("041876123456", 2, 0, "H PLEINE/CREUSE", "HEURE PLEINE" if is_peak else "HEURE CREUSE", int(total)),
                *(first, other, 0, 0, 0, 0, 0, 0, 0, 0),
                *(first, other, 0, 0),
                *(round(drawn / shown_volts), shown_volts, 9, 9, watts, highest, highest_before),
                *(curve, curve_before, mean_volts),
                *("003A4001", "00", "00", "PAS DE MESSAGE", 14_876_543_210_987, 1, 2 if is_peak else 1, 0, 0),
                "00008001 NONUTILE NONUTILE NONUTILE",
            ),
        )
        at += step


def _plant(seed: int, end_s: float) -> Iterator[Tick]:
    random = Random(f"plant {seed}")
    gauss = random.gauss
    warm = [180 + random.random() * 300 for _ in range(10)]
    wanted = list(warm)
    loads = [random.choice((0, 0, 0, 0, 50, 300, 1500)) for _ in range(10)]
    energies = [float(random.randrange(10**6, 9 * 10**6)) for _ in range(10)]
    volts = [2350 + random.random() * 20 for _ in range(6)]
    flows = [120 + random.random() * 100 for _ in range(4)]
    at = 0
    while at < end_s:
        watts: list[int] = []
        for number in range(10):
            warm[number] += gauss(0, 0.35) - 0.01 * (warm[number] - wanted[number])
            if random.random() < 0.01:
                loads[number] = random.choice((0, 0, 0, 0, 50, 300, 1500))
            drawn = int(loads[number] * (1 + gauss(0, 0.015)))
            watts.append(drawn)
            energies[number] += drawn * POLL_S / 3600
        for number in range(6):
            volts[number] += gauss(0, 4) - 0.1 * (volts[number] - 2360)
        for number in range(4):
            flows[number] += gauss(0, 1.5) - 0.02 * (flows[number] - 150)
        yield Tick(
            BEGIN_MS + at * 1000 + 100 + int(gauss(0, 6)),
            PLANT,
            (
                *map(round, warm),
                *watts,
                *map(int, energies),
                *map(round, volts),
                *(max(0, round(each)) for each in flows),
            ),
        )
        at += POLL_S


def _pulses(seed: int, end_s: float) -> Iterator[Tick]:
    random = Random(f"pulses {seed}")
    draw = random.random
    counts = [random.randrange(10**5) for _ in _PULSES]
    at = 0
    while at < end_s:
        yield Tick(BEGIN_MS + at * 1000 + 3, PULSES, tuple(counts))
        for number, rate in enumerate(_PULSES):
            counts[number] += sum(draw() < rate for _ in range(POLL_S))
        at += POLL_S
