"""Two views of the same readings, channel by channel: what the bench put on the wires, and what the centre verified."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from hil_tests.demo.verdict import Seen

Sightings = dict[str, list[Seen]]


def wires(path: Path, labels: Mapping[str, str], loads: Iterable[str]) -> Sightings:
    """Read the bench's ledger; `labels` maps what it calls a value to the channel that must carry it.

    A value without a channel (the meter's number, its clock) is no Reading and is passed over. A request for nothing
    but one load's point is the agent's own look at a switch, not a poll.
    """
    single = {(point,) for point in loads}
    seen: Sightings = defaultdict(list)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            values: dict[str, int | str] = entry["values"]
            if tuple(values) in single:
                continue
            for name, value in values.items():
                channel = labels.get(name)
                if channel is not None:
                    seen[channel].append((entry["boot_ms"], value))
    return seen
