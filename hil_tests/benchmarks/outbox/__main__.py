"""`make bench-outbox`: what storing, sealing, sending and draining cost, beside others, on one trace, in one run.

On stdout stands one JSON line a figure and nothing else; what is being done goes to stderr. The exit status is 0 where
every goal holds. `--only` names parts of the table below. BENCH_DAYS says how long the long backlog is: goals that are
those of 30 days hold for no less.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.outbox import drain, encoding, faults, latency, stores, wire
from hil_tests.benchmarks.outbox.peer_store import likeness
from hil_tests.benchmarks.outbox.workshop import MONTH_DAYS, Workshop

PARTS: dict[str, Callable[[Workshop], Iterable[Figure]]] = {
    "trace": lambda shop: shop.honesty.figures(),
    "rivals": lambda shop: likeness(shop.folder),
    "encoding": encoding.encoding,
    "wire": wire.wire,
    "cost": stores.cost,
    "device": stores.device,
    "latency": latency.latency,
    "storage": faults.storage,
    "spool": stores.spool,
    "drain": drain.drain,
    "way": faults.way,
}
_LONG = frozenset({"spool", "drain", "way"})
"""What needs the long backlog, which is filled beside all that comes before."""


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m hil_tests.benchmarks.outbox", description="Figures of the outbox.")
    parser.add_argument("--only", action="append", choices=PARTS, help="only this part; may be given more than once")
    parser.add_argument("--spool", type=Path, help="a folder with a long backlog to use again, or to leave one in")
    asked = parser.parse_args(arguments)
    chosen = asked.only or list(PARTS)
    days = float(os.environ.get("BENCH_DAYS", MONTH_DAYS))
    holds = True
    with (
        tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder,
        Workshop(Path(folder), days, asked.spool) as shop,
    ):
        if not _LONG.isdisjoint(chosen):
            _ = shop.filling
        for name in chosen:
            for figure in PARTS[name](shop):
                print(figure.as_json(), flush=True)
                holds = holds and figure.holds is not False
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
