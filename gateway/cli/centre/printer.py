"""What the store receives, printed line by line as it becomes ready."""

import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.centre import losses
from gateway.centre.decode import Decoded
from gateway.centre.follow import Alarmed, Event, Follower, View
from gateway.centre.lines import Lines, iso
from gateway.centre.tables import is_unavailable

_LOOK_S = 0.25


class Plain:
    """A line for people about each segment, drop record and alarm."""

    def head(self) -> Iterator[str]:
        """Give nothing."""
        return iter(())

    def lines(self, event: Event) -> Iterator[str]:
        """Give the line of one event."""
        now = time.strftime("%H:%M:%S")
        if isinstance(event, Alarmed):
            yield f"{now} {event.gateway} ALARM {event.alarm.kind}: {event.alarm.text}"
        elif isinstance(event, Decoded):
            ticks = [tick for table in event.content.groups.values() for tick in table.ticks]
            placed = [event.timeline.at(moment) for moment in (min(ticks), max(ticks))]
            when = " to ".join("unplaced" if each is None else iso(each.utc_ms) for each in placed)
            kind = " (by the meter's clock)" if placed[0] is not None and placed[0].provisional else ""
            count = event.content.count()
            yield f"{now} {event.gateway} {event.stream} {event.sequence}: {count} readings, {when}{kind}"
        else:
            yield (
                f"{now} {event.gateway} {event.stream} {event.first} to {event.last}: DROPPED, "
                f"{losses.told(event.readings, event.reason)}, reason: {event.reason}"
            )


class Printer:
    """Prints to standard output; `run` is for a thread, and ends after `count` segments where that is told."""

    def __init__(self, database: Path, lines: Lines, view: View, count: int | None) -> None:
        self._database = database
        self._lines = lines
        self._view = view
        self._left = count

    def run(self, stop: threading.Event) -> None:
        """Print until told to stop; raise BrokenPipeError where nobody reads any more."""
        # Here, and not before: SQLite's connections are their thread's.
        follower = Follower(self._database, self._view)
        try:
            self._write(self._lines.head())
            while not stop.is_set() and self._left != 0:
                try:
                    self._look(follower)
                except sqlite3.Error as error:
                    if not is_unavailable(error):
                        raise
                stop.wait(_LOOK_S)
        finally:
            follower.close()

    def _look(self, follower: Follower) -> None:
        for event in follower.look():
            self._write(self._lines.lines(event))
            if isinstance(event, Decoded) and self._left is not None:
                self._left -= 1
                if not self._left:
                    break
        sys.stdout.flush()

    def _write(self, lines: Iterator[str]) -> None:
        sys.stdout.writelines(f"{line}\n" for line in lines)
