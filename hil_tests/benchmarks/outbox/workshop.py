"""What the parts of the benchmark share, so that nothing is made twice in one run."""

import asyncio
import sys
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Self

from gateway.wire.keys import SigningKey, make_signing_key
from hil_tests.benchmarks.outbox.honest import Honesty, honesty
from hil_tests.benchmarks.outbox.ours import GATEWAY, Kept, Ours
from hil_tests.benchmarks.outbox.spool import Filling
from hil_tests.benchmarks.outbox.trace import ticks

MONTH_DAYS = 30


class Workshop:
    """One run of the benchmark in `folder`; `days` is the length of its long backlog.

    `spool` is a folder with a backlog to use again, or to leave one in; None: made, and thrown away.
    """

    def __init__(self, folder: Path, days: float, spool: Path | None = None) -> None:
        self.folder = folder
        self.days = days
        self._spool = spool or folder / "spool"
        self._kept: dict[tuple[float, float, bool], Kept] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def honesty(self) -> Honesty:
        """Judge the first day of the trace."""
        say("the trace of a day is judged")
        return honesty(ticks(days=1))

    @cached_property
    def key(self) -> SigningKey:
        """Sign what is not sent to anybody."""
        return make_signing_key(self.folder / "signing.pem", f"{GATEWAY}-2026")

    @cached_property
    def filling(self) -> Filling:
        """Begin to fill the long backlog, in a process of its own."""
        say(f"a backlog of {self.days:g} days is filled beside what follows")
        return self._stack.enter_context(Filling(self._spool, self.days))

    def kept(self, seal_s: float, days: float, *, receipts: bool = False) -> Kept:
        """Store the first days of the trace with segments of that length, and say what came of it."""
        asked = (seal_s, days, receipts)
        if asked not in self._kept:
            say(f"{days:g} day{'s' * (days != 1)} in segments of {seal_s:g} s")
            self._kept[asked] = asyncio.run(self._keep(*asked))
        return self._kept[asked]

    def database(self, seal_s: float, days: float, *, receipts: bool = False) -> Path:
        """Give the database that a run of `kept` has left."""
        self.kept(seal_s, days, receipts=receipts)
        return self._folder(seal_s, days, receipts) / "outbox.db"

    def _folder(self, seal_s: float, days: float, receipts: bool) -> Path:  # noqa: FBT001 - as `kept` names them
        return self.folder / f"kept-{seal_s:g}-{days:g}-{receipts}"

    async def _keep(self, seal_s: float, days: float, receipts: bool) -> Kept:  # noqa: FBT001 - as `kept` names them
        folder = self._folder(seal_s, days, receipts)
        folder.mkdir()
        async with Ours(folder, self.key, seal_s=seal_s) as ours:
            ours.receipts = receipts
            await ours.take(ticks(days=days))
            await ours.end()
        return ours.kept


def say(text: str) -> None:
    """Tell people what is being done."""
    print(text, file=sys.stderr, flush=True)
