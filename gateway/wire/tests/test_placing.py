"""Boot times are placed by the least uncertain clock record of their boot, by a trusted one if there is any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import placing
from gateway.wire.messages import ClockRecord
from gateway.wire.placing import Placed, Timeline

BOOT = bytes(range(16))
HOUR = 3_600_000


def _record(boot_ms: int, utc_ms: int, uncertainty_ms: int, source: str = "kernel") -> ClockRecord:
    return ClockRecord(BOOT, boot_ms, utc_ms, uncertainty_ms, source)


def test_nothing_is_guessed() -> None:
    """Without a record of that boot there is no time."""
    assert Timeline([]).at(5) is None


def test_the_drift_is_added_on_both_sides() -> None:
    """50 ppm for each millisecond away from the record, rounded up."""
    line = Timeline([_record(HOUR, 1_800_000_000_000, 20)])
    assert line.at(HOUR) == Placed(1_800_000_000_000, 20, provisional=False)
    assert line.at(0) == Placed(1_800_000_000_000 - HOUR, 200, provisional=False)
    assert line.at(2 * HOUR) == Placed(1_800_000_000_000 + HOUR, 200, provisional=False)
    assert line.at(HOUR + 1) == Placed(1_800_000_000_001, 21, provisional=False)


def test_the_least_uncertain_record_places() -> None:
    """A vague record close by yields to a sharp one further away."""
    line = Timeline([_record(0, 1_000, 5), _record(HOUR, HOUR + 9_000, 900)])
    assert line.at(HOUR - 1) == Placed(HOUR + 999, 185, provisional=False)


def test_a_meter_places_only_while_nobody_better_does() -> None:
    """A meter's clock is provisional; one record of kernel or centre places everything of that boot anew."""
    meter = _record(1_000, 500_000, 1, "meter")
    assert Timeline([meter]).at(1_000) == Placed(500_000, 1, provisional=True)
    line = Timeline([meter, _record(100 * HOUR, 100 * HOUR + 480_000, 2_000, "centre")])
    assert line.at(1_000) == Placed(481_000, 2_000 + 18_000, provisional=False)


def test_each_boot_is_placed_by_its_own_records() -> None:
    """Records of two boots together are a mistake of the caller."""
    with pytest.raises(ValueError, match="different boots"):
        Timeline([_record(0, 0, 0), ClockRecord(bytes(16), 0, 0, 0, "kernel")])


@given(
    st.lists(st.tuples(st.integers(0, 40 * HOUR), st.integers(0, 3_000)), min_size=1, max_size=12),
    st.integers(0, 40 * HOUR),
)
def test_no_record_would_have_placed_it_better(records: list[tuple[int, int]], boot_ms: int) -> None:
    """The neighbours suffice: looking at every record gives no smaller uncertainty."""
    placed = Timeline(_record(at, at + 7, uncertainty) for at, uncertainty in records).at(boot_ms)
    least = min(u * 1_000_000 + abs(boot_ms - at) * placing.DRIFT_PPM for at, u in records)
    assert placed == Placed(boot_ms + 7, -(-least // 1_000_000), provisional=False)
