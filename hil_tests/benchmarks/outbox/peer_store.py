"""Our copy of ThingsBoard's storage held to the real one: the same rows through both, and the files compared.

    python -m hil_tests.benchmarks.outbox.peer_store FOLDER DAYS     in the environment that has thingsboard-gateway

Its class is driven as its thread drives it, without that thread's pauses: rows that come within a tenth of a second are
one transaction, as they are in service.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.outbox.rivals import TB_NAME, TbStore, tb_moments
from hil_tests.benchmarks.outbox.trace import BEGIN_MS, ticks
from hil_tests.benchmarks.peer import AbsentError, Peer

OFF_PERCENT = 1
"""So far our copy's file may be from the real one's."""

_PEER = "thingsboard-gateway"
_DAYS = 0.2
_ROOT = Path(__file__).parents[3]
_WAIT_S = 120


def likeness(folder: Path) -> Iterator[Figure]:
    """Tell how far our copy is from the real storage; only that it is absent, where it cannot be installed."""
    try:
        peer = Peer.installed(_PEER)
    except AbsentError as error:
        yield Figure("tb_real_absent", 1, "absent, our copy of its storage stands alone", rival=str(error))
        return
    real = folder / "tb-real"
    real.mkdir()
    done = subprocess.run(
        [str(peer.python), "-m", "hil_tests.benchmarks.outbox.peer_store", str(real), str(_DAYS)],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=_WAIT_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{_PEER} ended with {done.returncode}: {done.stderr[-500:]}")
    copy = TbStore.open(folder / "tb-copy.db")
    for rows in tb_moments(ticks(days=_DAYS)):
        copy.put(BEGIN_MS, rows)
    copy.close()
    theirs, ours = (real / "data.db").stat().st_size, (folder / "tb-copy.db").stat().st_size
    off = round(100 * abs(ours - theirs) / theirs, 2)
    yield Figure("tb_copy_off", off, "% of the bytes of the real one's file", OFF_PERCENT, TB_NAME)


def main(folder: str, days: float) -> None:
    """Store with the real class."""
    from thingsboard_gateway.storage.sqlite.database import Database  # type: ignore[import-not-found]  # noqa: PLC0415 - only its environment has it
    from thingsboard_gateway.storage.sqlite.storage_settings import StorageSettings  # type: ignore[import-not-found]  # noqa: PLC0415

    log = logging.getLogger(_PEER)
    log.addHandler(logging.NullHandler())
    log.trace = log.debug  # type: ignore[attr-defined]  # the gateway gives its loggers this level
    settings = StorageSettings({"data_file_path": f"{folder}/"})
    settings.data_file_path = f"{folder}/data.db"
    queue: Queue[str] = Queue()
    database = Database(settings, queue, log, stopped=threading.Event())
    for rows in tb_moments(ticks(days=days)):
        for row in rows:
            queue.put(row)
        # It gathers until it has so many or a tenth of a second is over; there will be no more.
        settings.batch_size = len(rows)
        database.process()
    database.db.close()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
