"""What has come to a centre, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Counts:
    """What has come over all the life of the store; `gaps` and `undecoded` are what is missing or waits now.

    `bad_signatures`: no key of that gateway made it. `malformed`: outside the profile. `misplaced`: genuine, under a
    topic that is not its own. `conflicts`: another message in the same place. `unreadable`: genuine, and its content
    says nothing to us. `revoked_keys`: signed with a key that is revoked. `unknown_contents`: of a version that is not
    read here. `dropped_readings`: told by their gateway to be gone for good.
    """

    verified_readings: int
    segments: int
    duplicates_dropped: int
    bad_signatures: int
    malformed: int
    misplaced: int
    chain_breaks: int
    conflicts: int
    unreadable: int
    alarms: int
    gaps: int
    undecoded: int
    revoked_keys: int = 0
    unknown_contents: int = 0
    dropped_readings: int = 0

    @classmethod
    def of(cls, tallies: Mapping[str, int], *, gaps: int, undecoded: int) -> Self:
        """Make it of the store's tallies."""
        return cls(
            verified_readings=tallies.get("readings", 0),
            segments=tallies.get("segments", 0),
            duplicates_dropped=tallies.get("duplicates_dropped", 0),
            bad_signatures=tallies.get("bad_signatures", 0),
            malformed=tallies.get("malformed", 0),
            misplaced=tallies.get("misplaced", 0),
            chain_breaks=tallies.get("chain_breaks", 0),
            conflicts=tallies.get("conflicts", 0),
            unreadable=tallies.get("unreadable", 0),
            alarms=tallies.get("alarms", 0),
            gaps=gaps,
            undecoded=undecoded,
            revoked_keys=tallies.get("revoked_keys", 0),
            unknown_contents=tallies.get("unknown_contents", 0),
            dropped_readings=tallies.get("dropped_readings", 0),
        )
