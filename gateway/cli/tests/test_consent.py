"""`gateway consent` and `gateway queue purge`: what is so, and changes that nobody makes by mistake."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.tests.agents import code_of, serving

SAID = {"dwelling": "apt-1", "purpose": "research", "given": True, "who": "Mme X", "reason": "form", "utc_ms": None}
UNCOVERED = {"tiers": ["fine"], "devices": ["heat"]}
DWELLING = {
    "name": "apt-1",
    "devices": ["water", "heat"],
    "purposes": [
        {"name": "research", "tiers": ["fine", "minute"], "given": True, "uncovered": UNCOVERED, "last": SAID},
        {"name": "advice", "tiers": ["fine", "index"], "given": False, "last": {**SAID, "given": False}},
        {"name": "audit", "tiers": ["index"], "given": False, "last": None},
    ],
}
FOUND = {"dwellings": [DWELLING, {"name": "apt-2", "devices": ["gas"], "purposes": []}], "changes": [SAID]}
GIVE = ("consent", "give", "apt-1", "research", "--who", "Mme X", "--reason", "form")


@pytest.fixture
def door(tmp_path: Path) -> Path:
    """Where the agent of a test listens."""
    return tmp_path / "control.sock"


def test_the_list_says_what_is_so_who_said_it_and_why(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each household and purpose; as JSON everything as it came."""
    with serving(door, {"/v1/consents": FOUND}):
        assert code_of("consent", "list", "--socket", door) == 0
        assert capsys.readouterr().out.splitlines() == [
            "apt-1 (water, heat)",
            "  research: given, time unknown by Mme X: form (fine, minute)",
            "    not covered, nothing of it leaves: tier fine, meter heat; ask them, and give the consent anew",
            "  advice: withdrawn, time unknown by Mme X: form (fine, index)",
            "  audit: not given (index)",
            "apt-2 (gas)",
            "  no purpose: nothing of it ever leaves",
        ]
        assert code_of("consent", "list", "--socket", door, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"schema": "gateway/consents/1", **FOUND}


def test_a_site_without_households_says_so(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody looks for a consent that nothing needs."""
    with serving(door, {"/v1/consents": {"dwellings": [], "changes": []}}):
        assert code_of("consent", "list", "--socket", door) == 0
    assert "names no household" in capsys.readouterr().out


@pytest.mark.parametrize(("word", "consent"), [("give", "given"), ("withdraw", "withdrawn")])
def test_a_consent_changes_with_yes_only(
    door: Path, capsys: pytest.CaptureFixture[str], word: str, consent: str
) -> None:
    """Without --yes nothing is asked of the agent: exit 7, and what it would do; with it the order is as typed."""
    asked: list[Mapping[str, Any]] = []

    def answer(body: Mapping[str, Any]) -> tuple[int, object]:
        asked.append(body)
        return 200, {"dwelling": "apt-1", "purpose": "research", "given": word == "give", "stored": True}

    order = ("consent", word, *GIVE[2:], "--socket", door)
    with serving(door, {"POST /v1/consents": answer}):
        assert code_of(*order) == 7
        assert asked == []
        told = capsys.readouterr().err
        assert told.endswith(", and the centre is told: add --yes\n")
        assert ("leave for research from now on" in told) == (word == "give")
        assert code_of(*order, "--yes") == 0
        assert capsys.readouterr().out == f"apt-1, research: {consent}\n"
        assert code_of(*order, "--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "gateway/consent/1"
    assert asked[0] == {
        "dwelling": "apt-1",
        "purpose": "research",
        "consent": consent,
        "who": "Mme X",
        "reason": "form",
    }


def test_a_withdrawal_that_the_disk_refuses_to_note_says_what_is_so(
    door: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It holds all the same; the agent writes it when it can."""
    said = {"dwelling": "apt-1", "purpose": "research", "given": False, "stored": False}
    with serving(door, {"POST /v1/consents": lambda _: (200, said)}):
        assert code_of("consent", "withdraw", *GIVE[2:], "--socket", door, "--yes") == 0
    assert "nothing leaves; the disk refuses to note it" in capsys.readouterr().out


@pytest.mark.parametrize(("status", "code"), [(403, 7), (404, 4), (422, 2), (503, 6)])
def test_a_refusal_has_its_exit_code(door: Path, status: int, code: int) -> None:
    """Who may not, what there is not, what makes no sense, a disk that refuses."""
    with serving(door, {"POST /v1/consents": lambda _: (status, {"error": "no"})}):
        assert code_of(*GIVE, "--socket", door, "--yes") == code


def test_a_purge_is_made_with_yes_only(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it would do is told first."""
    asked: list[Mapping[str, Any]] = []

    def answer(body: Mapping[str, Any]) -> tuple[int, object]:
        asked.append(body)
        return 200, {"segments": 7}

    order = ("queue", "purge", "--reason", "the box moves", "--socket", door)
    with serving(door, {"POST /v1/queue/purge": answer}):
        assert code_of(*order) == 7
        assert asked == []
        assert "would delete" in capsys.readouterr().err
        assert code_of(*order, "--yes") == 0
        assert capsys.readouterr().out == "7 segments deleted\n"
        assert code_of(*order, "--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"schema": "gateway/queue-purge/1", "segments": 7}
    assert asked[0] == {"reason": "the box moves"}
