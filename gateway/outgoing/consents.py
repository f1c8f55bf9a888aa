"""Which dwelling has consented to which purpose: given and withdrawn by people, kept with the readings, none at first.

The state is one text among the outbox's marks: what holds for each dwelling and purpose, and the newest changes,
so that it can be shown who said what, when and why. Neither who nor why ever leaves.

A consent covers what it was given for and no more: it is kept with the tiers and the devices of that day. One that an
older version kept without them covers nothing until it is given anew, for nobody can tell what it was given for.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Self

from gateway.outgoing.scope import TIERS

MARK = "consents"
"""Under which name the outbox keeps it."""

CHANGES_KEPT = 100


@dataclass(frozen=True, slots=True)
class Change:
    """A consent given or withdrawn: who said so and why; `utc_ms` None where the time was not known.

    One that is given covers `tiers` of `devices`.
    """

    dwelling: str
    purpose: str
    given: bool
    who: str
    reason: str
    utc_ms: int | None
    tiers: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()

    def covers_as(self, other: "Change") -> bool:
        """Say whether both let out the same."""
        is_same = self.given == other.given and set(self.tiers) == set(other.tiers)
        return is_same and set(self.devices) == set(other.devices)


@dataclass(frozen=True, slots=True)
class Consents:
    """What was said last of each dwelling and purpose, and the newest changes, the oldest of them first."""

    last: tuple[Change, ...] = ()
    changes: tuple[Change, ...] = ()

    @classmethod
    def read(cls, mark: object) -> Self:
        """Read what `write` gave; nothing is consented to where it is not there or cannot be understood."""
        if not isinstance(mark, str):
            return cls()
        try:
            document = json.loads(mark)
            return cls(_changes(document["last"]), _changes(document["changes"]))
        except (ValueError, KeyError, TypeError):
            return cls()

    def write(self) -> str:
        """Give the text to keep."""
        return json.dumps(
            {"last": [asdict(each) for each in self.last], "changes": [asdict(each) for each in self.changes]},
            separators=(",", ":"),
        )

    def given(self, dwelling: str, purpose: str) -> bool:
        """Say whether a dwelling consents to a purpose now."""
        found = self.of(dwelling, purpose)
        return found is not None and found.given

    def covers(self, dwelling: str, purpose: str, tier: str) -> bool:
        """Say whether a dwelling consents now to a tier for a purpose."""
        found = self.of(dwelling, purpose)
        return found is not None and found.given and tier in found.tiers

    def of(self, dwelling: str, purpose: str) -> Change | None:
        """Give what was said last of a dwelling and a purpose."""
        return next((each for each in self.last if (each.dwelling, each.purpose) == (dwelling, purpose)), None)

    def changed(self, change: Change) -> "Consents":
        """Give what holds after a change."""
        others = [each for each in self.last if (each.dwelling, each.purpose) != (change.dwelling, change.purpose)]
        return Consents((*others, change), (*self.changes, change)[-CHANGES_KEPT:])


def _changes(entries: Iterable[dict[str, object]]) -> tuple[Change, ...]:
    found = tuple(
        Change(**{**entry, "tiers": _names(entry, "tiers"), "devices": _names(entry, "devices")})  # type: ignore[arg-type]  # checked below
        for entry in entries
    )
    for each in found:
        if not isinstance(each.given, bool):
            raise TypeError(f"{each}: a truth is wanted")
        if not set(each.tiers) <= set(TIERS):
            raise ValueError(f"{each}: a tier that there is not")
    return found


def _names(entry: dict[str, object], field: str) -> tuple[str, ...]:
    names = entry.get(field, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{field}: names are wanted")
    return tuple(names)
