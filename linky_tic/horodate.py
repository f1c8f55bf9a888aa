"""The meter's time stamps, SAAMMJJhhmmss: S is the season and tells what UTC it was, except where it is a SPACE.

H is winter (UTC+1), E is summer (UTC+2), in small letters when the meter doubts its own clock. DPMx and FPMx have a
SPACE: their time is legal time in France, which is ambiguous for one hour a year. So is that of ICE and PME-PMI
meters, JJ/MM/AA HH:MM:SS, which has no season at all.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from linky_tic.errors import HorodateError

_SHAPE = re.compile(r"([HEhe ])([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})")
_OFFSET = {"H": timezone(timedelta(hours=1)), "E": timezone(timedelta(hours=2))}
_LEGAL = "Europe/Paris"
_CENTURY = 2_000


@dataclass(frozen=True, slots=True)
class Horodate:
    """A stamp as the meter's clock showed it: `local` has no zone, `season` is "H", "E" or " ".

    `degraded` where the meter doubts its own clock.
    """

    local: datetime
    season: str
    degraded: bool

    @property
    def ambiguous(self) -> bool:
        """Tell whether two moments have this stamp: no season, and the hour that comes twice in autumn."""
        if self.season != " ":
            return False
        moments = self._legal()
        return moments is not None and moments[0] != moments[1]

    def utc(self) -> datetime | None:
        """Give the moment, in UTC; the first of two where it is ambiguous.

        None where it is unknown: no season and a time that legal time skips in spring, or a machine without a time
        zone database.
        """
        if self.season in _OFFSET:
            return self.local.replace(tzinfo=_OFFSET[self.season]).astimezone(UTC)
        moments = self._legal()
        return None if moments is None else moments[0]

    def _legal(self) -> tuple[datetime, datetime] | None:
        """Give the first and the second moment at which legal time showed this stamp; None where it never did."""
        try:
            zone = ZoneInfo(_LEGAL)
        except ZoneInfoNotFoundError:
            return None
        first, second = (self.local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first.astimezone(zone).replace(tzinfo=None) != self.local:
            return None
        return first, second


def parse_horodate(text: str) -> Horodate | None:
    """Read 13 characters SAAMMJJhhmmss; None where the meter has no time to give (all zeros); raise HorodateError."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise HorodateError(f"{text!r} is not SAAMMJJhhmmss with S one of H, E, h, e, space (54E section 3)")
    if text[1:] == "0" * 12:
        return None
    season = match[1]
    return Horodate(_local(text, match.groups()[1:]), season.upper(), season in "he")


_SHORT = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{2}) ([0-9]{2})([:/])([0-9]{2})\5([0-9]{2})")


def parse_short_date(text: str) -> Horodate | None:
    """Read JJ/MM/AA HH:MM:SS (or HH/MM/SS), legal time; None where the meter has no date; raise HorodateError."""
    match = _SHORT.fullmatch(text)
    if match is None:
        raise HorodateError(f"{text!r} is not JJ/MM/AA HH:MM:SS (02E, the date of ICE and PME-PMI meters)")
    day, month, year, hour, _, minute, second = match.groups()
    if int(day) == int(month) == 0:
        return None
    return Horodate(_local(text, (year, month, day, hour, minute, second)), " ", degraded=False)


def _local(text: str, pieces: Sequence[str]) -> datetime:
    """Make the date and time of year to second; raise HorodateError with the text."""
    year, month, day, hour, minute, second = map(int, pieces)
    try:
        return datetime(_CENTURY + year, month, day, hour, minute, second)  # noqa: DTZ001 - the season is the zone
    except ValueError as error:
        raise HorodateError(f"{text!r} is no date and time: {error}") from None
