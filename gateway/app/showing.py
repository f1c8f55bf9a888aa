"""Which certificate is shown to the broker: the one in use, or the one that is to follow it and has to prove itself.

The next one is tried as soon as it is there. Where the broker refuses it and takes the one in use right after, that
serves on, and the next one has its turn again later, ever more rarely. Where neither leads anywhere, they take turns:
the network says nothing about a certificate.
"""

from collections.abc import Callable
from pathlib import Path

from gateway.enrolment.places import Identity, Pair, Places

LONGEST_PAUSE_MS = 6 * 3_600_000
_NO_CHANCE = 3


class Showing:
    """The uplink's `Identity`. `pause_ms` is the first wait after a refusal; `told` is called when something is new.

    All is in CLOCK_BOOTTIME; `see` says what is on the disk.
    """

    def __init__(
        self, places: Places, now_ms: Callable[[], int], told: Callable[[], None], pause_ms: Callable[[], int]
    ) -> None:
        self._places = places
        self._now_ms = now_ms
        self._told = told
        self._pause_ms = pause_ms
        self._found = Identity(None, None, None)
        self._given: Pair | None = None
        self._turn_of_current = False
        self._in_doubt: tuple[str, bool] | None = None
        self._held_until_ms = 0
        self.in_use: str | None = None
        """Fingerprint of the certificate that the broker took last."""
        self.proven = False
        """Whether the broker has taken the next one, which may follow now."""
        self.refusals = 0
        self.refused: str | None = None
        """Why the broker does not take the next one, though it takes the one in use."""

    def see(self, found: Identity) -> None:
        """Take what is there now."""
        if _fingerprint(found.next) != _fingerprint(self._found.next):
            self._held_until_ms = self.refusals = 0
            self._in_doubt = self.refused = None
            self.proven = self._turn_of_current = False
        self._found = found

    @property
    def wanted(self) -> Pair | None:
        """Give the pair that is to be shown now; None where there is none."""
        found = self._found
        if found.next is None or (found.current is not None and self._waits):
            return found.current
        return found.next

    def pair(self) -> tuple[Path, Path]:
        """Give certificate and key for the attempt that begins now."""
        self._given = self.wanted
        if self._given is None:
            return self._places.certificate, self._places.key  # the uplink tells what is wrong with them
        return self._given.certificate, self._given.key

    def taken(self) -> None:
        """Note that the broker gave its CONNACK to the pair given last."""
        self._turn_of_current = False
        doubt, self._in_doubt = self._in_doubt, None
        self.in_use = _fingerprint(self._given)
        if self._given is None:
            return
        if self._given == self._found.next:
            self.proven, self.refused = True, None
            self._told()
        elif doubt is not None and self._found.next is not None:
            why, refused = doubt
            self.refusals += 1
            # A failure that may be the network's is no refusal, until it has come only to the next one, three times.
            self.refused = why if refused or self.refusals >= _NO_CHANCE else None
            wait_ms = min(self._pause_ms() << min(self.refusals - 1, 16), LONGEST_PAUSE_MS)
            self._held_until_ms = self._now_ms() + wait_ms
            self._told()

    def failed(self, why: str, *, refused: bool) -> None:
        """Note that the attempt with the pair given last led to no CONNACK."""
        was_next = self._given is not None and self._given == self._found.next
        self._turn_of_current = was_next
        self._in_doubt = (why, refused) if was_next else None

    @property
    def _waits(self) -> bool:
        return self._turn_of_current or self._now_ms() < self._held_until_ms


def _fingerprint(pair: Pair | None) -> str | None:
    return None if pair is None else pair.facts.fingerprint
