"""The bench's side of the comparison: what it put on the wires, channel by channel."""

import json
from collections import defaultdict
from collections.abc import Set as AbstractSet
from pathlib import Path

from hil_tests.bench.site import LINKY
from hil_tests.demo.verdict import Seen

Sightings = dict[str, list[Seen]]


NO_READINGS = frozenset(f"{LINKY}.{label}" for label in ("adsc", "adco", "prm", "date"))
"""What a Linky says that is no Reading: its number and the delivery point's (personal data), and its clock."""


def wires(path: Path, loads: AbstractSet[str]) -> Sightings:
    """Read the bench's ledger, whose values bear the names of the channels that must carry them.

    An entry with nothing but one of `loads` is the agent's own look at a switch, not a poll.
    """
    seen: Sightings = defaultdict(list)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            values: dict[str, int | str] = entry["values"]
            if len(values) == 1 and values.keys() <= loads:
                continue
            for name, value in values.items():
                if name not in NO_READINGS:
                    seen[name].append((entry["boot_ms"], value))
    return seen
