"""Taking up what a former run left: loads that are held, commands on their way, opt-outs. Before anything else.

The restart table stands in `restart`; here it is carried out. A load that was held goes back unless a command that
still runs asks for it. A journal that had to be replaced means that nothing is known: every load is brought back to
its normal value.
"""

from gateway.commands.change import Change
from gateway.commands.course import Course, course_of
from gateway.commands.engine import Engine
from gateway.commands.intake import place
from gateway.commands.lifecycle import Event, State
from gateway.commands.optout import taken_up
from gateway.commands.restart import Found, Resume, at_start
from gateway.commands.verify import Times, timely

_FLOOR_STRIDE_MS = 600_000
"""How far the time may run ahead of the stored floor: a write to the card each ten minutes."""


async def take_up(engine: Engine) -> None:
    """Take everything up; the hands give back whatever is not asked for."""
    kept = await engine.journal.kept()
    engine.floor_utc_ms = kept.floor_utc_ms
    held = dict(kept.held)
    if kept.release_all:
        held = {r.name: r.normal_value for r in engine.resources}
        await engine.storing.store(Change(hold=held, all_released=True))
        moved = engine.journal.moved_aside
        what = f"was damaged (moved to {moved})" if moved else "cannot be used"
        engine.outside.alarm("journal", f"the command database {what}: every load is being released")
    for name, hand in engine.hands.items():
        if name in held:
            hand.resume(held[name], kept.switched.get(name))
        else:
            hand.switched_at(kept.switched.get(name))
    times = engine.times()
    engine.opt_outs.update(taken_up(kept.opt_outs, times, engine.clock.boot_id))
    for entry in kept.entries:
        course = course_of(entry)
        engine.courses[course.id] = course
        await _resume(engine, course, times)
    for name, hand in engine.hands.items():
        if not hand.free:
            leaving = [c for c in engine.courses.values() if c.state is State.RELEASING and name in c.touched]
            moment_ms = max((engine.release_at_ms(course, name) for course in leaving), default=0)
            engine.arbiter.arrange(name, not_before_ms=moment_ms)
    for name in held.keys() - engine.hands.keys():
        engine.outside.alarm(
            "load_unknown", f"{name} was held back at {held[name]} and is no longer in the site: set it by hand"
        )


async def _resume(engine: Engine, course: Course, times: Times) -> None:
    """Carry the restart table out for one command."""
    same_boot = course.boot_id == engine.clock.boot_id.hex()
    found = Found(course.state, same_boot, course.end_utc_ms, times.utc_ms)
    match at_start(found):
        case Resume.MOVE:
            _move(engine, course, times)
        case Resume.WAIT:
            await engine.apply(course, Event.POWER_CUT, reason="power_cut")
            return
        case Resume.EXPIRE:
            await engine.apply(course, Event.EXPIRE, reason="power_cut")
            return
        case Resume.GIVE_UP:
            await engine.apply(course, Event.LIMIT, reason="power_cut")
            return
        case Resume.GO_ON:
            pass
    if course.state is State.STARTING and not course.values:
        engine.claim_again(course)
    elif course.values and course.state in {State.STARTING, State.ACTIVE, State.SUSPENDED}:
        engine.arbiter.claim(course)


def _move(engine: Engine, course: Course, times: Times) -> None:
    """Place a command's times in this boot by its end in UTC."""
    if course.end_utc_ms is None or times.utc_ms is None:
        return
    shift_ms = times.boot_ms + course.end_utc_ms - times.utc_ms - course.end_ms
    course.start_ms += shift_ms
    course.due_ms += shift_ms
    course.end_ms += shift_ms
    course.boot_id = engine.clock.boot_id.hex()
    course.confirm_until_ms = None
    course.relay_boot_ms = None


async def time_known(engine: Engine, course: Course) -> None:
    """Look at a command that waits for a trusted clock."""
    times = engine.times()
    if times.utc_ms is None:
        return
    if course.state is State.NEEDS_TIME:
        late = timely(course.issued_utc_ms, course.expires_utc_ms, times.utc_ms, times.uncertainty_ms)
        if late is not None:
            await engine.apply(course, Event.EXPIRE if late == "expired" else Event.REFUSE, reason=late)
            return
        course.boot_id = engine.clock.boot_id.hex()
        place(engine, course, times)
        await engine.apply(course, Event.ACCEPT if course.end_ms > times.boot_ms else Event.EXPIRE)
        return
    if course.boot_id != engine.clock.boot_id.hex():
        _move(engine, course, times)
    if times.boot_ms >= course.end_ms:
        await engine.apply(course, Event.END if course.touched else Event.EXPIRE, reason="power_cut")
    elif times.boot_ms >= course.due_ms:
        await engine.apply(course, Event.REGAIN)


async def raise_floor(engine: Engine) -> None:
    """Remember now and then what time it certainly is, for a start without a clock."""
    times = engine.times()
    if times.utc_ms is not None and times.utc_ms >= engine.floor_utc_ms + _FLOOR_STRIDE_MS:
        engine.floor_utc_ms = times.utc_ms
        await engine.storing.store(Change(floor_utc_ms=times.utc_ms))


async def end_opt_outs(engine: Engine) -> None:
    """End opt-outs whose time is over."""
    now = engine.clock.boot_ms()
    over = [target for target, out in engine.opt_outs.items() if out.until_ms <= now]
    for target in over:
        del engine.opt_outs[target]
    if over:
        await engine.storing.store(Change(opt_outs=dict.fromkeys(over)))
