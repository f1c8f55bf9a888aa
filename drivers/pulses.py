"""A meter that gives pulses: total = dial index + pulses x weight, in exact integers.

Pulses are counted by the difference of the line's sequence numbers, never by the events that arrive: when events are
lost (a reader asleep for 5 s) the sequence still gives the true count. Totals are published, never deltas. What must
survive a restart is given as `marks`, to be committed with the readings they belong to, and taken back by `resume`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from config.channel import Channel, Quantity
from drivers.errors import DeviceSilent, PortLeft
from drivers.ports import Accept
from drivers.reading import Reading

SHORTEST_GAP_MS = 1_000
"""A burst of pulses gives one Reading a second at most."""

_SEQUENCES = 2**32
"""A line's sequence numbers are 32 bits wide (`line_seqno` of the kernel's GPIO events) and begin again at 0."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """How far a line has counted: its sequence number `line_seqno` at `boot_ms`.

    `count_id` names the counter that gives the numbers: it changes where the counter began again at 0, and the number
    then says how many pulses there were since. None for a line whose count does not outlive our connection to it.
    """

    boot_ms: int
    line_seqno: int
    count_id: int | None = None


class PulseLine(Protocol):
    """One input that counts pulses."""

    def pulses(self) -> AsyncGenerator[Pulse, None]:
        """Open the line and give where its count stands, then each advance; raise DriverError."""


COUNTED = ("pulses", "line", "line_seqno")
"""What the marks of a counter are called, behind its name and a dot."""


class PulseMeter:
    """The Meter of a pulse counter: one channel `<name>.total`, in units of 10**`exponent` `unit`.

    `dial_index` is what the dial showed at pulse 0 and `weight` what a pulse adds, both in these units. A total is
    published at a pulse, at most once a second, and each `poll_s` seconds. `boot_ms` gives CLOCK_BOOTTIME.
    """

    def __init__(  # noqa: PLR0913 - each is one setting of the counter in the site file
        self,
        name: str,
        line: PulseLine,
        *,
        quantity: Quantity,
        boot_ms: Callable[[], int],
        weight: int,
        dial_index: int,
        unit: str = "m3",
        exponent: int = -3,
        poll_s: float = 10,
    ) -> None:
        self._name = name
        self._line = line
        self._boot_ms = boot_ms
        self._weight = weight
        self._dial_index = dial_index
        self._poll_ms = int(1000 * poll_s)
        group = f"{name}.total"
        self._channel = Channel(group, name, group, quantity, unit, exponent)
        self._pulses = 0
        self._at: Pulse | None = None
        self._is_open = False
        self._published_ms = 0

    @property
    def name(self) -> str:
        """The device's name in the site file."""
        return self._name

    @property
    def channels(self) -> Sequence[Channel]:
        """Its one Channel."""
        return (self._channel,)

    @property
    def state(self) -> str:
        """One short line for people."""
        return f"{self._pulses} pulses counted" if self._is_open else f"not open, {self._pulses} pulses counted before"

    @property
    def total(self) -> int:
        """The dial as it should stand now, in units of 10**exponent."""
        return self._dial_index + self._pulses * self._weight

    @property
    def marks(self) -> dict[str, int]:
        """What the next start needs: pulses counted, and up to which number of which counter."""
        marks = {f"{self._name}.pulses": self._pulses}  # the names are COUNTED
        if self._at is not None and self._at.count_id is not None:
            marks[f"{self._name}.line"] = self._at.count_id
            marks[f"{self._name}.line_seqno"] = self._at.line_seqno
        return marks

    def resume(self, marks: Mapping[str, int | str]) -> None:
        """Go on from the marks of an earlier process; unknown or damaged ones count as none."""
        pulses, count_id, seqno = (marks.get(f"{self._name}.{key}") for key in COUNTED)
        if isinstance(pulses, int) and pulses >= 0:
            self._pulses = pulses
            if isinstance(count_id, int) and isinstance(seqno, int) and 0 <= seqno < _SEQUENCES:
                self._at = Pulse(0, seqno, count_id)

    async def run(self, accept: Accept) -> None:
        """Count until cancelled; raise DriverError when the line fails."""
        line = self._line.pulses()
        following = asyncio.ensure_future(anext(line))
        try:
            self._opened(await following)
            self._is_open = True
            self._publish(accept, self._boot_ms())
            following = asyncio.ensure_future(anext(line))
            waiting: Pulse | None = None
            while True:
                due_ms = (self._published_ms // self._poll_ms + 1) * self._poll_ms
                if waiting is not None:
                    due_ms = min(due_ms, self._published_ms + SHORTEST_GAP_MS)
                left_ms = due_ms - self._boot_ms()
                if left_ms > 0:
                    await asyncio.wait((following,), timeout=left_ms / 1000)
                if following.done():
                    waiting = self._counted(following)
                    following = asyncio.ensure_future(anext(line))
                now = self._boot_ms()
                if waiting is not None and now >= self._published_ms + SHORTEST_GAP_MS:
                    self._publish(accept, waiting.boot_ms)
                    waiting = None
                elif now >= due_ms:
                    self._publish(accept, now)
                    waiting = None
        except StopAsyncIteration:
            raise PortLeft(f"{self._name}: its pulse line ended; it is opened again") from None
        finally:
            self._is_open = False
            following.cancel()
            await asyncio.wait((following,))
            if not following.cancelled():
                following.exception()  # told already, or of no interest to a meter that is being stopped
            await line.aclose()

    def _opened(self, at: Pulse) -> None:
        """Take where the line's count stands as it is opened; only a counter that outlives us can add pulses here."""
        if at.count_id is not None and self._at is not None:
            before = self._at.line_seqno if self._at.count_id == at.count_id else 0
            self._pulses += self._forward(before, at.line_seqno)
        self._at = at

    def _counted(self, following: asyncio.Future[Pulse]) -> Pulse:
        pulse = following.result()
        if self._at is None or self._at.count_id != pulse.count_id:
            raise DeviceSilent(f"{self._name}: its pulse line changed its counter without being opened again")
        self._pulses += self._forward(self._at.line_seqno, pulse.line_seqno)
        self._at = pulse
        return pulse

    def _forward(self, before: int, after: int) -> int:
        pulses = (after - before) % _SEQUENCES
        if pulses >= _SEQUENCES // 2:
            raise DeviceSilent(
                f"{self._name}: its pulse line went back from {before} to {after}; nothing was counted, check the line"
            )
        return pulses

    def _publish(self, accept: Accept, boot_ms: int) -> None:
        # A pulse is told after it happened, perhaps after a later tick was published; ticks of a group never go back.
        self._published_ms = max(boot_ms, self._published_ms + 1)
        accept([Reading(self._channel, self.total, self._published_ms)])
