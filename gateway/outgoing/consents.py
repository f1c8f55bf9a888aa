"""Which dwelling has consented to which purpose: given and withdrawn by people, kept with the readings, none at first.

The state is one text among the outbox's marks: what holds for each dwelling and purpose, and the newest changes,
so that it can be shown who said what, when and why. Neither who nor why ever leaves.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Self

MARK = "consents"
"""Under which name the outbox keeps it."""

CHANGES_KEPT = 100


@dataclass(frozen=True, slots=True)
class Change:
    """A consent given or withdrawn: who said so and why; `utc_ms` None where the time was not known."""

    dwelling: str
    purpose: str
    given: bool
    who: str
    reason: str
    utc_ms: int | None


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

    def of(self, dwelling: str, purpose: str) -> Change | None:
        """Give what was said last of a dwelling and a purpose."""
        return next((each for each in self.last if (each.dwelling, each.purpose) == (dwelling, purpose)), None)

    def changed(self, change: Change) -> "Consents":
        """Give what holds after a change."""
        others = [each for each in self.last if (each.dwelling, each.purpose) != (change.dwelling, change.purpose)]
        return Consents((*others, change), (*self.changes, change)[-CHANGES_KEPT:])


def _changes(entries: Iterable[dict[str, object]]) -> tuple[Change, ...]:
    found = tuple(Change(**entry) for entry in entries)  # type: ignore[arg-type]  # checked below
    for each in found:
        if not isinstance(each.given, bool):
            raise TypeError(f"{each}: a truth is wanted")
    return found
