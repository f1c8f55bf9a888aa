"""The bench's side of the comparison: what it put on the wires, channel by channel."""

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from hil_tests.bench.site import LINKY
from hil_tests.demo.due import Due, Sightings

NO_READINGS = frozenset(f"{LINKY}.{label}" for label in ("adsc", "adco", "prm", "date"))
"""What a Linky says that is no Reading: its number and the delivery point's (personal data), and its clock."""


@dataclass(frozen=True, slots=True)
class Wires:
    """What was on the wires: what must arrive, what may (heard in part only, or no change), and what was `said`.

    `said` is of the Linky, by whole frames: what the centre has to know, whether it arrives with each frame or not.
    """

    certain: Sightings
    perhaps: Sightings
    said: Sightings


def wires(path: Path, loads: AbstractSet[str]) -> Wires:
    """Read the bench's ledger, whose values bear the names of the channels that must carry them.

    An entry with nothing but one of `loads` is the agent's own look at a switch, not a poll.
    """
    due = Due()
    found = Wires(due.certain, due.perhaps, due.said)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            values: dict[str, int | str] = entry["values"]
            if len(values) == 1 and values.keys() <= loads:
                continue
            values = {name: value for name, value in values.items() if name not in NO_READINGS}
            if all(name.startswith(f"{LINKY}.") for name in values):
                due.frame(entry["boot_ms"], values, certain=entry["certain"])
                continue
            seen = found.certain if entry["certain"] else found.perhaps
            for name, value in values.items():
                seen[name].append((entry["boot_ms"], value))
    return found
