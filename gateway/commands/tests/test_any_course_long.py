"""Whatever is ordered, cut and killed: every load comes back, and each command has one terminal answer."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.errors import DeviceSilent, WriteUncertain
from gateway.commands.admission import Settings
from gateway.commands.command import LocalOperation, LocalOrder
from gateway.commands.tests.building import HOUR_S, TERMINAL, Building, settle

TARGETS = st.sampled_from(["building", "heater", "charger", "pump"])
STEPS = st.one_of(
    st.tuples(st.just("shed"), TARGETS, st.integers(0, 100), st.integers(1, 900), st.integers(0, 2)),
    st.tuples(st.just("later"), TARGETS, st.integers(1, 600)),
    st.tuples(st.just("cancel"), st.integers(1, 6)),
    st.tuples(st.just("modify"), st.integers(1, 6), st.integers(1, 900)),
    st.tuples(st.just("wait"), st.integers(1, 400)),
    st.tuples(st.just("kill"), st.integers(0, 300)),
    st.tuples(st.just("power cut"), st.integers(1, 1_200), st.booleans()),
    st.tuples(st.just("opt out"), TARGETS, st.integers(1, 600)),
    st.tuples(st.just("fault"), st.sampled_from(["heater", "charger", "pump"]), st.integers(0, 4)),
    st.tuples(st.just("dead"), st.sampled_from(["heater", "charger", "pump"])),
    st.tuples(st.just("alive")),
)


@settings(max_examples=1200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(STEPS, max_size=14),
    st.tuples(st.integers(0, 1), st.integers(6, 32), st.integers(30, 100)),
    st.sampled_from([0, 120]),
)
def test_every_load_comes_back(steps: list[tuple[object, ...]], held: tuple[int, int, int], spread_s: int) -> None:
    """After any sequence of commands, faults, kills and power cuts every load holds its original value again."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_live(Path(folder), steps, dict(zip(["heater", "charger", "pump"], held, strict=True)), spread_s))


async def _live(folder: Path, steps: list[tuple[object, ...]], original: dict[str, int], spread_s: int) -> None:
    building = Building(folder, settings=Settings(start_spread_s=spread_s, release_spread_s=spread_s))
    for name, value in original.items():
        building.switches[name].value = value
    await building.start()
    for step in steps:
        await _carry_out(building, step)
    for switch in building.switches.values():
        switch.dead, switch.reads, switch.writes = None, [], []
    if building.clock.utc_at_zero is None:
        building.clock.utc_at_zero = 1_800_000_000_000 + 10 * HOUR_S * 1000
    await building.clock.advance(5 * HOUR_S)
    assert building.values == original
    assert building.executor.shedding() == ()
    assert not (await building.journal.kept()).held
    for command_id in {answer.command_id for answer in building.answers()}:
        states = building.states(command_id)
        assert sum(state in TERMINAL for state in states) == 1, (command_id, states)
    await building.kill()


async def _carry_out(building: Building, step: tuple[object, ...]) -> None:  # noqa: C901, PLR0912 - one branch a kind of step
    match step:
        case ("shed", target, percent, duration_s, priority):
            await building.order(target=target, magnitude_percent=percent, duration_s=duration_s, priority=priority)
        case ("later", target, int(seconds)):
            await building.order(target=target, start_utc_ms=building.utc_ms + seconds * 1000, duration_s=300)
        case ("cancel", number):
            await building.order(operation="cancel", refers_to=f"c{number}")
        case ("modify", number, duration_s):
            await building.order(operation="modify", refers_to=f"c{number}", duration_s=duration_s)
        case ("wait", int(seconds)):
            await building.clock.advance(seconds)
        case ("kill", int(seconds)):
            await building.kill()
            await building.clock.advance(seconds)
            await building.start()
        case ("power cut", int(seconds), trusted):
            await building.kill()
            building.clock.reboot(seconds)
            if not trusted:
                building.clock.utc_at_zero = None
            await building.start()
        case ("opt out", str(target), int(seconds)):
            await building.executor.submit(LocalOrder("manager", LocalOperation.OPT_OUT, target, "test", seconds))
            await settle()
        case ("fault", str(name), int(count)):
            building.switches[name].writes = [WriteUncertain("unknown")] * (count % 2) + [55] * count
            building.switches[name].reads = [None, DeviceSilent("silent")] * (count // 2)
        case ("dead", str(name)):
            building.switches[name].dead = DeviceSilent("dead")
        case ("alive",):
            for switch in building.switches.values():
                switch.dead = None
