"""What storing costs: bytes kept, bytes that reach the disk, CPU; ours beside the others."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.outbox.device import Device, NoDevice
from hil_tests.benchmarks.outbox.ours import DOWN_S, JOURNAL_S, UP_S, Ours
from hil_tests.benchmarks.outbox.rivals import TB_NAME, RowStore, TbStore, changed_rows, naive_rows, tb_moments
from hil_tests.benchmarks.outbox.trace import BEGIN_MS, readings, ticks
from hil_tests.benchmarks.outbox.workshop import Workshop, say

COST_US = 20
SPOOL_BYTES, SPOOL_UNDER_TB, SPOOL_UNDER_CHANGED = 0.25, 80, 30
OFFLINE_BYTES, LIVE_BYTES, OFFLINE_UNDER_TB, LIVE_UNDER_TB = 45, 90, 8, 4

LIVE_DAYS = 0.25
"""So much of the trace is stored in such short segments."""

_DEVICE_DAYS = 0.25
_DEVICE_MB = 256
STEADY_PAGES = 192
"""A quota that is full within the run: from then on each segment makes room by deleting another."""


def cost(shop: Workshop) -> Iterator[Figure]:
    """Tell the CPU time of storing, from `accept` to the last commit, all threads, history included."""
    for name, seal_s, days, receipts in (("live", UP_S, LIVE_DAYS, True), ("offline", DOWN_S, 1, False)):
        kept = shop.kept(seal_s, days, receipts=receipts)
        yield Figure(f"store_cost_{name}", round(1e6 * kept.cpu_s / kept.readings, 2), "us CPU a reading", COST_US)


def spool(shop: Workshop) -> Iterator[Figure]:
    """Tell what the long backlog takes, beside the same day kept by others, whose rows add up evenly."""
    filling = shop.filling
    count = sum(map(readings, ticks(days=1)))
    theirs = {
        "tb": (TB_NAME, _size(shop.folder / "tb.db", _tb) / count),
        "changed": ("a JSON row for each change", _size(shop.folder / "changed.db", _changed) / count),
        "naive": ("a JSON row a reading", _size(shop.folder / "naive.db", _naive, 0.1) / count * 10),
    }
    say("waiting for the backlog to be full")
    full = filling.done()
    ours = full.outbox_bytes / full.readings
    name = f"spool_{full.days:g}_days"
    yield Figure(f"{name}_readings", full.readings, "readings")
    yield Figure(name, round(ours, 4), "bytes a reading, pages of the outbox", SPOOL_BYTES)
    yield Figure(f"{name}_blobs", round(full.blob_bytes / full.readings, 4), "bytes a reading, signed blobs, all tiers")
    yield Figure(f"{name}_history", round(full.history_bytes / full.readings, 4), "bytes a reading, the page's charts")
    yield Figure(f"{name}_file", round(full.file_bytes / 1e6, 1), "MB, outbox and history")
    for who, (rival, size) in theirs.items():
        yield Figure(f"spool_{who}", round(size, 2), "bytes a reading", rival=rival)
    for who, goal in (("tb", SPOOL_UNDER_TB), ("changed", SPOOL_UNDER_CHANGED)):
        rival, size = theirs[who]
        yield Figure(f"spool_under_{who}", round(size / ours, 1), "times", goal, rival, at_least=True)


def device(shop: Workshop) -> Iterator[Figure]:
    """Tell what reaches a disk of its own, live and offline, history, receipts and deletions included."""
    bounds = {"offline": (OFFLINE_BYTES, OFFLINE_UNDER_TB), "live": (LIVE_BYTES, LIVE_UNDER_TB)}
    for mode, (goal, times) in bounds.items():
        say(f"bytes that reach a disk of its own, {mode}")
        try:
            ours = _written(shop.folder, partial(_ours, shop, live=mode == "live"))
            theirs = _written(shop.folder, _tb_live if mode == "live" else _tb_offline)
        except NoDevice as error:
            # What cannot be measured is not claimed.
            yield Figure(f"device_{mode}_not_measured", 1, f"not measured: {error}", 0)
            continue
        yield Figure(f"device_{mode}", round(ours, 1), "bytes a reading", goal)
        yield Figure(f"device_{mode}_tb", round(theirs, 1), "bytes a reading", rival=TB_NAME)
        yield Figure(f"device_{mode}_under_tb", round(theirs / ours, 1), "times", times, TB_NAME, at_least=True)


def _written(folder: Path, work: Callable[[Path], None]) -> float:
    """Give the bytes a reading that a work of `_DEVICE_DAYS` makes a device write."""
    count = sum(map(readings, ticks(days=_DEVICE_DAYS)))
    with Device(folder / "disk.img", megabytes=_DEVICE_MB) as disk:
        before = disk.written()
        work(disk.folder)
        return (disk.written() - before) / count


def _ours(shop: Workshop, folder: Path, *, live: bool) -> None:
    """Store a part of the trace as the agent does."""
    ours = Ours(folder, shop.key, seal_s=UP_S if live else DOWN_S, quota_pages=STEADY_PAGES)

    async def store() -> None:
        async with ours:
            ours.receipts = live
            await ours.take(ticks(days=_DEVICE_DAYS))
            await ours.end()

    asyncio.run(store())


def _size(path: Path, work: Callable[[Path, float], None], days: float = 1) -> int:
    work(path, days)
    return path.stat().st_size


def _tb(path: Path, days: float) -> None:
    store = TbStore.open(path)
    for rows in tb_moments(ticks(days=days)):
        store.put(BEGIN_MS, rows)
    store.close()


def _tb_offline(folder: Path) -> None:
    _tb(folder / "tb.db", _DEVICE_DAYS)


def _tb_live(folder: Path) -> None:
    """Each row is read, published and deleted as soon as it is there."""
    store = TbStore.open(folder / "tb.db")
    for rows in tb_moments(ticks(days=_DEVICE_DAYS)):
        store.put(BEGIN_MS, rows)
        store.done(store.batch()[0])
    store.close()


def _changed(path: Path, days: float) -> None:
    """A transaction each ten seconds, as our journal."""
    store = RowStore(path)
    trace = list(ticks(days=days))
    length_ms = int(JOURNAL_S * 1000)
    due_ms, held = BEGIN_MS + length_ms, list[str]()
    for tick, rows in zip(trace, changed_rows(trace), strict=True):
        if tick.utc_ms >= due_ms:
            store.put(held)
            due_ms, held = due_ms + length_ms, []
        held += rows
    store.put(held)
    store.close()


def _naive(path: Path, days: float) -> None:
    store = RowStore(path)
    for tick in ticks(days=days):
        store.put(naive_rows(tick))
    store.close()
