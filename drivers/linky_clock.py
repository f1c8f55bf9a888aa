"""What a Linky's own clock says: DATE of the standard mode, where the meter itself does not doubt it.

Only a horodate with its season is a moment (54E section 3): DATE with a capital letter, in a frame whose STGE has bit
16 (clock degraded) clear. The historique mode tells no time; that of older meters has no season, and is not used.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from linky_tic.group import Group
from linky_tic.horodate import parse_horodate
from linky_tic.label import Mode
from linky_tic.status import parse_status

_MIDDLE_MS = 2_000
UNCERTAINTY_MS = 7_000
"""DATE has whole seconds, is up to one frame old when it is sent (54E section 3), and a frame takes up to 1.5 s: when
the frame ends it was DATE + 2 s, give or take 2. For the meter's clock itself 5 s are assumed: a class of clocks may
run half a second a day off (IEC 62054-21), and no source says how often Enedis sets them."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MeterTime:
    """When it was `boot_ms`, the meter's clock showed `utc_ms` (Unix, ms), to UNCERTAINTY_MS."""

    boot_ms: int
    utc_ms: int


def meter_time(groups: Iterable[Group], at_ms: int) -> MeterTime | None:
    """Give what the meter's clock showed at the end of a frame; None where it does not say, or doubts it."""
    said = {group.label: group for group in groups if group.valid and not group.suspect and group.label in _LABELS}
    date, status = said.get("DATE"), said.get("STGE")
    if date is None or status is None or date.mode is not Mode.STANDARD:
        return None
    shown = parse_horodate(date.horodate or "")
    if shown is None or shown.degraded or shown.season == " " or parse_status(status.value or "").clock_degraded:
        return None
    utc = shown.utc()
    return None if utc is None else MeterTime(at_ms, (utc - _EPOCH) // timedelta(milliseconds=1) + _MIDDLE_MS)


_LABELS = frozenset({"DATE", "STGE"})
