"""A site file -> Site, or every mistake in it at once, each with its line, its key and what would be right."""

import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from config import relations, wording
from config.errors import ConfigError, Mistake
from config.locate import Path as KeyPath
from config.locate import locate
from config.parts import Part
from config.site import Site

LONGEST_FILE = 256 * 1024
"""Bytes; a site of 256 devices and loads takes a quarter of it."""

MOST_DOTS = 64
"""In one line, comments apart: tomllib keeps each beginning of a dotted key, and a long one would take gigabytes."""

M = TypeVar("M", bound=Part)


def _unrelated(_data: dict[str, Any], _folder: Path) -> Iterable[wording.Problem]:
    return ()


_LINE = re.compile(r"line (\d+): ")
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load(path: Path) -> Site:
    """Read a site file; its relative paths are resolved against its folder.

    Raises ConfigError, and nothing else whatever the file holds. Reads the file and the profiles that it names.
    """
    return load_as(path, Site, relations.problems)


def load_as(
    path: Path, model: type[M], related: Callable[[dict[str, Any], Path], Iterable[wording.Problem]] = _unrelated
) -> M:
    """Read a file of any such model; `related` tells what no single field can be held to. Raises ConfigError."""
    text = _text(path)
    folder = path.absolute().parent
    try:
        _refuse_dots(text)
        data = tomllib.loads(text)
        lines = locate(text)
    except RecursionError as error:
        line = int(position[1]) if (position := _LINE.match(str(error))) else 1
        raise ConfigError([Mistake(path, line, "", "is nested far too deeply", "tables as in example.toml")]) from error
    except ValueError as error:  # TOMLDecodeError, and what tomllib lets through, as a number of 5,000 digits
        raise ConfigError([_syntax(path, text, str(error))]) from error
    found = list(related(data, folder))
    site = None
    try:
        site = model.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        found += wording.problems(error, model)
    if site is None or found:
        raise ConfigError(_mistakes(path, lines, found))
    return site


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        right = "the path of a site file that this user may read"
        if isinstance(error, PermissionError):
            right = "join the group that may, or use sudo"
        raise ConfigError([Mistake(path, 0, "", f"cannot be read: {reason}", right)]) from error
    if len(content) > LONGEST_FILE:
        size = f"has more than {LONGEST_FILE // 1024} KiB"
        raise ConfigError([Mistake(path, 1, "", size, "a site file (this one may be something else)")])
    try:
        return content.decode("utf-8-sig")  # Windows editors begin a file with a byte order mark
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        wrong = f"the byte 0x{content[error.start]:02x} is no UTF-8"
        raise ConfigError([Mistake(path, line, "", wrong, "save the file as UTF-8")]) from error


def _refuse_dots(text: str) -> None:
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MOST_DOTS and not line.lstrip().startswith("#"):
            raise RecursionError(f"line {number}: more than {MOST_DOTS} dots")


def _syntax(path: Path, text: str, reason: str) -> Mistake:
    """Word a TOML error; one at the end of the document is at the last line that has something."""
    position = _POSITION.search(reason)
    if position is None:
        line, column = 1, ""
    elif position[1] is None:
        line, column = text.rstrip().count("\n") + 1, " at the end of the file"
    else:
        line, column = int(position[1]), f" at column {position[2]}"
    return Mistake(
        path, line, "", f"is not TOML{column}: {_POSITION.sub('', reason)}", 'lines like key = "text" or key = 3'
    )


def _mistakes(path: Path, lines: dict[KeyPath, int], found: Iterable[wording.Problem]) -> list[Mistake]:
    # A set: a loose relation and the model may say the same.
    return list({Mistake(path, _line(lines, p.path), _dotted(p.path), p.message, p.right) for p in found})


def _line(lines: dict[KeyPath, int], key: KeyPath) -> int:
    """Give the line of a key; where it is missing, that of the table that should have it."""
    while key not in lines:
        key = key[:-1]
    return lines[key]


def _dotted(key: KeyPath) -> str:
    """Write a path as people count: ("load", 1, "device") is `load[2].device`."""
    text = ""
    for step in key:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text
