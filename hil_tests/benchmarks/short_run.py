"""What one run of a short program costs, from its start to its end: time, and the most memory that it had."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

_KB_A_MB = 1024

_STARTER = """
import json, os, sys, time
begun = time.monotonic()
to_nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=to_nowhere)
_, status, usage = os.wait4(pid, 0)
told = {"s": time.monotonic() - begun, "kb": usage.ru_maxrss, "code": os.waitstatus_to_exitcode(status)}
print(json.dumps(told))
"""
"""A bare interpreter: a process inherits the highest memory of the one that starts it, so a large one must not."""


@dataclass(frozen=True, slots=True)
class ShortRun:
    """One run; memory in MB (2^20 bytes), never told below what a bare interpreter takes."""

    seconds: float
    peak_mb: float

    @classmethod
    def of(cls, program: Sequence[str]) -> Self:
        """Run a program, its output unseen; raise RuntimeError where it ends with another code than 0."""
        starter = [sys.executable, "-I", "-S", "-c", _STARTER, *program]
        done = subprocess.run(starter, capture_output=True, text=True, check=True)
        told = json.loads(done.stdout)
        if told["code"] != 0:
            raise RuntimeError(f"{' '.join(program)} ended with {told['code']}: {done.stderr}")
        return cls(told["s"], told["kb"] / _KB_A_MB)
