"""`gateway commands` where no agent is at work: what the file of the last one says, and nothing of it is touched."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from config.tests.sites import write
from gateway.cli.tests.agents import closed_to_us, code_of, serving
from gateway.commands.change import Change, Entry
from gateway.commands.course import Course, told
from gateway.commands.journal import Journal
from gateway.commands.lifecycle import Life, State
from gateway.commands.optout import OptOut

BOOT = bytes(16)
UNTIL_UTC_MS = 1_790_003_600_000
SHED = Course(
    id="dr/1",
    issuer="centre",
    sequence=1,
    digest="00",
    target="building",
    loads=("charger", "heat-pump"),
    percent=40,
    clamped=False,
    priority=1,
    issued_utc_ms=1_790_000_000_000,
    expires_utc_ms=1_790_000_600_000,
    start_utc_ms=None,
    duration_s=900,
    boot_id=BOOT.hex(),
    values={"charger": 6},
    life=Life(State.ACTIVE),
).entry()
REFUSED = Entry("dr-2", over=True, body="expired")
OPT_OUTS = [
    OptOut("charger", "technician", "a car is broken", 3600, BOOT.hex(), 5_000_000, UNTIL_UTC_MS),
    OptOut("heat-pump", "manager", "cold", 3600, BOOT.hex(), 5_000_000, None),
]
CHANGE = Change(entries=(SHED, REFUSED), opt_outs={each.target: each.body() for each in OPT_OUTS})

_KILLED = """
import asyncio, pathlib, sys, time
from gateway.cli.tests.test_commands_dead import BOOT, CHANGE
from gateway.commands.journal import Journal

async def main():
    journal = await Journal.open(pathlib.Path(sys.argv[1]), BOOT, lambda place, payload: payload)
    await journal.commit(CHANGE)
    print("stored", flush=True)
    time.sleep(600)

asyncio.run(main())
"""


async def _ended(path: Path) -> None:
    journal = await Journal.open(path, BOOT, lambda _, payload: payload)
    await journal.commit(CHANGE)
    await journal.close()


@contextmanager
def _agent(path: Path) -> Iterator[None]:
    """Have another process hold the journal with what the tests look at; it is killed in the end."""
    with subprocess.Popen([sys.executable, "-c", _KILLED, path], stdout=subprocess.PIPE) as process:  # noqa: S603 - ours
        assert process.stdout is not None
        assert process.stdout.readline() == b"stored\n"
        try:
            yield
        finally:
            process.kill()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site whose command database an agent left as it ended, and nobody listens at its socket."""
    path = write(tmp_path)
    (tmp_path / "data").mkdir()
    asyncio.run(_ended(tmp_path / "data" / "commands.db"))
    return path


@pytest.fixture
def database(site: Path) -> Path:
    """Where that database lies."""
    return site.parent / "data" / "commands.db"


def files(site: Path) -> dict[str, tuple[bytes, int]]:
    """Give every file of the storage folder, and when it was changed."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (site.parent / "data").iterdir()}


def listed(site: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Give what the list says to programs."""
    assert code_of("commands", "list", "--config", site, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_file_says_what_the_agent_would(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same facts under the same names, with their source; what is left of an opt-out is null, not invented."""
    before = files(site)
    found = listed(site, capsys)
    assert (found["schema"], found["source"]) == ("gateway/commands/1", "file")
    assert found["commands"] == json.loads(json.dumps([{"number": 2, **told(REFUSED)}, {"number": 1, **told(SHED)}]))
    assert found["opt_outs"][0] == {
        "target": "charger",
        "role": "technician",
        "reason": "a car is broken",
        "until_ms": None,
        "until_utc_ms": UNTIL_UTC_MS,
        "left_ms": None,
    }
    assert code_of("commands", "show", "dr/1", "--config", site, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"schema": "gateway/command/1", "source": "file", **json.loads(json.dumps(told(SHED)))}
    assert code_of("commands", "show", "dr-9", "--config", site) == 4
    assert files(site) == before


def test_people_are_told_where_it_is_from(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines are the agent's; the end of an opt-out is a moment, or unknown; the last line says who says so."""
    assert code_of("commands", "list", "--config", site, "--limit", "1") == 0
    order, until, unknown, source = capsys.readouterr().out.splitlines()
    assert order == "dr-2  expired"
    assert until.startswith("charger has opted out until 2026-09-")
    assert unknown == "heat-pump has opted out, for how long is unknown (manager: cold)"
    assert source == "read from the file, as it was when the agent last wrote: none is at work"
    assert code_of("commands", "show", "dr/1", "--config", site) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == source
    assert dict(line.split(maxsplit=1) for line in lines)["values"] == "charger: 6"


def test_after_a_kill_what_is_in_the_wal_is_told(
    site: Path, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """While a process holds the file it is not read, which is said; after kill -9 all is there, and nothing beside."""
    database.unlink()
    with _agent(database):
        assert code_of("commands", "list", "--config", site) == 6
        assert "held by an agent at work" in capsys.readouterr().err
    before = files(site)
    assert sorted(before) == ["commands.db", "commands.db-wal"]
    assert [each["id"] for each in listed(site, capsys)["commands"]] == ["dr-2", "dr/1"]
    assert files(site) == before


def test_an_agent_that_waits_for_its_keys_knows_no_orders(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It answers nothing but its status: the file is read."""
    with serving(tmp_path / "control.sock", {"/v1/status": {"missing": ["signing.key"]}}):
        assert listed(site, capsys)["source"] == "file"
        assert code_of("commands", "show", "dr-2", "--config", site) == 0


def test_what_cannot_be_read_is_exit_6(site: Path, database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a newer release, without tables, damaged, of a text that is none of ours, or missing: each is said."""

    def said() -> str:
        assert code_of("commands", "list", "--config", site) == 6
        error = capsys.readouterr().err
        assert error.startswith(f"gateway commands list: {database}: ")
        return error

    def change(statement: str) -> None:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute(statement)
            connection.commit()

    change("UPDATE command SET body = '{}'")
    assert "cannot be read" in said()
    change("PRAGMA user_version = 2")
    assert "made by a newer version of this program: use that one" in said()
    database.write_bytes(b"")
    assert "is no command database" in said()
    database.write_bytes(b"this is no database" * 500)
    assert "damaged (file is not a database): the agent's next start moves it aside" in said()
    database.unlink()
    assert "No such file" in said()


def test_what_is_closed_to_us_is_exit_7(
    site: Path, database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason is the system's own word."""
    closed_to_us(monkeypatch, database)
    assert code_of("commands", "list", "--config", site) == 7
    assert f"{database}: {os.strerror(13)}" in capsys.readouterr().err
