"""A running box: Debian with a systemd of its own as PID 1, over a root file system that stays as it is.

What it writes lives in memory and goes with it. It shares the network of whoever starts it, who should have taken an
`own_network` before. Device and address policies of its units count for real: its systemd may load BPF.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self, TypeVar

from hil_tests.bench.processes import tail
from hil_tests.box.rootfs import INSTALLER, CannotRun

PATIENCE_S = 60.0
BOOT_S = 60.0
HOME = f"/home/{INSTALLER}"

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
_LIBC = ctypes.CDLL(None, use_errno=True)

# In namespaces of their own, mounts and processes end with systemd-nspawn, however it or we end.
_UNSHARE = ("setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child")
_LAUNCH = """
mount -t tmpfs -o mode=755 box "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" box "$2/root"
cd "$2/root"; shift 2
exec systemd-nspawn --directory=. "$@"
"""

T = TypeVar("T")


class CommandFailed(Exception):
    """A command in a box ended with another status than 0; the text holds what it said."""


@contextmanager
def own_network() -> Iterator[None]:
    """Give this thread and whoever it starts a network with a loopback and nothing else, for the length of a block."""
    with Path("/proc/thread-self/ns/net").open("rb") as before:
        _must(_LIBC.unshare(_CLONE_NEWNET))
        try:
            with socket.socket() as any_:
                fcntl.ioctl(any_, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
            yield
        finally:
            _must(_LIBC.setns(before.fileno(), _CLONE_NEWNET))


def _must(result: int) -> None:
    if result:
        raise CannotRun(f"no network of its own: {os.strerror(ctypes.get_errno())}")


class Box:
    """One box; `with Box(...) as box:` boots it and powers it off. `binds`: path in the box -> what is there."""

    def __init__(self, base: Path, folder: Path, binds: Mapping[str, Path]) -> None:
        self._base = base
        self._folder = folder
        self._binds = binds
        self._name = f"box-{os.getpid()}"
        self.log = folder / "box.log"
        self._launched: subprocess.Popen[bytes] | None = None
        self._nspawn = 0
        self._leader = 0

    def __enter__(self) -> Self:
        mounted = self._folder / "mounted"
        mounted.mkdir(parents=True)
        arguments = [
            "--quiet",
            "--boot",
            f"--machine={self._name}",
            "--register=no",
            "--keep-unit",
            "--settings=no",
            "--console=pipe",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
            "--network-namespace-path=/proc/self/ns/net",
            "--capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN",
            "--system-call-filter=bpf",
            *(f"--bind={there.resolve()}:{inside}" for inside, there in self._binds.items()),
        ]
        with self.log.open("wb") as log:
            self._launched = subprocess.Popen(
                [*_UNSHARE, "sh", "-euc", _LAUNCH, "box", str(self._base), str(mounted), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )
        try:
            self.until(self._booted, "a booted system", BOOT_S)
        except TimeoutError as error:
            self._end()
            raise CannotRun(f"no box boots here: {error}") from error
        except BaseException:
            self._end()
            raise
        # There is no console for the journal to write to. In the background: a child of the box's, which ends with it.
        with self.log.open("ab") as log:
            follow = self._inside("sh", "-c", "journalctl --follow --no-tail &")
            subprocess.run(follow, stdin=subprocess.DEVNULL, stdout=log, check=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def path(self, inside: str) -> Path:
        """Give the way from here to a file of the box."""
        return Path(f"/proc/{self._leader}/root{inside}")

    def run(self, command: str, *, user: str = "root", status: int | None = 0, environment: str = "") -> str:
        """Run a line of shell in the box and give all that it says; raise CommandFailed for another `status`."""
        home = "/root" if user == "root" else f"/home/{user}"
        shell = ["env", "--ignore-environment", f"--chdir={home}", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        shell += ["LANG=C.UTF-8", f"HOME={home}", *([environment] if environment else []), "bash", "-c", command]
        done = subprocess.run(
            self._inside("runuser", "-u", user, "--", *shell),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            check=False,
        )
        said = done.stdout.decode("utf-8", "replace")
        if status is not None and done.returncode != status:
            raise CommandFailed(f"{command!r} ended with {done.returncode}, not {status}:\n{said}")
        return said

    def unit(self, name: str) -> dict[str, str]:
        """Give what systemd says of a unit, property by property."""
        lines = self.run(f"systemctl show {name}").splitlines()
        return {key: value for key, _, value in (line.partition("=") for line in lines)}

    def until(self, found: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S) -> T:
        """Ask until `found` gives something that is neither None nor False, and give that; raise TimeoutError."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            got = found()
            if got is not None and got is not False:
                return got
            time.sleep(0.05)
        raise TimeoutError(f"waited {patience_s:.0f} s for {what}; the box says last:\n{tail(self.log)}")

    def until_active(self, unit: str, restarts: int = 0) -> dict[str, str]:
        """Wait until a unit is up and was started again so often, and give what systemd says of it."""

        def found() -> dict[str, str] | None:
            said = self.unit(unit)
            return said if said["ActiveState"] == "active" and said["NRestarts"] == str(restarts) else None

        return self.until(found, f"{unit} after {restarts} restarts")

    def _inside(self, *command: str) -> tuple[str, ...]:
        return ("nsenter", f"--target={self._leader}", "--all", *command)

    def _booted(self) -> bool:
        assert self._launched is not None
        if self._launched.poll() is not None:
            raise CannotRun(f"systemd-nspawn does not boot here: {tail(self.log, 5)}")
        self._nspawn = _child(self._launched.pid, "systemd-nspawn")
        self._leader = _child(self._nspawn, "systemd")
        if not self._leader:
            return False
        state = self.run("systemctl is-system-running --wait", status=None).strip()
        if state == "degraded":
            raise CannotRun(f"a box without anything of ours fails: {self.run('systemctl --failed')}")
        return state == "running"

    def _end(self) -> None:
        launched, self._launched = self._launched, None
        if launched is None:
            return
        if self._nspawn:
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.kill(self._nspawn, signal.SIGTERM)  # which powers the box off
                launched.wait(PATIENCE_S)
        launched.kill()
        launched.wait()
        with suppress(OSError):  # systemd-nspawn leaves it where /run is on a disk
            Path("/run/systemd/nspawn/propagate", self._name).rmdir()


def _child(parent: int, name: str) -> int:
    """Give the child of a process that has become the program of that name, 0 while there is none."""
    with suppress(OSError):
        for child in Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split():
            if Path(f"/proc/{child}/comm").read_text("ascii").strip() == name[:15]:
                return int(child)
    return 0
