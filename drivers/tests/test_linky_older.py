"""What a four-quadrant ICE tells twice in a frame: only what is drawn is a reading of what is drawn."""

import pytest

from drivers.linky_older import Applications
from linky_tic.decoder import Decoder, Frame
from linky_tic.label import Mode
from linky_tic.tests.encoder import Item, encode_frame

TWO = [Item("CONTRAT", "TV A8 BASE"), Item("EApP", "00111kWh"), Item("PA1MN", "111kW")]
DRAWN = [Item("Appli", "SOUTIRAGE"), Item("EApP", "00222kWh"), Item("PA1MN", "222kW")]
INJECTED = [Item("Appli", "INJECTION"), Item("EApP", "00333kWh"), Item("PA1MN", "333kW")]
FOUR = encode_frame(Mode.EMERAUDE, [TWO[0], *DRAWN, *INJECTED])


def values(applications: Applications, data: bytes) -> list[str | None]:
    """Give what is drawn, by all frames of a stream."""
    decoder = Decoder(Mode.EMERAUDE)
    frames = [event for event in decoder.feed(data) + decoder.flush() if isinstance(event, Frame)]
    drawn = [group for frame in frames for group in applications.drawn(frame, frame.groups)]
    return [group.value for group in drawn if group.valid and group.label in ("EApP", "PA1MN")]


@pytest.mark.parametrize(
    "items",
    [
        [TWO[0], *DRAWN, *INJECTED],
        [*INJECTED, *DRAWN],
        [Item("Appli", "A1"), *DRAWN[1:], Item("Appli", "A2"), *INJECTED[1:]],
        [*DRAWN, Item("Appli", "A2"), *INJECTED[1:]],
    ],
)
def test_what_is_injected_is_not_what_is_drawn(items: list[Item]) -> None:
    """Whichever comes first; of names that say nothing, the first is believed."""
    assert values(Applications(), encode_frame(Mode.EMERAUDE, items)) == ["00222kWh", "222kW"]


def test_a_meter_of_two_quadrants_is_read_whole() -> None:
    """It has no Appli; cut frames are read as well once a whole one has shown that."""
    applications, data = Applications(), encode_frame(Mode.EMERAUDE, TWO)
    assert values(applications, data) == ["00111kWh", "111kW"]
    assert values(applications, data[:-1]) == ["00111kWh", "111kW"]


def test_damage_makes_no_injected_value_a_drawn_one() -> None:
    """Wherever a frame of four quadrants begins, ends or is hit, at the start of listening too."""
    drawn = {"00222kWh", "222kW"}
    for at in range(len(FOUR)):
        hit = FOUR[:at] + b"\x00" + FOUR[at + 1 :]
        assert set(values(Applications(), FOUR[at:] + hit + FOUR[:at] + FOUR)) == drawn, at
        assert set(values(Applications(), FOUR + hit)) == drawn, at
        assert set(values(Applications(), FOUR + FOUR[:at] + FOUR[at + 2 :])) == drawn, at
