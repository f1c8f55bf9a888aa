"""`gateway tic listen`: what a meter says, live: in a window, as a block a frame, or as JSON lines."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Protocol

from gateway.cli.exits import OK, TIMEOUT, Ended
from gateway.cli.tic.decode import frame_lines, frame_object
from gateway.cli.tic.hearing import Line
from gateway.cli.tic.screen import Screen
from gateway.cli.tic.view import drawn, page_of, refused
from gateway.cli.tic.watch import Watch
from linky_tic.decoder import Frame

SCHEMA = "gateway/tic-frame/1"
"""The JSON of `as_json`: a frame as `gateway tic decode` gives it, "boot_ms" of its end, and "line"."""
_TICK_S = 0.25


@dataclass(frozen=True, slots=True)
class _Until:
    """When to end: after so many frames, or when none came for so long."""

    count: int | None
    timeout_s: float | None


class _Show(Protocol):
    def frame(self, frame: Frame, at_ms: int) -> None: ...
    def tick(self) -> None: ...


def listen(line: Line, *, as_json: bool, count: int | None, timeout_s: float | None, numbers: bool) -> int:
    """Show what comes on a line until Ctrl-C, `count` frames at most; raise Ended where none comes in `timeout_s`.

    In a window where there is one, a block a frame without a terminal or with NO_COLOR. Numbers of meter and delivery
    point are masked but with `numbers`.
    """
    watch = Watch(line, numbers=numbers)
    until = _Until(count, timeout_s)
    if as_json:
        return asyncio.run(_shown(watch, _Json(watch), until))
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return asyncio.run(_shown(watch, _Blocks(watch), until))
    return asyncio.run(_in_window(watch, until))


async def _shown(watch: Watch, show: _Show, until: _Until, ended: asyncio.Event | None = None) -> int:
    """Show frame after frame; end as `until` says, or when `ended` is set."""
    hearing = asyncio.create_task(watch.line.hear(watch))
    last = time.monotonic()
    seen = 0
    try:
        while seen != until.count and (ended is None or not ended.is_set()):
            await asyncio.wait((hearing,), timeout=_TICK_S)
            if hearing.done():
                hearing.result()
            while not watch.frames.empty() and seen != until.count:
                show.frame(*watch.frames.get_nowait())
                seen, last = seen + 1, time.monotonic()
            show.tick()
            if until.timeout_s is not None and time.monotonic() - last > until.timeout_s:
                raise Ended(TIMEOUT, f"no frame for {until.timeout_s:g} s on {watch.line.port}: {watch.line.state}")
    finally:
        hearing.cancel()
        await asyncio.wait((hearing,))
    return OK


class _Json:
    """One object a line for each frame."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def frame(self, frame: Frame, at_ms: int) -> None:
        meter = self._watch.line.meter
        rates = meter.rates["minute"]
        told = {
            "port": self._watch.line.port,
            "state": self._watch.line.state,
            "speed": meter.speed,
            "parity_checked_by": meter.checked_by,
            "rates": None if rates is None else asdict(rates),
            "counters": meter.counters,
        }
        print(json.dumps({"schema": SCHEMA, **frame_object(frame), "boot_ms": at_ms, "line": told}), flush=True)

    def tick(self) -> None:
        """Say nothing between frames."""


class _Blocks:
    """A block a frame, and a line when the line's state changes."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._state = ""

    def frame(self, frame: Frame, at_ms: int) -> None:
        del at_ms
        picture = self._watch.picture()
        pace = "" if picture.frames_per_minute is None else f", {picture.frames_per_minute:g} frames a minute"
        damaged = picture.counters["characters_damaged"]
        print(
            f"-- {time.strftime('%H:%M:%S')}  {picture.speed} Bd, parity checked by {picture.checked_by}{pace},"
            f" {refused(picture.refused)}, parity errors {damaged}"
        )
        print("\n".join(frame_lines(frame)), flush=True)

    def tick(self) -> None:
        state = self._watch.line.state
        # Seconds that pass are no change.
        if re.sub(r"\d+", "", state) != re.sub(r"\d+", "", self._state):
            print(f"-- {time.strftime('%H:%M:%S')}  {self._watch.line.port}: {state}", flush=True)
            self._state = state


async def _in_window(watch: Watch, until: _Until) -> int:
    ended = asyncio.Event()
    by: list[int] = []
    with Screen() as screen:
        window = _Window(screen, watch, ended)
        with _signals(window, ended, by):
            code = await _shown(watch, window, until, ended)
    return 128 + by[0] if by else code


@contextmanager
def _signals(window: "_Window", ended: asyncio.Event, by: list[int]) -> Iterator[None]:
    """Let keys and signals reach the window, so that it is left whole whatever ends it."""
    loop = asyncio.get_running_loop()

    def end(number: int) -> None:
        by.append(number)
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end, number)
    loop.add_signal_handler(signal.SIGTSTP, window.screen.suspend)
    loop.add_signal_handler(signal.SIGWINCH, window.tick)
    if window.screen.has_keys:
        loop.add_reader(sys.stdin.fileno(), window.typed)
    yield


class _Window:
    """What is known of the line, drawn again at each tick."""

    def __init__(self, screen: Screen, watch: Watch, ended: asyncio.Event) -> None:
        self.screen = screen
        self._watch = watch
        self._ended = ended
        self._top = 0

    def frame(self, frame: Frame, at_ms: int) -> None:
        """Wait for the tick: it shows them all."""

    def tick(self) -> None:
        lines, self._top = drawn(self._watch.picture(), *self.screen.size, self._top)
        self.screen.draw(lines)

    def typed(self) -> None:
        key = self.screen.key()
        if not key:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        if key in (b"q", b"Q", b"\x04"):
            self._ended.set()
        page = page_of(self._watch.picture(), *self.screen.size)
        by = {
            b" ": page,
            b"\x1b[6~": page,
            b"\x1b[5~": -page,
            b"\x1b[B": 1,
            b"j": 1,
            b"\x1b[A": -1,
            b"k": -1,
            b"g": -self._top,
        }
        moved = by.get(key, 0)
        before = self._top
        self._top += moved
        self.tick()
        if key == b" " and self._top == before:
            self._top = 0  # from the end, space goes round
            self.tick()
