"""What a start does with a command that it finds unfinished: the restart table. Pure.

| case | known by | does |
|---|---|---|
| process restarted | same boot id | goes on with the same boot times, to the end |
| rebooted, clock trusted | other boot id | moves the times into this boot; past the end: as below |
| rebooted, clock untrusted | other boot id | releases; interrupted until it is trusted |
| end never known in UTC | other boot id | releases, partial (power_cut): nothing can tell where the end is |
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.commands.lifecycle import State

RUNNING = frozenset({State.STARTING, State.ACTIVE, State.SUSPENDED, State.INTERRUPTED})
WAITING = frozenset({State.ACCEPTED, State.SCHEDULED})


class Resume(StrEnum):
    """What to do."""

    GO_ON = "go_on"
    MOVE = "move"
    """Place start and end in this boot, then go on."""
    WAIT = "wait"
    """Release, and wait for a trusted clock."""
    EXPIRE = "expire"
    GIVE_UP = "give_up"


@dataclass(frozen=True, slots=True)
class Found:
    """An unfinished command at a start."""

    state: State
    same_boot: bool
    end_utc_ms: int | None
    utc_ms: int | None


def at_start(found: Found) -> Resume:
    """Give what a start does with it; parked commands and those that are being released always go on."""
    if found.same_boot or found.state not in RUNNING | WAITING:
        return Resume.GO_ON
    past = Resume.GIVE_UP if found.state in RUNNING else Resume.EXPIRE
    if found.end_utc_ms is None:
        return past
    if found.utc_ms is None:
        return Resume.WAIT
    return Resume.MOVE if found.utc_ms < found.end_utc_ms else past
