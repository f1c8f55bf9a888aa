"""The meter's clock is taken where it is a moment and the meter does not doubt it, and nowhere else."""

from datetime import UTC, datetime

import pytest

from drivers.linky_clock import UNCERTAINTY_MS, MeterTime, meter_time
from linky_tic.group import Group
from linky_tic.label import Mode

NOON_UTC_MS = int(datetime(2026, 1, 15, 12, tzinfo=UTC).timestamp()) * 1_000
GOOD, DEGRADED = "003A0001", "003B0001"


def groups(horodate: str, status: str = GOOD, *, mode: Mode = Mode.STANDARD, suspect: bool = False) -> list[Group]:
    """Give what a frame says of its clock."""
    date = Group("DATE", "", horodate, mode=mode, suspect=suspect)
    return [date, Group("EAST", "000000001", mode=mode), Group("STGE", status, mode=mode)]


@pytest.mark.parametrize(
    ("horodate", "utc_ms"), [("H260115130000", NOON_UTC_MS), ("E260715140000", NOON_UTC_MS + 181 * 86_400_000)]
)
def test_a_season_makes_it_a_moment(horodate: str, utc_ms: int) -> None:
    """Winter is UTC+1, summer UTC+2; when the frame ends it is up to four seconds later, in the middle two."""
    time = meter_time(groups(horodate), 5_000)
    assert time == MeterTime(5_000, utc_ms + 2_000)
    assert UNCERTAINTY_MS >= 2_000 + 5_000


@pytest.mark.parametrize(
    "said",
    [
        groups("h260115130000"),
        groups("e260715140000"),
        groups(" 260115130000"),
        groups("H000000000000"),
        groups("H260115130000", DEGRADED),
        groups("H260115130000", suspect=True),
        groups("H260115130000")[:2],
        groups("H260115130000")[1:],
        [Group("DATE", None, None, valid=False, mode=Mode.STANDARD), *groups("H260115130000")[1:]],
        [],
    ],
)
def test_where_there_is_a_doubt_there_is_no_time(said: list[Group]) -> None:
    """A small letter, no season, zeros, bit 16 of STGE, frames that are stuck, a damaged group: nothing is guessed."""
    assert meter_time(said, 5_000) is None
