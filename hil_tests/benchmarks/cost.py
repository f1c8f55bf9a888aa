"""What a process has cost until now, as the kernel keeps it in /proc: memory, CPU, how often it was woken."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS_A_S = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM = 11, 12
"""Fields of /proc/PID/stat after the name, which may hold anything: see proc(5), utime and stime."""

_KB_A_MB = 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """One look: memory in MB (2^20 bytes), CPU in seconds since its start; `wakeups` counts it leaving a wait."""

    rss_mb: float
    rss_peak_mb: float
    pss_mb: float
    cpu_s: float
    wakeups: int

    @classmethod
    def of(cls, pid: int) -> Self:
        """Look at a process; raise OSError where it is gone."""
        folder = Path(f"/proc/{pid}")
        status = _kb_fields(folder / "status")
        stat = (folder / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
        return cls(
            rss_mb=status["VmRSS"] / _KB_A_MB,
            rss_peak_mb=status["VmHWM"] / _KB_A_MB,
            pss_mb=_kb_fields(folder / "smaps_rollup")["Pss"] / _KB_A_MB,
            cpu_s=(int(stat[_USER]) + int(stat[_SYSTEM])) / _TICKS_A_S,
            wakeups=sum(_kb_fields(task / "status")["voluntary_ctxt_switches"] for task in folder.glob("task/*")),
        )


def _kb_fields(path: Path) -> dict[str, int]:
    """Read the numbers of lines like `VmRSS:     123 kB`; what is no number is left out."""
    fields = {}
    for line in path.read_text("utf-8", "replace").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            fields[name] = int(words[0])
    return fields
