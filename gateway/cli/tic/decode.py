"""`gateway tic decode`: bytes of a meter's line, from a file or a pipe, as frames for people or as JSON lines.

Read in pieces as they come, each frame shown when it ends: a live line works, and a file of any size. What was caught
as 8N1, with the parity in bit 7, is read as well, and so is what `cat` caught, or an editor saved, without its CRs.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from drivers.parity import SoftwareParity
from gateway.cli.exits import OK, USAGE, Ended
from gateway.cli.tic.words import told
from linky_tic.decoder import Decoder, Event, Frame
from linky_tic.group import Group
from linky_tic.label import Mode
from linky_tic.labels import BY_MODE

SCHEMA = "gateway/tic-decode/1"
"""The last line of `as_json`: {"schema", "summary", "modes": {mode: frames}, "rejected": {reason: groups}}."""
_PIECE = 65_536
_INDENT = " " * 11


def decode(path: str, mode: str, *, as_json: bool) -> int:
    """Decode the file `path` ("-": standard input) and print it; `mode` is "auto" or one of Mode.

    0 whatever the line holds; raises Ended when the file cannot be read.
    """
    decoder = Decoder(None if mode == "auto" else Mode(mode))
    show = _Json(sys.stdout) if as_json else _Table(sys.stdout)
    summary = Summary()
    ends = _LineEnds()
    with opened(path) as fd:
        for piece in pieces(fd, path):
            summary.count += len(piece)
            _show(decoder.feed(ends.feed(piece)), summary, show)
    _show(decoder.feed(ends.end()) + decoder.flush(), summary, show)
    show.end(summary)
    return OK


class _LineEnds:
    """Gives CRs back to a stream that has lost all: a port that is not raw makes a LF of each, some editors drop them.

    LFs ended a group and began the next: CR LF in their place does both. A stream with a CR before its fourth LF, or
    with neither in 4,096 bytes, stays as it is.
    """

    _ENOUGH_LINES, _ENOUGH_BYTES = 4, 4_096

    def __init__(self) -> None:
        self._held = b""
        self._lost: bool | None = None
        self._after_lf = False

    def feed(self, data: bytes) -> bytes:
        """Take what comes; hold it back until it is known whether there are CRs."""
        if self._lost is None:
            self._held += data
            lines, cr, _ = self._held.partition(b"\r")
            if not cr and lines.count(b"\n") < self._ENOUGH_LINES and len(lines) < self._ENOUGH_BYTES:
                return b""
            return self.end()
        return self._mended(data) if self._lost else data

    def end(self) -> bytes:
        """Give what is held back."""
        data, self._held = self._held, b""
        if self._lost is None:
            lines, cr, _ = data.partition(b"\r")
            self._lost = lines.count(b"\n") >= (self._ENOUGH_LINES if cr else 2)
        return self._mended(data) if self._lost else data

    def _mended(self, data: bytes) -> bytes:
        rest = data.lstrip(b"\n") if self._after_lf else data
        self._after_lf = data.endswith(b"\n")
        return re.sub(rb"\n+", b"\r\n", rest)


class Summary:
    """What a stream held: frames by their mode, groups that are valid, others by the reason why not, bytes."""

    def __init__(self) -> None:
        self.modes: dict[str, int] = {}
        self.complete = 0
        self.valid = 0
        self.rejected: dict[str, int] = {}
        self.count = 0

    @property
    def frames(self) -> int:
        """Frames of all modes, cut ones included."""
        return sum(self.modes.values())

    def take(self, event: Event) -> None:
        """Count a group or a frame."""
        if isinstance(event, Frame):
            mode = event.mode or "unknown"
            self.modes[mode] = self.modes.get(mode, 0) + 1
            self.complete += event.complete
        elif event.valid:
            self.valid += 1
        else:
            reason = event.reason or ""
            self.rejected[reason] = self.rejected.get(reason, 0) + 1

    def as_object(self) -> dict[str, object]:
        """Give what every JSON of a stream says of it."""
        return {
            "summary": {
                "frames": self.frames,
                "groups_valid": self.valid,
                "groups_rejected": sum(self.rejected.values()),
                "bytes": self.count,
            },
            "modes": self.modes,
            "rejected": self.rejected,
        }

    def causes(self) -> str:
        """Give the groups that were refused: "3 rejected (2 checksum, 1 cut)"."""
        causes = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in sorted(self.rejected.items()))
        return f"{sum(self.rejected.values())} rejected{f' ({causes})' if causes else ''}"


class _Json:
    """One JSON object a line for each frame, then the summary."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def frame(self, frame: Frame) -> None:
        """Show one frame."""
        self._line(frame_object(frame))

    def end(self, summary: Summary) -> None:
        """Show the last line."""
        self._line({"schema": SCHEMA, **summary.as_object()})

    def _line(self, thing: dict[str, Any]) -> None:
        self._out.write(json.dumps(thing, ensure_ascii=True) + "\n")


def frame_object(frame: Frame) -> dict[str, object]:
    """Give a frame as the JSON of `decode` and `listen` shows it."""
    groups = [
        {
            "label": group.label,
            "value": group.value,
            "horodate": group.horodate,
            "valid": group.valid,
            "suspect": group.suspect,
            "reason": group.reason,
        }
        for group in frame.groups
    ]
    return {"mode": frame.mode, "complete": frame.complete, "groups": groups}


class _Table:
    """For people: a line for each group, with its unit, what the norm calls it, and what its value means."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def frame(self, frame: Frame) -> None:
        """Show one frame."""
        self._out.write("".join(f"{line}\n" for line in frame_lines(frame)))

    def end(self, summary: Summary) -> None:
        """Show the last line."""
        self._out.write(
            f"-- {summary.frames} frames, {summary.valid} groups valid, {summary.causes()}, {summary.count} bytes\n"
        )


def frame_lines(frame: Frame) -> Iterator[str]:
    """Give a frame as people read it: a headline, then its groups."""
    ending = "complete" if frame.complete else "incomplete"
    yield f"-- {frame.mode or 'unknown mode'}, {ending}, {len(frame.groups)} groups"
    for group in frame.groups:
        words = told(group)
        yield _row(group, words[0] if len(words) == 1 else "")
        yield from (f"{_INDENT}{line}" for line in words if len(words) > 1)


def _row(group: Group, words: str) -> str:
    if not group.valid or group.mode is None:
        text = f": {group.value}" if group.value is not None else ""
        return f"{group.label or '?':<10} rejected: {group.reason}{text}"
    known = BY_MODE[group.mode][group.label]
    has_unit = known.is_number and not known.grammar.suffixed
    value = f"{group.value} {known.unit}".rstrip() if has_unit else f"{group.value}"
    note = f"{': ' if words else ''}{words}{f'  SUSPECT: {group.reason}' if group.suspect else ''}"
    return f"{group.label:<10} {group.horodate or '':<13} {value:<32} {known.meaning}{note}"


def _show(events: list[Event], summary: Summary, show: _Json | _Table) -> None:
    shown = False
    for event in events:
        summary.take(event)
        if isinstance(event, Frame):
            show.frame(event)
            shown = True
    if shown:
        sys.stdout.flush()


@contextmanager
def opened(path: str) -> Iterator[int]:
    """Open a file of bytes, "-" for standard input; raise Ended."""
    if path == "-":
        yield sys.stdin.fileno()
        return
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        yield fd
    finally:
        os.close(fd)


def pieces(fd: int, path: str) -> Iterator[bytes]:
    """Give what is there, as soon as it is there, without the parity that bit 7 may hold; raise Ended."""
    parity = SoftwareParity()
    while True:
        try:
            piece = os.read(fd, _PIECE)
        except OSError as error:
            raise _unreadable(path, error) from error
        if not piece:
            return
        yield parity.clean(piece)


def _unreadable(path: str, error: OSError) -> Ended:
    return Ended(USAGE, f"cannot read {path}: {error.strerror}; give a file of bytes as on the wire")
