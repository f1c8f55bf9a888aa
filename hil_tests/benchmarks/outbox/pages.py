"""Where the bytes that reach the disk come from: of each kind of transaction, which tables' pages go into the WAL.

    python -m hil_tests.benchmarks.outbox.pages     a line for each kind, live and offline

For whoever wants to write less. A page is 4,096 bytes and 24 of the WAL; what checkpoints write again comes on top.
"""

import asyncio
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway.wire.keys import make_signing_key
from hil_tests.benchmarks.outbox.ours import DOWN_S, GATEWAY, UP_S, Ours
from hil_tests.benchmarks.outbox.stores import STEADY_PAGES
from hil_tests.benchmarks.outbox.trace import ticks

_DAYS = 0.25
_PIECES = 200
_FRAME = 4096 + 24
_HEADER = 32  # of the WAL; a frame begins with its page's number (SQLite's file format, section 4.1)
_MAX_FRAME = slice(16, 20)  # mxFrame in the WAL index header (section 4.6)


class Watch:
    """Counts pages, by table, that each transaction of an outbox puts into the WAL."""

    def __init__(self, ours: Ours) -> None:
        self.pages: dict[str, Counter[str]] = defaultdict(Counter)
        self.times: Counter[str] = Counter()
        self.names: dict[int, str] = {}
        self._path = ours.path
        self._begin = ours.store.outbox._disk.transaction
        self._deep = 0
        ours.store.outbox._disk.transaction = self._transaction  # type: ignore[method-assign]
        ours.store.outbox.history._transaction = self._transaction

    def learn(self) -> None:
        """Look again which table each page belongs to."""
        with closing(sqlite3.connect(self._path)) as database:
            self.names.update((page, name) for name, page in database.execute("SELECT name, pageno FROM dbstat"))
        self.names[1] = "first page"

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[None]:
        before = self._frames()
        self._deep += 1
        try:
            with self._begin(doing):
                yield
        finally:
            self._deep -= 1
        if self._deep:
            return  # a part of another one, which commits for it
        after = self._frames()
        self.times[doing] += 1
        for page in self._written(before if after >= before else 0, after):
            self.pages[doing][self.names.get(page, "new")] += 1

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
    ours = Ours(folder, key, seal_s=UP_S if live else DOWN_S, quota_pages=STEADY_PAGES)
    async with ours:
        ours.receipts = live
        watch = Watch(ours)
        trace = list(ticks(days=_DAYS))
        half = len(trace) // 2
        await ours.take(trace[:half])  # the quota is full by then: from here on all is as it stays
        watch.pages.clear()
        watch.times.clear()
        before = ours.kept.readings
        step = (len(trace) - half) // _PIECES
        for at in range(half, len(trace), step):
            watch.learn()
            await ours.take(trace[at : at + step])
        count = ours.kept.readings - before
    print("live" if live else "offline")
    for doing, pages in watch.pages.items():
        times = watch.times[doing]
        tables = ", ".join(f"{name} {number / times:.2f}" for name, number in pages.most_common())
        print(f"  {doing}: {times} times, {pages.total() * _FRAME / count:.1f} bytes a reading; pages: {tables}")


if __name__ == "__main__":
    for _live in (True, False):
        with tempfile.TemporaryDirectory(prefix="gateway-bench-") as _folder:
            asyncio.run(_watched(Path(_folder), live=_live))
