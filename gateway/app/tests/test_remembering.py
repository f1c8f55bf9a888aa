"""What a channel's numbers mean may change with the site file: its history is begun anew then."""

from contextlib import closing
from pathlib import Path

from buffer.history import Minute, Rollup
from buffer.outbox import Outbox
from gateway.app.remembering import UNITS, keep_units

OLD = {"gas.total": ("m3", -3), "main.papp": ("VA", 0)}


def sums(outbox: Outbox, channel: str) -> list[int]:
    """Give what is shown of a channel."""
    return [row.rollup.sum for row in outbox.history.minutes(channel, 0, 100)]


def note(outbox: Outbox, minute: int, value: int) -> None:
    """Store a minute of both channels."""
    rollup = Rollup(value, value, value, value, value, 1)
    outbox.history.add([Minute(name, minute, 0, rollup) for name in OLD])


def test_numbers_in_another_unit_are_never_shown_as_those_of_now(tmp_path: Path) -> None:
    """Litres would be shown as tenths of a cubic metre: of that channel nothing is known then, of others all."""
    path = tmp_path / "outbox.db"
    with closing(Outbox.open(path, quota_pages=4096)) as outbox:
        note(outbox, 1, 1_000)
        keep_units(outbox, OLD)
        assert sums(outbox, "gas.total") == [1_000]
    with closing(Outbox.open(path, quota_pages=4096)) as outbox:
        keep_units(outbox, {**OLD, "gas.total": ("m3", -1)})
        assert (sums(outbox, "gas.total"), sums(outbox, "main.papp")) == ([], [1_000])
        note(outbox, 2, 10)
    with closing(Outbox.open(path, quota_pages=4096)) as outbox:
        before = outbox.marks()[UNITS]
        keep_units(outbox, {"gas.total": ("m3", -1)})  # the other meter is out of the site file for a while
        assert (sums(outbox, "gas.total"), outbox.marks()[UNITS]) == ([10], before)
        keep_units(outbox, {"main.papp": ("kVA", 0)})
        assert sums(outbox, "main.papp") == []
