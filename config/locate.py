"""Where each key of a TOML text stands: key path -> line, which tomllib does not tell.

No parser on PyPI gives positions through a public interface (tomlkit and tomlrt keep them to themselves), so this reads
the text a second time. It leaves every judgement to tomllib: it is right only for a text that tomllib has accepted, and
finds no mistakes of its own.
"""

import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]
"""Keys and positions from the root, positions counted from 0: ("load", 2, "device")."""

DEEPEST = 64
"""Longest path: without a bound, one long dotted key would take memory by the square of its length."""

_NEEDS = "only a text that tomllib accepts can be searched"
_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE = re.compile(r"[^ \t.=\]\r\n]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
# In the order of trial: a triple quote may have one or two more of its kind just before its end.
_STRINGS = (
    re.compile(r'"""(?:\\.|[^\\])*?"""(?:"{0,2})', re.DOTALL),
    re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\])*"'),
    re.compile(r"'[^']*'"),
)


def locate(text: str) -> dict[Path, int]:
    """Give the line, from 1, of each key, table, array element and array-of-tables entry; the root () is at line 1.

    A table stands at its header where it has one, else where it is first named. Raises RecursionError for a path
    that is longer than DEEPEST. Source: TOML 1.0.0, toml.io/en/v1.0.0.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    """One pass over the text."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {(): 1}
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._entries: dict[Path, int] = {}

    def document(self) -> None:
        """Read to the end."""
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._take("[["):
                table = self._header(is_entry=True)
            elif self._take("["):
                table = self._header(is_entry=False)
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self, *, is_entry: bool) -> Path:
        line = self._line()
        *parents, last = self._key()
        path: Path = ()
        for part in parents:
            path = self._named((*path, part), line)
            if path in self._entries:
                path = (*path, self._entries[path])
        path = (*path, last)
        if is_entry:
            self._named(path, line)
            self._entries[path] = self._entries.get(path, -1) + 1
            path = (*path, self._entries[path])
        self.lines[path] = line
        self._skip(_SPACE)
        self._at += 2 if is_entry else 1
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for part in self._key():
            path = self._named((*path, part), line)
        self._skip(_SPACE)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            quoted = self._string()
            parts.append(self._skip(_BARE) if quoted is None else tomllib.loads(f"k = {quoted}")["k"])
            self._skip(_SPACE)
            if not self._take("."):
                return parts

    def _value(self, path: Path) -> None:
        if self._take("["):
            self._members(path, "]")
        elif self._take("{"):
            self._members(path, "}")
        elif self._string() is None:
            self._skip(_SCALAR)

    def _members(self, path: Path, end: str) -> None:
        position = 0
        self._skip(_BLANK)
        while not self._take(end):
            if self._at >= len(self._text):
                raise ValueError(f"{end} is missing at the end; {_NEEDS}")
            if end == "}":
                self._pair(path)
            else:
                self._value(self._named((*path, position), self._line()))
            position += 1
            self._skip(_BLANK)
            self._take(",")
            self._skip(_BLANK)

    def _string(self) -> str | None:
        if self._text[self._at : self._at + 1] not in {'"', "'"}:
            return None
        for pattern in _STRINGS:
            match = pattern.match(self._text, self._at)
            if match:
                self._at = match.end()
                return match.group()
        raise ValueError(f"line {self._line()}: a string without an end; {_NEEDS}")

    def _named(self, path: Path, line: int) -> Path:
        if len(path) > DEEPEST:
            raise RecursionError(f"line {line}: nested more than {DEEPEST} deep")
        self.lines.setdefault(path, line)
        return path

    def _line(self) -> int:
        return bisect_right(self._starts, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"line {self._line()}: no key here; {_NEEDS}")
        self._at = match.end()
        return match.group()

    def _take(self, word: str) -> bool:
        found = self._text.startswith(word, self._at)
        self._at += len(word) if found else 0
        return found
