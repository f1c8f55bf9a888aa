"""What `gateway centre listen` shows in a window: from what is known to lines of text, and nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from gateway.cli.tic.view import Line, Style, age

_LEAST = 60
_OLD_MS = 60_000


@dataclass(frozen=True, slots=True)
class Row:
    """The newest value of a channel: as it is shown with its unit, how old it is, its state, and who placed it."""

    gateway: str
    channel: str
    value: str
    age_ms: int | None
    state: str
    clock: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is known at one moment; `troubles` are for people, `facts` are told in one line."""

    title: str
    facts: Sequence[str]
    troubles: Sequence[str] = ()
    alarms: Sequence[str] = ()
    rows: Sequence[Row] = ()


def drawn(picture: Picture, columns: int, lines: int, top: int = 0) -> tuple[list[Line], int]:
    """Draw a window of that size, its rows from `top` on; give its lines, and the `top` that was possible."""
    head = list(_head(picture, max(columns - 1, _LEAST)))
    room = room_of(picture, columns, lines)
    top = min(max(0, top), max(0, len(picture.rows) - room))
    width = _width(picture)
    body = [_row(row, width) for row in picture.rows[top : top + room]]
    foot = _foot(top, len(body), len(picture.rows))
    page = [*head, *body, *[Line("")] * (room - len(body)), foot]
    return [Line(line.text[: max(0, columns - 1)], line.style) for line in page[:lines]], top


def room_of(picture: Picture, columns: int, lines: int) -> int:
    """Tell how many rows such a window has room for."""
    return max(1, lines - sum(1 for _ in _head(picture, max(columns - 1, _LEAST))) - 1)


def _head(picture: Picture, width: int) -> Iterator[Line]:
    yield Line(picture.title, Style.BOLD)
    facts = "; ".join(fact.replace(" ", "\xa0") for fact in picture.facts)
    yield from (Line(text.replace("\xa0", " ")) for text in wrap(facts, width))
    for trouble in picture.troubles:
        yield from (Line(text, Style.ALARM) for text in wrap(trouble, width)[:3])
    yield from (Line(text, Style.ALARM) for text in picture.alarms)
    name, gateway = _width(picture)
    yield Line(f"{'gateway':<{gateway}} {'channel':<{name}} {'value':>18} {'age':>8}  state", Style.FAINT)


def _width(picture: Picture) -> tuple[int, int]:
    names = max((len(row.channel) for row in picture.rows), default=0)
    gateways = max((len(row.gateway) for row in picture.rows), default=0)
    return min(max(names, 8), 28), min(max(gateways, 8), 16)


def _row(row: Row, width: tuple[int, int]) -> Line:
    name, gateway = width
    old = row.age_ms is None or row.age_ms > _OLD_MS
    style = Style.ALARM if row.state == "suspect" else Style.FAINT if old else Style.PLAIN
    when = "unplaced" if row.age_ms is None else age(row.age_ms)
    clock = "" if row.clock == "trusted" else f", {row.clock}"
    where = f"{row.gateway[:gateway]:<{gateway}} {row.channel[:name]:<{name}}"
    return Line(f"{where} {row.value:>18} {when:>8}  {row.state}{clock}", style)


def _foot(top: int, shown: int, count: int) -> Line:
    if not count:
        return Line("nothing has come yet; q or Ctrl-C ends it", Style.FAINT)
    if shown == count:
        return Line("q or Ctrl-C ends it", Style.FAINT)
    return Line(f"{top + 1} to {top + shown} of {count}: space or arrows for more, q or Ctrl-C ends it", Style.FAINT)
