"""How many readings a dropped range had, where that is known: a damaged card does not tell of all that it took."""

_DAMAGE = "damage"


def known(count: int, reason: str) -> int | None:
    """Give how many readings a gateway told to be gone, None where it cannot know; of damage there may be more."""
    return None if reason == _DAMAGE and not count else count


def told(readings: int | None, reason: str) -> str:
    """Say that for people."""
    if readings is None:
        return "an unknown number of readings"
    return f"at least {readings} readings" if reason == _DAMAGE else f"{readings} readings"
