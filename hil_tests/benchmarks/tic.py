"""`make bench-tic`: what the reading of the TIC is worth, beside the other readers of PyPI, in the same run.

On stdout stands one JSON line a figure and nothing else; what is being done goes to stderr, with each wrong value and
what made it believable. The exit status is 0 where every goal holds; one that could not be measured is missed. What
runs is the table below, or what the arguments name of it.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable

from hil_tests.benchmarks import tic_captures, tic_line, tic_noise, tic_peers
from hil_tests.benchmarks.figure import Figure


def main(names: Iterable[str]) -> int:
    """Measure, print, and give the exit status."""
    holds = True
    for name in names or MEASURES:
        for figure in MEASURES[name]():
            print(figure.as_json(), flush=True)
            holds = holds and figure.holds is not False
    return 0 if holds else 1


def _delivered() -> Iterable[Figure]:
    _say("real captures are read")
    return tic_captures.delivered()


def _noise() -> Iterable[Figure]:
    _say(f"noisy lines: {len(tic_noise.SEEDS)} seeds of {tic_noise.FRAMES} frames in each mode")
    return tic_noise.noise()


def _peers() -> Iterable[Figure]:
    _say("the other readers are installed under build/peers, where they are not yet")
    found, absent = tic_peers.peers()
    yield from absent
    _say(f"ours in turns with {', '.join(f'{peer.name} {peer.version}' for peer in found)}")
    yield from tic_peers.throughput(found)
    yield from tic_peers.table(found)


def _line() -> Iterable[Figure]:
    _say(f"the driver on lines at their true rate, for {tic_line.WARM_UP_S + tic_line.MEASURED_S:.0f} s")
    return asyncio.run(tic_line.line())


MEASURES: dict[str, Callable[[], Iterable[Figure]]] = {
    "captures": _delivered,
    "noise": _noise,
    "peers": _peers,
    "line": _line,
}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
