"""Ours against the other readers: what each delivers and believes, and how fast it is, all in the same run."""

import statistics
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.peer import NOT_TO_BE_HAD, READ_BY, AbsentError, Answer, Peer
from hil_tests.benchmarks.peers.replay import Row
from hil_tests.benchmarks.tic_captures import whole_frames
from linky_tic.label import Mode
from linky_tic.tests.corruption import FREE_TEXT, flipped
from linky_tic.tests.encoder import Item
from linky_tic.tests.meters import STREET, Stream, stream

RATIOS = {Mode.HISTORIQUE: ("serial-teleinfo", 0.5), Mode.STANDARD: ("enedis-tic", 1.0)}
"""The least of ours to theirs, in groups a second: those two are right on clean data of their mode."""

_FRAMES = 3_000
_SEED = 1
_TURNS = 5
_TIMES = 20
_CALM = tuple(house for house in STREET if not house.peaks)
"""Speed is compared on what both read whole: enedis-tic loses each frame with a mobile peak."""


def peers() -> tuple[list[Peer], list[Figure]]:
    """Install the other readers; a figure for each that cannot be had, with the reason."""
    found: list[Peer] = []
    absent = dict(NOT_TO_BE_HAD)
    for name in READ_BY:
        try:
            found.append(Peer.installed(name))
        except AbsentError as error:
            absent[name] = str(error)
    return found, [Figure(f"tic_peer_absent_{name}", 1, "absent", rival=why) for name, why in absent.items()]


def throughput(found: Sequence[Peer]) -> Iterator[Figure]:
    """Compare the speed of ours with the two; their goals are missed where they could not be installed."""
    for mode, (name, goal) in RATIOS.items():
        data = stream(mode, _FRAMES, _SEED, _CALM).data
        peer = next((peer for peer in found if peer.name == name), None)
        if peer is None:
            yield Figure(f"tic_speed_ratio_{mode}", 0.0, f"of {name}, absent", goal, at_least=True)
            continue
        runs: dict[str, list[Answer]] = {}
        for _ in range(_TURNS):
            # In turns, so that what else the machine does falls on all of them.
            for reader in (Peer.ours(), peer, Peer.ours("ours-as-it-comes")):
                runs.setdefault(reader.name, []).append(reader.read(mode, data))
        rates = {who: _rate(answers) for who, answers in runs.items()}
        for who, rate in rates.items():
            told = f"tic_speed_{mode}_{who}"
            yield Figure(told, round(rate / 1_000, 1), "thousand groups a CPU second")
            seconds = statistics.median(answer.seconds for answer in runs[who])
            yield Figure(f"{told}_mb", round(len(data) / seconds / 1e6, 2), "MB a CPU second")
        rival = f"{name} {peer.version}"
        yield Figure(f"tic_speed_ratio_{mode}", round(rates["ours"] / rates[name], 2), "", goal, rival, at_least=True)


def _rate(answers: Sequence[Answer]) -> float:
    return statistics.median(len(answer.rows) / answer.seconds for answer in answers)


@dataclass(frozen=True, slots=True)
class _Table:
    """What one reader made of a noisy line."""

    wrong_in_a_million: float
    kept: float
    crashes: int


def table(found: Sequence[Peer]) -> Iterator[Figure]:
    """Tell what each reader, ours as well, delivers of real captures, and makes of one seed of a noisy line."""
    for mode in (Mode.HISTORIQUE, Mode.STANDARD):
        readers = [Peer.ours(), *(peer for peer in found if mode in READ_BY[peer.name])]
        clean, groups, told = whole_frames(mode)
        sent = stream(mode, _FRAMES, _SEED)
        line, hits = flipped(sent.data, Random(_SEED))
        with ThreadPoolExecutor(2) as pool:
            whole = pool.map(lambda reader, mode=mode, clean=clean: reader.read(mode, clean * _TIMES), readers)
            noisy = pool.map(lambda reader, mode=mode, line=line: reader.read(mode, line), readers)
            rows = list(zip(readers, whole, noisy, strict=True))
        for reader, all_told, answer in rows:
            judged = _judge(sent, hits, answer)
            who = f"{reader.name} {reader.version}".strip()
            name = f"{mode}_{reader.name}"
            share = round(100 * len(all_told.rows) / (groups * _TIMES), 1)
            yield Figure(f"tic_delivered_{name}", share, f"% of the groups of {told}, {_TIMES} times over", rival=who)
            yield Figure(f"tic_wrong_{name}", round(judged.wrong_in_a_million), "in a million groups sent", rival=who)
            yield Figure(f"tic_kept_{name}", round(judged.kept, 2), "% of undamaged groups", rival=who)
            yield Figure(f"tic_raised_{name}", judged.crashes, "undeclared exceptions", rival=who)


def _judge(sent: Stream, hits: Sequence[int], answer: Answer) -> _Table:
    """Hold each value against what was sent since the reader's last answer.

    That is more lenient than what ours is held to: a reader that tells a whole frame does not say from where in it.
    """
    ends = [group.end for group in sent.sent]
    whole = {
        at
        for at, group in enumerate(sent.sent)
        if (hit := bisect_left(hits, group.start)) == len(hits) or hits[hit] >= group.end
    }
    kept: set[int] = set()
    wrong = since = before = 0
    for row in answer.rows:
        if row.at != before:
            since, before = before, row.at
        window = range(bisect_left(ends, since + 1), min(len(ends), bisect_left(ends, row.at) + 1))
        matches = [at for at in window if _same(sent.sent[at].item, row)]
        if matches:
            kept.add(next((at for at in matches if at in whole and at not in kept), matches[0]))
        elif row.label not in FREE_TEXT:
            wrong += 1
    return _Table(1e6 * wrong / len(ends), 100 * len(kept & whole) / len(whole), len(answer.crashes))


def _same(item: Item, row: Row) -> bool:
    """Say whether a reader means what was sent: as a number, or with the padding of a code left out."""
    if isinstance(row.value, int):
        agrees = item.value.isdigit() and int(item.value) == row.value
    else:
        agrees = row.value in (item.value, item.value.rstrip("."))
    stamped = row.horodate is None or (item.horodate is not None and item.horodate.endswith(row.horodate))
    return item.label == row.label and agrees and stamped
