"""Where the bytes that reach the disk come from: of each kind of transaction, which tables' pages go into the WAL.

    python -m hil_tests.benchmarks.outbox.pages     a line for each kind, live and offline

For whoever wants to write less. A page is 4,096 bytes and 24 of the WAL; what checkpoints write again comes on top.
"""

import asyncio
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.wire.keys import make_signing_key
from hil_tests.benchmarks.outbox.ours import DOWN_S, GATEWAY, Ours
from hil_tests.benchmarks.outbox.stores import LIVE_S, STEADY_PAGES
from hil_tests.benchmarks.outbox.trace import ticks

_DAYS = 0.25
_PIECES = 200
_FRAME = 4096 + 24
_HEADER = 32  # of the WAL; a frame begins with its page's number (SQLite's file format, section 4.1)
_MAX_FRAME = slice(16, 20)  # mxFrame in the WAL index header (section 4.6)


class Watch:
    """Counts pages, by table, that each call of some methods of an outbox puts into the WAL."""

    def __init__(self, ours: Ours) -> None:
        self.pages: dict[str, Counter[str]] = defaultdict(Counter)
        self.calls: Counter[str] = Counter()
        self.names: dict[int, str] = {}
        self._path = ours.path
        outbox = ours.store.outbox
        for where, name in (
            (outbox, "commit"),
            (outbox, "seal"),
            (outbox, "received"),
            (outbox, "add"),
            (outbox.history, "add"),
        ):
            self._wrap(where, name, "history" if where is outbox.history else name)

    def learn(self) -> None:
        """Look again which table each page belongs to."""
        with sqlite3.connect(self._path) as database:
            self.names.update((page, name) for name, page in database.execute("SELECT name, pageno FROM dbstat"))
        database.close()
        self.names[1] = "first page"

    def _wrap(self, where: object, name: str, told: str) -> None:
        method: Callable[..., Any] = getattr(where, name)

        def watched(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the method takes and gives
            before = self._frames()
            given = method(*arguments, **named)
            after = self._frames()
            self.calls[told] += 1
            for page in self._written(before if after >= before else 0, after):
                self.pages[told][self.names.get(page, "new")] += 1
            return given

        setattr(where, name, watched)

    def _frames(self) -> int:
        with self._path.with_name("outbox.db-shm").open("rb") as index:
            return int.from_bytes(index.read(20)[_MAX_FRAME], "little")

    def _written(self, first: int, last: int) -> list[int]:
        found = []
        with self._path.with_name("outbox.db-wal").open("rb") as wal:
            for frame in range(first, last):
                wal.seek(_HEADER + frame * _FRAME)
                found.append(int.from_bytes(wal.read(4), "big"))
        return found


async def _watched(folder: Path, *, live: bool) -> None:
    key = make_signing_key(folder / "signing.pem", f"{GATEWAY}-2026")
    ours = Ours(folder, key, seal_s=LIVE_S if live else DOWN_S, quota_pages=STEADY_PAGES)
    async with ours:
        ours.receipts = live
        watch = Watch(ours)
        trace = list(ticks(days=_DAYS))
        half = len(trace) // 2
        await ours.take(trace[:half])  # the quota is full by then: from here on all is as it stays
        watch.pages.clear()
        watch.calls.clear()
        before = ours.kept.readings
        step = (len(trace) - half) // _PIECES
        for at in range(half, len(trace), step):
            watch.learn()
            await ours.take(trace[at : at + step])
        count = ours.kept.readings - before
    print("live" if live else "offline")
    for told, pages in watch.pages.items():
        calls = watch.calls[told]
        tables = ", ".join(f"{name} {number / calls:.2f}" for name, number in pages.most_common())
        print(f"  {told}: {pages.total() * _FRAME / count:.1f} bytes a reading; pages a call: {tables}")


if __name__ == "__main__":
    for _live in (True, False):
        with tempfile.TemporaryDirectory(prefix="gateway-bench-") as _folder:
            asyncio.run(_watched(Path(_folder), live=_live))
