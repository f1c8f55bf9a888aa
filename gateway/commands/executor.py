"""The only hand on the switches: one task that takes orders in turn and carries them out.

`run` first takes up what a former run left. One hand a load does the slow work on the bus, so that a dead device
delays no other load and no order. What an order does is told by `intake`, what a start does by `startup`, how a
command goes on by `engine`.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.ports import Switch
from gateway.clock import Clock
from gateway.commands import agenda, answers, intake, startup
from gateway.commands.admission import Settings
from gateway.commands.allocate import Resource
from gateway.commands.arbiter import HOLDING
from gateway.commands.change import Arrival, Change, Entry
from gateway.commands.command import Authorized, Decision, LocalOrder
from gateway.commands.course import Course
from gateway.commands.engine import Engine, Job
from gateway.commands.intake import Ruling
from gateway.commands.journal import Journal
from gateway.commands.lifecycle import State
from gateway.commands.optout import OptOut
from gateway.commands.outside import Outside
from gateway.commands.pace import Pace, first
from gateway.commands.verify import Refused

_IDLE_MS = 60_000
_UNDER_WAY = HOLDING | {State.ACCEPTED, State.SCHEDULED, State.RELEASING}


@dataclass(frozen=True, slots=True)
class Shedding:
    """One unfinished command, for people: where it stands, what it holds, when it ends (boot time, ms)."""

    id: str
    issuer: str
    state: str
    target: str
    percent: int
    values: Mapping[str, int]
    failed: Mapping[str, str]
    end_boot_ms: int


class Executor:
    """Carries orders out; `run` must be running for `submit` to return."""

    def __init__(  # noqa: PLR0913 - the ports of the composition root, each named
        self,
        *,
        gateway: str,
        loads: Sequence[tuple[Resource, Switch]],
        journal: Journal,
        clock: Clock,
        pace: Pace,
        settings: Settings,
        outside: Outside,
    ) -> None:
        self._pace = pace
        self._clock = clock
        self._journal = journal
        self._outside = outside
        self._inbox: deque[Job] = deque()
        self._wake = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._engine = Engine(
            gateway=gateway,
            loads=loads,
            journal=journal,
            clock=clock,
            pace=pace,
            settings=settings,
            outside=outside,
            post=self._post,
            spawn=self._spawn,
        )

    async def run(self) -> None:
        """Take up what a former run left, then carry orders out until cancelled; whatever else ends it is a bug."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await startup.take_up(self._engine)
            for hand in self._engine.hands.values():
                group.create_task(hand.run())
            while True:
                await self._tick()
                await first(self._pace, self._next_ms(), self._wake)
                self._wake.clear()
                while self._inbox:
                    await self._inbox.popleft()()

    async def submit(self, order: Authorized | LocalOrder | Decision) -> Ruling:
        """Take an order and say what becomes of it at once; the answers follow as it goes."""
        return await self._asked(lambda: intake.take(self._engine, order))

    async def refuse(self, refused: Refused, arrival: Arrival | None) -> Ruling:
        """Answer a message that `verify` refused; `arrival` uses its number up."""

        async def work() -> Ruling:
            if refused.alarm:
                self._outside.alarm("command_conflict", refused.alarm)
            told = answers.refusal(refused, self._engine.times())
            change = Change(asides=(told,))
            if arrival is not None:
                new = await self._journal.entry(refused.command_id) is None
                entry = Entry(refused.command_id, over=True, body=refused.reason)
                change = Change((entry,), (told,), arrival=arrival) if new else Change(asides=(told,), arrival=arrival)
            await self._engine.storing.store(change)
            return Ruling(accepted=False, reason=refused.reason)

        return await self._asked(work)

    async def repeat(self, command_id: str) -> None:
        """Publish the stored answer about a command once more."""
        found = await self._journal.last_answer(command_id)
        if found is not None:
            self._outside.published(*found)

    def shedding(self) -> tuple[Shedding, ...]:
        """Give every unfinished command, for the page and the status."""
        return tuple(
            Shedding(c.id, c.issuer, c.state.value, c.target, c.percent, dict(c.values), dict(c.failed), c.end_ms)
            for c in self._engine.courses.values()
        )

    def running(self) -> bool:
        """Tell whether an order of the centre is under way or waits for its start."""
        return any(not c.local and c.state in _UNDER_WAY for c in self._engine.courses.values())

    def opt_outs(self) -> tuple[OptOut, ...]:
        """Give who has opted out, why, and until when."""
        return tuple(self._engine.opt_outs.values())

    @property
    def floor_utc_ms(self) -> int:
        """The time before which it certainly is not."""
        return self._engine.floor_utc_ms

    async def _asked(self, work: Callable[[], Awaitable[Ruling]]) -> Ruling:
        """Have work done by the one task, and wait for what comes out."""
        done: asyncio.Future[Ruling] = asyncio.get_running_loop().create_future()

        async def job() -> None:
            ruling = await work()
            if not done.done():
                done.set_result(ruling)

        self._post(job)
        return await done

    def _post(self, job: Job) -> None:
        self._inbox.append(job)
        self._wake.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._group is not None:
            self._group.create_task(work)

    async def _tick(self) -> None:
        """Let time, rank and the loads move every course as far as they do."""
        engine = self._engine
        await startup.end_opt_outs(engine)
        await startup.raise_floor(engine)
        for course in list(engine.courses.values()):
            life = None
            while life != course.life:
                life = course.life
                await self._look_at(course)

    async def _look_at(self, course: Course) -> None:
        engine = self._engine
        if course.state in {State.NEEDS_TIME, State.INTERRUPTED}:
            await startup.time_known(engine, course)
        elif (event := agenda.due(course, engine.facts(course))) is not None:
            await engine.apply(course, event, reason="priority" if event is event.OUTRANK else None)
        elif course.state is State.ACTIVE:
            await engine.confirm(course)

    def _next_ms(self) -> int:
        """When to look again if nothing else happens."""
        now = self._clock.boot_ms()
        moments = [now + _IDLE_MS, *(out.until_ms for out in self._engine.opt_outs.values())]
        moments += [m for c in self._engine.courses.values() if (m := agenda.look_again_ms(c, now)) is not None]
        return min(moments)
