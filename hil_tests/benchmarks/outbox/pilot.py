"""The whole agent with a long backlog: started, let loose on a broker near or far, and watched from outside.

Broker, devices, relay and agent are processes of their own, the centre is in this one. The backlog is a copy of what
`spool.py` has stored; the keys that signed it are put in place of those of the bench.
"""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gateway.control import client
from hil_tests.bench.site import Tempo
from hil_tests.bench.whole import Status, Whole, boot_ms
from hil_tests.benchmarks.cost import Cost
from hil_tests.benchmarks.outbox.ours import GATEWAY

TEMPO = Tempo(reconnect_max_s=1)
"""As in service, and back on the line at once."""

ROUND_TRIP_MS = 80
_LOOK_S = 0.02
_PATIENCE_S = 600.0
_REST_S = 10.0
_ALARM_AT = 20
"""The alarm is raised when one part in so many of the backlog has its receipt."""

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


class Pilot:
    """An agent that holds a backlog; made by `pilot`."""

    def __init__(self, whole: Whole, segments: int) -> None:
        self._whole = whole
        self._segments = segments

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
