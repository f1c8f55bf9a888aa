"""What ours believes of noisy lines: ten seeds of 3,000 frames in each mode, without parity and with it."""

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from random import Random

from drivers.parity import SoftwareParity
from hil_tests.bench.uart import with_parity
from hil_tests.benchmarks.figure import Figure
from linky_tic.label import Mode
from linky_tic.tests.corruption import Score, flipped, reader, score, why_believed
from linky_tic.tests.meters import Stream, stream

FRAMES = 3_000
SEEDS = range(10)
MODES = (Mode.HISTORIQUE, Mode.STANDARD)
WRONG, KEPT_PERCENT = 10, 99.9
_READ_SIZE = 96
"""What a tenth of a second of a standard line brings."""

_RIVAL = "the best public readers accept 1,400 to 8,800 in a million"


def noise() -> Iterator[Figure]:
    """Judge every seed of both modes; each wrong value is told on stderr with what made it believable."""
    plain = {mode: Score() for mode in MODES}
    checked = {mode: Score() for mode in MODES}
    with ProcessPoolExecutor(2) as pool:
        for mode, without, with_it in pool.map(one_seed, *zip(*product(MODES, SEEDS), strict=True)):
            plain[mode].add(without)
            checked[mode].add(with_it)
    wrong = [(mode, value) for mode in MODES for value in plain[mode].wrong]
    reasons = [why_believed(mode, value) for mode, value in wrong]
    for (mode, value), reason in zip(wrong, reasons, strict=True):
        print(f"{mode}: {value.read}: {reason or f'NOT EXPLAINED: {value}'}", file=sys.stderr)
    yield Figure("tic_wrong_without_parity", len(wrong), "of all seeds and both modes", WRONG, _RIVAL)
    yield Figure("tic_wrong_not_explained", reasons.count(None), "wrong values that no pair of flips explains", 0)
    by_software = [value for mode in MODES for value in checked[mode].wrong]
    by_software_texts = sum(checked[mode].wrong_texts for mode in MODES)
    for value in by_software:
        print(f"with parity: {value}", file=sys.stderr)
    yield Figure("tic_wrong_with_parity", len(by_software) + by_software_texts, "of all seeds, free texts included", 0)
    crashes = [crash for scores in (plain, checked) for mode in MODES for crash in scores[mode].crashes]
    for crash in crashes:
        print(crash, file=sys.stderr)
    yield Figure("tic_crashes", len(crashes), "", 0)
    for mode in MODES:
        for how, scores in (("without", plain), ("with", checked)):
            found = scores[mode]
            share = 100 * found.kept / found.undamaged
            name = f"tic_kept_{mode}_{how}_parity"
            yield Figure(name, round(share, 4), "% of undamaged groups", KEPT_PERCENT, at_least=True)
        found = plain[mode]
        yield Figure(f"tic_wrong_texts_{mode}", found.wrong_texts, f"of {found.groups} groups, {found.flips} flips")


def one_seed(mode: Mode, seed: int) -> tuple[Mode, Score, Score]:
    """Judge one seed: 7-bit characters as they are, and 7E1 read as 8 bits whose parity is checked in software."""
    sent = stream(mode, FRAMES, seed)
    plain = score(sent, *flipped(sent.data, Random(f"plain {mode} {seed}")), reader)
    return mode, plain, with_software_parity(sent, Random(f"parity {mode} {seed}"))


def with_software_parity(sent: Stream, random: Random) -> Score:
    """Flip any of the eight bits on the line, and have the driver's own parity check clean what arrives."""
    line, hits = flipped(with_parity(sent.data), random, bits=8)
    parity = SoftwareParity()
    clean = b"".join(parity.clean(line[at : at + _READ_SIZE]) for at in range(0, len(line), _READ_SIZE))
    return score(sent, clean, hits, reader)
