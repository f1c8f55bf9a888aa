"""A program in a terminal of a given size, driven as a user does: what it draws can be looked at, and how it leaves."""

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import struct
import sys
import termios
from asyncio.subprocess import Process
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

_SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|([^\x1b])")


class Terminal:
    """Runs `python -m gateway ...` in it; use it in an `async with`. Understands what plain ANSI the program needs."""

    def __init__(
        self, *words: str, columns: int = 80, lines: int = 24, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._words = words
        inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        self._environment = {**inherited, "TERM": "xterm", **environment}
        self._master, self._slave = os.openpty()
        self._row = self._column = 0
        self._cells: list[list[str]] = []
        self.on_other_page = False
        self.cursor_is_hidden = False
        self.sent = 0
        self.plain = ""
        self.resize(columns, lines, tell=False)
        self.found = termios.tcgetattr(self._slave)

    async def __aenter__(self) -> Self:
        self.process: Process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway",
            *self._words,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=self._environment,
            preexec_fn=self._own,
        )
        asyncio.get_running_loop().add_reader(self._master, self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        os.close(self._master)
        os.close(self._slave)

    def _own(self) -> None:
        """Make it the terminal of the program's own session: Ctrl-C is for it alone."""
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, columns: int, lines: int, *, tell: bool = True) -> None:
        """Give the window another size, as a user who drags it."""
        self._cells = [[" "] * columns for _ in range(lines)]
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if tell:
            os.killpg(self.process.pid, signal.SIGWINCH)

    def type(self, text: str) -> None:
        """Type; Ctrl-C is the character 3."""
        os.write(self._master, text.encode())

    @property
    def settings(self) -> list[Any]:
        """How the terminal is set now."""
        return termios.tcgetattr(self._slave)

    @property
    def window(self) -> list[str]:
        """What is to be seen, line by line."""
        return ["".join(row).rstrip() for row in self._cells]

    async def shows(self, *wanted: str) -> list[str]:
        """Wait until all of it is to be seen at once; give the window."""
        try:
            async with asyncio.timeout(20):
                # A text that did not fit goes on in the next line.
                while not all(each in " ".join(" ".join(self.window).split()) for each in wanted):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError("\n".join([f"never seen: {wanted}", *self.window, self.plain])) from None
        return self.window

    async def ends(self) -> int:
        """Wait until the program has ended; give its code."""
        async with asyncio.timeout(20):
            code = await self.process.wait()
        await asyncio.sleep(0)
        return code

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            data = os.read(self._master, 65_536)
            self.sent += len(data)
            for found in _SEQUENCE.finditer(data.decode("utf-8", "replace")):
                if found[4] is None:
                    self._obey(found[1] + found[3], [int(number or 0) for number in found[2].split(";")])
                else:
                    self._put(found[4])

    def _put(self, character: str) -> None:
        if not self.on_other_page:
            self.plain += character
            return
        if character in "\r\n":
            raise AssertionError("the window is drawn by place, never by line ends: it would scroll")
        if self._row >= len(self._cells) or self._column >= len(self._cells[0]):
            raise AssertionError(f"drawn outside of the window: line {self._row}, column {self._column}")
        self._cells[self._row][self._column] = character
        self._column += 1

    def _obey(self, what: str, numbers: list[int]) -> None:
        rest = slice(self._column, None)
        if what == "H":
            self._row, self._column = (numbers[0] or 1) - 1, (numbers[1] or 1) - 1 if len(numbers) > 1 else 0
        elif what == "K":
            self._cells[self._row][rest] = [" "] * len(self._cells[self._row][rest])
        elif what == "J":
            for row in self._cells[0 if numbers == [2] else self._row :]:
                row[:] = [" "] * len(row)
        elif what in ("?h", "?l"):
            if numbers == [1049]:
                self.on_other_page = what == "?h"
            elif numbers == [25]:
                self.cursor_is_hidden = what == "?l"
