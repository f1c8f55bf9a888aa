"""What each order does to the courses: a table from operation to what is done, one function each.

A command has passed `verify`; whether it makes sense here is `admission`'s question. Its number is used up in the same
transaction that stores what became of it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.commands import answers
from gateway.commands.admission import Asked, clamped, objection
from gateway.commands.allocate import BUILDING, targets
from gateway.commands.change import Arrival, Change, Entry
from gateway.commands.command import Authorized, Decision, LocalOperation, LocalOrder, Verdict
from gateway.commands.course import Course, decided, ordered, spread_ms
from gateway.commands.engine import Engine
from gateway.commands.errors import StorageError
from gateway.commands.lifecycle import Event, State
from gateway.commands.optout import opted_out
from gateway.commands.verify import Times, raised_floor
from gateway.wire.messages import Answer

TOMBSTONE = "tombstone"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What became of an order at once: taken or not and why, and whether it let loads go."""

    accepted: bool
    reason: str | None = None
    releases: bool = False


async def take(engine: Engine, order: Authorized | LocalOrder | Decision) -> Ruling:
    """Carry an order out as far as it goes at once."""
    if isinstance(order, Decision):
        return await _DECISIONS[order.verdict](engine, order)
    if isinstance(order, LocalOrder):
        return await _LOCAL[order.operation](engine, order)
    operation = _COMMANDS.get(order.command.operation, _unknown)
    return await operation(engine, order, _arrived(engine, order))


def _arrived(engine: Engine, order: Authorized) -> Change:
    """Give what every command stores: its number, the time floor, and that it was received."""
    times = engine.times()
    engine.floor_utc_ms = raised_floor(engine.floor_utc_ms, order.command.issued_utc_ms, times.utc_ms)
    received = Answer(
        order.command.id,
        answers.RECEIVED,
        None,
        times.boot_ms,
        times.utc_ms,
        {"sequence": order.sequence, "gap": order.gap} if order.gap else {"sequence": order.sequence},
    )
    arrival = Arrival(order.issuer, order.epoch, order.sequence, order.digest)
    return Change(answers=(received,), arrival=arrival, floor_utc_ms=engine.floor_utc_ms)


async def _close(engine: Engine, order: Authorized, arrived: Change, state: str, reason: str | None) -> Ruling:
    """End an order that has no course of its own with its one terminal answer."""
    told = answers.about_command(order.command.id, order.sequence, state, engine.times(), reason)
    known = await engine.journal.entry(order.command.id) is not None
    change = Change(
        entries=() if known else (Entry(order.command.id, over=True, body=order.command.operation),),
        answers=() if known else (*arrived.answers, told),
        asides=(*arrived.answers, told) if known else (),
        arrival=arrived.arrival,
        floor_utc_ms=arrived.floor_utc_ms,
    )
    await engine.storing.store(change)
    return Ruling(accepted=reason is None, reason=reason)


async def _unknown(engine: Engine, order: Authorized, arrived: Change) -> Ruling:
    return await _close(engine, order, arrived, State.REJECTED, "operation")


async def _shed(engine: Engine, order: Authorized, arrived: Change) -> Ruling:
    """Begin a course, or refuse it without touching any other."""
    known = await engine.journal.entry(order.command.id)
    if known is not None:
        why = "cancelled" if known.body == TOMBSTONE else "conflict"
        return await _close(engine, order, arrived, State.REJECTED, why)
    asked = Asked(
        command=order.command,
        settings=engine.settings,
        resources=engine.resources,
        opted_out={target: out.reason for target, out in engine.opt_outs.items()},
        blocked=frozenset(engine.blocked),
        link=engine.outside.admits(),
        durable=engine.journal.durable and not engine.storing.failed,
    )
    course = ordered(order, asked.loads, clamped(order.command.magnitude_percent), engine.clock.boot_id)
    times = engine.times()
    reason = objection(asked)
    if reason == "storage" and engine.journal.durable:
        reason = None  # the disk may be back: storing it will tell
    if reason is not None:
        event = Event.REFUSE
    elif order.parked:
        event = Event.PARK
    else:
        place(engine, course, times)
        event = Event.ACCEPT if course.end_ms > times.boot_ms else Event.EXPIRE
    try:
        engine.courses[course.id] = course
        await engine.apply(course, event, reason=reason, first=arrived)
    except StorageError:
        engine.courses.pop(course.id, None)
        told = answers.about_command(course.id, order.sequence, State.REJECTED, times, "storage")
        await engine.storing.store(Change(answers=(told,), arrival=arrived.arrival))
        return Ruling(accepted=False, reason="storage")
    return Ruling(accepted=event is Event.ACCEPT, reason=reason)


def place(engine: Engine, course: Course, times: Times) -> None:
    """Set start and end in boot time; the end is the signed one, whatever the random spread of the start."""
    if course.start_utc_ms is None or times.utc_ms is None:
        course.start_ms = times.boot_ms
    else:
        course.start_ms = times.boot_ms + course.start_utc_ms - times.utc_ms
    longest_s = min(engine.settings.start_spread_s, course.duration_s / 2)
    course.due_ms = course.start_ms + spread_ms(engine.gateway, course.id, longest_s)
    course.end_ms = course.start_ms + course.duration_s * 1000
    if times.utc_ms is not None:
        course.end_utc_ms = times.utc_ms + course.end_ms - times.boot_ms


async def _cancel(engine: Engine, order: Authorized, arrived: Change) -> Ruling:
    """End a course, or remember that an unknown one is not wanted."""
    named = order.command.refers_to
    if named is None:
        return await _close(engine, order, arrived, State.REJECTED, "refers_to")
    course = engine.courses.get(named)
    if course is not None and course.issuer != order.issuer:
        return await _close(engine, order, arrived, State.REJECTED, "issuer")
    await _close(engine, order, arrived, answers.COMPLETED, None)
    if course is not None:
        await engine.apply(course, Event.CANCEL)
    elif await engine.journal.entry(named) is None:
        await engine.storing.store(Change(entries=(Entry(named, over=True, body=TOMBSTONE),)))
    return Ruling(accepted=True, releases=True)


async def _modify(engine: Engine, order: Authorized, arrived: Change) -> Ruling:
    """Move the end of a course; whatever is wrong with the new one, the old one stays."""
    command = order.command
    course = engine.courses.get(command.refers_to or "")
    reason = None
    if course is None or course.state is State.RELEASING:
        reason = "refers_to"
    elif course.issuer != order.issuer:
        reason = "issuer"
    elif not 1 <= command.lasts_s <= engine.settings.max_duration_s:
        reason = "duration"
    elif clamped(command.magnitude_percent) != course.percent:
        reason = "magnitude"
    if course is None or reason is not None:
        return await _close(engine, order, arrived, State.REJECTED, reason)
    moved_ms = (command.lasts_s - course.duration_s) * 1000
    course.duration_s = command.lasts_s
    course.end_ms += moved_ms
    if course.end_utc_ms is not None:
        course.end_utc_ms += moved_ms
    await engine.storing.store(Change(entries=(course.entry(),)))
    return await _close(engine, order, arrived, answers.COMPLETED, None)


async def _opt_out(engine: Engine, order: LocalOrder) -> Ruling:
    """Refuse what comes for a target, and end what runs there."""
    if not targets(engine.resources, order.target):
        return Ruling(accepted=False, reason="target")
    out = opted_out(order, engine.times(), engine.clock.boot_id)
    engine.opt_outs[order.target] = out
    await engine.storing.store(Change(opt_outs={order.target: out.body()}, entries=(_local_entry(engine, order),)))
    await _leave(engine, order.target, Event.OPT_OUT, "local_override")
    return Ruling(accepted=True, releases=True)


async def _opt_in(engine: Engine, order: LocalOrder) -> Ruling:
    """End an opt-out; nothing that was ended by it comes back."""
    engine.opt_outs.pop(order.target, None)
    await engine.storing.store(Change(opt_outs={order.target: None}, entries=(_local_entry(engine, order),)))
    return Ruling(accepted=True)


async def _let_go(engine: Engine, order: LocalOrder) -> Ruling:
    """End what runs on a target, once."""
    if not targets(engine.resources, order.target):
        return Ruling(accepted=False, reason="target")
    await engine.storing.store(Change(entries=(_local_entry(engine, order),)))
    await _leave(engine, order.target, Event.OPT_OUT, "local_override")
    return Ruling(accepted=True, releases=True)


def _local_entry(engine: Engine, order: LocalOrder) -> Entry:
    """Journal what was ordered on site, like a command."""
    boot = engine.clock.boot_id.hex()[:8]
    name = f"site:{boot}:{engine.clock.boot_ms()}:{order.operation}:{order.target}"
    return Entry(name, over=True, body=f"{order.operation} {order.target} by {order.role}: {order.reason}")


async def _leave(engine: Engine, target: str, event: Event, why: str) -> None:
    """Take a target's loads out of every course; a course without any load left ends."""
    names = {r.name for r in targets(engine.resources, target)}
    for course in list(engine.courses.values()):
        if target == BUILDING or set(course.loads) <= names or (course.touched and course.values.keys() <= names):
            await engine.apply(course, event, reason=why)
            continue
        for load in names & course.values.keys():
            engine.arbiter.drop(course, load, why, at_once=event is Event.SAFETY)
        if names & course.failed.keys():
            await engine.storing.store(Change(entries=(course.entry(),)))


async def _decided_shed(engine: Engine, order: Decision) -> Ruling:
    """Shed by the gateway's own decision, once for each source."""
    if any(c.local and c.target == order.source and c.state is not State.RELEASING for c in engine.courses.values()):
        return Ruling(accepted=True)
    times = engine.times()
    loads = tuple(name for name in order.loads if name in engine.hands)
    course = decided(order.source, loads, order.longest_s, times.boot_ms, engine.clock.boot_id)
    place(engine, course, times)
    course.due_ms = course.start_ms
    engine.courses[course.id] = course
    await engine.apply(course, Event.ACCEPT)
    return Ruling(accepted=True)


async def _decided_release(engine: Engine, order: Decision) -> Ruling:
    """End what the same source has shed."""
    for course in list(engine.courses.values()):
        if course.local and course.target == order.source:
            await engine.apply(course, Event.EXPIRE if course.state is State.ACCEPTED else Event.END)
    return Ruling(accepted=True, releases=True)


async def _safety(engine: Engine, order: Decision) -> Ruling:
    """Give loads back at once and bar them."""
    for load in order.loads:
        engine.blocked[load] = order.source
    for load in order.loads:
        await _leave(engine, load, Event.SAFETY, order.source)
    return Ruling(accepted=True, releases=True)


async def _clear(engine: Engine, order: Decision) -> Ruling:
    """Admit sheds on loads again that this source had barred."""
    for load in order.loads:
        if engine.blocked.get(load) == order.source:
            del engine.blocked[load]
    return Ruling(accepted=True)


_COMMANDS: Mapping[str, Callable[[Engine, Authorized, Change], Awaitable[Ruling]]] = {
    "shed": _shed,
    "cancel": _cancel,
    "modify": _modify,
}
_LOCAL: Mapping[LocalOperation, Callable[[Engine, LocalOrder], Awaitable[Ruling]]] = {
    LocalOperation.OPT_OUT: _opt_out,
    LocalOperation.OPT_IN: _opt_in,
    LocalOperation.RELEASE: _let_go,
}
_DECISIONS: Mapping[Verdict, Callable[[Engine, Decision], Awaitable[Ruling]]] = {
    Verdict.SHED: _decided_shed,
    Verdict.RELEASE: _decided_release,
    Verdict.SAFETY: _safety,
    Verdict.CLEAR: _clear,
}
