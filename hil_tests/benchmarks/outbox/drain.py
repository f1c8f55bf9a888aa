"""A backlog of a month: what it costs to hold, and how fast it is gone, near and far; beside ThingsBoard's ways.

Ours is gone when the centre has verified, committed and receipted every segment; theirs when the broker has
acknowledged.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from hil_tests.bench.broker import Broker
from hil_tests.bench.pki import SiteKeys, make_site_keys
from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.outbox import tb_drain
from hil_tests.benchmarks.outbox.ours import GATEWAY
from hil_tests.benchmarks.outbox.pilot import ROUND_TRIP_MS, Drained, Relay, Start, pilot
from hil_tests.benchmarks.outbox.rivals import TB_NAME, TbStore
from hil_tests.benchmarks.outbox.spool import Filling, Spool
from hil_tests.benchmarks.outbox.tb_drain import Sender, in_packs, one_by_one
from hil_tests.benchmarks.outbox.trace import ticks
from hil_tests.benchmarks.outbox.workshop import MONTH_DAYS, Workshop, say

RSS_MB, START_S, DRAIN_S, ALARM_S, OVER_TB = 80, 3, 120, 1, 200

_TB_DAYS = 1.5
_TB_S, _NAIVE_S = 5.0, 3.0
_WAYS: dict[str, Callable[[TbStore, Sender, float], float]] = {"one_by_one": one_by_one, "packs": in_packs}


def drain(shop: Workshop) -> Iterator[Figure]:
    """Tell memory, start, drains and an alarm in their midst."""
    filling = shop.filling
    say("waiting for the backlog to be full")
    full = filling.done()
    # What is asked of a month is not claimed of less.
    whole = full.days >= MONTH_DAYS
    name = f"backlog_{full.days:g}_days"
    rates: dict[str, float] = {}
    for where, relayed in (("far", True), ("near", False)):
        say(f"a backlog of {full.days:g} days, {full.segments} segments, is sent, {where}")
        start, drained = asyncio.run(_run(filling, full, relayed=relayed))
        rates[where] = full.readings / drained.seconds
        if relayed:
            yield Figure(
                f"{name}_start", round(start.seconds, 2), "s to the first reading stored", START_S if whole else None
            )
            yield Figure(f"{name}_rss", round(start.rss_mb, 1), "MB, no broker", RSS_MB if whole else None)
        goal = DRAIN_S if whole and relayed else None
        yield Figure(f"{name}_drain_{where}", round(drained.seconds, 1), f"s, {_trip(where)}", goal)
        yield Figure(f"{name}_drain_{where}_rss", round(drained.peak_mb, 1), "MB at most", RSS_MB if whole else None)
        goal = ALARM_S if whole and relayed else None
        yield Figure(
            f"{name}_alarm_{where}", round(drained.alarm_s, 2), f"s to the centre's store, {_trip(where)}", goal
        )
        yield Figure(f"drain_{where}", round(rates[where]), f"readings a second, {_trip(where)}")
    yield from _beside(rates)


def _trip(where: str) -> str:
    return f"round trip {ROUND_TRIP_MS} ms" if where == "far" else "on one machine"


async def _run(filling: Filling, full: Spool, *, relayed: bool) -> tuple[Start, Drained]:
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        async with pilot(Path(folder), filling.folder, full.segments, relayed=relayed) as agent:
            return await agent.starts(), await agent.drains()


def _beside(ours: dict[str, float]) -> Iterator[Figure]:
    """Drain ThingsBoard's storage over the same broker, the same way and as far."""
    say("the same from ThingsBoard's storage")
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as told, ExitStack() as stack:
        folder = Path(told)
        keys: SiteKeys = make_site_keys(folder / "keys", (GATEWAY,))
        broker = stack.enter_context(Broker(folder / "broker", keys))
        relay = stack.enter_context(Relay(broker.port))
        store, a_row = stack.enter_context(tb_drain.backlog(folder / "tb.db", _TB_DAYS))
        for where, port in (("far", relay.port), ("near", broker.port)):
            with Sender(keys, GATEWAY, port) as sender:
                rate = tb_drain.naive(ticks(), sender, _NAIVE_S)
                yield Figure(f"drain_{where}_naive", round(rate), f"readings a second, {_trip(where)}")
                for way, drained in _WAYS.items():
                    rate = drained(store, sender, _TB_S) * a_row
                    yield Figure(
                        f"drain_{where}_tb_{way}", round(rate), f"readings a second, {_trip(where)}", rival=TB_NAME
                    )
                    # Whoever waits for each acknowledgement pays the way; that is the one the goal was made for.
                    goal = OVER_TB if (where, way) == ("far", "one_by_one") else None
                    times = round(ours[where] / rate, 1)
                    yield Figure(f"drain_{where}_over_tb_{way}", times, "times", goal, TB_NAME, at_least=True)
