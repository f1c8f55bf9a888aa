"""`gateway commands`: what was ordered, told to people and to programs, and an opt-out that nobody gives by mistake."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.tests.agents import code_of, serving

SHED = {
    "id": "dr-1",
    "over": False,
    "issuer": "centre",
    "state": "active",
    "outcome": None,
    "reason": None,
    "target": "building",
    "loads": ["charger", "heat-pump"],
    "percent": 40,
    "issued_utc_ms": 1_790_000_000_000,
    "values": {"charger": 6},
    "failed": {},
}
REFUSED = {"id": "dr-2", "over": True, "text": "expired"}
OPT_OUT = {"target": "charger", "role": "technician", "reason": "a car is broken", "left_ms": 7_200_000}
ORDER = ("commands", "opt-out", "charger", "--for", "90min", "--reason", "a car is broken")


@pytest.fixture
def door(tmp_path: Path) -> Path:
    """Where the agent of a test listens."""
    return tmp_path / "control.sock"


def test_the_list_is_a_line_each_and_who_opted_out(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An order with its state, percentage, target and issuer; a refused one with why; then the opt-outs."""
    commands = [{"number": 2, **REFUSED}, {"number": 1, **SHED}]
    answers = {"/v1/commands?limit=20": {"commands": commands}, "/v1/opt-out": {"opt_outs": [OPT_OUT]}}
    with serving(door, answers):
        assert code_of("commands", "list", "--socket", door) == 0
        first, second, third = capsys.readouterr().out.splitlines()
        assert first == "dr-2  expired"
        assert second.startswith("dr-1  2026-09-")
        assert second.endswith("  active  40 % of building, by centre")
        assert third == "charger has opted out for another 2 h (technician: a car is broken)"
        assert code_of("commands", "list", "--socket", door, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema": "gateway/commands/1",
        "source": "agent",
        "commands": commands,
        "opt_outs": [OPT_OUT],
    }


def test_show_tells_all_and_unknown_is_exit_4(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every fact that there is has a line; an id with strange characters is asked for as it is; none is exit 4."""
    with serving(door, {"/v1/commands/dr-1": SHED, "/v1/commands/a%2Fb%20c": REFUSED}):
        assert code_of("commands", "show", "dr-1", "--socket", door) == 0
        shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
        assert shown["loads"] == "charger, heat-pump"
        assert shown["values"] == "charger: 6"
        assert "outcome" not in shown
        assert code_of("commands", "show", "a/b c", "--socket", door, "--json") == 0
        assert json.loads(capsys.readouterr().out) == {
            "schema": "gateway/command/1",
            "source": "agent",
            **REFUSED,
        }
        assert code_of("commands", "show", "dr-9", "--socket", door) == 4


def test_an_opt_out_is_ordered_with_yes_only(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --yes nothing is asked of the agent: exit 7, and what it would do; with it the order is as typed."""
    asked: list[Mapping[str, Any]] = []

    def answer(body: Mapping[str, Any]) -> tuple[int, object]:
        asked.append(body)
        return 200, {"accepted": True}

    with serving(door, {"POST /v1/opt-out": answer}):
        assert code_of(*ORDER, "--socket", door) == 7
        assert asked == []
        said = capsys.readouterr().err
        assert "end what is shed on charger and refuse every order to it for 90 min" in said
        assert code_of(*ORDER, "--yes", "--socket", door, "--json") == 0
    assert asked == [{"target": "charger", "reason": "a car is broken", "duration_s": 5_400, "role": "technician"}]
    assert json.loads(capsys.readouterr().out) == {"schema": "gateway/opt-out/1", "accepted": True}


@pytest.mark.parametrize(("status", "code"), [(403, 7), (409, 7), (404, 4), (422, 2), (503, 6)])
def test_what_the_agent_refuses_has_its_exit_code(
    door: Path, capsys: pytest.CaptureFixture[str], status: int, code: int
) -> None:
    """Not permitted, not now, no such load, not as it should be, not to be told: each its own code, with the reason."""
    with serving(door, {"POST /v1/opt-out": lambda _: (status, {"error": "because"})}):
        assert code_of(*ORDER, "--yes", "--socket", door) == code
    assert "because" in capsys.readouterr().err


@pytest.mark.parametrize("time", ["0h", "4", "h", "-1h", "32d", "1.5h", "4x"])
def test_a_time_that_makes_no_sense_is_a_usage_error(time: str) -> None:
    """A time has a whole number and a unit, and 31 days at most."""
    assert code_of("commands", "opt-out", "building", f"--for={time}", "--reason", "x") == 2
