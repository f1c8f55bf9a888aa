"""How often somebody may be wrong: 5 times in 15 minutes from one address, 30 times from all; kept across a restart.

An attempt counts as a failure until it has succeeded, so that many at once do not get past the count.
"""

from collections.abc import Sequence

from gateway.web.store import Store

SPAN_S = 15 * 60.0
MOST_OF_ONE = 5
MOST_OF_ALL = 30


def wait_s(own: Sequence[float], everybody: Sequence[float], now_s: float) -> float:
    """Give how long to wait, 0 if not at all, after failures at these times, the oldest first and none past SPAN_S."""
    full = [
        times[-most] + SPAN_S - now_s
        for times, most in ((own, MOST_OF_ONE), (everybody, MOST_OF_ALL))
        if len(times) >= most
    ]
    return max([0.0, *full])


class Throttle:
    """Counts wrong passwords and wrong codes alike, in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def attempt(self, address: str) -> float:
        """Count an attempt and give 0; or count nothing and give the seconds until the next one is let through."""
        return self._store.count_failure(address, SPAN_S, wait_s)

    def succeeded(self, address: str) -> None:
        """Forget the failures of one address: whoever is there knows the password."""
        self._store.forget_failures(address)

    def not_judged(self, address: str) -> None:
        """Take one attempt back that was neither right nor wrong, as we had no time for it."""
        self._store.forget_failures(address, only_last=True)
