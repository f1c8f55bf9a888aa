"""Which stream goes before which, and under which topic.

Alarms first: someone may have to act. Then the records without which segments mean little, which are tiny: what was
dropped, schemas, clocks. Then readings, the freshest of every tier before any backlog, for people look at now; and in
the backlog the tiers by worth for a byte: a month of quarter-hourly indexes is some hundred kilobytes and settles a
bill, a month of minutes draws every curve, and everything else may take the rest of the night. So a link that falls
again in the midst of a drain, or that is paid by the megabyte, has carried what counts most. It is also the order in
which the quota keeps them.
"""

from collections.abc import Sequence

ALARM = "alarm"
RECORDS = ("dropped", "schema", "clock")
TIERS = ("index", "minute", "fine")

ORDER: Sequence[str] = (ALARM, *RECORDS, *TIERS)
"""Tiers from the first to go to the last; what is not named here comes behind."""

_FIRST_TIER = 2
_RANKS = {ALARM: 0, **dict.fromkeys(RECORDS, 1), **{tier: _FIRST_TIER + place for place, tier in enumerate(TIERS)}}


def tier(stream: str) -> str:
    """Give a stream's tier, its name up to the first "."; a dwelling's are `minute.apt-12.research`."""
    return stream.partition(".")[0]


def rank(stream: str) -> int:
    """Give how early a stream goes: 0 alarms, 1 records, from 2 on the tiers of readings."""
    return _RANKS.get(tier(stream), _FIRST_TIER + len(TIERS))


def is_urgent(stream: str) -> bool:
    """Whether it is an alarm or a record: no budget, and no silence of the centre, holds it back."""
    return rank(stream) < _FIRST_TIER


def kind(stream: str) -> str:
    """Give the last part of the topic on which a stream's messages go."""
    return "evt/alarm" if stream == ALARM else f"tele/{stream}"
