"""The line over a real pty: how it is set, read, refused, and how it ends."""

import os
import select
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.errors import PortLeft, PortMissing
from drivers.serial_line import SerialLine


class Pty:
    """A pty whose master the test holds."""

    def __init__(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.name = os.ttyname(slave)
        os.close(slave)

    def close(self) -> None:
        """Hang up."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


@pytest.fixture
def port() -> Iterator[Pty]:
    """Give a pty, closed in the end."""
    made = Pty()
    yield made
    made.close()


async def test_what_is_written_is_read_whole(port: Pty) -> None:
    """Characters come in order, none lost, as 7 bits."""
    sent = bytes(range(1, 128)) * 20
    with SerialLine(port.name, 9_600) as line:
        os.write(port.master, bytes(byte | (byte.bit_count() % 2) << 7 for byte in sent))
        received = b""
        while len(received) < len(sent):
            received += await line.read(1.0)
    assert received == sent


async def test_silence_gives_nothing_and_no_error(port: Pty) -> None:
    """When no character comes within the deadline the reader gets an empty answer."""
    with SerialLine(port.name, 9_600) as line:
        assert await line.read(0.05) == b""


async def test_the_speed_is_set_and_changed(port: Pty) -> None:
    """The port has the speed asked for, eight bits on a pty, no echo; what came before a change is forgotten."""
    with SerialLine(port.name, 9_600) as line:
        found = termios.tcgetattr(port.master)
        assert (found[4], found[5]) == (termios.B9600, termios.B9600)
        assert found[3] & termios.ECHO == 0
        assert (found[2] & termios.CSIZE, line.checked_by) == (termios.CS8, "software")
        os.write(port.master, b"old")
        select.select([line._fd], [], [], 1.0)
        line.set_baud(1_200)
        assert termios.tcgetattr(port.master)[4] == termios.B1200
        os.write(port.master, b"new")
        assert await line.read(1.0) == b"new"


async def test_a_port_that_leaves_is_told(port: Pty) -> None:
    """When the far end hangs up, what it still sent is read and then the port has left."""
    with SerialLine(port.name, 9_600) as line:
        port.close()
        with pytest.raises(PortLeft, match=r"has gone.*plug the adapter in again"):
            await line.read(1.0)


def test_a_second_opener_is_refused(port: Pty) -> None:
    """A port in use by this or another program is not opened twice, and is free again once closed."""
    with SerialLine(port.name, 9_600), pytest.raises(PortMissing, match=r"in use by another program.*fuser"):
        SerialLine(port.name, 9_600)
    SerialLine(port.name, 9_600).close()


def test_pyserials_exclusive_opener_keeps_us_out(port: Pty) -> None:
    """A port that another program holds with pyserial's exclusive=True is reported as in use."""
    program = "import serial,sys; s = serial.Serial(sys.argv[1], exclusive=True); print('open', flush=True); input()"
    with subprocess.Popen(  # noqa: S603 - this very interpreter
        [sys.executable, "-c", program, port.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(PortMissing, match="in use"):
            SerialLine(port.name, 9_600)
        other.communicate(b"\n")


def test_what_is_no_port_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """A missing path, a dangling link, a file and a folder are each refused, naming the path and what to do."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    for path, why in (
        (tmp_path / "no", "is not there"),
        (link, "is not there"),
        (file, "no serial"),
        (tmp_path, "no serial"),
    ):
        with pytest.raises(PortMissing, match=why) as caught:
            SerialLine(str(path), 9_600)
        assert str(path) in str(caught.value)
        assert "by-id" in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_forbidden_port_names_the_group(port: Pty) -> None:
    """A port that this user may not open is refused, saying to join its group."""
    Path(port.name).chmod(0)
    with pytest.raises(PortMissing, match="group"):
        SerialLine(port.name, 9_600)
