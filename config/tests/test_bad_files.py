"""Files that are no site file at all: whatever they hold, ConfigError and nothing else."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import ConfigError, Mistake
from config.load import LONGEST_FILE, load
from config.tests.sites import GOOD, spoil, write


def _mistakes(path: Path) -> tuple[Mistake, ...]:
    with pytest.raises(ConfigError) as raised:
        load(path)
    return raised.value.mistakes


@pytest.mark.parametrize(
    ("wrong", "line", "message"),
    [
        ("[gateway]\nid = \n", 2, "is not TOML at column 6: Invalid value"),
        ("[gateway]\nid = 'x'\nid = 'y'\n", 3, "is not TOML at column 9: Cannot overwrite"),
        ("[gateway\n", 1, "Expected ']'"),
        ("[gateway]\n\nid = '''x\n\n", 3, "end of the file"),
        ("x = " + "9" * 5000, 1, "is not TOML"),
        (b"[gateway]\nid = '\xff'\n", 2, "0xff is no UTF-8"),
        ("x = " + "[" * 100_000, 1, "nested far too deeply"),
        ("x = " + "[" * 70 + "]" * 70, 1, "nested far too deeply"),
        ("[gateway]\nx" + ".x" * 100_000 + " = 1", 2, "nested far too deeply"),
        ("[gateway]\n\n[[x" + ".x" * 64 + "]]", 3, "nested far too deeply"),
    ],
)
def test_not_toml(tmp_path: Path, wrong: str | bytes, line: int, message: str) -> None:
    """What is not TOML is told with the line where it stops being so."""
    (mistake,) = _mistakes(write(tmp_path, wrong))
    assert mistake.line == line
    assert message in mistake.message


def test_dots_in_a_comment(tmp_path: Path) -> None:
    """A comment may be a line of dots."""
    load(write(tmp_path, f"  # {'.' * 200}\n{GOOD}"))


def test_windows_text(tmp_path: Path) -> None:
    """A byte order mark and CR LF, as Windows editors write them, are no mistake and do not move lines."""
    text, line = spoil('id = "gw-test"', 'id = "no"')
    (mistake,) = _mistakes(write(tmp_path, b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()))
    assert mistake.line == line


@pytest.mark.parametrize("place", ["missing.toml", ".", "nul\0"])
def test_unreadable(tmp_path: Path, place: str) -> None:
    """A file that cannot be read is one mistake that says why."""
    (mistake,) = _mistakes(tmp_path / place)
    assert (mistake.line, mistake.key) == (0, "")
    assert "cannot be read" in mistake.message


def test_too_large(tmp_path: Path) -> None:
    """A file over the limit is refused unread; one of just the limit is read."""
    (mistake,) = _mistakes(write(tmp_path, GOOD + "#" * LONGEST_FILE))
    assert "256 KiB" in mistake.message
    load(write(tmp_path, GOOD + "#" * (LONGEST_FILE - len(GOOD))))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.one_of(st.binary(max_size=200), st.text(st.characters(codec="utf-8"), max_size=200).map(str.encode)))
def test_garbage(tmp_path: Path, content: bytes) -> None:
    """Any bytes at all give ConfigError and nothing else."""
    assert _mistakes(write(tmp_path, content))


_SCALARS = [
    "1",
    "-1",
    "0.5",
    "nan",
    "true",
    '"x"',
    '""',
    "[]",
    "[[]]",
    "{}",
    "[{}]",
    "1979-05-27",
    '{kind = "rtu"}',
    "9e99",
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.data())
def test_any_value_anywhere(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever stands behind any keys of a good site gives a Site or ConfigError, whose mistakes all have a line."""
    lines = GOOD.splitlines()
    pairs = [at for at, line in enumerate(lines) if " = " in line]
    for at in data.draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=5)):
        lines[at] = f"{lines[at].partition(' = ')[0]} = {data.draw(st.sampled_from(_SCALARS))}"
    try:
        load(write(tmp_path, "\n".join(lines)))
    except ConfigError as error:
        assert all(1 <= mistake.line <= len(lines) and mistake.key for mistake in error.mistakes)  # noqa: PT017 - or a Site
