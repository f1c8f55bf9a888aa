"""What `gateway tic listen` shows in a window: from what is known of a line to lines of text, and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from textwrap import wrap
from typing import NamedTuple


class Style(Enum):
    """How a line stands out, as an ANSI sequence."""

    PLAIN = ""
    BOLD = "\x1b[1m"
    FAINT = "\x1b[2m"
    ALARM = "\x1b[1;31m"


class Line(NamedTuple):
    """One line of a window."""

    text: str
    style: Style = Style.PLAIN


@dataclass(frozen=True, slots=True)
class Row:
    """One label: its value with the unit, what the norm calls it, what the value means, and how old it is."""

    label: str
    value: str
    meaning: str
    words: Sequence[str] = ()
    age_ms: int = 0
    suspect: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is known of a line at one moment; `state` is "reading" or what is wrong and what to check."""

    port: str
    state: str
    speed: int
    mode: str | None = None
    checked_by: str | None = None
    frames_per_minute: float | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    suspect: int = 0
    overrun: bool = False
    rows: Sequence[Row] = ()


_LABEL, _VALUE, _AGE = 10, 20, 8
_OLD_MS = 10_000
_LEAST = 40
"""Narrower windows are drawn as if they had so many columns, and cut."""


def drawn(picture: Picture, columns: int, lines: int, top: int = 0) -> tuple[list[Line], int]:
    """Draw a window of that size, its rows from `top` on; give its lines, and the `top` that was possible."""
    width = max(columns - 1, _LEAST)
    head = list(headlines(picture, width))
    body = [line for row in picture.rows for line in _row(row, width)]
    room = max(1, lines - len(head) - 1)
    top = min(max(0, top), max(0, len(body) - room))
    shown = body[top : top + room]
    foot = _foot(top, len(shown), len(body))
    page = [*head, *shown, *[Line("")] * (room - len(shown)), foot]
    return [Line(line.text[: max(0, columns - 1)], line.style) for line in page[:lines]], top


def page_of(picture: Picture, columns: int, lines: int) -> int:
    """Tell how many lines of rows such a window has room for."""
    return max(1, lines - sum(1 for _ in headlines(picture, max(columns - 1, _LEAST))) - 1)


def headlines(picture: Picture, width: int) -> Iterator[Line]:
    """Give what is known of the line as a whole, above its labels."""
    mode = picture.mode or "mode not known yet"
    parity = f"parity checked by {picture.checked_by}" if picture.checked_by else "parity not checked yet"
    setting = f"{mode}, {picture.speed} Bd, {parity}"
    yield Line(f"{picture.port[-max(12, width - len(setting) - 2) :]}  {setting}", Style.BOLD)
    if picture.state == "reading":
        yield Line("reading")
    else:
        yield from (Line(text, Style.ALARM) for text in wrap(picture.state, width)[:3])
    if picture.overrun:
        yield Line("SUBSCRIBED POWER EXCEEDED", Style.ALARM)
    counters = picture.counters
    pace = "" if picture.frames_per_minute is None else f", {picture.frames_per_minute:g} a minute"
    frames = f"frames {counters.get('frames', 0)}{pace}, {counters.get('frames_incomplete', 0)} cut"
    yield Line(f"{frames}; groups {counters.get('groups_valid', 0)} valid, {picture.suspect} suspect")
    errors = (
        refused(picture.refused),
        f"parity errors {counters.get('characters_damaged', 0)}",
        f"resyncs {counters.get('resynchronisations', 0)}",
        f"openings {counters.get('openings', 0)}",
    )
    # A number is not parted from what it counts.
    whole = "; ".join(error.replace(" ", "\xa0") for error in errors)
    yield from (Line(text.replace("\xa0", " ")) for text in wrap(whole, width))
    yield Line(f"{'label':<{_LABEL}}{'value':<{_VALUE}}{'age':>{_AGE}}  what it is", Style.FAINT)


def refused(causes: Mapping[str, int]) -> str:
    """Give the groups that were refused by cause: "3 refused (2 checksum, 1 cut)"."""
    told = ", ".join(f"{count} {cause.replace('_', ' ')}" for cause, count in causes.items() if count)
    return f"{sum(causes.values())} refused{f' ({told})' if told else ''}"


def _row(row: Row, width: int) -> Iterator[Line]:
    style = Style.ALARM if row.suspect else Style.FAINT if row.age_ms > _OLD_MS else Style.PLAIN
    long = len(row.value) >= _VALUE
    first = f"{row.label:<{_LABEL}}{'' if long else row.value:<{_VALUE}}{age(row.age_ms):>{_AGE}}  "
    words = "; ".join(row.words)
    whole = f"{first}{row.meaning}{': ' if words else ''}{words}"
    is_one = len(whole) <= width
    yield Line(whole if is_one else f"{first}{row.meaning}", style)
    # A calendar is told in words; a message is itself what it says.
    below = ([row.value] if long and not words else []) + ([] if is_one else [words])
    below += [f"SUSPECT: {row.suspect}"] if row.suspect else []
    for text in below:
        yield from (Line(" " * _LABEL + line, style) for line in wrap(text, width - _LABEL))


def age(age_ms: int) -> str:
    """Give an age as people say it."""
    seconds = max(0, age_ms) / 1_000
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _foot(top: int, shown: int, count: int) -> Line:
    if not count:
        return Line("nothing valid has come yet; q or Ctrl-C ends it", Style.FAINT)
    if shown == count:
        return Line("q or Ctrl-C ends it", Style.FAINT)
    return Line(
        f"lines {top + 1} to {top + shown} of {count}: space or arrows for more, q or Ctrl-C ends it", Style.FAINT
    )
