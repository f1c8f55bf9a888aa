"""A Linky as a Meter: its customer output read from a serial line, one tick of Readings for each frame.

The line is watched here (silence, noise, a change of mode, an adapter that leaves); bytes become groups in
`linky_tic`, modes are looked for in `linky_search`. What a noisy line does is counted, and told once in the log when
the state changes, never for each group.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum

from config.channel import Channel
from drivers.errors import PortLeft
from drivers.linky_channels import channels_of, reading_value
from drivers.linky_listener import Listener
from drivers.linky_search import ModeSearch
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

_SILENT_MS = 3_000
"""Frames follow one another within 33 ms: a line without a character for so long is silent."""
_SENSELESS_MS = 6_000
"""Longer than a change of mode takes to be found: from here on it is noise."""
_REOPEN_MS = 60_000
"""A silent port is opened anew this often: some adapters come back only then."""
_STALE_MS = 10_000
"""An overrun that the meter has not confirmed for so long is no longer claimed."""
_WAIT_S = 1.0
_LOG_AGAIN_MS = 600_000
_BITS_PER_CHARACTER = 10


class _Line(StrEnum):
    """What the line is doing, for people; a change is worth one line in the log."""

    CLOSED = "not open"
    SEARCHING = "looking for the meter"
    READING = "reading"
    SILENT = "silent"
    SENSELESS = "noise"


class LinkyMeter:
    """The Meter of the Linky on `port`; `mode` is "auto" (`remembered_mode` tried first), "historique" or "standard".

    `boot_ms` gives CLOCK_BOOTTIME in ms. Raises ValueError for another mode. Each frame gives one tick with every
    valid group that is a value, also when the frame was cut: its good groups are good. A `listener` may be set.
    """

    def __init__(
        self,
        name: str,
        port: str,
        *,
        boot_ms: Callable[[], int],
        mode: str = "auto",
        remembered_mode: str | None = None,
    ) -> None:
        self._name = name
        self._port = port
        self._boot_ms = boot_ms
        self.listener: Listener | None = None
        self._mode = None if mode == "auto" else Mode(mode)
        remembered = Mode(remembered_mode) if remembered_mode in set(Mode) else None
        self._remembered = self._mode or remembered
        self._channels = channels_of(name)
        self._search = ModeSearch(self._mode, remembered)
        self._decoder = Decoder(self._mode)
        self._overrun = OverrunWatch()
        self._indexes = IndexWatch()
        self._stuck = StuckWatch()
        self._power: tuple[int, int] | None = None
        self._baud = self._search.trying.baud
        self._is_open = False
        self._checked_by: str | None = None
        self._opened_ms = self._heard_ms = self._sense_ms = self._noise_ms = 0
        self._logged: dict[_Line, int] = {}
        self._last_line = _Line.CLOSED
        self._counters = dict.fromkeys(
            (
                "frames",
                "frames_incomplete",
                "groups_valid",
                "groups_suspect",
                *(f"groups_{reason.value}" for reason in Reason),
                "characters",
                "characters_damaged",
                "resynchronisations",
                "openings",
            ),
            0,
        )

    @property
    def name(self) -> str:
        """The device's name in the site file."""
        return self._name

    @property
    def channels(self) -> Sequence[Channel]:
        """A Channel for each label of both modes that is a value: the meter may change its mode at any time."""
        return tuple(self._channels.values())

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
        return self._baud

    @property
    def checked_by(self) -> str | None:
        """Who checks parity: "the port" or "software"; None before the port was open."""
        return self._checked_by

    @property
    def counters(self) -> dict[str, int]:
        """Frames, groups by what became of them, characters, resynchronisations, since the start."""
        return dict(self._counters)

    @property
    def power_va(self) -> tuple[int, int] | None:
        """The apparent power drawn that the meter told last, as (`boot_ms`, VA); None before the first."""
        return self._power

    @property
    def overrun(self) -> bool:
        """Whether the meter says now that the subscribed power is exceeded; False as well when it says nothing."""
        return self._overrun.overrun and self._boot_ms() - self._sense_ms < _STALE_MS

    @property
    def state(self) -> str:
        """One short line for people, true at the moment it is asked for."""
        now = self._boot_ms()
        speed = f"{self._search.trying.value}, {self._baud} Bd"
        match self._line_now(now):
            case _Line.CLOSED:
                return "not open"
            case _Line.READING:
                return speed
            case _Line.SEARCHING:
                return f"looking for the meter ({speed})"
            case _Line.SILENT:
                seconds = (now - self._heard_ms) // 1_000
                return f"silent for {seconds} s: check the wires at the meter's I1 and I2 ({speed})"
            case _Line.SENSELESS:
                seconds = (now - self._noise_ms) // 1_000
                return f"only noise for {seconds} s: check the wires, the adapter and the mode ({speed})"

    async def run(self, accept: Accept) -> None:
        """Read until cancelled, whatever the line does; raise PortMissing or PortLeft when the port is not there."""
        try:
            while True:
                with SerialLine(self._port, self._baud) as line:
                    self._counters["openings"] += 1
                    self._is_open = True
                    self._checked_by = line.checked_by
                    self._opened_ms = self._boot_ms()
                    if self._counters["openings"] == 1:
                        self._heard_ms = self._noise_ms = self._opened_ms
                    await self._listen(line, accept)
        finally:
            self._is_open = False
            self._last_line = _Line.CLOSED

    async def _listen(self, line: SerialLine, accept: Accept) -> None:
        """Read one opened port until it has been silent for so long that opening it anew is worth a try."""
        before_ms = self._opened_ms
        damaged = 0
        try:
            while True:
                data = await line.read(_WAIT_S)
                now = self._boot_ms()
                if data:
                    self._take(line, data, before_ms, now, accept)
                    self._counters["characters_damaged"] += line.damaged - damaged
                    damaged = line.damaged
                    before_ms = now
                else:
                    # A pause ends a frame: what was received of it is delivered, not kept for the next one.
                    self._deliver(self._decoder.flush(), self._heard_ms, accept)
                self._log_change(now)
                if now - max(self._heard_ms, self._opened_ms) > _REOPEN_MS:
                    return
        except PortLeft:
            self._deliver(self._decoder.flush(), self._heard_ms, accept)
            raise

    def _take(self, line: SerialLine, data: bytes, before_ms: int, now: int, accept: Accept) -> None:
        self._counters["characters"] += len(data)
        if now - self._heard_ms > _SILENT_MS:
            self._noise_ms = now
        self._heard_ms = now
        valid = dict.fromkeys(Mode, 0)
        for piece, left in _pieces(data):
            # The frame ended with its last character, not when it was read: what came after took its time on the line.
            at = max(before_ms, now - left * _BITS_PER_CHARACTER * 1_000 // self._baud)
            events = self._decoder.feed(piece)
            for event in events:
                if isinstance(event, Group) and event.valid and event.mode is not None:
                    valid[event.mode] += 1
            self._deliver(events, at, accept)
        if any(valid.values()):
            self._sense_ms = self._noise_ms = now
        changed = self._search.heard(now, len(data), valid)
        self._counters["resynchronisations"] = self._search.resynchronisations
        if self._search.found is not None:
            self._remembered = self._search.found
        if changed:
            self._baud = self._search.trying.baud
            self._deliver(self._decoder.flush(), now, accept)
            line.set_baud(self._baud)
            self._checked_by = line.checked_by
        if self.listener is not None:
            self.listener.heard(data)

    def _deliver(self, events: Sequence[Event], at_ms: int, accept: Accept) -> None:
        for event in events:
            if isinstance(event, Frame):
                self._frame(event, at_ms, accept)
            else:
                self._group(event, at_ms)

    def _group(self, group: Group, at_ms: int) -> None:
        """Take what cannot wait for the end of the frame: an overrun, the power."""
        self._counters["groups_valid" if group.valid else f"groups_{group.reason}"] += 1
        self._overrun.group(group)
        if group.valid and group.label in ("SINSTS", "PAPP"):
            self._power = (at_ms, group.number or 0)

    def _frame(self, frame: Frame, at_ms: int, accept: Accept) -> None:
        self._counters["frames" if frame.complete else "frames_incomplete"] += 1
        self._overrun.frame(frame)
        judged = self._indexes.judge(self._stuck.judge(frame, at_ms), at_ms)
        if self.listener is not None:
            self.listener.frame(replace(frame, groups=judged), at_ms)
        readings = {
            group.label: Reading(
                self._channels[group.label],
                reading_value(group),
                at_ms,
                Quality.SUSPECT if group.suspect else Quality.OK,
            )
            for group in judged
            if group.valid and group.label in self._channels
        }
        self._counters["groups_suspect"] += sum(reading.quality is Quality.SUSPECT for reading in readings.values())
        if readings:
            accept(tuple(readings.values()))

    def _line_now(self, now: int) -> _Line:
        if not self._is_open:
            return _Line.CLOSED
        if now - self._heard_ms > _SILENT_MS:
            return _Line.SILENT
        if now - self._noise_ms > _SENSELESS_MS:
            return _Line.SENSELESS
        return _Line.READING if self._search.found is not None else _Line.SEARCHING

    def _log_change(self, now: int) -> None:
        """Log a change of state once; one that comes back within ten minutes is only counted."""
        line = self._line_now(now)
        if line is self._last_line:
            return
        self._last_line = line
        if line is _Line.SEARCHING or now - self._logged.get(line, -_LOG_AGAIN_MS) < _LOG_AGAIN_MS:
            return
        self._logged[line] = now
        level = logging.INFO if line is _Line.READING else logging.WARNING
        _LOG.log(level, "%s on %s: %s", self._name, self._port, self.state)


def _pieces(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Cut what was read after each end of a frame; give each piece with how many characters came after it."""
    start = 0
    while start < len(data):
        end = data.find(ETX, start) + 1 or len(data)
        yield data[start:end], len(data) - end
        start = end
