"""Other readers of the TIC from PyPI, each in an environment of its own under build/, kept from run to run."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hil_tests.benchmarks.peers.replay import Row
from linky_tic.label import Mode

_ROOT = Path(__file__).parents[2]
_HOMES = _ROOT / "build" / "peers"
_INSTALL_S = 300
_READ_S = 300

READ_BY = {
    # The modes that each says it reads; the names are those of PyPI and of lock/peers-*.txt.
    "serial-teleinfo": (Mode.HISTORIQUE,),
    "enedis-tic": (Mode.HISTORIQUE, Mode.STANDARD),
    "teleinfo": (Mode.HISTORIQUE,),
    "kylin": (Mode.HISTORIQUE,),
    "python-tic": (Mode.HISTORIQUE,),
    "pyticcom": (Mode.HISTORIQUE,),
    "pytictri": (Mode.HISTORIQUE,),
}
NOT_TO_BE_HAD = {
    "pyteleinfo": "no release of it installs on this Python",
    "teleinforeader": "its installation builds MariaDB's connector, which needs MariaDB's own C library",
    "teleinfo-exporter": "installs, and decodes nothing: it takes decoded values from a broker",
}


class AbsentError(RuntimeError):
    """A reader cannot be installed here; the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader made of a stream, and the CPU time that it took."""

    seconds: float
    rows: tuple[Row, ...]
    crashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Peer:
    """One reader: the Python that has it, and its name there."""

    name: str
    version: str
    python: Path

    @classmethod
    def ours(cls, name: str = "ours") -> Self:
        """Give our own, run exactly as the others are."""
        return cls(name, "", Path(sys.executable))

    @classmethod
    def installed(cls, name: str) -> Self:
        """Give one from PyPI, installed by its lock file where it is not yet; raise AbsentError."""
        lock = _ROOT / "lock" / f"peers-{name}.txt"
        home = _HOMES / name
        stamp = home / "installed"
        wanted = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
        if not stamp.is_file() or stamp.read_text("ascii") != wanted:
            _tried(name, sys.executable, "-m", "venv", "--clear", str(home))
            # What it declares is not asked for: some declare what they never import, and not what they do.
            pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps")
            _tried(name, str(home / "bin" / "python"), *pip, "--require-hashes", "-r", str(lock))
            stamp.write_text(wanted, "ascii")
        version = next(line for line in lock.read_text("utf-8").splitlines() if line.startswith(f"{name}=="))
        return cls(name, version.partition("==")[2].split()[0], home / "bin" / "python")

    def read(self, mode: Mode, data: bytes) -> Answer:
        """Have it read a stream in a process of its own; raise RuntimeError where that process fails."""
        with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
            stream, answer = Path(folder) / "stream", Path(folder) / "answer"
            stream.write_bytes(data)
            asked = (self.name, mode.value, str(stream), str(answer))
            command = [str(self.python), "-m", "hil_tests.benchmarks.peers", *asked]
            environment = {**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONWARNINGS": "ignore"}
            done = subprocess.run(
                command, env=environment, cwd=folder, capture_output=True, text=True, timeout=_READ_S, check=False
            )
            if done.returncode != 0:
                raise RuntimeError(f"{self.name} ended with {done.returncode}: {done.stderr[-500:]}")
            found = json.loads(answer.read_text("utf-8"))
        return Answer(found["seconds"], tuple(Row(*row) for row in found["rows"]), tuple(found["crashes"]))


def _tried(name: str, *command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AbsentError(f"{name} cannot be installed: {error}") from error
    if done.returncode != 0:
        why = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr[-200:]]
        raise AbsentError(f"{name} cannot be installed: {why[-1]}")
