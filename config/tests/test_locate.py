"""The locator against texts whose lines are known, and against tomllib on generated ones."""

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.locate import Path, locate


def _leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _leaves(inner, (*path, at))
    else:
        yield path, value


def _tables(value: object, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict | list):
        yield path
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _tables(inner, (*path, step))


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("x = 1", ("x",), 1),
        ("\n\n  x = 1", ("x",), 3),
        ("# x = 1\nx = 1", ("x",), 2),
        ("[a]\nx = 1", ("a",), 1),
        ("[a]\nx = 1", ("a", "x"), 2),
        ("[ a . b ]\nx = 1", ("a", "b", "x"), 2),
        ("[a.b]\nx = 1\n[a]\ny = 1", ("a",), 3),
        ("a.b.c = 1", ("a", "b"), 1),
        ('"a.b" = 1\na.b = 2', ("a.b",), 1),
        ('"a.b" = 1\na.b = 2', ("a", "b"), 2),
        (r'"tab\tkey" = 1', ("tab\tkey",), 1),
        ("'raw\\' = 1", ("raw\\",), 1),
        ('[["p q"]]\n[["p q"]]\nx = 1', ("p q", 1, "x"), 3),
        ("[[a]]\n[a.b]\nx = 1\n[[a]]\n[a.b]\nx = 2", ("a", 1, "b", "x"), 6),
        ("[[a]]\n[[a.b]]\nx = 1\n[[a]]\n[[a.b]]\n[[a.b]]\nx = 2", ("a", 1, "b", 1, "x"), 7),
        ('x = """\n[a]\ny = 1\n"""\ny = 2', ("y",), 5),
        ("x = '''\n[a]\n\"\"\"\n'''\ny = 2", ("y",), 5),
        ('x = """a \\""" \n b"""\ny = 2', ("y",), 3),
        ('x = """a"""""\ny = 2', ("y",), 2),
        ("x = ''''a'''''\ny = 2", ("y",), 2),
        ('x = """"""\ny = ""\nz = \'\'', ("z",), 3),
        ("x = [ # ]\n 1, # ,\n [2,\n 3],\n]", ("x", 1, 1), 4),
        ("x = [\n\n]\ny = 1", ("y",), 4),
        ("x = [\n {a = 1},\n {b.c = 2, d = [3]},\n]", ("x", 1, "b", "c"), 3),
        ("x = [\n {a = 1},\n {b.c = 2, d = [3]},\n]", ("x", 1, "d", 0), 3),
        ("x = {}\ny = {a = {}, b = '}'}\nz = 1", ("z",), 3),
        ("x = {}\ny = {a = {}, b = '}'}\nz = 1", ("y", "b"), 2),
        ("x = 1979-05-27 07:32:00Z # t\ny = 1", ("y",), 2),
        ("x = 1\r\n\r\ny = 2\r\n", ("y",), 3),
        ('x = \'#\'\ny = "# \\" #"\nz = 1', ("z",), 3),
        ('"é" = 1', ("é",), 1),
    ],
)
def test_known_line(text: str, path: Path, line: int) -> None:
    """Every way that TOML has to write a key gives the line on which the key begins."""
    tomllib.loads(text)
    assert locate(text)[path] == line


@pytest.mark.parametrize("text", ["x = [1", "x = {a = 1", 'x = "', "= 1", "x = [1,"])
def test_a_text_that_tomllib_refuses_ends(text: str) -> None:
    """A text that is not TOML ends in a ValueError that says so, never in a loop."""
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)
    with pytest.raises(ValueError, match="only a text that tomllib accepts"):
        locate(text)


class _Writer:
    """Writes a generated tree as TOML in a generated style; each leaf is a number of its own that shows where it is."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.text: list[str] = []
        self.count = 1_000

    def key(self, key: str) -> str:
        style = self.draw(st.sampled_from(["bare", "basic", "literal"]))
        if style == "bare" and key.isascii() and key.replace("-", "").replace("_", "").isalnum():
            return key
        if style == "literal" and "'" not in key and key.isprintable():
            return f"'{key}'"
        return '"' + "".join(f"\\U{ord(letter):08X}" for letter in key) + '"'

    def filler(self) -> None:
        for _ in range(self.draw(st.integers(0, 2))):
            self.text.append(self.draw(st.sampled_from(["\n", "# x = 1 [a] '''\n", "  \t\n", '# """\n', "\r\n"])))

    def leaf(self) -> str:
        self.count += 1
        form = self.draw(st.sampled_from(["{}", '"{} # ]"', "'{} }}'", '"""{}\n[x]\n y = 1\n"""', "'''{}'\n''\n'''"]))
        return form.format(self.count).replace("}}", "}")

    def value(self, depth: int, *, inline: bool = False) -> str:
        kind = self.draw(st.sampled_from(["leaf", "leaf", "array", "inline"])) if depth else "leaf"
        if kind == "leaf":
            return self.leaf()
        if kind == "inline":
            keys = self.draw(st.lists(KEYS, max_size=3, unique=True))
            return "{" + ", ".join(f"{self.key(key)} = {self.value(depth - 1, inline=True)}" for key in keys) + " }"
        gap = "" if inline else self.draw(st.sampled_from(["", "\n", " # ]\n ", "\n\n"]))
        items = [self.value(depth - 1, inline=inline) for _ in range(self.draw(st.integers(0, 3)))]
        return "[" + gap + f"{gap},{gap}".join(items) + gap + "]"

    def pairs(self) -> None:
        for key in self.draw(st.lists(KEYS, max_size=4, unique=True)):
            self.filler()
            dotted = self.draw(st.lists(st.just("d"), max_size=2))
            name = " . ".join([self.key(key), *(f"{self.key(step)}" for step in dotted)])
            self.text.append(f"{name} = {self.value(2)}{self.draw(st.sampled_from(['', ' # c', '  ']))}\n")

    def document(self) -> str:
        self.pairs()
        for name in self.draw(st.lists(st.sampled_from(["T1", "T 2", "T.3", "T#4"]), max_size=3, unique=True)):
            self.filler()
            entries = self.draw(st.integers(0, 3))
            for _ in range(max(entries, 1)):
                key = self.key(name)
                self.text.append(f"[[ {key}]]\n" if entries else f"[{key} ]\n")
                self.pairs()
                if self.draw(st.booleans()):
                    self.text.append(f"[{key}.{self.key('S')}.{self.key('U')}] # s\n")
                    self.pairs()
        return "".join(self.text)


KEYS = st.text(st.sampled_from("abz09-_ .#'é=[\n"), min_size=1, max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A TOML text of every construct, in any style."""
    return _Writer(draw).document()


@given(documents())
def test_finds_what_tomllib_finds(text: str) -> None:
    """Of any TOML text, exactly the paths that tomllib gives are located, each leaf on the line where it is written."""
    data = tomllib.loads(text)
    found = locate(text)
    lines = text.split("\n")
    leaves = dict(_leaves(data))
    assert found.keys() == {*_tables(data), *leaves}
    for path, value in leaves.items():
        number = str(value)[:4]
        assert number in lines[found[path] - 1]
