"""Have one reader read one stream; the answer is JSON: the CPU seconds that it took, its values, what it raised."""

import contextlib
import gc
import importlib
import json
import logging
import sys
import time
from pathlib import Path

from hil_tests.benchmarks.peers.replay import End, Port, Told

ADAPTERS = {
    "ours": ("ours", "values"),
    "ours-as-it-comes": ("ours", "values_as_they_come"),
    "serial-teleinfo": ("serial_teleinfo_", "values"),
    "enedis-tic": ("enedis_tic_", "values"),
    "teleinfo": ("teleinfo_", "values"),
    "kylin": ("kylin_", "values"),
    "python-tic": ("ticpy_", "ticpy"),
    "pyticcom": ("ticpy_", "pyticcom"),
    "pytictri": ("ticpy_", "pytictri"),
}


def main(name: str, mode: str, stream: str, answer: str) -> None:
    """Read, and write the answer."""
    module, function = ADAPTERS[name]
    values = getattr(importlib.import_module(f"hil_tests.benchmarks.peers.{module}"), function)
    # What a reader logs of a bad line would be most of its time, and none of it is the question.
    logging.disable(logging.CRITICAL)
    port = Port(Path(stream).read_bytes())
    told = Told(port)
    gc.collect()
    # CPU time, not the clock's: the machine has other work, and no reader waits for anything here.
    begun = time.process_time()
    with contextlib.suppress(End):
        values(port, told, mode)
    seconds = time.process_time() - begun
    Path(answer).write_text(json.dumps({"seconds": seconds, "rows": told.rows, "crashes": told.crashes}), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
