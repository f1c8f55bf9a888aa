"""What can be wrong with a site file, told all at once: a Mistake for each, a ConfigError for the whole file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One mistake: where it stands, what is wrong and what would be right.

    `line` counts from 1 and is 0 where the file could not be read at all; `key` is the path as people
    count it ("load[2].device"), "" where the whole file is meant.
    """

    file: Path
    line: int
    key: str
    message: str
    right: str

    def __str__(self) -> str:
        """Give `file:line: key: what is wrong; what would be right`, the form that editors can jump to."""
        text = f"{self.file}:{self.line}: {self.key + ': ' if self.key else ''}{self.message}; {self.right}"
        # Keys and values come from the file: an escape sequence in them must not reach the terminal.
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class ConfigError(Exception):
    """The site file cannot be used; `mistakes` has every reason, by line, and is never empty."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))
