"""`gateway status`: exact values, ages in words, and a clear word where there is no agent."""

import socket
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.asking import Door
from gateway.cli.exits import AGENT_NOT_RUNNING, CHECK_FAILED, TIMEOUT, Ended
from gateway.cli.status import duration, number, status, table


@pytest.mark.parametrize(
    ("value", "exponent", "text"),
    [
        (21_111_313, 0, "21111313"),
        (1_234_570, -3, "1234.570"),
        (7, -3, "0.007"),
        (-7, -3, "-0.007"),
        (-1_234, -1, "-123.4"),
        (0, -2, "0.00"),
        (36, 3, "36000"),
        ("HC..", 0, "HC.."),
    ],
)
def test_a_value_is_shown_exactly(value: int | str, exponent: int, text: str) -> None:
    """Every decimal that the exponent gives, and no float in between."""
    assert number({"value": value, "exponent": exponent}) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0.0 s"),
        (9_990, "10.0 s"),
        (12_400, "12 s"),
        (119_999, "120 s"),
        (120_000, "2 min"),
        (7_200_000, "2 h"),
        (172_800_000, "2 d"),
    ],
)
def test_a_duration_is_said_as_people_say_it(ms: int, text: str) -> None:
    """Two units are the least before a longer one is used: "90 s" says more than "1 min"."""
    assert duration(ms) == text


def ended(door: Door) -> tuple[int, str]:
    """Ask for the status in vain; give the exit code and the text."""
    with pytest.raises(Ended) as found:
        status(door, as_json=False)
    return found.value.code, str(found.value)


def test_a_missing_agent_is_told_apart_from_a_missing_site(tmp_path: Path) -> None:
    """Exit 3 with what to start where no agent answers, exit 5 with what to name where no socket is known."""
    site = tmp_path / "site.toml"
    site.write_text('[control]\nsocket = "control.sock"\n')
    code, text = ended(Door(site))
    assert (code, "systemctl status gateway" in text) == (AGENT_NOT_RUNNING, True)
    code, text = ended(Door(tmp_path / "none.toml"))
    assert (code, "--config" in text) == (CHECK_FAILED, True)
    site.write_text("[control]\n")
    code, text = ended(Door(site))
    assert (code, "gateway config check" in text) == (CHECK_FAILED, True)


def test_an_agent_that_hangs_is_given_up(tmp_path: Path) -> None:
    """A socket that takes the question and never answers does not hang the technician's terminal."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen()
        code, text = ended(Door(tmp_path / "site.toml", path, timeout_s=0.2))
    assert (code, "no answer" in text) == (TIMEOUT, True)


def test_the_table_shows_what_is_wrong() -> None:
    """A meter's trouble and a doubtful value stand where a person looks."""
    answer: dict[str, Any] = {
        "gateway": "gw-1",
        "name": "School",
        "version": "1",
        "up_ms": 61_000,
        **{part: {"text": f"text of {part}"} for part in ("clock", "link", "outbox", "shedding")},
        "meters": [{"name": "linky", "state": "silent for 12 s: check the wires"}],
        "channels": [
            {"name": "linky.papp", "value": 450, "exponent": 0, "unit": "VA", "quality": "suspect", "age_ms": 900_000}
        ],
    }
    shown = table(answer)
    assert "silent for 12 s: check the wires" in shown
    assert "450 VA" in shown
    assert "15 min ago  suspect" in shown
    assert "text of outbox" in shown


def test_a_consent_that_covers_less_than_the_site_file_asks_for_is_told() -> None:
    """In a line of its own, only where it is so."""
    answer = {
        **{name: {"text": "ok"} for name in ("clock", "link", "outbox", "shedding")},
        "gateway": "gw-1",
        "name": "School",
        "version": "0.1.0",
        "up_ms": 61_000,
        "meters": [],
        "channels": [],
    }
    for count in (0, 2):
        told = [line for line in table({**answer, "consents": {"uncovered": count}}).splitlines() if "consent" in line]
        wanted = "consents  2 of the households consented to less than the site file asks for: gateway consent list"
        assert told == ([wanted] if count else [])


def test_an_agent_that_waits_for_its_keys_shows_each_that_is_missing() -> None:
    """Nothing is shown as if it were metered; each missing file stands on a line of its own."""
    missing = ["/etc/gateway/keys/signing.key: cannot be read", "/etc/gateway/keys/ca.pem: cannot be read"]
    shown = table({"gateway": "gw-1", "name": "School", "version": "0.1.0", "up_ms": 61_000, "missing": missing})
    assert shown.splitlines()[0].startswith("gw-1  School  version 0.1.0")
    assert shown.splitlines()[2:] == missing
