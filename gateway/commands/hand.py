"""The hand on one load: drives the device to what is wanted, reads back, and gives the old value back whatever happens.

The rules that it keeps: a value is written, read back, and written again at most twice; after a write whose outcome
is unknown it reads before it writes again, and it never toggles; minimum on and off times hold for every order but
a safety release; a release is retried without end, with an alarm from the third failure on. It never decides what
is wanted, and stores nothing: the executor has journalled the value to restore before it asks for a shed, and is
told when the load is back.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from drivers.errors import DriverError, WriteUncertain
from drivers.ports import Switch
from gateway.clock import Clock
from gateway.commands.allocate import Resource
from gateway.commands.pace import Pace, first

_WRITES = 3
_ALARM_AFTER = 3
_BACK_OFF_S = (1, 2, 5, 10, 30, 60)


@dataclass(frozen=True, slots=True)
class Held:
    """What became of one attempt to hold a load back: the value wanted, what the device says, when it was written.

    `failure` is empty if all is well; `switched` tells whether the device had to be written at all.
    """

    load: str
    value: int
    read_back: int | None
    boot_ms: int
    switched: bool
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Delayed:
    """A minimum time holds a load: it will be switched at `boot_ms` only."""

    load: str
    boot_ms: int


class Boss(Protocol):
    """To whom a hand reports."""

    def held(self, outcome: Held) -> None:
        """Take the outcome of a shed."""

    def delayed(self, delay: Delayed) -> None:
        """Take the news that a minimum time holds the load."""

    async def back(self, load: str, switched_ms: int | None) -> None:
        """Store that the load holds its old value again."""

    def freed(self) -> None:
        """Take the news that the load is free."""

    def alarm(self, kind: str, text: str) -> None:
        """Tell people."""


class Hand:
    """The only one that writes to `switch`; see the module."""

    def __init__(self, resource: Resource, switch: Switch, clock: Clock, pace: Pace, boss: Boss) -> None:
        self.resource = resource
        self._switch = switch
        self._clock = clock
        self._pace = pace
        self._boss = boss
        self.original: int | None = None
        """Value to restore while the load is, or may be, held back."""
        self._goal: int | None = None
        self._reserved = False
        self._known: int | None = None
        self._switched_ms: int | None = None
        self._not_before_ms = 0
        self._at_once = False
        self._releasing = False
        self._failures = 0
        self._wake = asyncio.Event()

    @property
    def free(self) -> bool:
        """Whether the load holds what it held before any shed."""
        return self.original is None

    async def present(self) -> int:
        """Give the value that the load has when nothing is shed, from the journal or the device; DriverError."""
        if self.original is not None:
            return self.original
        value = await self._switch.read()
        if not self.free:
            return await self.present()
        self._known = value
        return value

    def original_or(self, value: int) -> int:
        """Give the journalled value while there is one, else `value`."""
        return value if self.original is None else self.original

    def resume(self, original: int, switched_ms: int | None) -> None:
        """Take up a held load after a restart: it is given back unless it is asked for."""
        self.original = original
        self._switched_ms = switched_ms
        self._known = None

    def switched_at(self, boot_ms: int | None) -> None:
        """Remember when the load switched last, as the journal knows it."""
        self._switched_ms = boot_ms

    @property
    def goal(self) -> int | None:
        """Value that it is driven to, None while nothing is asked."""
        return self._goal

    def reserve(self, original: int) -> None:
        """Keep the load from being declared free while its intent is being stored."""
        if self.original is None:
            self.original = original
        self._reserved = True

    def abandon(self) -> None:
        """Undo `reserve`: the intent could not be stored."""
        self._reserved = False
        self._wake.set()

    def hold(self, value: int) -> None:
        """Drive the load to `value`; `Boss.held` tells the outcome."""
        self._goal = value
        self._reserved = False
        self._releasing = False
        self._wake.set()

    def release(self, not_before_ms: int, *, at_once: bool = False) -> None:
        """Give the old value back, not before that boot time; `at_once` (local safety) waits for nothing."""
        if not self._releasing:
            self._not_before_ms, self._at_once = not_before_ms, at_once
        else:  # one that is under way may come sooner, never later
            self._not_before_ms = min(self._not_before_ms, not_before_ms)
            self._at_once = self._at_once or at_once
        self._goal = None
        self._releasing = True
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self.original is None:
                continue
            if self._goal is not None:
                await self._hold(self._goal)
            elif self._releasing and not self._reserved:
                await self._release(self.original)

    async def _ready(self, ready_ms: int, *, tell: bool) -> bool:
        """Wait for a moment; give False if what is wanted has changed meanwhile."""
        if ready_ms <= self._clock.boot_ms():
            return True
        if tell:
            self._boss.delayed(Delayed(self.resource.name, ready_ms))
        return not await first(self._pace, ready_ms, self._wake)

    async def _hold(self, goal: int) -> None:
        if self._known == self.original and self._switched_ms is not None:
            ready_ms = self._switched_ms + self.resource.min_on_s * 1000
            if not await self._ready(ready_ms, tell=True):
                return
        failure, switched = "", False
        for _ in range(_WRITES):
            if self._goal != goal:
                return
            try:
                if self._known is None or self._known == goal:
                    self._known = await self._switch.read()
                if self._known != goal:
                    await self._write(goal)
                    switched = True
                    written_ms = self._switched_ms or 0
                    self._known = await self._switch.read()
                else:
                    written_ms = self._clock.boot_ms()
            except DriverError as error:
                self._known = None
                failure = str(error)
                continue
            if self._known == goal:
                self._boss.held(Held(self.resource.name, goal, goal, written_ms, switched))
                return
            failure = f"{self.resource.name} reads {self._known} after {goal} was written"
        self._boss.held(Held(self.resource.name, goal, self._known, self._clock.boot_ms(), switched, failure))

    async def _write(self, value: int) -> None:
        """Write once. Whatever happens, what the device holds is then unknown until it is read."""
        self._known = None
        try:
            await self._switch.write(value)
        finally:
            self._switched_ms = self._clock.boot_ms()

    async def _release(self, original: int) -> None:
        ready_ms = 0 if self._at_once else self._not_before_ms
        if not await self._ready(ready_ms, tell=False):
            return
        if not self._at_once and self._switched_ms is not None and self._known != original:
            ready_ms = self._switched_ms + self.resource.min_off_s * 1000
            if not await self._ready(ready_ms, tell=True):
                return
        uncertain = False
        while self._goal is None and not self._reserved:
            failure = ""
            try:
                failure = await self._restore(original, uncertain=uncertain)
                uncertain = False
            except WriteUncertain as error:
                uncertain, failure = True, str(error)
            except DriverError as error:
                failure = str(error)
            if not failure:
                await self._returned()
                return
            self._failures += 1
            if self._failures % _ALARM_AFTER == 0:
                self._boss.alarm(
                    "release_failed",
                    f"{self.resource.name} cannot be given back {original} ({self._failures} attempts): {failure}; "
                    "it is tried again without end, set it by hand if people need it",
                )
            pause_s = _BACK_OFF_S[min(self._failures, len(_BACK_OFF_S)) - 1]
            if await first(self._pace, self._clock.boot_ms() + pause_s * 1000, self._wake):
                return

    async def _restore(self, original: int, *, uncertain: bool) -> str:
        """Make the device hold its old value; give what is wrong, or nothing."""
        self._known = None
        try:
            self._known = await self._switch.read()
        except DriverError:
            # The old value is absolute, so writing it blind undoes nothing; only after an unknown outcome it must
            # be read first.
            if uncertain:
                raise
        if self._known != original:
            await self._write(original)
            self._known = await self._switch.read()
        if self._known == original:
            return ""
        return f"{self.resource.name} reads {self._known} after {original} was written"

    def _wanted(self) -> bool:
        return self._goal is not None or self._reserved

    async def _returned(self) -> None:
        """Declare the load free, unless it was asked for meanwhile."""
        if self._wanted():
            return
        if self._failures >= _ALARM_AFTER:
            self._boss.alarm("release_recovered", f"{self.resource.name} holds its old value again")
        self._failures = 0
        await self._boss.back(self.resource.name, self._switched_ms)
        # A shed that was journalled while `back` was being stored comes after it in the journal, and keeps its
        # value here.
        if not self._wanted():
            self.original = None
            self._releasing = False
            self._boss.freed()
