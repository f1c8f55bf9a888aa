"""`gateway tic decode`, as a program."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from linky_tic.label import Mode
from linky_tic.tests.captures import NOISE, VALID, path_of
from linky_tic.tests.encoder import Item, MeterState, encode_frame, items_of

PROGRAM = [sys.executable, "-c", "from gateway.cli.main import run; run()", "tic", "decode"]


def decode(*arguments: str, data: bytes = b"") -> tuple[int, list[dict[str, object]], str]:
    """Run the command with --json; give its exit code, its lines, and what it complained of."""
    done = subprocess.run(  # noqa: S603 - this very interpreter
        [*PROGRAM, *arguments, "--json"], input=data, capture_output=True, check=False, timeout=30
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def test_a_frame_is_one_line_and_the_summary_the_last(tmp_path: Path) -> None:
    """Each frame gives one object with exactly the promised keys, then the summary counts groups and bytes."""
    items = [Item("SMAXSN", "00500", "H250115120000"), Item("SINSTS", "00501")]
    data = encode_frame(Mode.STANDARD, items)
    file = tmp_path / "a.tic"
    file.write_bytes(data.replace(b"00501", b"00502"))
    code, (frame, summary), complaint = decode(str(file))
    assert (code, complaint) == (0, "")
    assert frame == {
        "mode": "standard",
        "complete": True,
        "groups": [
            {
                "label": "SMAXSN",
                "value": "00500",
                "horodate": "H250115120000",
                "valid": True,
                "suspect": False,
                "reason": None,
            },
            {
                "label": "SINSTS",
                "value": None,
                "horodate": None,
                "valid": False,
                "suspect": False,
                "reason": "checksum",
            },
        ],
    }
    assert summary == {
        "schema": "gateway/tic-decode/1",
        "summary": {"frames": 1, "groups_valid": 1, "groups_rejected": 1, "bytes": len(data)},
        "modes": {"standard": 1},
        "rejected": {"checksum": 1},
    }


@pytest.mark.parametrize("name", VALID)
def test_captures_give_the_counts_of_their_manifest(name: str) -> None:
    """A capture gives the valid counts of its manifest, frames and groups adding up to the summary."""
    path = path_of(name)
    _, lines, _ = decode(str(path))
    groups = [group for line in lines[:-1] for group in line["groups"]]  # type: ignore[attr-defined]
    assert (len(groups), sum(group["valid"] for group in groups)) == VALID[name]
    assert lines[-1]["summary"] == {
        "frames": len(lines) - 1,
        "groups_valid": VALID[name][1],
        "groups_rejected": VALID[name][0] - VALID[name][1],
        "bytes": path.stat().st_size,
    }


def test_noise_shows_no_damaged_value() -> None:
    """Of the logged noise nine values show, none of them damaged, whatever the output."""
    path = str(path_of(NOISE))
    _, lines, _ = decode(path)
    groups = [group for line in lines[:-1] for group in line["groups"]]  # type: ignore[attr-defined]
    assert sum(group["valid"] for group in groups) == 9
    assert all(group["value"] is None and group["reason"] for group in groups if not group["valid"])
    table = subprocess.run([*PROGRAM, path], capture_output=True, check=True, timeout=30).stdout  # noqa: S603
    for damaged in (b"06476", b"021662000001", b"03800"):
        assert damaged not in table


@pytest.mark.parametrize(("mode", "valid"), [("auto", 2), ("standard", 1), ("historique", 1)])
def test_the_mode_can_be_told(mode: str, valid: int) -> None:
    """With --mode, groups of the other mode are refused."""
    data = encode_frame(Mode.STANDARD, [Item("SINSTS", "00500")]) + encode_frame(
        Mode.HISTORIQUE, [Item("PAPP", "00500")]
    )
    _, lines, _ = decode("--mode", mode, data=data)
    assert lines[-1]["summary"] == {
        "frames": 2,
        "groups_valid": valid,
        "groups_rejected": 2 - valid,
        "bytes": len(data),
    }


@pytest.mark.parametrize("mode", [Mode.HISTORIQUE, Mode.STANDARD])
@pytest.mark.parametrize(("ends", "instead"), [(b"\r", b"\n"), (b"\r\n", b"\n"), (b"\n", b"\r\n"), (b"\r", b"\r\n")])
def test_a_capture_whose_line_ends_were_changed_is_read(mode: Mode, ends: bytes, instead: bytes) -> None:
    """What `cat` reads from a port that is not raw has LF for CR; editors change captures, and people add lines."""
    frames = encode_frame(mode, items_of(mode, MeterState(tariff="HC"))) * 2
    _, (*right, _), _ = decode(data=frames)
    data = b"caught in 2025\n" * 5 + frames.replace(ends, instead)
    _, (*_, first, second, summary), _ = decode(data=data)
    assert [first, second] == right
    assert summary["summary"]["bytes"] == len(data)  # type: ignore[index]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("told", ["auto", "itself"])
def test_every_family_is_read(mode: Mode, told: str) -> None:
    """A meter of any family is read, with its mode told or not, and the JSON says which it is."""
    items = items_of(mode, MeterState(tariff="HC"))
    data = encode_frame(mode, items)
    # What two families share is not guessed before the stream has shown one: the second frame is whole.
    _, lines, complaint = decode("--mode", mode.value if told == "itself" else told, data=data * 2)
    frame = lines[1]
    assert (frame["mode"], complaint) == (mode.value, "")
    groups = frame["groups"]
    assert isinstance(groups, list)
    assert [(group["label"], group["value"], group["valid"]) for group in groups] == [
        (item.label, item.value, True) for item in items
    ]
    assert lines[-1]["modes"] == {mode.value: 2}


def test_an_unknown_label_is_shown_as_text() -> None:
    """A label that nobody knows is refused, counted as that, and its text is there, in JSON and for people."""
    data = encode_frame(Mode.STANDARD, [Item("SINSTS", "00501"), Item("NEWLABEL", "SOME TEXT")])
    _, (frame, last), _ = decode(data=data)
    groups = frame["groups"]
    assert isinstance(groups, list)
    assert (groups[1]["label"], groups[1]["value"], groups[1]["valid"]) == ("NEWLABEL", "SOME TEXT", False)
    assert last["rejected"] == {"unknown_label": 1}
    table = subprocess.run(PROGRAM, input=data, capture_output=True, check=True, timeout=30).stdout  # noqa: S603 - this very interpreter
    assert b"NEWLABEL   rejected: unknown_label: SOME TEXT\n" in table


def test_parity_in_bit_7_is_taken_off() -> None:
    """What was caught as 8N1 is read as well: of a character with wrong parity, its group alone is refused."""
    plain = encode_frame(Mode.STANDARD, items_of(Mode.STANDARD, MeterState()))
    carried = bytearray(byte | (byte.bit_count() % 2) << 7 for byte in plain)
    carried[plain.index(b"PREF") + 5] ^= 1
    _, (_, last), _ = decode(data=bytes(carried))
    assert last["rejected"] == {"control_character": 1}


def test_a_live_line_is_shown_as_it_comes() -> None:
    """A frame on a pipe that stays open is printed as soon as it ends."""
    with subprocess.Popen(  # noqa: S603 - this very interpreter
        [*PROGRAM, "-", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(encode_frame(Mode.STANDARD, items_of(Mode.STANDARD, MeterState())))
        running.stdin.flush()
        assert json.loads(running.stdout.readline())["complete"] is True
        running.stdin.close()
        assert "summary" in json.loads(running.stdout.readline())
    assert running.returncode == 0


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    """When the reader of our output goes away, the command ends without a traceback."""
    file = tmp_path / "long.tic"
    file.write_bytes(encode_frame(Mode.STANDARD, items_of(Mode.STANDARD, MeterState())) * 300)
    with subprocess.Popen(  # noqa: S603 - this very interpreter
        [*PROGRAM, str(file), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 141


@pytest.mark.parametrize("name", ["missing.tic", "."])
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    """A missing file and a folder end with code 2 and one line that names them, and no output."""
    code, lines, complaint = decode(str(tmp_path / name))
    assert (code, lines) == (2, [])
    assert complaint.startswith(f"gateway tic decode: cannot read {tmp_path / name}: ")
    assert complaint.count("\n") == 1


def test_an_empty_file_has_a_summary(tmp_path: Path) -> None:
    """A file without a byte is no error: its summary is all zeros."""
    file = tmp_path / "empty"
    file.touch()
    code, (last,), complaint = decode(str(file))
    assert (code, complaint) == (0, "")
    assert last["summary"] == {"frames": 0, "groups_valid": 0, "groups_rejected": 0, "bytes": 0}


def test_the_table_shows_units_and_doubts() -> None:
    """For people each value stands with its unit and meaning, and a doubtful one says why."""
    items = [Item("IRMS1", "002"), Item("URMS1", "231"), Item("SINSTS1", "48370"), Item("SINSTS", "01407")]
    done = subprocess.run(  # noqa: S603 - this very interpreter
        PROGRAM, input=encode_frame(Mode.STANDARD, items), capture_output=True, check=True, timeout=30
    )
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "-- standard, complete, 4 groups"
    assert "48370 VA" in lines[3]
    assert "SUSPECT: 48370 VA, but 2 A and 231 V allow 831 VA" in lines[3]
    assert "apparent power drawn" in lines[4]
    assert "SUSPECT" not in lines[4]
