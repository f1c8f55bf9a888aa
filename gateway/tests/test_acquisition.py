"""Where Readings enter: what is committed at once, and what may wait for the next record."""

import pytest

from config.channel import Channel, Quantity
from drivers.reading import Reading
from gateway.acquisition import Acquisition
from gateway.latest import Latest
from gateway.wire.record import Recorder
from gateway.wire.schema import Schema

POWER = Channel("linky.sinsts", "linky", "linky", Quantity.APPARENT_POWER_IMPORT, "VA")
TARIFF = Channel("linky.ntarf", "linky", "linky", Quantity.TARIFF)
VALVE = Channel("boiler.valve", "boiler", "boiler.fast", Quantity.SWITCH_STATE)


class Desk:
    """An Acquisition, and how often it asked for a commit."""

    def __init__(self) -> None:
        self.urgent = 0
        self.latest = Latest()
        recorder = Recorder(Schema.of([POWER, TARIFF, VALVE]), bytes(16))
        self.acquisition = Acquisition(recorder, self.latest, self._asked)

    def _asked(self) -> None:
        self.urgent += 1

    def linky(self, boot_ms: int, power: int, tariff: int = 1) -> None:
        self.acquisition.accept([Reading(POWER, power, boot_ms), Reading(TARIFF, tariff, boot_ms)])

    def boiler(self, boot_ms: int, valve: int = 0) -> None:
        self.acquisition.accept([Reading(VALVE, valve, boot_ms)])


@pytest.fixture
def desk() -> Desk:
    """An Acquisition that has read nothing yet."""
    return Desk()


def test_first_tick_of_each_group_is_urgent(desk: Desk) -> None:
    """The first tick of each group is committed at once, whichever group was first; the ones after it wait."""
    desk.boiler(1_000)
    assert desk.urgent == 1
    desk.linky(2_400, power=500)
    assert desk.urgent == 2
    desk.boiler(3_000)
    desk.linky(3_800, power=501)
    assert desk.urgent == 2


@pytest.mark.parametrize("change", ["tariff", "switch"])
def test_what_was_billed_or_held_back_is_urgent(desk: Desk, change: str) -> None:
    """A change of the tariff or of a switch is committed at once, its repetition is not."""
    desk.boiler(1_000)
    desk.linky(1_000, power=500)
    before = desk.urgent
    for boot_ms in (2_000, 3_000):
        if change == "tariff":
            desk.linky(boot_ms, power=500, tariff=2)
        else:
            desk.boiler(boot_ms, valve=1)
        assert desk.urgent == before + 1


def test_taken_once(desk: Desk) -> None:
    """What was read is in the latest values and in one record, once."""
    desk.linky(1_000, power=500)
    desk.boiler(1_001)
    record = desk.acquisition.take(restart=False)
    assert record is not None
    assert (record.count, record.first_ms, record.last_ms) == (3, 1_000, 1_001)
    assert desk.acquisition.take(restart=False) is None
    assert desk.latest.taken == 3
    power = desk.latest.get(POWER.name)
    assert power is not None
    assert power.value == 500
