"""Conformance scenarios 16 to 32, as far as they are the executor's: what is carried out."""

from dataclasses import replace
from pathlib import Path

import pytest

from drivers.errors import DeviceSilent, WriteUncertain
from gateway.commands.admission import Settings
from gateway.commands.command import Decision, LocalOperation, LocalOrder, Verdict
from gateway.commands.course import spread_ms
from gateway.commands.tests.building import CHARGER, HEATER, HOUR_S, PUMP, TERMINAL, Building, settle


async def test_scenario_15_clamped(building: Building) -> None:
    """More than the loads can give is clamped to what they can, and the answer says so."""
    await building.order(magnitude_percent=100)
    started = building.last("c1")
    assert started.detail["clamped"] is True
    assert started.detail["asked_w"] == 20_000
    assert building.values == {"heater": 0, "charger": 6, "pump": 30}


@pytest.mark.parametrize("percent", [101, 150])
async def test_scenario_15_over_the_top(building: Building, percent: int) -> None:
    """A magnitude over 100 % is clamped to all there is, and the answer says so."""
    await building.order(magnitude_percent=percent)
    assert building.last("c1").detail["clamped"] is True
    assert building.values == {"heater": 0, "charger": 6, "pump": 30}


async def test_scenario_15_negative(building: Building) -> None:
    """A negative magnitude is refused: a shed never raises a load."""
    await building.order(magnitude_percent=-1)
    assert (building.last("c1").state, building.last("c1").reason) == ("rejected", "magnitude")
    assert building.values == building.normal


async def test_scenario_16(building: Building) -> None:
    """A read-back that differs is retried twice, then the command fails and what was written is released."""
    building.switches["heater"].writes = [1, 1, 1]
    building.switches["heater"].value = 1
    await building.order(target="heater", magnitude_percent=100)
    assert building.switches["heater"].written == [0, 0, 0]
    assert building.states("c1") == ["received", "accepted", "releasing", "failed"]
    assert building.values == building.normal


async def test_scenario_16_released(building: Building) -> None:
    """A set-point that took another value than the one written is brought back before the command is failed."""
    building.switches["pump"].writes = [55, 55, 55]
    await building.order(target="pump", magnitude_percent=40)
    assert building.switches["pump"].written == [60, 60, 60, 100]
    assert building.last("c1").state == "failed"
    assert building.values == building.normal


async def test_scenario_17(building: Building) -> None:
    """After a write whose outcome is unknown the value is read before anything is written, and one write was enough."""
    building.switches["heater"].writes = [WriteUncertain("no reply after the write")]
    await building.order(target="heater", magnitude_percent=100)
    assert building.switches["heater"].log == ["read", "write 0", "read"]
    assert building.last("c1").state == "started"


async def test_scenario_17_release(building: Building) -> None:
    """A release whose write is uncertain is read before it is written again, even if the reads fail for a while."""
    switch = building.switches["heater"]
    await building.order(target="heater", magnitude_percent=100)
    switch.log.clear()
    switch.writes = [WriteUncertain("no reply after the write")]
    switch.reads = [None, DeviceSilent("silent")]
    await building.clock.advance(1_800)
    assert switch.log == ["read", "write 1"]
    await building.clock.advance(10)
    assert switch.log == ["read", "write 1", "read", "read"]
    assert building.last("c1").state == "completed"


async def test_scenario_18(building: Building) -> None:
    """A power that does not fall within the time for it is answered no_effect, and the shed goes on to its end."""
    building.power_follows = False
    await building.order()
    await building.clock.advance(61)
    assert building.states("c1")[-1] == "no_effect"
    await building.clock.advance(1_800)
    assert building.last("c1").state == "completed"


async def test_scenario_19(building: Building) -> None:
    """One of three loads fails: the others stay, each is reported, and the end is partial."""
    building.switches["charger"].dead = DeviceSilent("charger: no reply")
    await building.order(magnitude_percent=100)
    started = building.last("c1")
    assert (started.state, started.detail["loads"], started.detail["failed"]) == (
        "started",
        ["heater", "pump"],
        ["charger"],
    )
    await building.clock.advance(1_800)
    assert building.last("c1").state == "partial"
    assert building.values == building.normal


async def test_every_load_dead_is_failed_without_a_write(building: Building) -> None:
    """No load answers: the command fails at once, before anything is written."""
    for switch in building.switches.values():
        switch.dead = DeviceSilent("no reply")
    await building.order()
    assert (building.last("c1").state, building.last("c1").reason) == ("failed", "no_answer")
    assert all(not switch.written for switch in building.switches.values())


async def _with_minimum_times(path: Path) -> Building:
    return await Building(path, resources=(replace(HEATER, min_on_s=300, min_off_s=300),)).start()


async def test_scenario_20(tmp_path: Path) -> None:
    """A release inside the minimum off time is delayed, and the answer tells the planned time."""
    building = await _with_minimum_times(tmp_path)
    await building.order(duration_s=60)
    shed_ms = building.clock.now_ms
    await building.clock.advance(61)
    delayed = building.last("c1")
    assert (delayed.state, delayed.detail["delayed"]) == ("releasing", "heater")
    assert delayed.detail["planned_boot_ms"] == shed_ms + 300_000
    assert building.values["heater"] == 0
    await building.clock.advance(238)
    assert building.values["heater"] == 0
    await building.clock.advance(1)
    assert building.values["heater"] == 1
    assert building.last("c1").state == "completed"
    assert building.last("c1").detail["late_ms"] == 240_000
    await building.kill()


async def test_scenario_21(tmp_path: Path) -> None:
    """Two commands inside the minimum on time: the contact switches once, when that time is over."""
    building = await _with_minimum_times(tmp_path)
    await building.order(duration_s=300)
    await building.clock.advance(300)
    building.switches["heater"].log.clear()
    await building.order(duration_s=30)
    await building.clock.advance(40)
    await building.order(duration_s=1_800)
    await building.clock.advance(200)
    assert building.switches["heater"].written == []
    assert building.last("c2").state == "expired"
    await building.clock.advance(61)
    assert building.switches["heater"].written == [0]
    assert building.last("c3").state in {"started", "effective"}
    await building.kill()


async def test_scenario_22(building: Building) -> None:
    """A higher-priority command takes the load over; what is restored at the end is the original value."""
    building.switches["pump"].value = 80
    await building.order(target="pump", magnitude_percent=20, duration_s=600)
    assert building.values["pump"] == 60
    await building.order(target="pump", magnitude_percent=50, duration_s=1_200, priority=1)
    assert building.values["pump"] == 30
    assert (building.last("c1").state, building.last("c1").reason) == ("suspended", "priority")
    await building.clock.advance(600)
    assert building.last("c1").state == "superseded"
    assert building.values["pump"] == 30
    await building.clock.advance(600)
    assert building.last("c2").state == "completed"
    assert building.values["pump"] == 80


async def test_scenario_23(building: Building) -> None:
    """When the higher one ends first the lower resumes for its remaining time, and only then the load is released."""
    await building.order(target="pump", magnitude_percent=20, duration_s=1_200)
    await building.order(target="pump", magnitude_percent=50, duration_s=600, priority=1)
    await building.clock.advance(600)
    assert building.values["pump"] == 80
    assert building.last("c2").state == "completed"
    assert building.states("c1")[2:] == ["started", "suspended", "started", "effective"]
    await building.clock.advance(599)
    assert building.values["pump"] == 80
    await building.clock.advance(1)
    assert building.values["pump"] == 100
    assert building.last("c1").state == "completed"


async def test_lower_priority_waits_its_turn(building: Building) -> None:
    """A command that ranks lower than what runs changes nothing until the higher one lets go."""
    await building.order(target="pump", magnitude_percent=50, duration_s=600, priority=1)
    await building.order(target="pump", magnitude_percent=20, duration_s=1_200)
    assert building.values["pump"] == 50
    assert building.last("c2").state == "suspended"
    await building.clock.advance(600)
    assert building.values["pump"] == 80
    assert building.last("c2").state == "started"


def test_scenario_24() -> None:
    """The random start is uniform over gateways, and the same again for one command."""
    delays = [spread_ms(f"gw-{number}", "c1", 300) for number in range(20_000)]
    assert all(0 <= delay < 300_000 for delay in delays)
    tenths = [sum(1 for delay in delays if delay * 10 // 300_000 == tenth) for tenth in range(10)]
    # 2,000 expected in each, with a standard deviation of 42.
    assert min(tenths) > 1_800
    assert max(tenths) < 2_200
    assert delays[5] == spread_ms("gw-5", "c1", 300)


async def test_spread_start_survives_a_restart(tmp_path: Path) -> None:
    """A start that is spread comes at its moment, also if the process was restarted before it."""
    building = await Building(tmp_path, settings=Settings(start_spread_s=300)).start()
    begin_ms = building.clock.now_ms
    due_ms = begin_ms + spread_ms("gw-test", "c1", 300)
    await building.order()
    assert building.last("c1").state == "scheduled"
    await building.restart()
    await building.clock.advance((due_ms - begin_ms - 1) / 1000)
    assert building.values["heater"] == 1
    await building.clock.advance(0.001)
    assert building.values["heater"] == 0
    await building.kill()


async def test_scenario_25_before_start(building: Building) -> None:
    """A cancel before the start: nothing is ever written."""
    await building.order(start_utc_ms=building.utc_ms + 300_000)
    await building.order(operation="cancel", refers_to="c1", magnitude_percent=0, duration_s=0)
    assert building.last("c1").state == "cancelled"
    assert building.states("c2") == ["received", "completed"]
    await building.clock.advance(HOUR_S)
    assert all(not switch.written for switch in building.switches.values())


async def test_scenario_25_active(building: Building) -> None:
    """A cancel while active releases at once: an early end is not ignored until the duration is over."""
    await building.order()
    await building.order(operation="cancel", refers_to="c1")
    assert building.last("c1").state == "cancelled"
    assert building.values == building.normal
    assert building.heard[-1] == "release"


async def test_scenario_25_tombstone(building: Building) -> None:
    """A cancel of an unknown id is remembered, also over a restart, so that the late original is refused."""
    await building.order(operation="cancel", refers_to="late")
    await building.restart()
    await building.order(id="late")
    assert (building.last("late").state, building.last("late").reason) == ("rejected", "cancelled")
    assert building.values == building.normal


async def test_scenario_26(building: Building) -> None:
    """A modification that moves the end before now releases at once; one beyond the maximum keeps the old end."""
    await building.order()
    await building.clock.advance(100)
    await building.order(operation="modify", refers_to="c1", duration_s=14_401)
    assert (building.last("c2").state, building.last("c2").reason) == ("rejected", "duration")
    assert building.values["heater"] == 0
    await building.order(operation="modify", refers_to="c1", duration_s=50)
    assert building.last("c3").state == "completed"
    assert building.last("c1").state == "completed"
    assert building.values == building.normal


async def test_modify_moves_the_end(building: Building) -> None:
    """A modification to a later end is kept to, also after a restart."""
    await building.order(duration_s=600)
    await building.order(operation="modify", refers_to="c1", duration_s=1_200)
    await building.restart()
    await building.clock.advance(1_199)
    assert building.values["heater"] == 0
    await building.clock.advance(1)
    assert building.values == building.normal


async def test_lower_modification_number_is_refused(building: Building) -> None:
    """A modification under an older number changes nothing."""
    await building.order()
    await building.receive(building.signed(building.command(id="m9", operation="modify", refers_to="c1"), sequence=9))
    old = building.command(id="m8", operation="modify", refers_to="c1", duration_s=1)
    await building.receive(building.signed(old, sequence=8))
    assert building.last("m8").reason == "stale"
    await building.clock.advance(60)
    assert building.values["heater"] == 0


@pytest.mark.parametrize(
    "changes",
    [{"duration_s": 0}, {"target": "nowhere"}, {"operation": "unlimit"}, {"magnitude_percent": 0, "duration_s": 0}],
)
async def test_refused_command_changes_nothing(building: Building, changes: dict[str, int | str]) -> None:
    """A refused command never un-limits what is limited."""
    await building.order()
    held = building.values
    await building.order(**changes)
    assert building.last("c2").state == "rejected"
    await building.clock.advance(60)
    assert building.values == held


async def test_scenario_29(building: Building) -> None:
    """Local safety releases its loads within a second, and the centre cannot shed them again until it clears."""
    await building.order(magnitude_percent=100)
    await building.executor.submit(Decision("frost", Verdict.SAFETY, ("heater", "charger", "pump")))
    await settle()
    assert building.values == building.normal
    assert (building.last("c1").state, building.last("c1").reason) == ("aborted_safety", "frost")
    await building.order()
    assert (building.last("c2").state, building.last("c2").reason) == ("rejected", "safety")
    await building.executor.submit(Decision("frost", Verdict.CLEAR, ("heater", "charger", "pump")))
    await building.order()
    assert building.last("c3").state == "started"


async def test_scenario_30(building: Building) -> None:
    """An opt-out ends what runs, refuses what comes until its end, and survives a reboot."""
    await building.order()
    await building.executor.submit(LocalOrder("manager", LocalOperation.OPT_OUT, "building", "a meeting", HOUR_S))
    await settle()
    assert (building.last("c1").state, building.last("c1").reason) == ("opted_out", "local_override")
    assert building.values == building.normal
    await building.kill()
    building.clock.reboot(60)
    await building.start()
    await building.order()
    assert (building.last("c2").state, building.last("c2").reason) == ("rejected", "local_override")
    await building.clock.advance(HOUR_S - 60)
    await building.order()
    assert building.last("c3").state == "started"


async def test_scenario_31(building: Building) -> None:
    """An override of one load leaves the others as they are."""
    await building.order(magnitude_percent=100)
    await building.executor.submit(LocalOrder("manager", LocalOperation.OPT_OUT, "pump", "too cold", HOUR_S))
    await settle()
    assert building.values == {"heater": 0, "charger": 6, "pump": 100}
    await building.clock.advance(1_800)
    assert building.last("c1").state == "partial"
    assert building.values == building.normal


async def test_local_overrun(building: Building) -> None:
    """The gateway's own shed ranks above the centre's, and the centre's goes on afterwards."""
    await building.order(target="charger", magnitude_percent=50)
    held = building.values["charger"]
    await building.executor.submit(Decision("overrun", Verdict.SHED, ("charger",), 600))
    await settle()
    assert building.values["charger"] == CHARGER.shed_value
    await building.executor.submit(Decision("overrun", Verdict.RELEASE, ("charger",)))
    await settle()
    assert building.values["charger"] == held
    await building.clock.advance(1_800)
    assert building.values == building.normal


async def test_scenario_40(building: Building) -> None:
    """A release that fails raises an alarm at the third time and is tried until it succeeds."""
    await building.order(target="pump")
    building.switches["pump"].dead = DeviceSilent("pump: no reply")
    await building.clock.advance(1_800 + 9)
    assert building.alarms == ["release_failed"]
    await building.clock.advance(10 * HOUR_S)
    assert building.last("c1").state == "releasing"
    building.switches["pump"].dead = None
    await building.clock.advance(60)
    assert building.values["pump"] == PUMP.normal_value
    assert building.last("c1").state == "completed"
    assert building.alarms[-1] == "release_recovered"


async def test_scenario_44(building: Building) -> None:
    """A power that the meter does not vouch for never proves an effect."""
    building.trustworthy = False
    await building.order()
    await building.clock.advance(61)
    assert building.last("c1").state == "unmeasured"
    assert "effective" not in building.states("c1")


async def test_release_spread(tmp_path: Path) -> None:
    """Releases are spread, each load at its own moment, and an opt-out does not wait for it."""
    building = await Building(tmp_path, settings=Settings(release_spread_s=300)).start()
    await building.order(magnitude_percent=100)
    await building.clock.advance(1_800)
    assert building.values != building.normal
    await building.clock.advance(301)
    assert building.values == building.normal
    assert building.last("c1").state == "completed"
    await building.order(magnitude_percent=100)
    await building.executor.submit(LocalOrder("manager", LocalOperation.RELEASE, "building", "enough"))
    await settle()
    assert building.values == building.normal
    await building.kill()


async def test_one_terminal_answer_each(building: Building) -> None:
    """Every command that arrives gets exactly one terminal answer."""
    await building.order()
    await building.order(duration_s=0)
    await building.order(operation="cancel", refers_to="c1")
    await building.order(operation="modify", refers_to="c1")
    await building.order(start_utc_ms=building.utc_ms + 60_000)
    await building.clock.advance(HOUR_S)
    for number in range(1, 6):
        assert sum(state in TERMINAL for state in building.states(f"c{number}")) == 1, building.states(f"c{number}")
