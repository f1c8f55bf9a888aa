"""The TOML text of a profile -> Profile: strict, bounded, and every mistake at once with its point and key.

The text is data that an integrator writes or downloads: an unknown key is a mistake, since a misspelt `exponent` would
otherwise give values ten times too large. Reading the file is the driver's work.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from modbus.errors import ProfileError
from modbus.profile import LONGEST_REGISTERS, Hole, Kind, Order, Point, Poll, Profile, Span, Table

LONGEST_TEXT = 256 * 1024
MOST_POINTS = 1000
MOST_HOLES = 100
LONGEST_STRING = 200
LARGEST_EXPONENT = 12
SHORTEST_LONGEST_READ = 4
"""A 64-bit value takes four registers and is never read in pieces: it could change in between."""

LONGEST_LINE = 1000
"""tomllib keeps each beginning of a dotted key: one line of 260,000 dots has taken 24 GB."""

_ADDRESSES = 65536
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_INT64 = Span(-(2**63), 2**63 - 1)

_Choice = TypeVar("_Choice", bound=StrEnum)


def parse_profile(text: str, name: str) -> Profile:
    """Read a profile's TOML text; `name` (a file's name) stands in the error.

    Raises ProfileError with every mistake that was found.
    """
    if len(text) > LONGEST_TEXT:
        raise ProfileError(name, [f"the text has {len(text)} characters; a profile has at most {LONGEST_TEXT}"])
    long = next((number for number, line in enumerate(text.splitlines(), 1) if len(line) > LONGEST_LINE), None)
    if long is not None:
        raise ProfileError(name, [f"line {long} has more than {LONGEST_LINE} characters"])
    try:
        tree = tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # TOMLDecodeError, and a number of 5,000 digits
        raise ProfileError(name, [f"this is not TOML: {error}"]) from error
    mistakes: list[str] = []
    profile = _profile(_Fields(tree, "the profile", mistakes))
    if mistakes:
        raise ProfileError(name, mistakes)
    return profile


@dataclass(slots=True)
class _Fields:
    """Takes keys out of one TOML table; what is wrong or left over becomes a mistake that names `where`."""

    tree: Mapping[str, object]
    where: str
    mistakes: list[str]
    taken: set[str] = field(default_factory=set)

    def wrong(self, key: str, what: str) -> None:
        self.mistakes.append(f"{self.where}, key '{key}': {what}")

    def take(self, key: str, *, required: bool) -> object | None:
        self.taken.add(key)
        value = self.tree.get(key)
        if value is None and required:
            self.wrong(key, "is missing")
        return value

    def string(self, key: str, *, required: bool = True, pattern: re.Pattern[str] | None = None) -> str:
        value = self.take(key, required=required)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > LONGEST_STRING or (required and not value.strip()):
            self.wrong(key, f"must be a text of 1 to {LONGEST_STRING} characters, not {_shown(value)}")
            return ""
        if pattern is not None and not pattern.fullmatch(value):
            self.wrong(key, f"{_shown(value)} must look like {pattern.pattern}")
        return value

    def choice(self, key: str, kind: type[_Choice], default: _Choice | None = None) -> _Choice:
        value = self.take(key, required=default is None)
        first = next(iter(kind)) if default is None else default
        if value is None:
            return first
        if not isinstance(value, str) or value not in {choice.value for choice in kind}:
            self.wrong(key, f"{_shown(value)} is not one of {', '.join(kind)}")
            return first
        return kind(value)

    def integer(self, key: str, span: Span, default: int | None = None) -> int:
        value = self.take(key, required=default is None)
        if value is None:
            return default if default is not None else span.low
        if not isinstance(value, int) or isinstance(value, bool) or value not in span:
            self.wrong(key, f"must be a whole number in {span}, not {_shown(value)}")
            return span.low
        return value

    def span(self, key: str) -> Span | None:
        value = self.take(key, required=False)
        if value is None:
            return None
        numbers = _integers(value, _INT64)
        if numbers is None or len(numbers) != 2 or numbers[0] > numbers[1]:
            self.wrong(key, f"must be [lowest, highest] in the register's own steps, not {_shown(value)}")
            return None
        return Span(numbers[0], numbers[1])

    def tables(self, key: str, most: int, *, required: bool) -> list[Mapping[str, object]]:
        value = self.take(key, required=required)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            self.wrong(key, f"must be a list of tables: write [[{key}]] above each")
            return []
        if len(value) > most or (required and not value):
            self.wrong(key, f"has {len(value)} entries; a profile has 1 to {most}")
            return []
        return value

    def finish(self) -> None:
        for key in self.tree:
            if key not in self.taken:
                self.wrong(key, f"is unknown; known are {', '.join(sorted(self.taken))}")


def _profile(fields: _Fields) -> Profile:
    models = fields.take("models", required=True)
    if models is not None and not (
        isinstance(models, list) and models and all(isinstance(model, str) and model.strip() for model in models)
    ):
        fields.wrong("models", f"must be a list of texts, not {_shown(models)}")
        models = None
    base = fields.integer("base", Span(0, 1), 0)
    holes = tuple(
        _hole(_Fields(tree, f"hole {number}", fields.mistakes), base)
        for number, tree in enumerate(fields.tables("hole", MOST_HOLES, required=False), 1)
    )
    points = tuple(
        _point(_Fields(tree, f"point {_shown(tree.get('key', number))}", fields.mistakes), base)
        for number, tree in enumerate(fields.tables("point", MOST_POINTS, required=True), 1)
    )
    profile = Profile(
        id=fields.string("id", pattern=_ID),
        maker=fields.string("maker"),
        models=tuple(models) if isinstance(models, list) else (),
        source=fields.string("source"),
        points=points,
        byte_order=fields.choice("byte_order", Order, Order.BIG),
        word_order=fields.choice("word_order", Order, Order.BIG),
        longest_read=fields.integer("longest_read", Span(SHORTEST_LONGEST_READ, LONGEST_REGISTERS), LONGEST_REGISTERS),
        holes=holes,
    )
    fields.finish()
    _check_together(profile, fields.mistakes)
    return profile


def _hole(fields: _Fields, base: int) -> Hole:
    addresses = Span(base, _ADDRESSES - 1 + base)
    hole = Hole(
        fields.choice("table", Table),
        fields.integer("first", addresses) - base,
        fields.integer("last", addresses) - base,
    )
    if hole.last < hole.first:
        fields.wrong("last", "must not be below 'first'")
    fields.finish()
    return hole


def _point(fields: _Fields, base: int) -> Point:
    table = fields.choice("table", Table)
    told = len(fields.mistakes)
    kind = fields.choice("type", Kind, Kind.BIT if table.is_bits else None)
    if len(fields.mistakes) == told and table.is_bits != (kind is Kind.BIT):
        fields.wrong(
            "type", f"a {table} holds {'one bit' if table.is_bits else 'registers'}: {kind} cannot stand there"
        )
    phase = fields.integer("phase", Span(1, 3), 0)
    absent = fields.take("absent", required=False)
    patterns = _integers(absent, Span(0, 2 ** (16 * kind.width) - 1)) if absent is not None else []
    if patterns is None:
        fields.wrong(
            "absent",
            f"must be a list of unsigned patterns of {16 * kind.width} bits, as [0x8000], not {_shown(absent)}",
        )
    point = Point(
        key=fields.string("key", pattern=_KEY),
        table=table,
        address=fields.integer("address", Span(base, _ADDRESSES - kind.width + base)) - base,
        kind=kind,
        quantity=fields.string("quantity", pattern=_KEY),
        unit=fields.string("unit", required=False),
        exponent=fields.integer("exponent", Span(-LARGEST_EXPONENT, LARGEST_EXPONENT), 0),
        phase=phase or None,
        absent=tuple(patterns or ()),
        plausible=fields.span("range"),
        poll=fields.choice("poll", Poll, Poll.FAST),
        limits=_limits(fields, table, kind),
    )
    fields.finish()
    return point


class _Access(StrEnum):
    READ = "r"
    WRITE = "rw"


def _limits(fields: _Fields, table: Table, kind: Kind) -> Span | None:
    """Give what may be written; a point that is written always has limits, a coil's are 0 and 1."""
    access = fields.choice("access", _Access, _Access.READ)
    limits = fields.span("limits")
    if access is _Access.READ:
        if limits is not None:
            fields.wrong("limits", 'makes sense with access = "rw" alone')
        return None
    if not table.is_writable:
        fields.wrong("access", f'Modbus has no function that writes a {table}: use "r"')
    if kind is Kind.BIT:
        return limits or Span(0, 1)
    if limits is None:
        fields.wrong("limits", "is missing: a point that is written needs [lowest, highest]")
    return limits


def _check_together(profile: Profile, mistakes: list[str]) -> None:
    """Check what one entry alone cannot show: keys twice, points in holes."""
    seen: set[str] = set()
    for point in profile.points:
        if point.key in seen:
            mistakes.append(f"point '{point.key}', key 'key': stands twice; each point needs its own")
        seen.add(point.key)
        mistakes.extend(
            f"point '{point.key}', key 'address': lies in the hole {hole.first} to {hole.last}"
            for hole in profile.holes
            if hole.table is point.table and point.address <= hole.last and hole.first < point.end
        )


def _integers(value: object, span: Span) -> list[int] | None:
    """Give the list of whole numbers that `value` is, or None."""
    if not isinstance(value, list) or len(value) > MOST_HOLES:
        return None
    whole = all(isinstance(number, int) and not isinstance(number, bool) and number in span for number in value)
    return value if whole else None


def _shown(value: object) -> str:
    """Show what was found, short enough for one line of a terminal."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
