"""A meter on a pty: frames of the present moment, in any mode, at the true speed of the line, with faults to order.

A pty has no speed of its own: the master side looks at the one that the reader set, and gives it nonsense when it is
wrong. It carries 7E1 as 8N1 with the parity in bit 7. A real line is not kept for anybody: what nobody reads is lost,
and the ledger says so.
"""

import asyncio
import contextlib
import os
import re
import select
import termios
import time
import tty
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Protocol

from hil_tests.bench.uart import flipped, misread, with_parity
from linky_tic.label import Mode
from linky_tic.tests.encoder import Item, MeterState, encode_frame, items_of, short_items

BITS_PER_CHARACTER = 10
FRAME_GAP_S = 0.025
"""54E: 16.7 to 33.4 ms between two frames."""
_PIECE_S = 0.05
_LATE_S = 0.5
_SHORT_FRAMES = 20
_AFTER_OVERRUN_MS = 60_000
"""A three-phase historique meter sends 20 short frames and a long one in turns in an overrun and a minute after."""
_MEANS_MS = 600_000
"""A meter makes its means over 10 minutes (UMOY), or 30 and more (CCASN)."""
_SPEEDS = {getattr(termios, f"B{baud}"): baud for baud in (1_200, 2_400, 4_800, 9_600, 19_200, 38_400)}


class LinkySample(Protocol):
    """What a meter sees at one moment; `bench.building.Sample` is one.

    `phase_va`, `voltage_v`: one for each phase (1 or 3). `index_wh`: one for each of two tariffs, `tariff` the one
    that runs, from 0.
    """

    @property
    def phase_va(self) -> Sequence[int]: ...
    @property
    def voltage_v(self) -> Sequence[int]: ...
    @property
    def index_wh(self) -> Sequence[int]: ...
    @property
    def tariff(self) -> int: ...
    @property
    def subscribed_kva(self) -> int: ...
    @property
    def overrun(self) -> bool: ...


class LinkySource(Protocol):
    """What the meter is connected to; `bench.building.Building` is one."""

    def sample(self, boot_ms: int) -> LinkySample:
        """Give what the meter sees at `boot_ms`."""


class Fate(StrEnum):
    """What became of a frame, the worst of its pieces."""

    HEARD = "heard"
    DAMAGED = "damaged"
    WRONG_SPEED = "wrong speed"
    UNREAD = "not read in time"
    UNHEARD = "nobody listened"
    UNPLUGGED = "unplugged"


_WORSE = {fate: rank for rank, fate in enumerate(Fate)}


@dataclass(frozen=True, slots=True)
class SentFrame:
    """One frame that was put on the wire: `boot_ms` of its last character, what it said, and what became of it.

    `values` maps labels to numbers (decimal or hexadecimal as the norm writes them) or to texts as sent.
    """

    boot_ms: int
    mode: Mode
    fate: Fate
    values: Mapping[str, int | str]


Ledger = Callable[[SentFrame], None]


def _boot_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class BenchLinky:
    """The meter behind `port`, a symlink that `plug` makes; `run` sends until cancelled.

    `mode`, `speed` (None: the usual one of the mode), `noise` (share of characters with a flipped bit) and `silent` may
    be set at any time; but for `noise` they count from the next frame on. `ledger` is told every frame but those
    replayed. `parity` False sends plain 7-bit characters.
    """

    def __init__(
        self,
        port: Path,
        source: LinkySource,
        *,
        mode: Mode = Mode.STANDARD,
        ledger: Ledger | None = None,
        boot_ms: Callable[[], int] = _boot_ms,
        parity: bool = True,
        seed: int = 1,
    ) -> None:
        self.mode = mode
        self.speed: int | None = None
        self.noise = 0.0
        self.silent = False
        self.template = MeterState(adsc="041876000001", tariff="HC")
        self._port = port
        self._source = source
        self._ledger = ledger
        self._boot_ms = boot_ms
        self._parity = parity
        self._random = Random(seed)
        self._replays: deque[tuple[bytes, Mode]] = deque()
        self._master = -1
        self._listened = False
        self._highest: list[int] = []
        self._means: tuple[int, Sequence[int], int] = (-1, (), 0)
        self._short_left = 0
        self._overrun_until_ms: int | None = None
        self._due_s = 0.0
        self._put_ms = 0

    def plug(self) -> None:
        """Make the port appear, under the same name as ever."""
        if self._master >= 0:
            return
        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        name = os.ttyname(slave)
        os.close(slave)
        self._listened = False
        fresh = self._port.with_name(f".{self._port.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(name)
        fresh.replace(self._port)

    def unplug(self) -> None:
        """Pull the adapter out: its reader gets an error, the name leads nowhere."""
        if self._master >= 0:
            self._port.unlink(missing_ok=True)
            os.close(self._master)
            self._master = -1

    def replay(self, data: bytes, mode: Mode) -> None:
        """Send these bytes at that mode's speed, after the present frame; they are not put in the ledger."""
        self._replays.append((data, mode))

    async def run(self) -> None:
        """Send frame after frame until cancelled; unplugs at the end."""
        self.plug()
        self._due_s = asyncio.get_running_loop().time()
        try:
            while True:
                if self._replays:
                    data, mode = self._replays.popleft()
                    await self._send(data, mode.baud)
                elif self.silent:
                    await self._wait(_PIECE_S)
                else:
                    await self._frame()
                await self._wait(FRAME_GAP_S)
        finally:
            self.unplug()

    async def _frame(self) -> None:
        mode, items = self.mode, self._items()
        fate = await self._send(encode_frame(mode, items), self.speed or mode.baud)
        if self._ledger is not None:
            values = {item.label: _value(item) for item in items}
            self._ledger(SentFrame(self._put_ms, mode, fate, values))

    def _items(self) -> list[Item]:
        now = self._boot_ms()
        state = self._state(now)
        if self.mode is not Mode.HISTORIQUE or state.phases == 1:
            return items_of(self.mode, state)
        short = short_items(state)
        if short[0].label.startswith("ADIR"):
            self._overrun_until_ms = now + _AFTER_OVERRUN_MS
        if self._overrun_until_ms is None or now > self._overrun_until_ms:
            self._overrun_until_ms, self._short_left = None, _SHORT_FRAMES
            return items_of(self.mode, state)
        self._short_left = self._short_left - 1 if self._short_left else _SHORT_FRAMES
        return short if self._short_left else items_of(self.mode, state)

    def _state(self, now: int) -> MeterState:
        sample = self._source.sample(now)
        powers = [max(0, power) for power in sample.phase_va]
        self._highest = [max(pair) for pair in zip(self._highest or powers, powers, strict=True)]
        if self._means[0] != now // _MEANS_MS:
            self._means = (now // _MEANS_MS, list(sample.voltage_v), sum(powers))
        _, mean_v, mean_w = self._means
        indexes = [*sample.index_wh, *[0] * 10][:10]
        return replace(
            self.template,
            stamp=_winter_stamp(),
            east_wh=sum(sample.index_wh),
            indexes_wh=indexes,
            distributor_wh=indexes[:4],
            power_va=powers,
            voltage_v=list(sample.voltage_v),
            highest_va=self._highest,
            mean_w=mean_w,
            mean_v=mean_v,
            subscribed_kva=sample.subscribed_kva,
            running=sample.tariff + 1,
            overrun=sample.overrun,
        )

    async def _send(self, data: bytes, baud: int) -> Fate:
        """Put bytes on the line at its own pace; give the worst that happened to any."""
        size = max(1, int(baud * _PIECE_S / BITS_PER_CHARACTER))
        worst = Fate.HEARD
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            await self._wait(len(piece) * BITS_PER_CHARACTER / baud)
            worst = max(worst, self._put(piece, baud), key=_WORSE.__getitem__)
        return worst

    async def _wait(self, seconds: float) -> None:
        """Let the time of the line pass; a bench that is late does not send faster to make up for it."""
        now = asyncio.get_running_loop().time()
        self._due_s = max(self._due_s + seconds, now - _LATE_S)
        await asyncio.sleep(max(0.0, self._due_s - now))

    def _put(self, piece: bytes, baud: int) -> Fate:
        """Give the reader one piece, as it would receive it."""
        # Before it is there: a bench that is put aside just after must not say that it was sent later than it was read.
        self._put_ms = self._boot_ms()
        if self._master < 0:
            return Fate.UNPLUGGED
        if not self._is_listened():
            return Fate.UNHEARD
        sent = with_parity(piece) if self._parity else piece
        wire = flipped(sent, self.noise, self._random)
        fate = Fate.HEARD if wire == sent else Fate.DAMAGED
        reader = _SPEEDS.get(termios.tcgetattr(self._master)[4], 0)
        if reader != baud:
            fate, wire = Fate.WRONG_SPEED, misread(wire, baud, reader) if reader else b""
        try:
            written = os.write(self._master, wire)
        except OSError:
            written = 0
        return fate if written == len(wire) else Fate.UNREAD

    def _is_listened(self) -> bool:
        """Tell whether a reader is there since before this piece: one that has just come may still set its port."""
        poll = select.poll()
        poll.register(self._master, 0)
        here = not any(events & select.POLLHUP for _, events in poll.poll(0))
        before, self._listened = self._listened, here
        if not here and before:
            with contextlib.suppress(termios.error):
                termios.tcflush(self._master, termios.TCIOFLUSH)
        return here and before


_TEXTS = frozenset(
    {
        "ADSC",
        "VTIC",
        "DATE",
        "NGTF",
        "LTARF",
        "DPM1",
        "FPM1",
        "DPM2",
        "FPM2",
        "DPM3",
        "FPM3",
        "MSG1",
        "MSG2",
        "PRM",
        "PJOURF+1",
        "PPOINTE",
        "ADCO",
        "OPTARIF",
        "PTEC",
        "DEMAIN",
        "HHPHC",
        "MOTDETAT",
        "ETATDYN1",
        "ETATDYN2",
    }
)
_HEXADECIMAL = frozenset({"STGE", "PPOT"})
_NUMBER = re.compile(r"([+-]?[0-9]+)(?:[.,]([0-9]{2}))? ?[A-Za-z%]*")
"""A number as any meter writes it: older ones set its unit behind it, and have hundredths."""


def _value(item: Item) -> int | str:
    """Give what a group says, worked out here and not by the decoder that is under test."""
    if item.label in _TEXTS:
        return f"{item.horodate} {item.value}" if item.label[1:3] == "PM" else item.value
    if item.label in _HEXADECIMAL:
        return int(item.value, 16)
    number = _NUMBER.fullmatch(item.value)
    return int(number[1] + (number[2] or "")) if number else item.value


def _winter_stamp() -> str:
    """Give the clock of a meter that stays in winter time: right whatever time zones this machine knows."""
    return f"H{datetime.now(UTC) + timedelta(hours=1):%y%m%d%H%M%S}"
