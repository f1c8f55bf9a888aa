"""What a house draws, second by second: a base, a refrigerator, appliances that come and go, and noise.

Made up, and tuned so that the trace is as random as one that a real house drove (see `honest.py`).
"""

from collections.abc import Iterator
from random import Random

_BASE_W = 95.0
_HOUR_S = 3600
_RARE_S, _OFTEN_S, _ELSE_S = 7000, 1400, 3500
"""Seconds from one appliance to the next: by night, at meals and in the evening, else."""

_MEALS = frozenset({7, 8, 12, 18, 19, 20})
_MORNING = 6


def household(seed: int) -> Iterator[float]:
    """Give the W of each second, for ever."""
    random = Random(f"household {seed}")
    gauss, uniform = random.gauss, random.uniform
    drift, cold_w = 0.0, 0.0
    cold_until = next_at = 0.0
    second = 0
    running: list[tuple[float, float, float]] = []
    while True:
        if second >= cold_until:
            rests = cold_w > 0
            cold_w = 0.0 if rests else uniform(105, 120)
            cold_until = second + (uniform(1300, 2100) if rests else uniform(700, 1100))
        if second >= next_at:
            hour = second // _HOUR_S % 24
            mean_s = _RARE_S if hour < _MORNING else _OFTEN_S if hour in _MEALS else _ELSE_S
            next_at = second + random.expovariate(1 / mean_s)
            lasts, watts, cycle = _appliance(random)
            running.append((second + lasts, watts, cycle))
        drift += gauss(0, 0.25) - 0.002 * drift
        drawn = _BASE_W + drift + cold_w
        if running:
            running = [each for each in running if each[0] > second]
            drawn += sum(watts for _, watts, cycle in running if cycle == 0 or second // cycle % 2 == 0)
        yield max(0.0, drawn + gauss(0, 1.1 + drawn * 0.0006))
        second += 1


def _appliance(random: Random) -> tuple[float, float, float]:
    """Give how long something runs (s), what it draws (W), and the half cycle (s) of its thermostat, 0 where none."""
    kind, uniform = random.random(), random.uniform
    if kind < 0.35:  # a kettle, a microwave oven
        return uniform(60, 240), uniform(900, 2100), 0
    if kind < 0.6:  # light, a screen
        return uniform(900, 7200), uniform(30, 160), 0
    if kind < 0.75:  # a hob, an oven
        return uniform(1200, 3600), uniform(1200, 2200), 30
    if kind < 0.85:  # a washing machine
        return uniform(3600, 6000), uniform(200, 500), 0
    return uniform(10, 90), uniform(200, 1500), 0
