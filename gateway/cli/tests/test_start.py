"""The command line starts at once: it loads nothing before it is known to be needed."""

import os
import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from gateway.cli.plain import plain
from gateway.cli.typed import typed

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


def loaded_by(statement: str, of: Collection[str] = HEAVY) -> set[str]:
    """Give which modules of these a fresh interpreter has loaded after a statement."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)  # noqa: S603 - this very interpreter
    return set(of) & set(done.stdout.split())


def test_what_was_typed_is_read_with_nothing_heavy() -> None:
    """Reading the command line, all commands known, loads none of what only some commands need."""
    assert loaded_by("from gateway.cli.typed import parser; parser().parse_args(['status'])") == set()


@pytest.mark.parametrize("module", ["status", "readings", "commands"])
def test_asking_the_agent_loads_no_cryptography(module: str) -> None:
    """What only asks the agent needs HTTP and a line of the site file, not pydantic, not a database, not a key."""
    loaded = loaded_by(f"import gateway.cli.{module}, gateway.cli.asking")
    assert loaded <= {"http.client", "tomllib", "dataclasses"}


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--config", "site.toml"],
        ["run", "--await-keys", "--config", "/etc/gateway/site.toml"],
        ["run", "--config", "", "--await-keys"],
    ],
)
def test_the_service_is_started_as_argparse_would_start_it(words: list[str]) -> None:
    """What is read without argparse, and runs for years without it, is what argparse reads."""
    read, options = plain(words), typed(words)
    assert read is not None
    assert (read.config, read.await_keys, read.words) == (options.config, options.await_keys, options.words)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["run"],
        ["run", "--help"],
        ["run", "--config"],
        ["run", "--config", "--await-keys"],
        ["run", "--config", "-"],
        ["run", "--config=site.toml"],
        ["run", "--conf", "site.toml"],
        ["run", "--config", "site.toml", "more"],
        ["web", "--config", "site.toml"],
    ],
)
def test_everything_else_is_left_to_argparse(words: list[str]) -> None:
    """Only what the unit types is read without it: mistakes and help are told in one way."""
    assert plain(words) is None


def test_the_agent_is_started_without_argparse() -> None:
    """As its unit starts it, the agent never has argparse in its memory."""
    started = (
        "from gateway.cli.main import run\ntry: run(['run', '--config', '/nowhere.toml'])\nexcept SystemExit: pass"
    )
    assert loaded_by(started, {"argparse", "gettext", "pydantic"}) == {"pydantic"}


def test_output_that_cannot_be_written_is_said() -> None:
    """On a full disk a line tells it, and no traceback."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", "version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (
        6,
        "gateway version: what it says cannot be written: No space left on device\n",
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_is_not_a_terminal_gets_utf8(tmp_path: Path, encoding: str) -> None:
    """The formats are described as UTF-8, whatever the locale of who asks."""
    text = (Path(__file__).parents[3] / "config" / "example.toml").read_text("utf-8")
    site = tmp_path / "site.toml"
    site.write_text(re.sub('^name = ".*"', 'name = "Été 20 €"', text, count=1, flags=re.MULTILINE), "utf-8")
    done = subprocess.run(  # noqa: S603 - this very interpreter
        [sys.executable, "-m", "gateway", "config", "show", site],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert "Été 20 €" in done.stdout.decode("utf-8")
