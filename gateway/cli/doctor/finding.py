"""What a check looks at and what it can say."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from config.errors import ConfigError
from config.load import load
from config.site import Site
from gateway.cli.asking import Door
from gateway.cli.exits import Ended


class State(StrEnum):
    """What a check found; a warning works today, what could not be checked may be anything."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNCHECKED = "could not check"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's word: what is so, and what to do about it ("" where nothing is to be done)."""

    state: State
    text: str
    todo: str = ""


def ok(text: str) -> Finding:
    """Say that all is well."""
    return Finding(State.OK, text)


def warning(text: str, todo: str) -> Finding:
    """Say what works today and should be seen to."""
    return Finding(State.WARNING, text, todo)


def failed(text: str, todo: str) -> Finding:
    """Say what does not work."""
    return Finding(State.FAILED, text, todo)


def unchecked(text: str, todo: str) -> Finding:
    """Say why nothing is known."""
    return Finding(State.UNCHECKED, text, todo)


@dataclass(frozen=True, slots=True)
class Case:
    """One gateway as it is now: its site file, what the agent says, or why either is not to be had.

    `site` is None where the file has mistakes, which `mistakes` tells; `answer` is None where the agent does not
    answer, and `silence` is why. `now` is this machine's wall clock; `closed` if this user may not read the site file.
    """

    site_file: Path
    site: Site | None
    mistakes: str
    answer: dict[str, Any] | None
    silence: Ended | None
    now: dt.datetime
    closed: bool = False

    @classmethod
    def of(cls, door: Door) -> Self:
        """Load the site file and ask the agent; neither has to be there."""
        site, mistakes, closed = None, "", False
        try:
            site = load(door.site)
        except ConfigError as error:
            mistakes, closed = str(error), isinstance(error.__cause__, PermissionError)
        answer, silence = None, None
        try:
            answer = door.get("/v1/status")
        except Ended as ended:
            silence = ended
        return cls(door.site, site, mistakes, answer, silence, dt.datetime.now(dt.UTC), closed)
