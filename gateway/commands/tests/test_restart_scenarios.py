"""Conformance scenarios 33 to 39: lost links, restarts, power cuts, disks and clocks that fail."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from drivers.errors import DeviceSilent
from gateway.commands.admission import Settings
from gateway.commands.change import Change
from gateway.commands.command import Decision, Verdict
from gateway.commands.course import spread_ms
from gateway.commands.errors import StorageError
from gateway.commands.tests.building import HOUR_S, TERMINAL, Building, Killed, MemorySwitch, settle


async def test_scenario_33(building: Building) -> None:
    """A lost link stops nothing: the shed runs to its signed end and no longer, and says when it ended."""
    await building.order()
    building.link_up = False
    await building.clock.advance(1_799)
    assert building.values["heater"] == 0
    await building.clock.advance(1)
    ended = building.last("c1")
    assert (ended.state, ended.detail["late_ms"]) == ("completed", 0)
    assert ended.utc_ms == building.utc_ms
    assert building.values == building.normal


async def test_scenario_34(building: Building) -> None:
    """Answers that nobody receipted are kept in order with their original times, and go when they are receipted."""
    await building.order()
    await building.clock.advance(1_800)
    await building.restart()
    pending = await building.journal.answers_pending(100)
    assert pending == sorted(set(building.published))
    assert len(pending) == 6
    assert await building.journal.answers_received(bytes(8), 100, ()) == 0
    assert await building.journal.answers_received(building.journal.epoch, 2, ((4, 5),)) == 4
    assert [sequence for sequence, _ in await building.journal.answers_pending(100)] == [3, 6]
    assert [sequence for sequence, _ in await building.journal.answers_pending(100, 3)] == [6]
    assert await building.journal.answers_again(building.journal.epoch, 4, 4) == 1
    assert [sequence for sequence, _ in await building.journal.answers_pending(100)] == [3, 4, 6]


async def test_scenario_35_trusted(building: Building) -> None:
    """A scheduled command starts on a lost link if the clock is trusted."""
    await building.order(start_utc_ms=building.utc_ms + 300_000)
    building.link_up = False
    await building.clock.advance(300)
    assert "started" in building.states("c1")


async def test_scenario_35_untrusted(building: Building) -> None:
    """A scheduled command does not start on a lost link without a trusted clock, and expires."""
    await building.order(start_utc_ms=building.utc_ms + 300_000)
    building.link_up = False
    building.clock.utc_at_zero = None
    await building.clock.advance(300 + 1_801)
    assert building.states("c1") == ["received", "accepted", "scheduled", "expired"]
    assert building.switches["heater"].written == []


class DyingJournal:
    """Dies before or after the n-th commit."""

    def __init__(self, commit: Callable[[Change], Awaitable[list[tuple[int, bytes]]]], at: int, *, after: bool) -> None:
        self._commit = commit
        self._left = at
        self._after = after

    async def __call__(self, change: Change) -> list[tuple[int, bytes]]:
        """Commit or die."""
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Killed
        signed = await self._commit(change)
        if self._left < 0:
            raise Killed
        return signed


async def _receive_or_die(building: Building, message: bytes) -> None:
    """Let a message arrive at an agent that may die of it."""
    reception = asyncio.ensure_future(building.reception.receive(message, retained=False))
    for _ in range(10):
        await settle()
    if not reception.done():
        reception.cancel()
    with suppress(asyncio.CancelledError, Killed):
        await reception


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(12))
async def test_scenario_36_journal(tmp_path: Path, at: int, *, after: bool) -> None:
    """Killed around any commit: after the restart the command comes to one terminal answer and every load is back."""
    building = await Building(tmp_path).start()
    building.journal.commit = DyingJournal(building.journal.commit, at, after=after)  # type: ignore[method-assign]
    message = building.signed(building.command())
    await _receive_or_die(building, message)
    await building.clock.advance(1_000)
    await building.restart()
    await building.clock.advance(60)
    await building.receive(message)
    await building.clock.advance(740)
    if any(state == "started" for state in building.states("c1")):
        await building.clock.advance(1_100)
    assert building.values == building.normal
    pending = [state for state in building.states("c1") if state in TERMINAL]
    assert len(pending) == 1, building.states("c1")
    assert building.executor.shedding() == ()
    assert not (await building.journal.kept()).held
    await building.kill()


class DyingSwitch(MemorySwitch):
    """A device at whose n-th operation the agent dies, before or after it is carried out."""

    left = -1
    after = False

    async def read(self) -> int:
        """Give the value, or die."""
        self._tick(before=True)
        value = await super().read()
        self._tick(before=False)
        return value

    async def write(self, value: int) -> None:
        """Take the value, or die before or after it."""
        self._tick(before=True)
        await super().write(value)
        self._tick(before=False)

    def _tick(self, *, before: bool) -> None:
        if before:
            self.left -= 1
        if self.left == 0 and before is not self.after:
            raise Killed


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 7))
async def test_scenario_36_device(tmp_path: Path, at: int, *, after: bool) -> None:
    """Killed around any read or write of a load: the restart carries the shed to its end, original value restored."""
    building = Building(tmp_path)
    switch = DyingSwitch("pump", 83)
    building.switches["pump"] = switch
    await building.start()
    switch.left, switch.after = at, after
    await _receive_or_die(building, building.signed(building.command(target="pump")))
    await building.clock.advance(1_801)
    switch.left = -1
    await building.restart()
    await building.clock.advance(1_801)
    assert switch.value == 83
    assert len([state for state in building.states("c1") if state in TERMINAL]) == 1
    await building.kill()


async def test_restart_in_the_middle_goes_on_to_the_same_end(building: Building) -> None:
    """A process restart during a shed writes nothing, and the shed ends when it would have."""
    building.switches["pump"].value = 90
    await building.order(magnitude_percent=100)
    await building.clock.advance(600)
    for switch in building.switches.values():
        switch.log.clear()
    await building.restart()
    assert all(not switch.written for switch in building.switches.values())
    await building.clock.advance(1_199)
    assert building.values["pump"] == 30
    await building.clock.advance(1)
    assert building.values == {**building.normal, "pump": 90}
    assert building.last("c1").state == "completed"


async def test_restart_after_the_end_releases(building: Building) -> None:
    """A restart after the signed end releases before anything else and tells how late it was."""
    await building.order()
    await building.kill()
    await building.clock.advance(2_000)
    await building.start()
    assert building.values == building.normal
    assert building.last("c1").state == "completed"
    assert building.last("c1").detail["late_ms"] == 200_000


@pytest.mark.parametrize("seconds_off", [10, 600])
async def test_scenario_37_trusted(building: Building, seconds_off: int) -> None:
    """After a power cut shorter than the event, with a trusted clock, the shed goes on to its signed end."""
    await building.order()
    await building.kill()
    building.clock.reboot(seconds_off)
    building.switches["heater"].value = 1
    await building.start()
    assert building.values["heater"] == 0
    await building.clock.advance(1_799 - seconds_off)
    assert building.values["heater"] == 0
    await building.clock.advance(1)
    assert building.values == building.normal
    assert building.last("c1").state == "completed"


async def test_scenario_37_too_long(building: Building) -> None:
    """After a power cut longer than the event everything is released, and the answer is partial (power_cut)."""
    await building.order()
    await building.kill()
    building.clock.reboot(HOUR_S)
    await building.start()
    assert building.values == building.normal
    assert (building.last("c1").state, building.last("c1").reason) == ("partial", "power_cut")


async def test_scenario_37_untrusted(building: Building) -> None:
    """Rebooted without a clock everything is released; the shed resumes once the clock is trusted before its end."""
    await building.order()
    await building.kill()
    building.clock.reboot(60)
    true, building.clock.utc_at_zero = building.clock.utc_at_zero, None
    await building.start()
    assert building.values == building.normal
    assert building.last("c1").state == "interrupted"
    await building.clock.advance(240)
    building.clock.utc_at_zero = true
    await building.clock.advance(2)
    assert building.values["heater"] == 0
    await building.clock.advance(1_800 - 302)
    assert building.values == building.normal
    assert building.last("c1").state == "completed"


async def test_scenario_37_untrusted_too_long(building: Building) -> None:
    """The clock comes back after the end: the interrupted shed is answered partial and nothing is written."""
    await building.order()
    await building.kill()
    building.clock.reboot(60)
    true, building.clock.utc_at_zero = building.clock.utc_at_zero, None
    await building.start()
    await building.clock.advance(HOUR_S)
    building.clock.utc_at_zero = true
    await building.clock.advance(2)
    assert (building.last("c1").state, building.last("c1").reason) == ("partial", "power_cut")
    assert building.switches["heater"].written == [0, 1]


async def test_scenario_38_corrupt(building: Building) -> None:
    """A damaged journal is moved aside, every load is released with an alarm, and only this boot's commands count."""
    await building.order(magnitude_percent=100)
    await building.kill()
    path = building.path / "commands.db"
    path.with_name("commands.db-wal").unlink(missing_ok=True)
    path.write_bytes(b"no database at all" * 1_000)
    await building.start()
    assert building.values == building.normal
    assert "journal" in building.alarms
    assert building.path.joinpath("commands.db.damaged-1").exists()
    await building.order()
    assert (building.last("c2").state, building.last("c2").reason) == ("rejected", "boot")
    await building.order(boot_nonce=building.journal.boot_nonce)
    assert building.last("c3").state == "started"


async def test_scenario_38_full(building: Building) -> None:
    """A full disk: new sheds are refused, a release works, and what could not be stored is stored later."""
    await building.order()
    honest = building.journal.commit

    async def full(_change: Change) -> list[tuple[int, bytes]]:
        raise StorageError("database or disk is full")

    building.journal.commit = full  # type: ignore[method-assign, assignment]
    await building.order(target="pump", magnitude_percent=10)
    assert building.values["pump"] == 100
    await building.clock.advance(1_800)
    assert building.values == building.normal
    assert building.alarms == ["storage"]
    building.journal.commit = honest  # type: ignore[method-assign]
    await building.order(operation="cancel", refers_to="nothing")
    assert (building.last("c2").state, building.last("c2").reason) == ("rejected", "storage")
    assert building.last("c1").state == "completed"
    assert not (await building.journal.kept()).held


async def test_scenario_38_full_at_the_intent(building: Building) -> None:
    """The disk fills between acceptance and intent: nothing is written, and the command fails for storage."""
    honest, commits = building.journal.commit, 0

    async def filling(change: Change) -> list[tuple[int, bytes]]:
        nonlocal commits
        commits += 1
        if commits == 3:  # acceptance, start, and then the intent
            assert change.hold
            raise StorageError("database or disk is full")
        return await honest(change)

    building.journal.commit = filling  # type: ignore[method-assign]
    await building.order()
    assert all(not switch.written for switch in building.switches.values())
    assert building.states("c1") == ["received", "accepted", "releasing", "failed"]
    assert building.last("c1").reason == "storage"
    assert not (await building.journal.kept()).held


async def test_scenario_38_nowhere(tmp_path: Path) -> None:
    """Where no database can be made at all, sheds of the centre are refused and loads are released."""
    building = Building(tmp_path / "missing")
    building.switches["heater"].value = 0
    await building.start()
    assert building.values == building.normal
    await building.order(boot_nonce=building.journal.boot_nonce)
    assert (building.last("c1").state, building.last("c1").reason) == ("rejected", "storage")
    await building.kill()


async def test_scenario_48(building: Building) -> None:
    """With a full disk local overrun still sheds, and still gives back."""

    async def full(_change: Change) -> list[tuple[int, bytes]]:
        raise StorageError("database or disk is full")

    building.journal.commit = full  # type: ignore[method-assign, assignment]
    await building.executor.submit(Decision("overrun", Verdict.SHED, ("heater",), 600))
    await settle()
    assert building.values["heater"] == 0
    await building.clock.advance(601)
    assert building.values["heater"] == 1


@pytest.mark.parametrize("jump_ms", [3_600_000, -3_600_000, -1_800_000_000_000])
async def test_scenario_39(building: Building, jump_ms: int) -> None:
    """The wall clock jumps during the shed: the duration stays what it was, by boot time."""
    await building.order()
    building.clock.utc_at_zero = (building.clock.utc_at_zero or 0) + jump_ms
    await building.clock.advance(1_799)
    assert building.values["heater"] == 0
    await building.clock.advance(1)
    assert building.values == building.normal


async def test_scenario_47(building: Building) -> None:
    """A clock whose uncertainty is above 5 s is not trusted for a command; the boot nonce still is."""
    building.clock.uncertainty_ms = 4_999
    await building.order(target="heater")
    assert building.last("c1").state == "started"
    building.clock.uncertainty_ms = 5_001
    await building.order(target="pump")
    assert building.last("c2").state == "needs_time"
    await building.order(target="pump", boot_nonce=building.journal.boot_nonce)
    assert building.last("c3").state == "started"


async def test_boot_nonce_is_one_for_each_boot(building: Building) -> None:
    """The boot nonce stays the same over process restarts and changes with a reboot."""
    nonce = building.journal.boot_nonce
    await building.restart()
    assert building.journal.boot_nonce == nonce
    await building.kill()
    building.clock.reboot(10)
    await building.start()
    assert building.journal.boot_nonce != nonce


async def test_release_survives_any_number_of_restarts(building: Building) -> None:
    """A release that fails is taken up again by each start until it succeeds."""
    await building.order(target="pump")
    building.switches["pump"].dead = DeviceSilent("pump: no reply")
    await building.clock.advance(1_900)
    for _ in range(3):
        await building.restart()
        await building.clock.advance(100)
    assert building.last("c1").state == "releasing"
    building.switches["pump"].dead = None
    await building.clock.advance(60)
    assert building.values == building.normal
    assert building.last("c1").state == "completed"


async def test_spread_release_is_kept_over_a_restart(tmp_path: Path) -> None:
    """A restart during a spread release still gives every load back at its moment."""
    building = await Building(tmp_path, settings=Settings(release_spread_s=300)).start()
    await building.order(magnitude_percent=100)
    await building.clock.advance(1_801)
    moments = {r.name: spread_ms("gw-test", f"c1\0{r.name}", 300) - 1_000 for r in building.resources}
    await building.restart()
    begin_ms = building.clock.now_ms
    for load, moment_ms in sorted(moments.items(), key=lambda each: each[1]):
        await building.clock.advance((begin_ms + moment_ms - 1 - building.clock.now_ms) / 1000)
        assert building.values[load] != building.normal[load]
        await building.clock.advance(0.001)
        assert building.values[load] == building.normal[load]
    assert building.last("c1").state == "completed"
    await building.kill()
