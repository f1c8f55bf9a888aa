"""What the broker has acknowledged is handed over in ranges, and not one by one."""

from collections.abc import Mapping, Sequence

from gateway.uplink.gathered import Gathered


def test_places_become_ranges() -> None:
    """Streams apart, neighbours together, fifty at most."""
    told: list[Mapping[str, Sequence[tuple[int, int]]]] = []
    gathered = Gathered(told.append)
    for place in (("fine", 3), ("alarm", 1), ("fine", 1), ("fine", 2), ("fine", 9)):
        gathered.add(place)
    assert gathered
    gathered.hand_over()
    gathered.hand_over()
    assert told == [{"alarm": [(1, 1)], "fine": [(1, 3), (9, 9)]}]
    for sequence in range(50):
        gathered.add(("fine", sequence))
    assert told[1:] == [{"fine": [(0, 49)]}]


def test_nobody_who_wants_to_know_is_told_nothing() -> None:
    """With signed receipts the broker's word is not even remembered."""
    gathered = Gathered(None)
    gathered.add(("fine", 1))
    assert not gathered
    assert not gathered.is_wanted
