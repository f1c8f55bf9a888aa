"""A terminal's window, drawn in place: what has not changed is not sent again, and it is left as it was found."""

import os
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from gateway.cli.tic.view import Line, Style

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
"""Another page of the terminal than that of the shell, without a cursor."""
_LEAVE = "\x1b[0m\x1b[?25h\x1b[?1049l"
_LARGE = (80, 24)


class Screen:
    """Use it in a `with`; keys are read one by one meanwhile, unseen, where standard input is a terminal."""

    def __init__(self) -> None:
        self._out = sys.stdout.fileno()
        self._in = sys.stdin.fileno()
        self._drawn: list[Line] = []
        self._size: tuple[int, int] | None = None
        self._found: list[Any] | None = None

    def __enter__(self) -> Self:
        self._enter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leave()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines of the window, as it is now."""
        try:
            found = os.get_terminal_size(self._out)
        except OSError:
            return _LARGE
        return (found.columns, found.lines) if found.columns and found.lines else _LARGE

    def draw(self, lines: Sequence[Line]) -> None:
        """Show these lines, as many as the window has at most."""
        size = self.size
        if size != self._size:
            self._size, self._drawn = size, []
        sent = "" if self._drawn else "\x1b[2J"
        for at, line in enumerate(lines):
            if at >= len(self._drawn) or self._drawn[at] != line:
                sent += _sent(at + 1, line, self._drawn[at] if at < len(self._drawn) else None)
        if len(lines) < len(self._drawn):
            sent += f"\x1b[{len(lines) + 1};1H\x1b[J"
        self._drawn = list(lines)
        self._write(sent)

    def key(self) -> bytes:
        """Give what was typed since the last time, b"" where nothing was; call it where there is something to read."""
        return os.read(self._in, 64)

    @property
    def has_keys(self) -> bool:
        """Whether somebody can type."""
        return self._found is not None

    def suspend(self) -> None:
        """Leave the window, stop as Ctrl-Z asks, and take it again when told to go on."""
        self._leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._enter()

    def _enter(self) -> None:
        if os.isatty(self._in):
            self._found = termios.tcgetattr(self._in)
            tty.setcbreak(self._in)
        self._drawn = []
        self._write(_ENTER)

    def _leave(self) -> None:
        self._write(_LEAVE)
        if self._found is not None:
            termios.tcsetattr(self._in, termios.TCSADRAIN, self._found)

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(self._out, data) :]


def _sent(row: int, line: Line, before: Line | None) -> str:
    """Give what makes one line of another: of an age that grew, its digits alone."""
    text, start, end, rest = _printable(line.text), 0, None, "\x1b[K"
    if before is not None and before.style is line.style and len(before.text) == len(line.text):
        old = _printable(before.text)
        changed = [at for at, pair in enumerate(zip(text, old, strict=True)) if pair[0] != pair[1]]
        start, end = (changed[0], changed[-1] + 1) if changed else (0, 0)
        rest = ""
    off = "\x1b[0m" if line.style is not Style.PLAIN else ""
    return f"\x1b[{row};{start + 1}H{line.style.value}{text[start:end]}{off}{rest}"


def _printable(text: str) -> str:
    """Give a text without what would move a terminal's cursor."""
    return "".join(character if character.isprintable() else "?" for character in text)
