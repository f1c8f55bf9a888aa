"""The meter's clock stamps while nobody better knows, confirms or refutes who does, and moves no command."""

from dataclasses import dataclass

import pytest

from drivers.linky_clock import MeterTime
from gateway.adjtimex import WallClock
from gateway.app.meterclock import DISAGREE_MS, MeterClock
from gateway.app.tests.test_timing import UTC_MS, HandClock
from gateway.commands.verify import times_of


@dataclass
class Meter:
    name: str
    time: MeterTime | None = None


class Rig:
    """A machine that knows no time, two meters, and what was told as an alarm."""

    def __init__(self) -> None:
        self.wall: WallClock | None = None
        self.clock = HandClock(lambda: self.wall)
        self.first, self.second = Meter("first"), Meter("second")
        self.alarms: list[tuple[str, str]] = []
        self.beside = MeterClock(self.clock, [self.first, self.second], lambda *alarm: self.alarms.append(alarm))

    def shows(self, meter: Meter, utc_ms: int) -> None:
        """Let a meter show a time now."""
        meter.time = MeterTime(self.clock.now_ms, utc_ms)

    def known(self) -> str | None:
        """Look, and give whose time is taken."""
        self.beside.look()
        found = self.clock.correlation()
        return None if found is None else found.source


@pytest.fixture(name="rig")
def rig_fixture() -> Rig:
    """Give a rig."""
    return Rig()


def test_a_meter_s_time_is_taken_while_nobody_better_knows(rig: Rig) -> None:
    """None shows, nothing is known; one shows, readings can be placed; the centre replies, it is the centre's."""
    assert rig.known() is None
    rig.shows(rig.second, UTC_MS)
    assert rig.known() == "meter"
    assert [each["off_ms"] for each in rig.beside.compared()] == [None]
    rig.clock.replied(rig.clock.now_ms, UTC_MS)
    assert rig.known() == "centre"
    assert rig.alarms == []


def test_it_never_makes_a_command_acceptable(rig: Rig) -> None:
    """With the meter's word alone the time of a command stays unknown."""
    rig.shows(rig.first, UTC_MS)
    assert rig.known() == "meter"
    assert times_of(rig.clock, 0, bytes(16)).utc_ms is None
    rig.clock.replied(rig.clock.now_ms, UTC_MS)
    assert times_of(rig.clock, 0, bytes(16)).utc_ms == UTC_MS


def test_a_disagreement_is_told_once_until_they_agree_again(rig: Rig) -> None:
    """With both values and how far apart they are; again after they have agreed meanwhile."""
    rig.clock.replied(rig.clock.now_ms, UTC_MS)
    for off_ms, alarms in ((0, 0), (DISAGREE_MS, 0), (3_600_000, 1), (3_599_000, 1), (0, 1), (-3_600_000, 2)):
        rig.shows(rig.first, UTC_MS + off_ms)
        rig.beside.look()
        assert len(rig.alarms) == alarms
    assert rig.alarms[0] == (
        "clock",
        "first shows 2027-01-15 09:00:00 UTC, the clock from the centre 2027-01-15 08:00:00 UTC: 3600 s apart",
    )


def test_each_meter_is_compared(rig: Rig) -> None:
    """The second one's clock may be wrong while the first's is right."""
    rig.clock.replied(rig.clock.now_ms, UTC_MS)
    rig.shows(rig.first, UTC_MS + 1_000)
    rig.shows(rig.second, UTC_MS - 86_400_000)
    rig.beside.look()
    assert [text.partition(" ")[0] for _, text in rig.alarms] == ["second"]
    assert [(each["name"], each["agrees"]) for each in rig.beside.compared()] == [("first", True), ("second", False)]


def test_what_a_silent_meter_showed_proves_nothing_now(rig: Rig) -> None:
    """After a minute it is neither compared nor taken."""
    rig.clock.replied(rig.clock.now_ms, UTC_MS)
    rig.shows(rig.first, UTC_MS - 86_400_000)
    rig.clock.now_ms += 60_000
    rig.beside.look()
    assert rig.alarms == []
    assert rig.beside.compared() == []


def test_kernel_and_centre_apart_are_told_once(rig: Rig) -> None:
    """Of two trusted clocks that contradict each other one is wrong, until they agree again."""
    rig.wall = WallClock(UTC_MS + 61_000, 600)
    rig.clock.replied(rig.clock.now_ms, UTC_MS)
    for _ in range(2):
        rig.beside.look()
    assert rig.alarms == [("clock", "the kernel's clock is 61.0 s ahead of the centre's: one is wrong")]
    rig.wall = WallClock(UTC_MS, 600)
    rig.beside.look()
    rig.wall = WallClock(UTC_MS - 5_000, 600)
    rig.beside.look()
    assert rig.alarms[1:] == [("clock", "the kernel's clock is 5.0 s behind the centre's: one is wrong")]
