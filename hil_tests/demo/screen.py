"""What the demo shows: a story that scrolls, and under it a table that is drawn again and again in the same place.

Where the output is no terminal (a log, a pipe) the table becomes one short line now and then.
"""

import asyncio
import logging
import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

BOLD, DIM, RED, GREEN, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[0m"

QUIET_S = 5.0
"""Without a terminal one summary line in so many seconds."""


class Screen:
    """A scrolling story above a table."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._colour = self._terminal and "NO_COLOR" not in os.environ
        self._table: Sequence[str] = ()
        self._drawn = 0
        self._started = time.monotonic()
        self._summary_at = 0.0

    @property
    def on_a_desk(self) -> bool:
        """Whether somebody sits at this terminal who has a browser beside it."""
        return self._terminal and any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))

    def say(self, text: str, *, colour: str = "") -> None:
        """Tell what happens now, with the seconds since the start."""
        self._erase()
        print(
            f"{self._paint(DIM, f'{time.monotonic() - self._started:5.1f} s')}  {self._paint(colour, text)}", flush=True
        )
        self._draw()

    def plain(self, text: str = "") -> None:
        """Print a line as it is."""
        self._erase()
        print(text, flush=True)
        self._draw()

    def show(self, table: Sequence[str], summary: str) -> None:
        """Draw the table anew, or without a terminal its summary when some time has passed."""
        if not self._terminal:
            if time.monotonic() - self._summary_at >= QUIET_S:
                self._summary_at = time.monotonic()
                print(f"         {summary}", flush=True)
            return
        self._erase()
        self._table = table
        self._draw()

    def leave(self) -> None:
        """Leave the table where it is and draw it no more."""
        self._table, self._drawn = (), 0

    def heading(self, text: str) -> str:
        """Make a table's heading stand out."""
        return self._paint(BOLD, text)

    def doubt(self, text: str) -> str:
        """Make what should not be so stand out."""
        return self._paint(RED, text)

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{PLAIN}" if self._colour and colour else text

    def _erase(self) -> None:
        if self._drawn:
            print(f"\x1b[{self._drawn}F\x1b[J", end="")
            self._drawn = 0

    def _draw(self) -> None:
        if not self._table:
            return
        size = shutil.get_terminal_size()
        # A table higher than the window would scroll away instead of being drawn over.
        shown = ["", *self._table][: max(4, size.lines - 2)]
        for line in shown:
            print(_cut(line, size.columns - 1))
        self._drawn = len(shown)
        sys.stdout.flush()


class Overheard(logging.Handler):
    """What the centre, which runs in this process, says to its log, on lines of the story; it says it in any thread."""

    def __init__(self, screen: Screen, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(logging.WARNING)
        self._screen, self._loop = screen, loop

    def emit(self, record: logging.LogRecord) -> None:
        """Show it between two drawings of the table."""
        with suppress(RuntimeError):  # all is over
            self._loop.call_soon_threadsafe(self._screen.plain, f"         the centre: {record.getMessage()}")


def _cut(line: str, width: int) -> str:
    """Cut a line to the window; one that holds colours is left alone, they are few and short."""
    return line if "\x1b" in line else line[:width]
