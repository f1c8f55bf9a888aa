"""The command line starts at once: it loads nothing before it is known to be needed."""

import subprocess
import sys

import pytest

HEAVY = (
    "asyncio",
    "cryptography",
    "dataclasses",
    "http.client",
    "importlib.metadata",
    "pydantic",
    "sqlite3",
    "tomllib",
)
"""Each costs every start some milliseconds on a fast machine, and ten times that on the box."""


def loaded_by(statement: str) -> set[str]:
    """Give the heavy modules that a fresh interpreter has loaded after a statement."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)  # noqa: S603 - this very interpreter
    return set(HEAVY) & set(done.stdout.split())


def test_what_was_typed_is_read_with_nothing_heavy() -> None:
    """Reading the command line, all commands known, loads none of what only some commands need."""
    assert loaded_by("from gateway.cli.main import parser; parser().parse_args(['status'])") == set()


@pytest.mark.parametrize("module", ["status", "readings", "commands"])
def test_asking_the_agent_loads_no_cryptography(module: str) -> None:
    """What only asks the agent needs HTTP and a line of the site file, not pydantic, not a database, not a key."""
    loaded = loaded_by(f"import gateway.cli.{module}, gateway.cli.asking")
    assert loaded <= {"http.client", "tomllib", "dataclasses"}
