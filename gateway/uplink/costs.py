"""What the link costs, counted once: for the figures of the day and for the day's allowance."""

from gateway.clock import Clock
from gateway.uplink.allowance import Allowance
from gateway.uplink.figures import Figures
from gateway.uplink.session import Session
from gateway.uplink.traffic import Traffic

_EVERY_MS = 1_000


class Costs:
    """Asks the connection of now, `begin` to `end`, what it has cost since it was asked last."""

    def __init__(self, clock: Clock, figures: Figures, allowance: Allowance) -> None:
        self._clock = clock
        self._figures = figures
        self._allowance = allowance
        self._session: Session | None = None
        self._counted_ms = clock.boot_ms()

    def begin(self, session: Session) -> None:
        """Ask this one from now on."""
        self._session = session

    def end(self) -> None:
        """Ask it for the last time."""
        self.count(at_once=True)
        self._session = None

    def count(self, *, at_once: bool = False) -> Traffic:
        """Ask, once a second at most or `at_once`, and give what has passed."""
        now = self._clock.boot_ms()
        if self._session is None or (not at_once and now - self._counted_ms < _EVERY_MS):
            return Traffic()
        self._counted_ms = now
        cost = self._session.cost()
        self.note(cost)
        return cost

    def note(self, cost: Traffic) -> None:
        """Take what something else has cost."""
        self._figures.cost(self._clock.boot_ms(), cost)
        self._allowance.cost(cost)
