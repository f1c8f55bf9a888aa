"""The courses on their way: each is carried along THE table, and every step is stored before it is acted on.

It reads what the loads hold, shares a shed out, stores the intent with the values to restore, lets the hands write,
and takes their reports. When something is to happen is told by `agenda`, who holds a load by `arbiter`, what is
said by `answers`; the task that drives all this is the executor's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from drivers.errors import DriverError
from drivers.ports import Switch
from gateway.clock import Clock
from gateway.commands import answers, confirm
from gateway.commands.admission import Settings
from gateway.commands.agenda import Facts
from gateway.commands.allocate import Plan, Resource, allocate
from gateway.commands.arbiter import HOLDING, Arbiter
from gateway.commands.change import Change
from gateway.commands.confirm import Effect, Power
from gateway.commands.course import Course, spread_ms
from gateway.commands.errors import StorageError
from gateway.commands.hand import Delayed, Hand, Held
from gateway.commands.journal import Journal
from gateway.commands.lifecycle import Action, Event, State, step
from gateway.commands.optout import OptOut
from gateway.commands.outside import Outside
from gateway.commands.pace import Pace
from gateway.commands.storing import Storing
from gateway.commands.verify import Times, times_of

Job = Callable[[], Awaitable[None]]


class Engine:
    """Holds all that is under way; its methods are called by one task alone, or put work in that task's inbox."""

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
        post: Callable[[Job], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.gateway = gateway
        self.journal = journal
        self.clock = clock
        self.settings = settings
        self.outside = outside
        self.resources = tuple(resource for resource, _ in loads)
        self.hands = {r.name: Hand(r, switch, clock, pace, self) for r, switch in loads}
        self.courses: dict[str, Course] = {}
        self.arbiter = Arbiter(self.hands, self.courses)
        self.storing = Storing(journal, outside)
        self.opt_outs: dict[str, OptOut] = {}
        self.blocked: dict[str, str] = {}
        """Load -> local safety that bars it."""
        self.floor_utc_ms = 0
        self._post = post
        self._spawn = spawn

    def times(self) -> Times:
        """Read the clock."""
        return times_of(self.clock, self.floor_utc_ms, self.journal.boot_nonce)

    def facts(self, course: Course) -> Facts:
        """Gather what a course's next event depends on."""
        times = self.times()
        sure = times.utc_ms is not None or self.outside.link_up()
        return Facts(times.boot_ms, sure, self.arbiter.outranked(course), self.arbiter.let_go(course))

    async def apply(
        self, course: Course, event: Event, *, reason: str | None = None, first: Change | None = None
    ) -> None:
        """Carry a course one step along the table: store and answer, then act.

        `first` is stored with it (the message that brought it) and must be: only then StorageError is raised.
        """
        if course.state in HOLDING:
            self._measure(course)
        life, actions = step(course.life, event)
        if life == course.life and not actions:
            return
        kept = course.reason if life.over or life.state is State.RELEASING else None
        course.life, course.reason = life, reason or kept
        if event is Event.REGAIN:
            course.read_back = {}
        course.release_ms = self.clock.boot_ms() if Action.RELEASE in actions else course.release_ms
        if Action.RELEASE_NOW in actions:
            course.release_ms = None
        told = [answers.answer(course, self.times(), self._detail(course))] if Action.ANSWER in actions else []
        with_it = first or Change()
        change = Change(
            entries=(*with_it.entries, course.entry()),
            answers=(*with_it.answers, *told),
            arrival=with_it.arrival,
            floor_utc_ms=with_it.floor_utc_ms,
        )
        await self.storing.store(change, must=first is not None)
        if life.over:
            self.courses.pop(course.id, None)
            self.arbiter.forget(course)
        self._act(course, event, actions)

    def claim_again(self, course: Course) -> None:
        """Read the loads of a course and share its shed out over them."""
        self._spawn(self._look(course))

    def _act(self, course: Course, event: Event, actions: Sequence[Action]) -> None:
        now = self.clock.boot_ms()
        if Action.CLAIM in actions:
            self.claim_again(course)
        if Action.CONFIRM in actions:
            course.confirm_until_ms = now + int(self.settings.effect_after_s * 1000)
        if Action.RELEASE in actions or Action.RELEASE_NOW in actions:
            for load in course.touched:
                self.arbiter.arrange(
                    load, not_before_ms=self.release_at_ms(course, load), at_once=event is Event.SAFETY
                )

    def release_at_ms(self, course: Course, load: str) -> int:
        """Give when a course gives a load back: at once, or at its moment in the spread, which a restart keeps."""
        if course.release_ms is None:
            return 0
        # In another boot the spread counts from the boot itself: a crash loop must not put a release off for ever.
        begin_ms = course.release_ms if course.boot_id == self.clock.boot_id.hex() else 0
        return begin_ms + spread_ms(self.gateway, f"{course.id}\0{load}", self.settings.release_spread_s)

    def _detail(self, course: Course) -> dict[str, answers.Value]:
        """Tell what belongs to the state that was reached."""
        if course.state is State.ACTIVE:
            return answers.loads(course)
        detail = answers.power(course)
        if course.clamped:
            detail["clamped"] = True
        if course.failed:
            detail = {**answers.loads(course), **detail}
        if course.life.over and course.touched:
            detail["late_ms"] = max(0, self.clock.boot_ms() - course.end_ms)
        return detail

    async def _look(self, course: Course) -> None:
        """Read what the loads hold now, each in its own time, and come back with it."""
        power = confirm.usable_before(self.outside.power(), self.clock.boot_ms())
        names = [name for name in course.loads if name in self.hands]
        found = await asyncio.gather(*(self.hands[n].present() for n in names), return_exceptions=True)
        originals: dict[str, int] = {}
        failures: dict[str, str] = {}
        for name, value in zip(names, found, strict=True):
            if isinstance(value, DriverError):
                failures[name] = str(value)
            elif isinstance(value, BaseException):
                raise value
            else:
                originals[name] = value
        self._post(partial(self._plan, course, originals, failures, power))

    async def _plan(
        self, course: Course, originals: Mapping[str, int], failures: Mapping[str, str], power: Power | None
    ) -> None:
        """Decide what each load gives, store the intent with the values to restore, then let the hands write."""
        if course.state is not State.STARTING:
            return
        barred = self.blocked.keys() | self.opt_outs.keys()
        named = [r for r in self.resources if r.name in course.loads and r.name not in barred]
        # Read again, in case it was held back by another order while this one was reading it.
        usable = {r.name: self.hands[r.name].original_or(originals[r.name]) for r in named if r.name in originals}
        plan = _shared(course, named, usable)
        course.failed.update(failures)
        if not plan.values:
            reason = "no_answer" if failures else "nothing_to_shed"
            await self.apply(course, Event.BREAK if course.touched else Event.FAIL, reason=reason)
            return
        if not course.touched:
            course.asked_w, course.expected_w = plan.asked_w, plan.expected_w
        if power is not None and course.before_w is None:
            course.before_w, course.before_ms = power.watts, power.boot_ms
        course.values = dict(plan.values)
        course.touched = sorted({*course.touched, *plan.values})
        await self._intend(course, {name: usable[name] for name in plan.values})

    async def _intend(self, course: Course, originals: Mapping[str, int]) -> None:
        """Store intent and values to restore; only then may the hands move."""
        fresh = [name for name in originals if self.hands[name].free]
        for name, original in originals.items():
            self.hands[name].reserve(original)
        intent = Change(
            entries=(course.entry(),),
            hold=originals,
            switched=dict.fromkeys(fresh, self.clock.boot_ms()),
        )
        try:
            # Local overrun may act without a disk, the values then held in memory; nothing else may.
            await self.storing.store(intent, must=not course.local)
        except StorageError:
            course.values = {}
            await self.apply(course, Event.BREAK, reason="storage")
            for name in originals:
                self.hands[name].abandon()
            return
        self.arbiter.claim(course)

    def held(self, outcome: Held) -> None:
        """Take the outcome of a shed from a hand."""
        self._post(partial(self._held, outcome))

    async def _held(self, outcome: Held) -> None:
        load = outcome.load
        course = self.arbiter.holder(load)
        if course is None or course.values.get(load) != outcome.value:
            return
        if outcome.failure or outcome.read_back is None:
            self.arbiter.drop(course, load, outcome.failure)
        else:
            course.read_back[load] = outcome.read_back
            course.relay_boot_ms = min(course.relay_boot_ms or outcome.boot_ms, outcome.boot_ms)
        if not course.values:
            await self.apply(course, Event.BREAK, reason="write")
            return
        won = self.arbiter.won(course)
        if course.state is State.STARTING and won and all(name in course.read_back for name in won):
            await self.apply(course, Event.HELD_PARTLY if course.failed else Event.HELD)
        else:
            await self.storing.store(Change(entries=(course.entry(),)))

    def delayed(self, delay: Delayed) -> None:
        """Take the news from a hand that a minimum time holds its load."""
        self._post(partial(self._delayed, delay))

    async def _delayed(self, delay: Delayed) -> None:
        times, load = self.times(), delay.load
        holder = self.arbiter.holder(load)
        leaving = [c for c in self.courses.values() if c.state is State.RELEASING and load in c.touched]
        about = [holder] if holder is not None else leaving
        if about:
            told = [answers.answer(c, times, answers.delay(delay, times)) for c in about]
            await self.storing.store(Change(asides=told))

    async def back(self, load: str, switched_ms: int | None) -> None:
        """Store that a load holds its old value again."""
        await self.storing.store(Change(free=(load,), switched={} if switched_ms is None else {load: switched_ms}))

    def freed(self) -> None:
        """Take the news that a hand is free: whoever waits for it is looked at."""
        self._post(_nothing)

    def alarm(self, kind: str, text: str) -> None:
        """Pass a hand's alarm on."""
        self.outside.alarm(kind, text)

    def _measure(self, course: Course) -> None:
        """Note the power while the course holds its loads."""
        power = self.outside.power()
        if power is not None and power.trustworthy and power.boot_ms > (course.relay_boot_ms or power.boot_ms):
            course.during_w = power.watts

    async def confirm(self, course: Course) -> None:
        """Look on the meter for the effect of a course, and answer once it is proved or the time for it is over."""
        if course.confirm_until_ms is None or course.relay_boot_ms is None:
            return
        effect = confirm.judge(
            before=None if course.before_w is None else Power(course.before_w, course.before_ms or 0, trustworthy=True),
            after=self.outside.power(),
            written_ms=course.relay_boot_ms,
            expected_w=course.expected_w,
            deadline_ms=course.confirm_until_ms,
            now_ms=self.clock.boot_ms(),
        )
        if effect is None:
            return
        course.confirm_until_ms = None
        self._measure(course)
        detail = answers.power(course) if effect is not Effect.UNMEASURED else {}
        told = answers.answer(course, self.times(), detail, said=effect.value)
        await self.storing.store(Change(entries=(course.entry(),), answers=(told,)))


def _shared(course: Course, named: Sequence[Resource], originals: Mapping[str, int]) -> Plan:
    """Share a course's shed out over the loads that can be read."""
    if course.touched:  # taken up again: what was shared out once stays as it was
        kept = {name: value for name, value in course.values.items() if name in originals}
        return Plan(kept, course.asked_w, course.expected_w)
    if course.local:
        values = {r.name: r.shed_value for r in named if r.name in originals}
        gained_w = sum(r.power_w(originals[r.name]) - r.power_w(r.shed_value) for r in named if r.name in originals)
        return Plan(values, gained_w, gained_w)
    return allocate(named, course.percent, originals)


async def _nothing() -> None:
    """Let the loop look at every course."""
