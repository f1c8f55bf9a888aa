"""Who has a port that is taken: the agent, mostly."""

import os
from itertools import pairwise
from pathlib import Path

_LOCKS = Path("/proc/locks")


def holder_of(port: str) -> str | None:
    """Say who holds the lock on a port and what to do about it; None where it cannot be told."""
    try:
        found = Path(port).stat()
        locks = _LOCKS.read_text("utf-8")
    except OSError:
        return None
    lock = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in locks.splitlines():
        fields = line.split()
        if lock in fields and "FLOCK" in fields and "->" not in fields:
            return _said(int(fields[fields.index(lock) - 1]))
    return None


def _said(pid: int) -> str | None:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return None
    names = [Path(word).name for word in words]
    if ("gateway", "run") in pairwise(names):
        return (
            f"is held by the agent (`gateway run`, pid {pid}): `gateway tail` and `gateway channels` show what it "
            "reads; to have the port, stop it (sudo systemctl stop gateway), and start it again afterwards"
        )
    return f"is held by {' '.join(filter(None, words))[:60]} (pid {pid}): stop that first"
