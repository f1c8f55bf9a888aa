"""`gateway tic capture` without a port: what it makes of standard input, and of the name that it is given."""

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from drivers import serial_line
from gateway.cli.exits import Ended
from gateway.cli.tests.test_tic_masking import ADDRESS, POINT, STREAMS, hidden
from gateway.cli.tic import capture as room
from gateway.cli.tic.capture import Catch, capture
from gateway.cli.tic.catalogue import MODES, SPEEDS
from gateway.cli.tic.hearing import Line
from linky_tic.label import Mode
from linky_tic.tests.captures import VALID, path_of

PROGRAM = [sys.executable, "-m", "gateway", "tic", "capture", "-"]


def caught(file: Path, data: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command on standard input."""
    return subprocess.run([*PROGRAM, str(file), *words], input=data, capture_output=True, check=False, timeout=30)  # noqa: S603 - this very interpreter


@pytest.mark.parametrize("name", ["linky-standard-tri-tempo-cut.tic", "linky-historique-mono-hc.tic"])
def test_what_somebody_caught_is_masked(tmp_path: Path, name: str) -> None:
    """A raw capture on standard input becomes the same without its numbers, and it is told what it holds."""
    data = path_of(name).read_bytes()
    done = caught(tmp_path / "masked.tic", data, "--json")
    assert (tmp_path / "masked.tic").read_bytes() == hidden(data)
    told = json.loads(done.stdout)
    assert (told["schema"], told["speed"]) == ("gateway/tic-capture/1", None)
    assert told["summary"]["groups_valid"] == VALID[name][1]
    assert told["summary"]["bytes"] == len(data)


def test_parity_in_bit_7_hides_no_number(tmp_path: Path) -> None:
    """A stream caught as 8N1 is masked too: half of its digits have bit 7."""
    plain = STREAMS[Mode.STANDARD]
    carried = bytes(byte | (byte.bit_count() % 2) << 7 for byte in plain)
    assert caught(tmp_path / "a.tic", carried).returncode == 0
    assert (tmp_path / "a.tic").read_bytes() == hidden(plain)
    for number in (ADDRESS, POINT):
        assert bytes(byte & 0x7F for byte in hidden(carried)).find(number[:4].encode()) < 0


def test_so_many_whole_frames_are_kept(tmp_path: Path) -> None:
    """With --frames the file ends with the end of the last one."""
    data = STREAMS[Mode.HISTORIQUE]
    done = caught(tmp_path / "a.tic", data[50:] + data * 3, "--frames", "2")
    assert b"3 frames (2 whole)" in done.stdout
    assert (tmp_path / "a.tic").read_bytes() == hidden(data[50:] + data[: len(data) // 2])


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_nothing_is_overwritten(tmp_path: Path, what: str) -> None:
    """A name that is there already, also as a link that leads nowhere, is refused with 7 and left as it was."""
    file = tmp_path / "a.tic"
    if what == "file":
        file.write_bytes(b"precious")
    elif what == "folder":
        file.mkdir()
    else:
        file.symlink_to("nowhere")
    before = file.lstat()
    done = caught(file, STREAMS[Mode.STANDARD])
    assert (done.returncode, b"exists already" in done.stderr) == (7, True)
    assert file.lstat() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_name_taken_meanwhile_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_links: bool
) -> None:
    """Whoever makes a file of that name while it is caught keeps it, also where a file system has no second names."""

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if not has_links:
        monkeypatch.setattr(os, "link", no_links)
    file = tmp_path / "a.tic"

    def make(meanwhile: bytes | None) -> None:
        with room._new(file) as out:
            out.write(b"new")
            assert not file.exists()
            if meanwhile is not None:
                file.write_bytes(meanwhile)

    with pytest.raises(Ended, match="exists already"):
        make(b"precious")
    assert file.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [file]
    file.unlink()
    make(None)
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_is_made_as_any_other_is(tmp_path: Path) -> None:
    """Its rights are those that the user's umask leaves."""
    before = os.umask(0o027)
    try:
        caught(tmp_path / "a.tic", STREAMS[Mode.STANDARD])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.tic").stat().st_mode) == 0o640


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A folder that is not there ends with 2 before anything is listened to."""
    done = caught(tmp_path / "nowhere" / "a.tic", STREAMS[Mode.STANDARD])
    assert (done.returncode, b"cannot be written" in done.stderr) == (2, True)


def test_an_empty_input_makes_no_file(tmp_path: Path) -> None:
    """Nothing in, nothing out, and 27."""
    done = caught(tmp_path / "a.tic", b"")
    assert (done.returncode, b"the input was empty" in done.stderr) == (27, True)
    assert list(tmp_path.iterdir()) == []


def test_what_a_wrong_speed_made_of_a_line_is_not_kept(tmp_path: Path) -> None:
    """While the speed is looked for, what was heard at another one is dropped; what settled it is kept."""
    line = Line("/dev/nowhere", "auto", "auto")
    with (tmp_path / "a.tic").open("wb") as out:
        catch = Catch(line, out, None)
        catch.heard(b"\x1f\x00nonsense of 9600")
        line.meter._search.speed = 1_200
        catch.heard(b"and the last of it")
        catch.heard(b"\nPAPP 00")
        line.meter._search.found = Mode.HISTORIQUE
        catch.heard(b"500 &\r\n")
        catch.end()
    assert (tmp_path / "a.tic").read_bytes() == b"\nPAPP 00500 &\r\n"


def test_with_mode_and_speed_told_all_is_kept(tmp_path: Path) -> None:
    """Who wants to catch noise tells both: nothing is looked for."""
    with (tmp_path / "a.tic").open("wb") as out:
        catch = Catch(Line("/dev/nowhere", "standard", "9600"), out, None)
        catch.heard(b"\x1f\x00noise")
        catch.end()
    assert (tmp_path / "a.tic").read_bytes() == b"\x1f\x00noise"


def test_a_port_that_is_not_there_makes_no_file(tmp_path: Path) -> None:
    """It is told at once, and nothing is left."""
    with pytest.raises(Ended, match="is not there"):
        capture(
            Line(str(tmp_path / "no"), "auto", "auto"), tmp_path / "a.tic", frames=None, duration_s=None, as_json=True
        )
    assert list(tmp_path.iterdir()) == []


def test_what_can_be_typed_is_what_there_is() -> None:
    """The modes of the command line are those of the decoder, its speeds those of the driver."""
    assert set(MODES) == {"auto", *Mode}
    assert set(SPEEDS) == {"auto", *map(str, serial_line._SPEEDS)}
