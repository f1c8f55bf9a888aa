"""How good a meter's line is: what became of its frames, groups and characters, counted, never logged one by one."""

from linky_tic.group import Group, Reason


class LineQuality:
    """Counts since the start of this process."""

    def __init__(self) -> None:
        self.counters = dict.fromkeys(
            (
                "frames",
                "frames_incomplete",
                "groups_valid",
                "groups_suspect",
                *(f"groups_{reason.value}" for reason in Reason),
                "characters",
                "characters_damaged",
                "resynchronisations",
                "openings",
            ),
            0,
        )

    def group(self, group: Group) -> None:
        """Count a group by what became of it."""
        self.counters["groups_valid" if group.valid else f"groups_{group.reason}"] += 1

    def frame(self, *, complete: bool, suspect: int) -> None:
        """Count a frame, and the values in it that cannot be true."""
        self.counters["frames" if complete else "frames_incomplete"] += 1
        self.counters["groups_suspect"] += suspect

    def characters(self, count: int, damaged: int) -> None:
        """Count characters, those with wrong parity among them."""
        self.counters["characters"] += count
        self.counters["characters_damaged"] += damaged
