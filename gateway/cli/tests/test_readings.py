"""`gateway channels`, `read` and `tail` against an agent that says what the test wants."""

import json
from pathlib import Path

import pytest

from gateway.cli.tests.agents import channel, closed_to_us, code_of, serving

STATUS = {"channels": [channel("main.sinsts", 450), channel("bms.power", 7, quality="suspect", age_ms=900_000)]}


@pytest.fixture
def door(tmp_path: Path) -> Path:
    """Where the agent of a test listens."""
    return tmp_path / "control.sock"


def test_channels_lists_each_with_its_doubt(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every channel is a line with value, unit, age and doubt, then how many there are."""
    with serving(door, {"/v1/status": STATUS}):
        assert code_of("channels", "--socket", door) == 0
        first, second, last = capsys.readouterr().out.splitlines()
        assert first.split() == ["main.sinsts", "450", "W", "0.4", "s", "ago"]
        assert second.split() == ["bms.power", "7", "W", "15", "min", "ago", "suspect"]
        assert last == "2 channels"
        assert code_of("channels", "--socket", door, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"schema": "gateway/channels/1", **STATUS}


def test_read_gives_one(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One channel is one line, or one object with its exact parts."""
    with serving(door, {"/v1/status": STATUS}):
        assert code_of("read", "main.sinsts", "--socket", door) == 0
        assert "450 W" in capsys.readouterr().out
        assert code_of("read", "main.sinsts", "--socket", door, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"schema": "gateway/channel/1", **STATUS["channels"][0]}


@pytest.mark.parametrize("words", [("read", "main.sinst"), ("tail", "main.sinst")])
def test_an_unknown_channel_is_exit_4_with_the_close_names(
    door: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """A name that is misspelt by a letter ends with 4, nothing on stdout, and the name that was meant."""
    with serving(door, {"/v1/status": STATUS}):
        assert code_of(*words, "--socket", door) == 4
    out, err = capsys.readouterr()
    assert (out, "did you mean main.sinsts?" in err) == ("", True)


def test_tail_shows_each_reading_once(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A channel has a new line when it was read again, and only then; others than those asked for have none."""
    answers = [
        {"channels": [channel("a.w", 1, boot_ms=1), channel("b.w", 9, boot_ms=1)]},
        {"channels": [channel("a.w", 1, boot_ms=1), channel("b.w", 9, boot_ms=1)]},
        {"channels": [channel("a.w", 1, boot_ms=1), channel("b.w", 8, boot_ms=2)]},
        {"channels": [channel("a.w", 1, boot_ms=3), channel("b.w", 7, boot_ms=3)]},
    ]
    with serving(door, {"/v1/status": answers}):
        words = ("tail", "a.w", "--socket", door, "--interval", "0.01", "--count", "2", "--json")
        assert code_of(*words) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["schema"], each["name"], each["value"], each["boot_ms"]) for each in shown] == [
        ("gateway/channel/1", "a.w", 1, 1),
        ("gateway/channel/1", "a.w", 1, 3),
    ]


def test_tail_for_people_says_when(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line begins with the time of day of the reading and ends with what is doubtful about it."""
    with serving(door, {"/v1/status": STATUS}):
        assert code_of("tail", "--socket", door, "--count", "2") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("  main.sinsts  450 W")
    assert second.endswith("  bms.power  7 W  suspect")
    assert len(first.split()[0].split(":")) == 3


@pytest.mark.parametrize("words", [("status",), ("channels",), ("read", "a.w"), ("tail",)])
def test_without_an_agent_it_is_exit_3(door: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    """Every command that asks the agent ends with 3 where there is none, and says what to start on standard error."""
    assert code_of(*words, "--socket", door) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"gateway {words[0]}: no agent at {door}")
    assert "systemctl status gateway" in err


def test_a_site_file_that_is_closed_to_us_is_exit_7(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever is in no group is told to join one: nothing is wrong with the file, and no other path would help."""
    site = tmp_path / "site.toml"
    site.touch()
    closed_to_us(monkeypatch, site)
    assert code_of("status", "--config", site) == 7
    assert "join the agent's group, or use sudo" in capsys.readouterr().err


def test_an_agent_that_waits_for_its_keys_has_no_readings(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The agent is there and meters nothing: exit 6, and what it waits for."""
    with serving(door, {"/v1/status": {"missing": ["signing.key: cannot be read"]}}):
        assert code_of("channels", "--socket", door) == 6
    assert "signing.key: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [("tail", "--count", "0"), ("status", "--timeout", "0"), ("tail", "--interval", "x")])
def test_what_makes_no_sense_is_a_usage_error(wrong: tuple[str, ...]) -> None:
    """A number out of its bounds is exit 2, like any other wrong use."""
    assert code_of(*wrong) == 2
