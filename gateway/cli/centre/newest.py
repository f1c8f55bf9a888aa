"""The newest value of each channel and the last alarms, kept while the centre runs, for its window."""

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.centre.decode import Decoded
from gateway.centre.follow import Alarmed, Follower, View
from gateway.centre.lines import exact, state
from gateway.cli.centre.view import Row

_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class _Value:
    order: int
    text: str
    utc_ms: int | None
    state: str
    clock: str


class Newest:
    """Follows the store at once, backlog or not; `run` is for a thread, the rest for whoever draws."""

    def __init__(self, database: Path, view: View) -> None:
        self._database = database
        self._view = replace(view, everything=False, patience_s=0)
        self._values: dict[tuple[str, str], _Value] = {}
        self._alarms: deque[str] = deque(maxlen=2)
        self.segments = 0

    def run(self, stop: threading.Event) -> None:
        """Follow until told to stop."""
        follower = Follower(self._database, self._view)
        try:
            while not stop.wait(_LOOK_S):
                for event in follower.look():
                    if isinstance(event, Decoded):
                        self._take(event)
                    elif isinstance(event, Alarmed):
                        self._alarms.append(f"ALARM {event.gateway}: {event.alarm.kind}: {event.alarm.text}")
        finally:
            follower.close()

    def rows(self) -> list[Row]:
        """Give the newest value of each channel, by gateway and name."""
        now = time.time_ns() // 1_000_000
        return [
            Row(
                gateway,
                channel,
                found.text,
                None if found.utc_ms is None else max(0, now - found.utc_ms),
                found.state,
                found.clock,
            )
            for (gateway, channel), found in sorted(self._values.copy().items())
        ]

    def alarms(self) -> list[str]:
        """Give the last alarms."""
        return list(self._alarms)

    def _take(self, decoded: Decoded) -> None:
        self.segments += 1
        by_name = {channel.name: channel for channel in decoded.schema.channels}
        for table in decoded.content.groups.values():
            for name, column in table.columns.items():
                at = next(at for at in range(len(column) - 1, -1, -1) if column[at] is not None)
                value, channel = column[at], by_name[name]
                if value is None:
                    continue
                placed = decoded.timeline.at(table.ticks[at])
                order = decoded.arrived_utc_ms if placed is None else placed.utc_ms
                key = (decoded.gateway, name)
                if key in self._values and self._values[key].order > order:
                    continue
                told = exact(value, channel.exponent) if isinstance(value, int) else value
                quality = table.quality.get(name)
                clock = "unplaced" if placed is None else "meter" if placed.provisional else "trusted"
                self._values[key] = _Value(
                    order,
                    f"{told} {channel.unit}".strip(),
                    None if placed is None else placed.utc_ms,
                    state(quality[at] if quality else 0),
                    clock,
                )
