"""`gateway tic decode`: bytes of a Linky's line, from a file or a pipe, as frames for people or as JSON lines.

Read in pieces as they come, each frame shown when it ends: a live line works, and a file of any size.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from linky_tic.decoder import Decoder, Event, Frame
from linky_tic.group import Group
from linky_tic.label import Mode
from linky_tic.labels import BY_MODE

OK, USAGE = 0, 2
_PIECE = 65_536


def decode(path: str, mode: str, *, as_json: bool) -> int:
    """Decode the file `path` ("-": standard input) and print it; `mode` is "auto", "historique" or "standard".

    0 whatever the line holds; 2, with the reason on standard error, when the file cannot be read.
    """
    decoder = Decoder(None if mode == "auto" else Mode(mode))
    show = _Json(sys.stdout) if as_json else _Table(sys.stdout)
    summary = _Summary()
    try:
        with _opened(path) as fd:
            for piece in _pieces(fd):
                summary.count += len(piece)
                _show(decoder.feed(piece), summary, show)
        _show(decoder.flush(), summary, show)
        show.end(summary)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has enough (`| head`): end as any filter does, with nothing left to complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        sys.stdout.flush()
        print(f"gateway: cannot read {path}: {error.strerror}; give a file of bytes as on the wire", file=sys.stderr)
        return USAGE
    return OK


@dataclass(slots=True)
class _Summary:
    frames: int = 0
    valid: int = 0
    rejected: int = 0
    count: int = 0


class _Json:
    """One JSON object a line for each frame, then the summary."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def frame(self, frame: Frame) -> None:
        """Show one frame."""
        groups = [_group(group) for group in frame.groups]
        self._line({"mode": frame.mode, "complete": frame.complete, "groups": groups})

    def end(self, summary: _Summary) -> None:
        """Show the last line."""
        self._line(
            {
                "summary": {
                    "frames": summary.frames,
                    "groups_valid": summary.valid,
                    "groups_rejected": summary.rejected,
                    "bytes": summary.count,
                }
            }
        )

    def _line(self, thing: dict[str, object]) -> None:
        self._out.write(json.dumps(thing, ensure_ascii=True) + "\n")


def _group(group: Group) -> dict[str, object]:
    return {
        "label": group.label,
        "value": group.value,
        "horodate": group.horodate,
        "valid": group.valid,
        "suspect": group.suspect,
        "reason": group.reason,
    }


class _Table:
    """For people: a line for each group, with its unit and what the norm calls it."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def frame(self, frame: Frame) -> None:
        """Show one frame."""
        ending = "complete" if frame.complete else "incomplete"
        self._out.write(f"-- {frame.mode or 'unknown mode'}, {ending}, {len(frame.groups)} groups\n")
        self._out.writelines(self._row(group) for group in frame.groups)

    def end(self, summary: _Summary) -> None:
        """Show the last line."""
        self._out.write(
            f"-- {summary.frames} frames, {summary.valid} groups valid, {summary.rejected} rejected,"
            f" {summary.count} bytes\n"
        )

    @staticmethod
    def _row(group: Group) -> str:
        if not group.valid or group.mode is None:
            text = f": {group.value}" if group.value is not None else ""
            return f"{group.label or '?':<10} rejected: {group.reason}{text}\n"
        known = BY_MODE[group.mode][group.label]
        has_unit = known.is_number and not known.grammar.suffixed
        value = f"{group.value} {known.unit}".rstrip() if has_unit else f"{group.value}"
        note = f"  SUSPECT: {group.reason}" if group.suspect else ""
        return f"{group.label:<10} {group.horodate or '':<13} {value:<32} {known.meaning}{note}\n"


def _show(events: list[Event], summary: _Summary, show: _Json | _Table) -> None:
    shown = False
    for event in events:
        if isinstance(event, Frame):
            summary.frames += 1
            show.frame(event)
            shown = True
        elif event.valid:
            summary.valid += 1
        else:
            summary.rejected += 1
    if shown:
        sys.stdout.flush()


@contextmanager
def _opened(path: str) -> Iterator[int]:
    if path == "-":
        yield sys.stdin.fileno()
        return
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        yield fd
    finally:
        os.close(fd)


def _pieces(fd: int) -> Iterator[bytes]:
    """Give what is there, as soon as it is there."""
    while piece := os.read(fd, _PIECE):
        yield piece
