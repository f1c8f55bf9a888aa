"""The window of `gateway centre listen`: drawn again and again, scrolled by keys, left as it was found."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable

from gateway.cli.centre.view import Picture, drawn, room_of
from gateway.cli.tic.screen import Screen

_TICK_S = 0.5


async def show(picture: Callable[[], Picture], ended: asyncio.Event) -> None:
    """Show until `ended`, or until somebody types q."""
    loop = asyncio.get_running_loop()
    with Screen() as screen:
        window = _Window(screen, picture, ended)
        loop.add_signal_handler(signal.SIGTSTP, screen.suspend)
        loop.add_signal_handler(signal.SIGWINCH, window.moved.set)
        if screen.has_keys:
            loop.add_reader(sys.stdin.fileno(), window.typed)
        try:
            while not ended.is_set():
                window.moved.clear()
                # In another thread: a terminal that is stopped (Ctrl-S) must not stop the centre.
                await asyncio.to_thread(window.draw)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(window.moved.wait(), _TICK_S)
        finally:
            loop.remove_reader(sys.stdin.fileno())
            for number in (signal.SIGTSTP, signal.SIGWINCH):
                loop.remove_signal_handler(number)


class _Window:
    def __init__(self, screen: Screen, picture: Callable[[], Picture], ended: asyncio.Event) -> None:
        self._screen = screen
        self._picture = picture
        self._ended = ended
        self._top = 0
        self.moved = asyncio.Event()

    def draw(self) -> None:
        lines, self._top = drawn(self._picture(), *self._screen.size, self._top)
        self._screen.draw(lines)

    def typed(self) -> None:
        key = self._screen.key()
        if not key:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        if key in (b"q", b"Q", b"\x04"):
            self._ended.set()
        page = room_of(self._picture(), *self._screen.size)
        self._top += {
            b" ": page,
            b"\x1b[6~": page,
            b"\x1b[5~": -page,
            b"\x1b[B": 1,
            b"j": 1,
            b"\x1b[A": -1,
            b"k": -1,
            b"g": -self._top,
        }.get(key, 0)
        self.moved.set()
