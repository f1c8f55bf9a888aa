"""A building for tests: three loads in memory, a clock moved by hand, a real journal, a centre that signs."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor as Pool
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivers.errors import DriverError
from gateway.clock import Correlation
from gateway.commands.admission import Settings
from gateway.commands.allocate import Kind, Resource
from gateway.commands.change import AnswerPlace
from gateway.commands.confirm import Power
from gateway.commands.executor import Executor
from gateway.commands.journal import STREAM, Journal
from gateway.commands.outside import Outside
from gateway.commands.reception import Heard, Reception
from gateway.wire import cose
from gateway.wire.errors import RevokedKey
from gateway.wire.keys import KeySet, TrustedKey
from gateway.wire.messages import Answer, Command

GATEWAY = "gw-test"
EPOCH = bytes(range(8))
UTC_MS = 1_800_000_000_000
"""UTC at boot time 0 of the first boot."""

HOUR_S = 3_600
TERMINAL = {
    "rejected",
    "completed",
    "expired",
    "superseded",
    "cancelled",
    "opted_out",
    "partial",
    "failed",
    "aborted_safety",
}

_CENTRE = Ed25519PrivateKey.from_private_bytes(bytes(32))
_GATEWAY_KEY = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)


class Killed(BaseException):
    """The process died here."""


class SimulatedClock:
    """A clock and the waiting for it, moved by hand."""

    def __init__(self) -> None:
        self.boot_id = bytes(16)
        self.now_ms = 1_000_000
        self.utc_at_zero: int | None = UTC_MS
        self.uncertainty_ms = 10
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []

    def boot_ms(self) -> int:
        """Give boot time."""
        return self.now_ms

    def correlation(self) -> Correlation | None:
        """Give what the wall clock is believed to be."""
        if self.utc_at_zero is None:
            return None
        utc_ms = self.utc_at_zero + self.now_ms
        return Correlation(self.boot_id, self.now_ms, utc_ms, self.uncertainty_ms, "test")

    async def sleep_until(self, boot_ms: int) -> None:
        """Wait until the clock was moved there."""
        if boot_ms <= self.now_ms:
            await asyncio.sleep(0)
            return
        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers.append((boot_ms, sleeper))
        await sleeper

    async def advance(self, seconds: float) -> None:
        """Move the time on, stopping at each moment that somebody waits for."""
        await settle()
        until = self.now_ms + int(seconds * 1000)
        while True:
            self._sleepers = [each for each in self._sleepers if not each[1].done()]
            due = min((moment for moment, _ in self._sleepers), default=until + 1)
            if due > until:
                break
            self.now_ms = max(self.now_ms, due)
            for moment, sleeper in self._sleepers:
                if moment <= self.now_ms and not sleeper.done():
                    sleeper.set_result(None)
            await settle()
        self.now_ms = until

    def reboot(self, seconds_off: float) -> None:
        """Begin another boot after so long without power."""
        if self.utc_at_zero is not None:
            self.utc_at_zero += self.now_ms + int(seconds_off * 1000) - 5_000
        self.now_ms = 5_000
        self.boot_id = bytes([self.boot_id[0] + 1]) * 16


async def settle() -> None:
    """Let everything that can run without time run."""
    for _ in range(60):
        await asyncio.sleep(0)


class Inline(Pool):
    """Runs the journal's work where it is asked for, so that tests need no wall time."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - Pool's own
        """Run at once."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - a pool passes on whatever comes
            future.set_exception(error)
        return future


class MemorySwitch:
    """A device in memory that writes down what was done to it and fails to order.

    `reads` and `writes` hold faults for the next operations, None for one without: an exception to raise (a write's
    comes after the device took the value), or a number that the device then holds instead.
    """

    def __init__(self, name: str, value: int) -> None:
        self.name = name
        self.value = value
        self.log: list[str] = []
        self.reads: list[Exception | None] = []
        self.writes: list[Exception | int | None] = []
        self.dead: DriverError | None = None
        self.die_at: str | None = None

    async def read(self) -> int:
        """Give the value."""
        self.log.append("read")
        if self.dead:
            raise self.dead
        fault = self.reads.pop(0) if self.reads else None
        if fault:
            raise fault
        return self.value

    async def write(self, value: int) -> None:
        """Take a value."""
        self.log.append(f"write {value}")
        if self.dead:
            raise self.dead
        fault = self.writes.pop(0) if self.writes else None
        self.value = fault if isinstance(fault, int) else value
        if isinstance(fault, Exception):
            raise fault

    @property
    def written(self) -> list[int]:
        """What was written, in order."""
        return [int(entry.split()[1]) for entry in self.log if entry.startswith("write")]


HEATER = Resource("heater", Kind.ONOFF, 3_000, 9, normal_value=1, shed_value=0)
CHARGER = Resource("charger", Kind.SETPOINT, 7_000, 5, normal_value=32, shed_value=6)
PUMP = Resource("pump", Kind.SETPOINT, 10_000, 1, normal_value=100, shed_value=30)


@dataclass
class Building:
    """All of it; `start` and `kill` as often as wanted, the disk and the devices stay."""

    path: Path
    resources: Sequence[Resource] = (HEATER, CHARGER, PUMP)
    settings: Settings = field(default_factory=Settings)
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    link_up: bool = True
    admits: bool = True
    power_follows: bool = True
    trustworthy: bool = True
    sequence: int = 0
    alarms: list[str] = field(default_factory=list)
    published: list[tuple[int, bytes]] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.switches = {r.name: MemorySwitch(r.name, r.normal_value) for r in self.resources}
        self._meter: Power | None = None
        self.revoked = 0
        self._task: asyncio.Task[None] | None = None
        self.keys = KeySet.of(
            [TrustedKey(b"centre", "centre", EPOCH, frozenset({"dispatch"}), _CENTRE.public_key())],
        )

    async def start(self) -> "Building":
        """Start the agent's part."""
        self.journal = await Journal.open(self.path / "commands.db", self.clock.boot_id, _sign, pool=Inline())
        outside = Outside(
            power=self.power,
            published=lambda sequence, blob: self.published.append((sequence, blob)),
            alarm=lambda kind, _text: self.alarms.append(kind),
            admits=lambda: self.admits,
            link_up=lambda: self.link_up,
        )
        self.executor = Executor(
            gateway=GATEWAY,
            loads=[(r, self.switches[r.name]) for r in self.resources],
            journal=self.journal,
            clock=self.clock,
            pace=self.clock,
            settings=self.settings,
            outside=outside,
        )
        self.reception = Reception(
            gateway=GATEWAY,
            keys=self.keys,
            journal=self.journal,
            executor=self.executor,
            clock=self.clock,
            heard=self.heard.append,
            revoked=self._revoked,
        )
        self._task = asyncio.ensure_future(self.executor.run())
        await settle()
        return self

    async def kill(self) -> None:
        """Abandon the agent where it stands; the disk and the devices stay as they are."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError, BaseExceptionGroup, Killed):
                await self._task
            self._task = None
        await self.journal.close()

    async def restart(self) -> None:
        """Kill and start again."""
        await self.kill()
        await self.start()

    def power(self) -> Power:
        """Give what the meter says: the loads at their values and 2 kW of other things, a frame each second."""
        watts = 2_000 + sum(r.power_w(self.switches[r.name].value) for r in self.resources)
        moment = self.clock.now_ms // 1000 * 1000
        if self._meter is None or (moment > self._meter.boot_ms and self.power_follows):
            self._meter = Power(watts, moment, self.trustworthy)
        return replace(self._meter, boot_ms=moment) if not self.power_follows else self._meter

    @property
    def utc_ms(self) -> int:
        """What the centre's clock says."""
        return (self.clock.utc_at_zero or UTC_MS) + self.clock.now_ms

    def command(self, **changes: Any) -> Command:  # noqa: ANN401 - fields of Command
        """Give a shed of 40 % of the building for 30 minutes, now, with changes."""
        ready = Command(
            id=f"c{self.sequence + 1}",
            operation="shed",
            target="building",
            magnitude_percent=40,
            start_utc_ms=None,
            duration_s=1_800,
            priority=8,
            issued_utc_ms=self.utc_ms,
            expires_utc_ms=self.utc_ms + 600_000,
        )
        return replace(ready, **changes)

    def signed(self, command: Command, *, sequence: int | None = None, **changes: Any) -> bytes:  # noqa: ANN401 - of Header
        """Sign a command as the centre does, with the next number unless told."""
        self.sequence = sequence if sequence is not None else self.sequence + 1
        header = cose.Header(b"centre", Command.CONTENT, GATEWAY, "cmd", EPOCH, self.sequence)
        return cose.sign(replace(header, **changes), command.encode(), _CENTRE)

    def _revoked(self, _: RevokedKey) -> None:
        self.revoked += 1

    async def receive(self, message: bytes, *, retained: bool = False) -> bytes:
        """Let a message arrive."""
        task = asyncio.ensure_future(self.reception.receive(message, retained=retained))
        for _ in range(20):
            await settle()
            if task.done():
                break
        await task
        await settle()
        return message

    async def order(self, **changes: Any) -> bytes:  # noqa: ANN401 - fields of Command
        """Sign a command and let it arrive."""
        return await self.receive(self.signed(self.command(**changes)))

    def answers(self, command_id: str | None = None) -> list[Answer]:
        """Give what was answered, each once, in order."""
        found = {
            sequence: Answer.decode(cose.verify(blob, {b"gw": _GATEWAY_KEY.public_key()}).payload)
            for sequence, blob in self.published
        }
        return [answer for _, answer in sorted(found.items()) if command_id in (None, answer.command_id)]

    def states(self, command_id: str | None = None) -> list[str]:
        """Give the states that were answered, in order."""
        return [answer.state for answer in self.answers(command_id)]

    def last(self, command_id: str) -> Answer:
        """Give the newest answer about a command."""
        return self.answers(command_id)[-1]

    @property
    def values(self) -> dict[str, int]:
        """What the devices hold."""
        return {name: switch.value for name, switch in self.switches.items()}

    @property
    def normal(self) -> dict[str, int]:
        """What the devices hold when nothing is shed."""
        return {r.name: r.normal_value for r in self.resources}


def _sign(place: AnswerPlace, payload: bytes) -> bytes:
    header = cose.Header(b"gw", Answer.CONTENT, GATEWAY, STREAM, place.epoch, place.sequence, place.previous)
    return cose.sign(header, payload, _GATEWAY_KEY)
