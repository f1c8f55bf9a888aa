"""The files that wait: whole or not there, whatever cuts in; a new revision only where something is new."""

import datetime as dt
import errno
import os
from pathlib import Path

import pytest

from gateway.door.errors import AwayError, DoorError
from gateway.door.spool import Spool
from gateway.door.tests.files import DAY, GATEWAY, csv


def plain(content: bytes) -> bytes:
    """Stand for sealing."""
    return b"sealed:" + content


def test_a_day_waits_until_it_is_delivered(tmp_path: Path) -> None:
    """A file waits, across a restart, until the other side has it; then the day is known and no file is left."""
    spool = Spool.open(tmp_path / "door", GATEWAY)
    assert spool.hold(DAY, csv(), plain)
    again = Spool.open(tmp_path / "door", GATEWAY)
    [waiting] = again.waiting()
    assert waiting.path.name == "gw-test_2026-11-25_r1.csv.p7m"
    assert waiting.path.read_bytes().endswith(b"1;a\n# rows=1 gaps=0 revision=1 complete=yes\n")
    again.delivered(waiting)
    last = Spool.open(tmp_path / "door", GATEWAY)
    assert last.waiting() == []
    assert last.days[DAY].delivered


def test_two_processes_take_turns(tmp_path: Path) -> None:
    """While one works the other is told so; afterwards it goes on from what the first has done."""
    service = Spool.open(tmp_path / "door", GATEWAY)
    service.hold(DAY, csv(), plain)
    by_hand = Spool.open(tmp_path / "door", GATEWAY)
    with by_hand.alone():
        with pytest.raises(AwayError, match="is at work there"), service.alone():
            pass
        by_hand.delivered(by_hand.waiting()[0])
    with service.alone():
        assert service.waiting() == []
        assert service.days[DAY].delivered


def test_a_file_that_the_state_does_not_know_is_not_pushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk took the file and not the state: the day is made again, under this name and with other bytes."""
    spool = Spool.open(tmp_path / "door", GATEWAY)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Spool, "_save", full)
        with pytest.raises(DoorError, match="No space left"):
            spool.hold(DAY, csv(), plain)
    assert len(list((tmp_path / "door").glob("*.p7m"))) == 1
    assert spool.waiting() == []
    assert spool.hold(DAY, csv(), plain)
    assert [each.revision for each in spool.waiting()] == [1]


def test_only_what_is_new_is_a_revision(tmp_path: Path) -> None:
    """The same content is no second file; a day that grew, or became complete, is a higher revision, alone."""
    spool = Spool.open(tmp_path / "door", GATEWAY)
    assert spool.hold(DAY, csv(complete=False), plain)
    assert not spool.hold(DAY, csv(complete=False), plain)
    assert spool.hold(DAY, csv(), plain)
    assert [each.revision for each in spool.waiting()] == [2]
    spool.delivered(spool.waiting()[0])
    assert not spool.hold(DAY, csv(), plain)
    assert spool.hold(DAY, csv("time;channel\n1;a\n2;a\n", rows=2), plain)
    assert [each.revision for each in spool.waiting()] == [3]


def test_what_is_too_old_is_given_up_and_told(tmp_path: Path) -> None:
    """Days before the bound are forgotten; files that never arrived are named, so that somebody may hear of it."""
    spool = Spool.open(tmp_path / "door", GATEWAY)
    spool.hold(DAY, csv(), plain)
    spool.hold(DAY + dt.timedelta(days=1), csv(), plain)
    gone = spool.forget(DAY + dt.timedelta(days=1))
    assert [each.day for each in gone] == [DAY]
    assert [each.day for each in spool.waiting()] == [DAY + dt.timedelta(days=1)]
    assert list(Spool.open(tmp_path / "door", GATEWAY).days) == [DAY + dt.timedelta(days=1)]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_cut_at_each_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Killed before the n-th file reaches its name, the next start has either the old state or the new, and goes on."""
    folder = tmp_path / "door"
    spool = Spool.open(folder, GATEWAY)
    spool.hold(DAY, csv(complete=False), plain)
    real = Path.replace
    calls = 0

    def cut(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == step:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", cut)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - which of the two is cut depends on the step
        spool.hold(DAY, csv(), plain)
        spool.delivered(spool.waiting()[-1])
    monkeypatch.setattr(Path, "replace", real)
    later = Spool.open(folder, GATEWAY)
    assert not list(folder.glob("*.tmp"))
    later.hold(DAY, csv(), plain)
    [waiting] = later.waiting()
    assert waiting.path.read_bytes().startswith(b"sealed:time;channel")
    later.delivered(waiting)
    assert Spool.open(folder, GATEWAY).waiting() == []


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 2}',
        b'{"version": 1, "days": {"x": {}}}',
        b'{"version": 1, "days": {"2026-11-25": {"revision": "1"}}}',
        b'{"version": 1, "days": {"2026-11-25": {"revision": 1, "digest": "", "rows": 1, "gaps": 0, "complete": 1}}}',
        b'{"version": 1, "days": {"2026-11-25": {"revision": true, "digest": "", "rows": 1, "gaps": 0}}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_state_is_begun_anew(tmp_path: Path, state: bytes) -> None:
    """A worn card cannot stop the door: what it no longer knows goes out once more."""
    folder = tmp_path / "door"
    Spool.open(folder, GATEWAY).hold(DAY, csv(), plain)
    (folder / "state.json").write_bytes(state)
    spool = Spool.open(folder, GATEWAY)
    assert spool.days == {}
    assert spool.waiting() == []
    assert spool.hold(DAY, csv(), plain)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """What is not ours in the folder, or another gateway's, is neither sent nor removed."""
    folder = tmp_path / "door"
    folder.mkdir()
    for name in ("notes.txt", "gw-other_2026-11-25_r1.csv.p7m", "gw-test_2026-11-25.csv.p7m"):
        (folder / name).write_text("x")
    spool = Spool.open(folder, GATEWAY)
    assert spool.waiting() == []
    assert len(list(folder.iterdir())) == 3


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """A disk that refuses is told with the path and what to do."""
    (tmp_path / "door").write_text("a file")
    with pytest.raises(DoorError, match="check the disk"):
        Spool.open(tmp_path / "door", GATEWAY)
