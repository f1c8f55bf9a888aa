"""The link's table at work: fed with verified heartbeats and commands, driven by boot time, telling each change.

A heartbeat counts only with the nonce of this boot and a number above the last one of its issuer and epoch.
"""

from collections.abc import Callable
from dataclasses import replace

from gateway.clock import Clock
from gateway.commands.pace import Pace
from gateway.commands.reception import Heard
from gateway.shedding import link
from gateway.shedding.link import Event, Settings, State

_LOOK_MS = 1_000

_EVENTS = {Heard.ACCEPTED: Event.SHED, Heard.REFUSED: Event.REFUSED, Heard.RELEASE: Event.REFUSED}


class Supervision:
    """Knows who is in control; `running`: whether a shed of the centre is under way, `tell` takes each new state."""

    def __init__(  # noqa: PLR0913 - the ports of the composition root, each named
        self,
        *,
        clock: Clock,
        pace: Pace,
        settings: Settings,
        boot_nonce: bytes,
        running: Callable[[], bool],
        tell: Callable[[State], None],
    ) -> None:
        self._clock = clock
        self._pace = pace
        self._settings = settings
        self._boot_nonce = boot_nonce
        self._running = running
        self._tell = tell
        self._numbers: dict[tuple[str, bytes], int] = {}
        self._link = link.begin(clock.boot_ms())

    @property
    def state(self) -> State:
        """Who is in control."""
        return self._link.state

    def heartbeat(self, issuer: str, epoch: bytes, sequence: int, boot_nonce: bytes) -> bool:
        """Take a heartbeat whose signature is good; give whether it counts."""
        if boot_nonce != self._boot_nonce or sequence <= self._numbers.get((issuer, epoch), 0):
            return False
        self._numbers[issuer, epoch] = sequence
        self.look()
        self._step(Event.HEARTBEAT)
        return True

    def command(self, heard: Heard) -> None:
        """Take what a verified command tells about the link."""
        self.look()
        self._step(_EVENTS[heard])

    def admits(self) -> bool:
        """Whether a shed of the centre is considered now."""
        self.look()
        return link.admits(self._link, self._settings, self._clock.boot_ms())

    def up(self) -> bool:
        """Whether the centre is heard."""
        self.look()
        return self._link.state in link.CONTROLLED

    def look(self) -> None:
        """Let time and the sheds that run move the link on."""
        running = self._running()
        if running and not self._link.running:
            if self._link.state in link.CONTROLLED:
                self._step(Event.SHED)
            else:  # taken up again after a restart: it proves nothing about the link
                self._link = replace(self._link, running=True)
        elif self._link.running and not running:
            self._step(Event.LAST_ENDED)
        event = link.due(self._link, self._settings, self._clock.boot_ms())
        if event is not None:
            self._step(event)

    async def run(self) -> None:
        """Look each second until cancelled."""
        while True:
            self.look()
            await self._pace.sleep_until(self._clock.boot_ms() + _LOOK_MS)

    def _step(self, event: Event) -> None:
        self._link, actions = link.step(self._link, event, self._clock.boot_ms())
        if actions:
            self._tell(self._link.state)
