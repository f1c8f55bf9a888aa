"""`python -m hil_tests.bench.clocked FILE run ...`: the gateway's program on a machine whose wall clock a file sets.

FILE holds how far the wall clock is off (ms) and how good the kernel says that it is (ms, null: not synchronised), read
whenever the program asks; the product itself has no switch for this.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from gateway.adjtimex import WallClock
from gateway.cli.main import run
from gateway.clock import SystemClock


class Wall:
    """The wall clock that such a program sees; `set_to` sets it, as a person, a daemon or a dead battery would."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def set_to(self, step_ms: int, uncertainty_ms: int | None) -> None:
        """Set it `step_ms` beside the true time; the kernel calls it so good, or (None) not synchronised."""
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps({"step_ms": step_ms, "uncertainty_ms": uncertainty_ms}), "ascii")
        new.replace(self._file)

    def told(self, true_ns: Callable[[], int]) -> WallClock | None:
        """Give what the kernel says."""
        uncertainty_ms = self._said()["uncertainty_ms"]
        return None if uncertainty_ms is None else WallClock(self.shown_ns(true_ns) // 1_000_000, uncertainty_ms)

    def shown_ns(self, true_ns: Callable[[], int]) -> int:
        """Give what it shows."""
        return max(0, true_ns() + int(self._said()["step_ms"]) * 1_000_000)

    def _said(self) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(self._file.read_text("ascii")))


def main() -> None:
    """Run the program with that clock."""
    wall, true_ns = Wall(Path(sys.argv[1])), time.time_ns
    time.time_ns = lambda: wall.shown_ns(true_ns)
    time.time = lambda: wall.shown_ns(true_ns) / 1e9
    defaults = SystemClock.__init__.__kwdefaults__
    assert defaults is not None
    defaults["wall"] = lambda: wall.told(true_ns)
    run(sys.argv[2:])


if __name__ == "__main__":
    main()
