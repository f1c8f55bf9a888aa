"""Where Readings enter: what is urgent, what is latest, and that all of it is handed on."""

import pytest

from config.channel import Channel, Quantity
from drivers.reading import Reading
from gateway.acquisition import Acquisition
from gateway.latest import Latest

POWER = Channel("linky.sinsts", "linky", "linky", Quantity.APPARENT_POWER_IMPORT, "VA")
TARIFF = Channel("linky.ntarf", "linky", "linky", Quantity.TARIFF)
STATUS = Channel("linky.stge", "linky", "linky", Quantity.STATUS)
SWITCH = Channel("bms.heater", "bms", "bms.fast", Quantity.SWITCH_STATE)


class Entry:
    """An acquisition whose calls for a commit are counted."""

    def __init__(self) -> None:
        self.urgent = 0
        self.latest = Latest()
        self.recorded: list[Reading] = []
        self.acquisition = Acquisition(self.recorded.extend, self.latest, self._called)

    def _called(self) -> None:
        self.urgent += 1

    def read(self, boot_ms: int, *values: tuple[Channel, int]) -> None:
        self.acquisition.accept([Reading(channel, value, boot_ms) for channel, value in values])


def test_the_first_tick_is_committed_at_once() -> None:
    """A gateway that restarts in a loop still meters."""
    entry = Entry()
    entry.read(1_000, (POWER, 1))
    assert entry.urgent == 1
    entry.read(2_000, (POWER, 2))
    assert entry.urgent == 1


@pytest.mark.parametrize("channel", [TARIFF, STATUS, SWITCH])
def test_what_was_billed_or_held_back_is_committed_at_once(channel: Channel) -> None:
    """A change of tariff, status or switch asks for a commit; the same value again does not."""
    entry = Entry()
    entry.read(1_000, (channel, 1))
    entry.read(2_000, (channel, 1))
    assert entry.urgent == 1
    entry.read(3_000, (channel, 2))
    assert entry.urgent == 2


def test_a_power_that_changes_can_wait() -> None:
    """What changes at each tick does not wear the card out."""
    entry = Entry()
    for tick in range(10):
        entry.read(1_000 + tick, (POWER, tick), (TARIFF, 1))
    assert entry.urgent == 1


def test_every_tick_is_handed_on() -> None:
    """What may leave of it is decided elsewhere."""
    entry = Entry()
    entry.read(1_000, (POWER, 1), (TARIFF, 1))
    entry.read(2_000, (POWER, 1), (TARIFF, 1))
    assert [(reading.channel, reading.boot_ms) for reading in entry.recorded] == [
        (POWER, 1_000),
        (TARIFF, 1_000),
        (POWER, 2_000),
        (TARIFF, 2_000),
    ]


def test_the_latest_is_kept_for_each_channel_and_never_forgotten() -> None:
    """A channel that is no longer read keeps its last value; its age tells."""
    entry = Entry()
    assert entry.latest.get("linky.sinsts") is None
    assert entry.latest.device_read_at("linky") is None
    entry.read(1_000, (POWER, 5), (TARIFF, 1))
    entry.read(2_000, (POWER, 6))
    entry.read(1_500, (SWITCH, 1))
    assert [(r.channel.name, r.value, r.boot_ms) for r in entry.latest.all()] == [
        ("linky.sinsts", 6, 2_000),
        ("linky.ntarf", 1, 1_000),
        ("bms.heater", 1, 1_500),
    ]
    assert (entry.latest.device_read_at("linky"), entry.latest.device_read_at("bms")) == (2_000, 1_500)
    assert entry.latest.taken == 4
