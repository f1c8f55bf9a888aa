"""`gateway web` starts as systemd starts it, tells how it is, and says what is wrong where it cannot."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.web.server import addresses
from gateway.web.tests.browser import PATIENCE_S, Browser, serving

_PASSING = "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid()); os.execv(sys.executable, sys.argv[1:])"
"""What systemd does last before a program is there."""


def test_the_socket_that_systemd_opened_is_served(state: Path) -> None:
    """A port under 1024 needs no right of ours; options of address and port are not looked at then."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        elsewhere = ("--listen", "192.0.2.1", "--port", "1")
        command = [sys.executable, "-m", "gateway", "web", "--state", str(state), *elsewhere]
        process = subprocess.Popen(  # noqa: S603 - this very interpreter
            [sys.executable, "-c", _PASSING, *command],
            preexec_fn=lambda: os.dup2(listener.fileno(), 3),  # noqa: PLW1509 - the test has no other thread
            pass_fds=(3,),
            env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "gateway-web.socket"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == f"https://127.0.0.1:{port}/\n"
            assert Browser(port).get("/health").status == 200
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


def test_systemd_is_told_that_it_serves_and_goes_on(state: Path, tmp_path: Path) -> None:
    """READY once clients are served; the watchdog is fed as the application answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        with serving(state, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="300000"):
            assert manager.recv(4096) == b"READY=1"
            fed = 0
            while fed < 3:
                fed += b"WATCHDOG=1" in manager.recv(4096)


def test_a_port_that_is_taken_is_exit_5(state: Path) -> None:
    """With the address, why, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = started("--state", state, "--listen", "127.0.0.1", "--port", taken.getsockname()[1])
    assert (done.returncode, done.stdout) == (5, "")
    assert "Address already in use" in done.stderr
    assert "--port" in done.stderr


def test_a_folder_that_cannot_be_written_is_exit_5(tmp_path: Path) -> None:
    """With the folder and what to do."""
    (tmp_path / "file").write_text("")
    done = started("--state", tmp_path / "file" / "state", "--listen", "127.0.0.1", "--port", 0)
    assert (done.returncode, done.stdout) == (5, "")
    assert "--state" in done.stderr
    assert "Traceback" not in done.stderr


def started(*options: object) -> "subprocess.CompletedProcess[str]":
    """Run `gateway web` to its end."""
    return subprocess.run(  # noqa: S603 - this very interpreter
        [sys.executable, "-m", "gateway", "web", *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def test_the_addresses_are_those_that_can_be_typed() -> None:
    """The one listened at, without the port that is usual; for all addresses the machine's own, and its name."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert addresses(listener) == [f"https://127.0.0.1:{listener.getsockname()[1]}/"]
    with socket.create_server(("", 0)) as listener:
        found = addresses(listener)
        assert found[-1] == f"https://{socket.gethostname()}.local:{listener.getsockname()[1]}/"
        assert not [each for each in found if "//0." in each or "[" in each]


@pytest.mark.parametrize("usual", [b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", b""])
def test_whoever_scans_leaves_no_trace_in_the_log(state: Path, usual: bytes) -> None:
    """A port scan, plain HTTP, half a handshake: not worth a line, so that nobody can fill the journal."""
    with serving(state) as page:
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", page.port), timeout=PATIENCE_S) as scanning:
                scanning.sendall(usual)
        assert page.browser().get("/health").status == 200
        page.process.terminate()
        _, told = page.process.communicate(timeout=PATIENCE_S)
    assert [line for line in told.splitlines() if "serving" not in line] == []
