"""What can be asked of the control socket, as a table: method, path, the right it needs, and what it takes.

The table is all there is: requests are checked against it (`requests`), and the OpenAPI document is made from it
(`openapi`). Handlers are given what was checked, and raise Refusal for what only they can know.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Right(StrEnum):
    """What a peer may do."""

    READ = "read"
    ACT = "act"


class Refusal(Exception):
    """A request is refused; `status` is the HTTP status, the text says what is wrong and what to do.

    `allow` names the methods that the path does take, where it is the method that is wrong.
    """

    def __init__(self, status: int, text: str, *, allow: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.allow = allow


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `least` to `most`."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Text:
    """A text of `least` to `most` characters without control characters."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some texts."""

    of: tuple[str, ...]


Value = int | str


@dataclass(frozen=True, slots=True)
class Field:
    """A value that a request carries; `default` stands for one that is not there, and `is_needed` forbids that."""

    name: str
    kind: Whole | Text | Choice
    about: str
    is_needed: bool = False
    default: Value | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A checked request: values of the path, the query and the body by name; absent ones without default are absent."""

    path: Mapping[str, str]
    query: Mapping[str, Value]
    body: Mapping[str, Value]


Answer = Callable[[Call], Awaitable[object]]
"""Gives JSON-able objects."""

Stream = Callable[[Call], AsyncIterator[bytes]]
"""Gives one JSON text at a time, for as long as the client stays; closed when it leaves. Refusal only at the start."""


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be asked; `{name}` in `path` stands for one segment of 1 to 128 characters.

    `gives` is the JSON schema of what it answers, or of each line of its stream; None where nothing is promised.
    """

    method: str
    path: str
    right: Right
    about: str
    answer: Answer | None = None
    stream: Stream | None = None
    query: tuple[Field, ...] = ()
    body: tuple[Field, ...] = ()
    gives: Mapping[str, Any] | None = None
    segments: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        if (self.answer is None) == (self.stream is None):
            raise ValueError(f"{self.method} {self.path}: either an answer or a stream is wanted")
        object.__setattr__(self, "segments", tuple(self.path.split("/")[1:]))

    def matches(self, segments: Sequence[str]) -> Mapping[str, str] | None:
        """Give the values of the path, None if it is another."""
        if len(segments) != len(self.segments):
            return None
        values: dict[str, str] = {}
        for wanted, found in zip(self.segments, segments, strict=True):
            if wanted.startswith("{"):
                values[wanted[1:-1]] = found
            elif wanted != found:
                return None
        return values


CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters that no text of ours holds."""


def get(path: str, about: str, answer: Answer, *query: Field, gives: Mapping[str, Any] | None = None) -> Route:
    """Make a route that only reads."""
    return Route("GET", path, Right.READ, about, answer, query=query, gives=gives)
