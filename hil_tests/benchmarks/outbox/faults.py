"""What is left after kills, power cuts, full disks and a broken way: the proofs of the outbox and the link, counted.

Storage is judged by `buffer.tests`: a writer is killed, or the disk under it cut, at a moment that a seed chooses, and
all that it had been told is held against what the next start finds. The way is judged with the whole agent and its long
backlog. The long forms are `make soak`.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from buffer.tests import card, test_cut, test_full, test_kill
from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.outbox.pilot import Hurt, pilot
from hil_tests.benchmarks.outbox.spool import last_numbers
from hil_tests.benchmarks.outbox.workshop import Workshop, say

WINDOW_S, DUPLICATES = 10, 100

_KILLS, _CUTS, _SEED = 60, 40, 7
_FULL = (
    test_full.test_a_full_disk_harms_nothing_that_was_committed,
    test_full.test_a_full_disk_while_sealing_keeps_the_rows_and_the_number,
)


def storage(shop: Workshop) -> Iterator[Figure]:
    """Tell trials, and what was lost in them."""
    folder = shop.folder
    say(f"a writer is killed {_KILLS} times")
    yield Figure("kill_trials", _KILLS, "kills at any moment")
    yield Figure(
        "kill_broken", _broken(lambda: test_kill.kill_and_look(folder / "killed.db", _KILLS, _SEED)), "promises", 0
    )
    full = folder / "full"
    broken = 0
    for number, trial in enumerate(_FULL):
        (full / str(number)).mkdir(parents=True)
        broken += _broken(partial(trial, full / str(number)))
    yield Figure("full_disk_broken", broken, f"promises, {len(_FULL)} trials", 0)
    why = card.why_not()
    if why is not None:
        yield Figure("cut_not_measured", 1, f"not measured: {why}", 0)
        return
    say(f"the power of a card is cut {_CUTS} times, and again without sync, to see that a loss is seen")
    for name, options, goal, at_least in (("cut", (), 0, False), ("cut_without_sync", ("--normal",), 1, True)):
        broken = 0
        for cut in test_cut.cuts(folder / name, _CUTS, _SEED, *options):
            broken += len(test_cut.faults(cut.image, folder / f"{name}-look", cut.watch))
        yield Figure(f"{name}_broken", broken, f"promises, {_CUTS} cuts", goal, at_least=at_least)


def way(shop: Workshop) -> Iterator[Figure]:
    """Tell what became of a backlog whose way was hurt."""
    filling = shop.filling
    full = filling.done()
    say("the way of a backlog is hurt: agent, broker and centre are killed or away in turn")
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        hurt = asyncio.run(_hurt(Path(folder), filling.folder, full.segments))
    yield Figure("way_hurt", len(hurt.events), f"times: {', '.join(hurt.events)}")
    yield Figure("way_hurt_lost", hurt.lost, "segments of the backlog, and holes", 0)
    yield Figure("way_hurt_chain_breaks", hurt.chain_breaks, "breaks", 0)
    told = ", ".join(map(str, hurt.duplicates))
    yield Figure(
        "way_hurt_duplicates", max(hurt.duplicates), f"segments twice at most for an event ({told})", DUPLICATES
    )
    window = "s, age at a kill of the oldest reading that was not on the disk"
    yield Figure("killed_window", round(hurt.window_s, 1), window, WINDOW_S)


def _broken(trial: Callable[[], object]) -> int:
    """Give 1 where a proof fails, and tell how."""
    try:
        trial()
    except AssertionError as error:
        say(str(error))
        return 1
    return 0


async def _hurt(folder: Path, filled: Path, segments: int) -> Hurt:
    async with pilot(folder, filled, segments, relayed=True) as agent:
        return await agent.hurts(last_numbers(filled))
