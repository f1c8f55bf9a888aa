"""A meter's customer output as a Meter: read from a serial line, one tick of Readings for each frame, or two.

Bytes become groups in `linky_tic`; mode and speed are looked for in `linky_search`, what the line does is watched in
`linky_line` and counted in `linky_quality`.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from config.channel import Channel
from drivers.errors import PortLeft
from drivers.linky_channels import Point, channels_of, modes_of, points_of
from drivers.linky_clock import MeterTime, meter_time
from drivers.linky_line import Doing, LineWatch
from drivers.linky_listener import Listener
from drivers.linky_older import Applications
from drivers.linky_quality import LineQuality, Rates
from drivers.linky_report import Report
from drivers.linky_search import ModeSearch, foreign
from drivers.ports import Accept
from drivers.reading import Quality, Reading
from drivers.serial_line import SerialLine
from linky_tic.decoder import ETX, Decoder, Event, Frame
from linky_tic.group import Group, Reason
from linky_tic.label import Mode
from linky_tic.overrun import OverrunWatch
from linky_tic.plausibility import IndexWatch
from linky_tic.stuck import StuckWatch

_LOG = logging.getLogger(__name__)

_REOPEN_MS = 60_000
"""A silent port is opened anew this often: some adapters come back only then."""
_STALE_MS = 5_000
"""What the meter has not confirmed for so long is no longer claimed."""
_MOST_FRAME_MS = 60_000
_WAIT_S = 1.0
_BITS_PER_CHARACTER = 10


class LinkyMeter:
    """The Meter of the customer output on `port`; `mode` as in the site file, `speed` where it tells that too.

    With "auto" the mode and speed that are remembered are tried first. `boot_ms` gives CLOCK_BOOTTIME in ms. Raises
    ValueError for another mode. Each frame gives what is due of its valid groups (see `linky_report`), also when it was
    cut: its good groups are good. A `listener` may be set.
    """

    def __init__(  # noqa: PLR0913 - what the site file says, and what is remembered
        self,
        name: str,
        port: str,
        *,
        boot_ms: Callable[[], int],
        mode: str = "auto",
        speed: int | None = None,
        remembered_mode: str | None = None,
        remembered_speed: int | None = None,
    ) -> None:
        self._name = name
        self._port = port
        self._boot_ms = boot_ms
        self.listener: Listener | None = None
        self._mode = None if mode == "auto" else Mode(mode)
        self._modes = modes_of(mode)
        remembered = Mode(remembered_mode) if remembered_mode in set(Mode) else None
        self._remembered = self._mode or remembered
        self._points = points_of(name, self._modes)
        self._search = ModeSearch(
            self._mode, remembered, fixed_speed=speed, remembered_speed=remembered_speed if remembered else None
        )
        self._decoder = Decoder(self._mode)
        self._overrun = OverrunWatch()
        self._indexes = IndexWatch()
        self._stuck = StuckWatch()
        self._applications = Applications()
        self._power: tuple[int, int] | None = None
        self._time: MeterTime | None = None
        self._report = Report()
        self._line = LineWatch()
        self._quality = LineQuality()
        self._checked_by: str | None = None
        self._frame_ended_ms: int | None = None
        self._frame_ms = 0

    @property
    def name(self) -> str:
        """The device's name in the site file."""
        return self._name

    @property
    def channels(self) -> Sequence[Channel]:
        """A Channel for each label that is a value, of every mode that the site file's `mode` covers."""
        return channels_of(self._points)

    @property
    def line_mode(self) -> str | None:
        """The mode that the line had last, to be remembered over a restart; None while it was never found."""
        return None if self._remembered is None else self._remembered.value

    @property
    def found(self) -> Mode | None:
        """The mode that the line has now; None while it is looked for."""
        return self._search.found

    @property
    def speed(self) -> int:
        """The speed that the port is set to, in bits a second."""
        return self._search.speed

    @property
    def checked_by(self) -> str | None:
        """Who checks parity: "the port" or "software"; None before the port was open."""
        return self._checked_by

    @property
    def counters(self) -> dict[str, int]:
        """Frames, groups by what became of them, characters, resynchronisations, since the start."""
        return dict(self._quality.counters)

    @property
    def rates(self) -> dict[str, Rates | None]:
        """What the line gave over the last minute and the last hour: frames a minute, shares of what was refused."""
        return self._quality.rates(self._boot_ms())

    @property
    def stale_after_ms(self) -> int:
        """The age from which the newest value is stale: 5 s, or two frames of a meter that speaks and has long ones.

        A frame of ICE or PME-PMI takes up to 20 s at 1200 Bd, one of historique 3.0 s; a silent line has no excuse.
        """
        if self.doing is not Doing.READING:
            return _STALE_MS
        return max(_STALE_MS, 2 * self._frame_ms)

    @property
    def power_va(self) -> tuple[int, int] | None:
        """The apparent power drawn that the meter told last, as (`boot_ms`, VA); None before the first."""
        return self._power

    @property
    def time(self) -> MeterTime | None:
        """What the meter's clock showed last, where it has one and does not doubt it."""
        return self._time

    @property
    def overrun(self) -> bool:
        """Whether the meter says now that the subscribed power is exceeded; False as well when it says nothing."""
        return self._overrun.overrun and self._boot_ms() - self._line.sense_ms < self.stale_after_ms

    @property
    def doing(self) -> Doing:
        """What the line does now."""
        return self._line.doing(self._boot_ms(), found=self.found is not None)

    @property
    def state(self) -> str:
        """One short line for people, true at the moment it is asked for."""
        found = self.found
        mode = found or self._mode
        setting = f"{self.speed} Bd" if mode is None else f"{mode.value}, {self.speed} Bd"
        said = self._line.said(self._boot_ms(), setting, found=found is not None)
        if found is None or found in self._modes:
            return said
        return f'{said}: not a Linky, and not read; write mode = "{found.value}" in the site file'

    async def run(self, accept: Accept) -> None:
        """Read until cancelled, whatever the line does; raise PortMissing or PortLeft when the port is not there."""
        try:
            while True:
                with SerialLine(self._port, self.speed) as line:
                    self._quality.counters["openings"] += 1
                    self._checked_by = line.checked_by
                    self._line.opened(self._boot_ms())
                    self._report.forget()
                    await self._listen(line, accept)
        finally:
            self._line.closed()

    async def _listen(self, line: SerialLine, accept: Accept) -> None:
        """Read one opened port until it has been silent for so long that opening it anew is worth a try."""
        before_ms = self._boot_ms()
        damaged = 0
        try:
            while True:
                data = await line.read(_WAIT_S)
                now = self._boot_ms()
                if data:
                    self._take(line, data, before_ms, now, accept, damaged=line.damaged - damaged)
                    damaged = line.damaged
                    before_ms = now
                else:
                    # A pause ends a frame: what was received of it is delivered, not kept for the next one.
                    self._deliver(self._decoder.flush(), self._line.heard_ms, accept)
                    self._frame_ended_ms = None
                    self._report.forget()
                self._quality.passed(now)
                self._line.log_change(self._log, now, found=self.found is not None)
                if self._line.silent_ms(now) > _REOPEN_MS:
                    return
        except PortLeft:
            self._deliver(self._decoder.flush(), self._line.heard_ms, accept)
            raise

    def _log(self, level: int) -> None:
        _LOG.log(level, "%s on %s: %s", self._name, self._port, self.state)

    def _take(  # noqa: PLR0913 - a line, what it gave, and when
        self, line: SerialLine, data: bytes, before_ms: int, now: int, accept: Accept, *, damaged: int
    ) -> None:
        valid = dict.fromkeys(Mode, 0)
        heard: list[tuple[list[Event], int]] = []
        for piece, left in _pieces(data):
            # The frame ended with its last character, not when it was read: what came after took its time on the line.
            at = max(before_ms, now - left * _BITS_PER_CHARACTER * 1_000 // self.speed)
            events = self._decoder.feed(piece)
            heard.append((events, at))
            for event in events:
                if isinstance(event, Group) and event.valid and event.mode is not None:
                    valid[event.mode] += 1
        self._line.heard(now, sense=any(valid.values()))
        before = self.found
        changed = self._search.heard(now, len(data), foreign(data), valid)
        self._quality.counters["resynchronisations"] = self._search.resynchronisations
        self._quality.searching = self.found is None
        self._quality.characters(len(data), damaged)
        if self.found is None:
            self._report.forget()
        else:
            self._remembered = self.found
        for events, at in heard:
            self._deliver(events, at, accept, before)
        if changed:
            self._deliver(self._decoder.flush(), now, accept, before)
            line.set_baud(self.speed)
            self._checked_by = line.checked_by
        if self.listener is not None:
            self.listener.heard(data)

    def _deliver(self, events: Iterable[Event], at_ms: int, accept: Accept, before: Mode | None = None) -> None:
        """Take what the line said while its mode was the one that is found, or `before`, until now."""
        for event in events:
            if isinstance(event, Frame):
                self._frame(event, at_ms, accept, before)
            else:
                self._group(event, at_ms, before)

    def _group(self, group: Group, at_ms: int, before: Mode | None) -> None:
        """Take what cannot wait for the end of the frame: an overrun, the power."""
        self._quality.group(group)
        if not self._is_believed(group.mode, before):
            return
        self._overrun.group(group)
        if group.valid and group.label in ("SINSTS", "PAPP"):
            self._power = (at_ms, group.number or 0)

    def _frame(self, frame: Frame, at_ms: int, accept: Accept, before: Mode | None) -> None:
        self._overrun.frame(frame)
        judged = self._indexes.judge(self._stuck.judge(frame, at_ms), at_ms)
        if self.listener is not None:
            self.listener.frame(replace(frame, groups=judged), at_ms)
        believed = self._is_believed(frame.mode, before)
        found = self._values(self._applications.drawn(frame, judged), frame.mode, at_ms) if believed else {}
        suspect = sum(reading.quality is Quality.SUSPECT for _, reading in found.values())
        self._quality.frame(complete=frame.complete, suspect=suspect)
        if believed:
            self._time = meter_time(judged, at_ms) or self._time
        if frame.complete:
            if self._frame_ended_ms is not None:
                self._frame_ms = min(at_ms - self._frame_ended_ms, _MOST_FRAME_MS)
            self._frame_ended_ms = at_ms
        whole = frame.complete and all(group.valid or group.reason == Reason.UNKNOWN_LABEL for group in judged)
        for tick in self._report.due(found.values(), whole=whole):
            accept(tick)

    def _is_believed(self, mode: Mode | None, before: Mode | None) -> bool:
        """Tell whether two groups have settled that mode: until then, what passes every check may be a wrong speed."""
        return mode in self._modes and mode in (self.found, before)

    def _values(self, groups: Iterable[Group], mode: Mode | None, at_ms: int) -> dict[str, tuple[Point, Reading]]:
        """Give what a frame says of each channel, by its name."""
        found = {}
        for group in groups:
            if group.valid and group.mode is mode and mode is not None:
                quality = Quality.SUSPECT if group.suspect else Quality.OK
                for point in self._points.get((mode, group.label), ()):
                    value = point.read(group)
                    if value is not None:
                        found[point.channel.name] = point, Reading(point.channel, value, at_ms, quality)
        return found


def _pieces(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Cut what was read after each end of a frame; give each piece with how many characters came after it."""
    start = 0
    while start < len(data):
        end = data.find(ETX, start) + 1 or len(data)
        yield data[start:end], len(data) - end
        start = end
