"""What must survive: commands, what each load held before, numbers seen, answers until the centre has them, opt-outs.

A database of its own, on a thread of its own: a backlog never delays an order, and a damaged outbox never takes a
value to restore along. The database itself is `database`, what it is given `change`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor as Pool
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway.commands.change import Change, Entry, Kept, Sign
from gateway.commands.database import Database
from gateway.commands.errors import StorageError
from gateway.commands.verify import Standing

STREAM = "ack"
"""Stream of the answers."""

SOONEST_S, LATEST_S = 1.0, 30.0
"""After so long a card that refused at the start is asked again, at first and in the end."""

_T = TypeVar("_T")


class Journal:
    """The command database for the event loop: every method runs on the journal's own thread.

    Errors: StorageError. `boot_nonce` (16 bytes, one for each boot) goes into the birth message; `moved_aside`
    names a damaged database that was replaced; `durable` is False while only memory is there.
    """

    def __init__(self, database: Database, pool: Pool) -> None:
        self._database = database
        self._pool = pool
        self.epoch = database.epoch
        self.boot_nonce = database.boot_nonce
        self.moved_aside = database.moved_aside

    @classmethod
    async def open(cls, path: Path, boot_id: bytes, sign: Sign, *, pool: Pool | None = None) -> "Journal":
        """Open or make the database at `path`; raise StorageError if another process holds it."""
        pool = pool or ThreadPoolExecutor(1, "commands")
        database = await asyncio.get_running_loop().run_in_executor(pool, Database, path, boot_id, sign)
        return cls(database, pool)

    @property
    def durable(self) -> bool:
        """Whether what is stored is on the card."""
        return self._database.durable

    async def open_again(self) -> None:
        """Open what the card refused at the start, asking at growing intervals; returns once it is open.

        Raises StartAgainError where only a new start can go on with what is there.
        """
        pause_s = SOONEST_S
        while not self.durable:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LATEST_S)
            with contextlib.suppress(StorageError):
                await self._call(self._database.open_again)

    async def _call(self, work: Callable[..., _T], *values: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *values)

    async def commit(self, change: Change) -> list[tuple[int, bytes]]:
        """Store one Change, synced; give its answers, signed, with their sequence numbers."""
        return await self._call(self._database.commit, change)

    async def standing(self, issuer: str, epoch: bytes, sequence: int) -> Standing:
        """Tell what is known of an issuer and of the message under that number."""
        return await self._call(self._database.standing, issuer, epoch, sequence)

    async def kept(self) -> Kept:
        """Give what a start has to take up again."""
        return await self._call(self._database.kept)

    async def entry(self, command_id: str) -> Entry | None:
        """Give what is stored about a command, finished or not."""
        return await self._call(self._database.entry, command_id)

    async def newest(self, limit: int, before: int) -> list[tuple[int, Entry]]:
        """Give the newest commands whose number is under `before`, the newest first, with their numbers."""
        return await self._call(self._database.newest, limit, before)

    async def last_answer(self, command_id: str) -> tuple[int, bytes] | None:
        """Give the newest answer about a command, as it was sent."""
        return await self._call(self._database.last_answer, command_id)

    async def answers_pending(self, limit: int, after: int = 0) -> list[tuple[int, bytes]]:
        """Give the oldest answers above `after` that the centre has not receipted: (sequence, signed message)."""
        return await self._call(self._database.answers_pending, limit, after)

    async def answers_received(self, epoch: bytes, upto: int, ranges: Sequence[tuple[int, int]]) -> int:
        """Take a receipt of the centre; give how many answers are newly done, none for another epoch."""
        return await self._call(self._database.answers_received, epoch, upto, ranges)

    async def answers_again(self, epoch: bytes, first: int, last: int) -> int:
        """Make answers pending again that the centre asks for; give how many are still here."""
        return await self._call(self._database.answers_again, epoch, first, last)

    async def close(self) -> None:
        """Close the database and end its thread."""
        await self._call(self._database.close)
        self._pool.shutdown(wait=False)
