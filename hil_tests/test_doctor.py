"""`gateway doctor`: each planted fault is found by the check that is for it, and nothing else is blamed."""

import datetime as dt
import itertools
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.asking import Door
from gateway.cli.doctor.finding import Case, State
from gateway.cli.doctor.report import CHECKS, examine
from gateway.cli.tests.agents import channel, closed_to_us, code_of, serving
from gateway.cli.version import facts
from gateway.door.keys import make as make_door_keys
from gateway.door.spool import Csv, Spool, folder
from gateway.door.tests.files import recipient
from gateway.wire.keys import KeySet, load_signing_key, make_signing_key
from hil_tests.bench.pki import Authority, SiteKeys, make_site_keys, trusted
from hil_tests.bench.site import LINKY, Wiring, site_text
from hil_tests.bench.whole import QUICK, Whole

GATEWAY = "gw-0001"
NOW_MS = 10_000_000
CLEAN = {"frames_per_min": 60.0, "refused_percent": 0.1, "parity_per_1000": 0.0}


@dataclass(slots=True)
class Site:
    """A gateway with nothing wrong: its keys, its site file, and what its agent would say."""

    folder: Path
    keys: SiteKeys
    file: Path
    answer: dict[str, Any]

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @contextmanager
    def served(self) -> Iterator[None]:
        with serving(self.state / "control.sock", {"/v1/status": self.answer}):
            yield

    def states(self) -> dict[str, State]:
        return {name: finding.state for name, finding in examine(Case.of(Door(self.file))).items()}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A gateway with nothing wrong."""
    keys = make_site_keys(tmp_path / "keys", (GATEWAY,))
    (tmp_path / "state").mkdir()
    wiring = Wiring(tmp_path / "tic", 502, tmp_path / "gas.sock", tmp_path / "water.sock")
    file = tmp_path / "site.toml"
    text = site_text(
        keys, keys.gateways[GATEWAY], wiring, tempo=QUICK, broker_port=8883, state=tmp_path / "state"
    ).replace("journal_s", "quota_mb = 16\njournal_s")
    file.write_text(text, "utf-8")
    found = Case.of(Door(file))
    assert found.site is not None, found.mistakes
    meters = [meter.name for meter in found.site.linky]
    meters += [device.name for device in found.site.modbus]
    meters += [pulse.name for pulse in found.site.pulse]
    answer = {
        "gateway": GATEWAY,
        "name": "Bench building",
        "version": facts()["version"],
        "boot_ms": NOW_MS,
        "up_ms": 60_000,
        "link": {"connected": True, "text": "connected"},
        "clock": {
            "trusted": True,
            "text": "known to 3 ms",
            "meters": [{"name": LINKY, "boot_ms": 1, "utc_ms": 2, "off_ms": 900, "agrees": True, "text": ""}],
        },
        "meters": [
            {
                "name": name,
                "state": "reads",
                "failed": False,
                "first_read_ms": 1,
                "last_read_ms": NOW_MS - stale_after_ms,
                "stale_after_ms": stale_after_ms,
                "rates": {"minute": CLEAN, "hour": None} if name == LINKY else None,
            }
            for name, stale_after_ms in zip(meters, itertools.cycle((10_000, 900_000)), strict=False)
        ],
        "channels": [channel(name, 1) for name in (f"{load.device}.{load.point}" for load in found.site.load)],
        "outbox": {
            "failure": None,
            "last_commit_ms": NOW_MS - 500,
            "dropped_readings": 0,
            "dropped_segments": 0,
            "given_up_readings": 0,
            "readings_pending": 5,
            "segments_pending": 1,
            "segments_received": 9,
            "pages_used": 10,
            "quota_pages": 100,
        },
        "shedding": {"running": []},
        "trust": {"failure": None, "refused_revoked": 0, "text": "1 keys, revision 2"},
        "certificate": {"state": "ok", "failure": None, "text": "until 2027-11-26, 3 % of its life gone"},
    }
    return Site(tmp_path, keys, file, answer)


def _tls(site: Site) -> Path:
    return site.keys.gateways[GATEWAY].tls.cert


def _signing(site: Site) -> Path:
    return site.keys.gateways[GATEWAY].signing_key


def _outbox(**changes: Any) -> Callable[[Site], None]:  # noqa: ANN401 - JSON
    return lambda site: site.answer["outbox"].update(changes)


def _wrong_site(site: Site) -> None:
    site.file.write_text(site.file.read_text("utf-8").replace('mode = "auto"', 'mode = "modern"'), "utf-8")


def _another_key(site: Site) -> None:
    _signing(site).unlink()
    make_signing_key(_signing(site), "gw-other-2026")


def _reissued(name: str, days: int) -> Callable[[Site], None]:
    """Put another certificate, with its own key, in the place of ours."""

    def plant(site: Site) -> None:
        made = Authority(site.folder / "other").issue(name, days=days)
        made.cert.replace(_tls(site))
        made.key.replace(site.keys.gateways[GATEWAY].tls.key)

    return plant


def _another_tls_key(site: Site) -> None:
    Authority(site.folder / "other").issue(GATEWAY).key.replace(site.keys.gateways[GATEWAY].tls.key)


def _only(role: str) -> Callable[[Site], None]:
    """Leave the centre's key no role but one."""

    def plant(site: Site) -> None:
        key = load_signing_key(site.keys.centre_signing_key)
        keys = KeySet.of([trusted(key, "centre", bytes(8), frozenset({role}))])
        site.keys.gateways[GATEWAY].centre_keys.write_text(keys.to_toml(), "utf-8")

    return plant


def _damaged_commands(site: Site) -> None:
    path = site.state / "commands.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE load (name TEXT PRIMARY KEY, original INTEGER)")
        connection.executemany("INSERT INTO load VALUES (?, 1)", [(f"load {n}" * 50,) for n in range(200)])
    connection.close()
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 3] = os.urandom(4096 * 2)
    path.write_bytes(content)


def _silent_meter(site: Site) -> None:
    site.answer["meters"][0]["last_read_ms"] = NOW_MS - 10_001


def _failing_meter(site: Site) -> None:
    site.answer["meters"][0].update(failed=True, state="the line is gone")


def _noisy(**changes: float) -> Callable[[Site], None]:
    return lambda site: site.answer["meters"][0]["rates"].update(hour={**CLEAN, **changes})


def _spent(used: int, *held: str) -> Callable[[Site], None]:
    """Leave a metered link of 5 MB a day no more than so much."""
    today = {"sent_bytes": used, "received_bytes": 0, "budget_bytes": 5_000_000, "held_back": list(held)}
    return lambda site: site.answer["link"].update(today=today)


def _refusing_load(site: Site) -> None:
    site.answer["shedding"]["running"] = [{"failed": {"charger": "does not answer"}}]


def _with_a_door(*, waiting: int = 0) -> Callable[[Site], None]:
    """Give the site an easy door, whose keys are there where files of so many days wait."""

    def plant(site: Site) -> None:
        names = ("known_hosts", "ssh_key", "signing_key", "certificate", "recipient")
        paths = {name: site.folder / name for name in names}
        door = "".join(f'{name}_file = "{path}"\n' for name, path in paths.items())
        text = site.file.read_text("utf-8")
        site.file.write_text(f'{text}\n[door]\nhost = "files.example.org"\nuser = "u"\n{door}', "utf-8")
        if not waiting:
            return
        now = dt.datetime.now(dt.UTC)
        make_door_keys(
            GATEWAY,
            ssh_key=paths["ssh_key"],
            signing_key=paths["signing_key"],
            certificate=paths["certificate"],
            now=now,
        )
        recipient(site.folder, ends=now + dt.timedelta(days=9))[0].replace(paths["recipient"])
        paths["known_hosts"].write_text("a line")
        spool = Spool.open(folder(site.state), GATEWAY)
        for day in range(waiting):
            spool.hold(dt.date(2026, 11, 1 + day), Csv(b"", 0, 0, complete=True), bytes)

    return plant


FAULTS: list[tuple[str, State, Callable[[Site], Any]]] = [
    ("signing key", State.FAILED, lambda site: _signing(site).unlink()),
    ("signing key", State.FAILED, lambda site: _signing(site).chmod(0o644)),
    ("signing key", State.FAILED, _another_key),
    ("trusted keys", State.FAILED, lambda site: site.keys.gateways[GATEWAY].centre_keys.write_text("version = 2")),
    ("trusted keys", State.FAILED, _only("dispatch")),
    ("trusted keys", State.WARNING, _only("receipt")),
    ("broker's authority", State.FAILED, lambda site: site.keys.ca.write_text("nothing")),
    ("certificate", State.FAILED, _reissued("gw-other", 90)),
    ("certificate", State.FAILED, _reissued(GATEWAY, -2)),
    ("certificate", State.WARNING, _reissued(GATEWAY, 10)),
    ("certificate's key", State.FAILED, lambda site: site.keys.gateways[GATEWAY].tls.key.chmod(0o640)),
    ("certificate's key", State.FAILED, _another_tls_key),
    ("replaced outbox", State.WARNING, lambda site: (site.state / "outbox.db.unusable-20260101T000000Z").touch()),
    ("replaced outbox", State.WARNING, lambda site: (site.state / "outbox.db.newer-20260101T000000Z").touch()),
    ("command database", State.FAILED, _damaged_commands),
    ("command database", State.WARNING, lambda site: (site.state / "commands.db.damaged-1").touch()),
    ("control socket", State.FAILED, lambda site: (site.state / "control.sock").chmod(0o666)),
    ("version", State.WARNING, lambda site: site.answer.update(version="0.0.1")),
    ("link", State.FAILED, lambda site: site.answer["link"].update(connected=False, text="nothing listens there")),
    ("link", State.FAILED, lambda site: site.answer["link"].update(refused="no", text="the broker refuses it")),
    ("link", State.WARNING, lambda site: site.answer["link"].update(fallback=True)),
    ("receipts", State.WARNING, lambda site: site.answer["link"].update(receipts="puback")),
    ("metered link", State.WARNING, _spent(5_000_000, "fine", "minute")),
    ("key set in use", State.FAILED, lambda site: site.answer["trust"].update(failure="revision 1, 2 was trusted")),
    ("key set in use", State.WARNING, lambda site: site.answer["trust"].update(refused_revoked=1)),
    ("renewal", State.WARNING, lambda site: site.answer["certificate"].update(state="refused")),
    ("renewal", State.WARNING, lambda site: site.answer["certificate"].update(failure="the centre gives none")),
    ("renewal", State.FAILED, lambda site: site.answer["certificate"].update(state="ended")),
    ("clock", State.WARNING, lambda site: site.answer["clock"].update(trusted=False)),
    ("clock", State.WARNING, lambda site: site.answer["clock"]["meters"][0].update(agrees=False, text="an hour apart")),
    ("meters", State.FAILED, _failing_meter),
    ("meters", State.FAILED, lambda site: site.answer["meters"][-1].update(first_read_ms=None, last_read_ms=None)),
    ("silent meters", State.FAILED, _silent_meter),
    ("noisy lines", State.WARNING, _noisy(refused_percent=5.0)),
    ("noisy lines", State.WARNING, _noisy(parity_per_1000=1.5)),
    ("doubtful values", State.WARNING, lambda site: site.answer["channels"][0].update(quality="suspect")),
    ("storing", State.FAILED, _outbox(failure="no room while committing")),
    ("storing", State.UNCHECKED, _outbox(last_commit_ms=None)),
    ("lost readings", State.WARNING, _outbox(dropped_readings=7)),
    ("lost readings", State.WARNING, _outbox(dropped_segments=2)),
    ("lost readings", State.WARNING, _outbox(given_up_readings=7)),
    ("room", State.WARNING, _outbox(pages_used=95, segments_pending=800)),
    ("loads", State.FAILED, lambda site: site.answer["channels"].pop()),
    ("loads", State.FAILED, _refusing_load),
    ("easy door", State.FAILED, _with_a_door()),
    ("easy door", State.WARNING, _with_a_door(waiting=3)),
]


def test_a_sound_gateway_has_nothing_wrong(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is planted every check is ok, the exit code is 0, and the last line sums up."""
    with site.served():
        assert set(site.states().values()) == {State.OK}
        assert code_of("doctor", "--config", site.file, "--strict") == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{len(CHECKS)} checks: {len(CHECKS)} ok"


@pytest.mark.parametrize(("name", "state", "plant"), FAULTS)
def test_a_fault_is_found_by_its_check_alone(site: Site, name: str, state: State, plant: Callable[[Site], Any]) -> None:
    """One fault changes the word of one check, and that check says what to do."""
    with site.served():
        plant(site)
        found = examine(Case.of(Door(site.file)))
    wrong = {check: finding.state for check, finding in found.items() if finding.state is not State.OK}
    assert wrong == {name: state}, found
    assert found[name].text
    assert found[name].todo


def test_every_check_has_a_fault_that_it_finds() -> None:
    """A check that nothing can fail is none; site file, agent and disk have tests of their own, below."""
    assert {name for name, _, _ in FAULTS} | {"site file", "agent", "disk"} == set(CHECKS)


@pytest.mark.parametrize(("free_mb", "state"), [(10, "failed"), (70, "warning"), (120, "ok")])
def test_a_disk_that_is_full_or_will_be(site: Site, monkeypatch: pytest.MonkeyPatch, free_mb: int, state: str) -> None:
    """Below what the quota may still take it is a warning, below any reserve a failure."""
    site.file.write_text(site.file.read_text("utf-8").replace("quota_mb = 16", "quota_mb = 100"), "utf-8")
    free = os.statvfs_result((4096, 4096, 10**6, free_mb * 256, free_mb * 256, 9, 9, 9, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: free)
    assert site.states()["disk"] == state


def test_a_folder_for_readings_that_is_not_there(site: Site) -> None:
    """Without its folder nothing can be kept."""
    site.state.rename(site.folder / "away")
    assert site.states()["disk"] is State.FAILED


def test_a_wrong_site_file_leaves_the_agent_to_be_asked(site: Site) -> None:
    """The mistakes are told; what needs the site could not be checked, what the agent says is told all the same."""
    with site.served():
        _wrong_site(site)
        found = site.states()
    assert found["site file"] is State.FAILED
    assert found["signing key"] is State.UNCHECKED
    assert (found["agent"], found["link"]) == (State.OK, State.OK)


def test_with_a_dead_agent_the_files_are_looked_at(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 5, the agent's own check failed, what only it knows could not be checked, and all files were."""
    assert code_of("doctor", "--config", site.file, "--json") == 5
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "gateway/doctor/1"
    states = {each["check"]: each["state"] for each in told["checks"]}
    assert [name for name, state in states.items() if state == "failed"] == ["agent"]
    assert [states[name] for name in ("signing key", "certificate", "disk", "command database")] == ["ok"] * 4
    assert (states["link"], states["loads"]) == ("could not check", "could not check")


def test_a_site_file_that_is_closed_to_us_has_no_mistake(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a right to read it nothing is known of it: no check fails for that, and each says what would help."""
    closed_to_us(monkeypatch, site.file)
    with site.served():
        found = examine(Case.of(Door(site.file, site.state / "control.sock")))
    assert (found["site file"].state, found["certificate"].state) == (State.UNCHECKED, State.UNCHECKED)
    assert "join the agent's group" in found["certificate"].todo
    assert found["agent"].state is State.OK


def test_an_agent_that_waits_says_for_what(site: Site) -> None:
    """An agent without keys runs and is not well: its own check fails with what it waits for."""
    site.answer = {"version": "1", "up_ms": 1, "missing": ["signing.key: cannot be read"]}
    with site.served():
        finding = examine(Case.of(Door(site.file)))["agent"]
    assert finding.state is State.FAILED
    assert "signing.key: cannot be read" in finding.text


@pytest.mark.parametrize(("words", "code"), [((), 0), (("--strict",), 1)])
def test_warnings_count_only_if_strict(site: Site, words: tuple[str, ...], code: int) -> None:
    """A warning alone ends with 0, with --strict with 1."""
    site.answer["clock"]["trusted"] = False
    with site.served():
        assert code_of("doctor", "--config", site.file, *words) == code


def test_what_could_not_be_checked_is_exit_6(site: Site) -> None:
    """Without a failure, an unknown is no success."""
    site.answer["outbox"]["last_commit_ms"] = None
    with site.served():
        assert code_of("doctor", "--config", site.file) == 6


def test_no_colour_but_on_a_terminal(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """What is piped into a file or a ticket holds no escape sequence."""
    with site.served():
        code_of("doctor", "--config", site.file)
    assert "\x1b" not in capsys.readouterr().out


async def test_of_a_real_agent_at_work_nothing_is_wrong(tmp_path: Path) -> None:
    """The real agent on the bench: every check is ok but the clock, which is this machine's own affair."""
    async with Whole(tmp_path) as whole:
        await whole.begin()
        await whole.settled()
        found = examine(Case.of(Door(whole.site)))
        clock = (await whole.status())["clock"]
    assert [(each["name"], each["agrees"]) for each in clock["meters"]] == [(LINKY, True)]
    wrong = {name: finding for name, finding in found.items() if finding.state is not State.OK}
    assert not set(wrong) - {"clock"}, wrong
