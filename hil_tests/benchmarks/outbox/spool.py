"""The long run: a month without the network, stored by the agent's own storing in a process of its own.

    python -m hil_tests.benchmarks.outbox.spool FOLDER DAYS     leaves FOLDER/spool.json, which tells what was kept

It takes minutes, most of them for making the trace and its Readings, so it runs beside what needs little CPU; what it
leaves in FOLDER (outbox.db, and the keys that signed it) is the backlog of all that is drained later.
"""

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from gateway.wire.keys import load_signing_key
from hil_tests.bench.pki import SiteKeys, make_site_keys
from hil_tests.benchmarks.outbox.ours import DOWN_S, GATEWAY, Ours
from hil_tests.benchmarks.outbox.trace import ticks

PAGE = 4096


@dataclass(frozen=True, slots=True)
class Spool:
    """A backlog: `outbox_bytes` are the pages of journal, segments and their books, `history_bytes` the charts'."""

    days: float
    readings: int
    segments: int
    blob_bytes: int
    outbox_bytes: int
    history_bytes: int
    file_bytes: int


class Filling:
    """A spool that is being filled by another process, or was by an earlier run; `done` waits for it."""

    def __init__(self, folder: Path, days: float) -> None:
        self.folder = folder
        self._told = folder / "spool.json"
        self._process: subprocess.Popen[str] | None = None
        if not self._told.exists():
            folder.mkdir(parents=True)
            command = [sys.executable, "-m", "hil_tests.benchmarks.outbox.spool", str(folder), str(days)]
            self._process = subprocess.Popen(command, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def done(self) -> Spool:
        """Wait until it is full, and say what it holds; raise RuntimeError where it failed."""
        if self._process is not None and self._process.wait() != 0:
            raise RuntimeError(f"the spool was not filled: status {self._process.returncode}")
        return Spool(**json.loads(self._told.read_text("utf-8")))


def keys_of(folder: Path) -> SiteKeys:
    """Make the keys that sign a spool, beside it."""
    return make_site_keys(folder / "keys", (GATEWAY,))


async def fill(folder: Path, days: float) -> Spool:
    """Store so many days of the trace without a receipt."""
    key = load_signing_key(keys_of(folder).gateways[GATEWAY].signing_key)
    ours = Ours(folder, key, seal_s=DOWN_S)
    async with ours:
        await ours.take(ticks(days=days))
        await ours.end()
    outbox, history = _room(ours.path)
    kept = ours.kept
    return Spool(
        days=days,
        readings=kept.readings,
        segments=kept.segments(),
        blob_bytes=kept.blob_bytes(),
        outbox_bytes=outbox,
        history_bytes=history,
        file_bytes=ours.path.stat().st_size,
    )


def last_numbers(folder: Path) -> dict[str, int]:
    """Give the last number of each stream of a spool."""
    with closing(sqlite3.connect(folder / "outbox.db")) as database:
        return dict(database.execute("SELECT name, last_sequence FROM stream"))


def _room(path: Path) -> tuple[int, int]:
    """Give the bytes of the pages that hold outbox and history."""
    with closing(sqlite3.connect(path)) as database:
        history = database.execute(
            "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name LIKE '%history%'"
        ).fetchone()[0]
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        free = database.execute("PRAGMA freelist_count").fetchone()[0]
    return (pages - free) * PAGE - history, history


if __name__ == "__main__":
    _folder = Path(sys.argv[1])
    _told = json.dumps(asdict(asyncio.run(fill(_folder, float(sys.argv[2])))))
    (_folder / "spool.json").write_text(_told, "utf-8")
