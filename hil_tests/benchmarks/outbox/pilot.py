"""The whole agent with a long backlog: started, let loose on a broker near or far, and watched from outside.

Broker, devices, relay and agent are processes of their own, the centre is in this one. The backlog is a copy of what
`spool.py` has stored; the keys that signed it are put in place of those of the bench.
"""

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Self

from gateway.control import client
from hil_tests.bench.site import Tempo
from hil_tests.bench.whole import Status, Whole, boot_ms
from hil_tests.benchmarks.cost import Cost
from hil_tests.benchmarks.outbox.ours import GATEWAY

TEMPO = Tempo(reconnect_max_s=1, resend_after_s=5)
"""As in service, and back on the line at once."""

ROUND_TRIP_MS = 80
_LOOK_S = 0.02
_PATIENCE_S = 600.0
_REST_S = 10.0
_ALARM_AT = 20
"""The alarm is raised when one part in so many of the backlog has its receipt."""

_SHORT_QUEUE, _AWAY_S = 20, 4.0
"""Messages that the broker keeps for a centre that is away, and for how long it is."""

_LIVE = 10
"""Segments that a gateway without a backlog may have without a receipt."""


class Relay:
    """A relay in a process of its own: every byte takes half a round trip, each way."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hil_tests.bench.relay", str(port), "--delay-ms", str(ROUND_TRIP_MS / 2)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


_SEED = 11
_NEWEST = """
SELECT max(last_ms) FROM (
    SELECT last_ms FROM journal WHERE stream = 'fine' UNION ALL
    SELECT last_ms FROM segment JOIN stream ON stream.id = segment.stream WHERE name = 'fine' AND sequence > ?)
"""


@dataclass(frozen=True, slots=True)
class Start:
    """A start with the backlog and without a broker: seconds to the first reading stored, memory once it is at rest."""

    seconds: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Drained:
    """A backlog that was sent: seconds from the connection to its last receipt, the highest memory meanwhile.

    `alarm_s` is what an alarm, raised in its midst, took from the order that raised it to the centre's store.
    """

    seconds: float
    peak_mb: float
    alarm_s: float


@dataclass(frozen=True, slots=True)
class Hurt:
    """What became of a backlog whose way was hurt again and again while it was sent.

    `lost`: segments of it that never came, and holes that are left. `duplicates`: what came twice for each event.
    `window_s`: how old the oldest reading was, at a kill, that was not on the disk; the longest of the kills.
    """

    events: tuple[str, ...]
    duplicates: tuple[int, ...]
    lost: int
    chain_breaks: int
    window_s: float


class Pilot:
    """An agent that holds a backlog; made by `pilot`."""

    def __init__(self, whole: Whole, segments: int) -> None:
        self._whole = whole
        self._segments = segments
        self._last: Mapping[str, int] = {}
        self._random = Random(_SEED)

    async def starts(self) -> Start:
        """Start it while no broker is there."""
        self._whole.broker.stop()
        begun = boot_ms()
        await self._whole.agent.start()
        await self._whole.agent.serving()
        await self._whole.until(lambda status: status["outbox"]["last_commit_ms"] is not None, "a first commit")
        seconds = (boot_ms() - begun) / 1000
        await asyncio.sleep(_REST_S)
        return Start(seconds, Cost.of(self._whole.agent.pid).rss_mb)

    async def drains(self) -> Drained:
        """Let it go, and wait until the centre has signed for all of the backlog."""
        whole = self._whole
        whole.broker.start()
        begun = await whole.until(_connected, "a connection")
        lot = self._segments // _ALARM_AT
        await whole.until(lambda status: _pending(status) < self._segments - lot, "the first receipts")
        alarm_s = await self._alarm()
        assert _pending(await whole.status()) > _LIVE, "the backlog was gone before the alarm was there"
        await whole.until(lambda status: _pending(status) <= _LIVE, "the last receipt", patience_s=_PATIENCE_S)
        seconds = (boot_ms() - begun) / 1000
        return Drained(seconds, Cost.of(whole.agent.pid).rss_peak_mb, alarm_s)

    async def hurts(self, last: Mapping[str, int]) -> Hurt:
        """Send it while everything fails in turn; `last` are the numbers that the streams of the backlog end with."""
        whole = self._whole
        self._last = last
        whole.broker._queue = _SHORT_QUEUE
        whole.broker.stop()
        whole.broker.start()
        await whole.agent.start()
        events: dict[str, Callable[[], Awaitable[float | None]]] = {
            "agent killed": self._kill_agent,
            "broker killed": self._kill_broker,
            "agent killed again": self._kill_agent,
            "centre away, its queue too short": self._centre_away,
            "agent killed a third time": self._kill_agent,
            "centre away, nobody subscribed": self._nobody,
        }
        known, windows = [], [0.0]
        left, step = self._segments, self._segments // (3 * len(events) + 2)
        for event in events.values():
            left -= 2 * step
            await self._sent_down_to(left)
            known.append(whole.centre.counts.duplicates_dropped)
            windows.append(await event() or 0.0)
            left -= step
            await self._sent_down_to(left)
        await self._sent_down_to(_LIVE)
        await asyncio.sleep(_REST_S)
        counts = whole.centre.counts
        known.append(counts.duplicates_dropped)
        duplicates = tuple(after - before for before, after in pairwise(known))
        return Hurt(tuple(events), duplicates, self._lost(), counts.chain_breaks, max(windows))

    async def _sent_down_to(self, left: int) -> None:
        await self._whole.until(lambda status: _pending(status) <= left, f"{left} left", patience_s=_PATIENCE_S)

    async def _kill_agent(self) -> float:
        """Kill it and start it again; give how long ago that was read which was not on its disk yet."""
        # To be asked for its status makes it book receipts: it is left alone for a while, in which it books by itself.
        await asyncio.sleep(self._random.uniform(0.3, 1.5))
        await self._whole.agent.kill()
        killed_ms, stored_ms = boot_ms(), self._stored_ms()
        with self._whole.bench.ledger.open(encoding="utf-8") as ledger:
            lost = [moment for line in ledger if (moment := json.loads(line)["boot_ms"]) > stored_ms]
        await self._whole.agent.start()
        return (killed_ms - min(lost, default=killed_ms)) / 1000

    def _stored_ms(self) -> int:
        """Give the boot time of the newest reading of the meters on the disk: the backlog was there before them."""
        with closing(sqlite3.connect(self._whole.state / "outbox.db")) as database:
            found = database.execute(_NEWEST, (self._last["fine"],)).fetchone()[0]
        return int(found or 0)

    async def _kill_broker(self) -> None:
        """Kill it with all that it had acknowledged and not handed on yet, and start it again without."""
        self._whole.broker.kill()
        await asyncio.sleep(1)
        self._whole.broker.start()

    async def _centre_away(self) -> None:
        """Let the broker gather, and forget what is more than its queue holds, while the centre is away."""
        async with self._whole.centre_away():
            await asyncio.sleep(_AWAY_S)

    async def _nobody(self) -> None:
        """Let the broker forget the centre's session while that is away: it has nobody to give anything to (0x10)."""
        async with self._whole.centre_away():
            await self._kill_broker()
            await asyncio.sleep(_AWAY_S)

    def _lost(self) -> int:
        """Count what the centre lacks of each stream, up to the numbers with which the backlog ended."""
        query = (
            "SELECT coalesce(sum(min(last, ?1) - first + 1), 0) FROM island JOIN stream ON stream.id = island.stream"
            " WHERE name = ?2 AND first <= ?1"
        )
        with closing(sqlite3.connect(self._whole.folder / "centre.db")) as database:
            there = {name: int(database.execute(query, (end, name)).fetchone()[0]) for name, end in self._last.items()}
        return sum(end - there[name] for name, end in self._last.items()) + self._whole.centre.counts.gaps

    async def _alarm(self) -> float:
        """Have the agent raise an alarm, and wait until the centre has stored it."""
        known = self._alarms()
        order: dict[str, str | int] = {"target": "building", "role": "manager", "duration_s": 600, "reason": "bench"}
        begun = time.monotonic()
        await asyncio.to_thread(client.post, self._whole.state / "control.sock", "/v1/opt-out", order)
        while self._alarms() == known:
            if time.monotonic() - begun > _PATIENCE_S:
                raise TimeoutError("the alarm did not come")
            await asyncio.sleep(_LOOK_S)
        return time.monotonic() - begun

    def _alarms(self) -> int:
        with closing(sqlite3.connect(self._whole.folder / "centre.db")) as database:
            return int(database.execute("SELECT count(*) FROM alarm").fetchone()[0])


@asynccontextmanager
async def pilot(folder: Path, filled: Path, segments: int, *, relayed: bool) -> AsyncIterator[Pilot]:
    """Build everything around a copy of the backlog in `filled`, of so many segments; the agent is not started yet."""
    whole = Whole(folder, gateway=GATEWAY, tempo=TEMPO)
    keys = whole.keys
    for own in (keys.gateways[GATEWAY].signing_key, keys.gateway_keys):
        shutil.copyfile(filled / "keys" / own.relative_to(keys.folder), own)
    async with whole:
        shutil.copyfile(filled / "outbox.db", whole.state / "outbox.db")
        if not relayed:
            yield Pilot(whole, segments)
        else:
            with Relay(whole.broker.port) as relay:
                whole.change_site(f"\nport = {whole.broker.port}\n", f"\nport = {relay.port}\n")
                yield Pilot(whole, segments)


def _connected(status: Status) -> int | None:
    """Give since when there is a connection."""
    since: int = status["link"]["since_ms"]
    return since if status["link"]["connected"] else None


def _pending(status: Status) -> int:
    pending: int = status["outbox"]["segments_pending"]
    return pending
