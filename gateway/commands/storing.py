"""Storing steps: what must be stored before anything moves, and what is kept in memory while the disk is away.

A release never waits for the disk: its changes are kept in their order and stored when the disk is back. An intent
must be stored, or nothing is written.
"""

import asyncio

from gateway.commands.change import Change
from gateway.commands.errors import StorageError
from gateway.commands.journal import Journal
from gateway.commands.outside import Outside


class Storing:
    """Stores changes one after another and publishes their answers."""

    def __init__(self, journal: Journal, outside: Outside) -> None:
        self._journal = journal
        self._outside = outside
        self._debt: list[Change] = []
        self._turn = asyncio.Lock()
        self.failed = False
        """Whether the last change could not be stored."""

    async def store(self, change: Change, *, must: bool = False) -> None:
        """Store a change and publish its answers; raises StorageError only if `must`, and then keeps nothing of it."""
        async with self._turn:
            self._debt.append(change)
            try:
                while self._debt:
                    signed = await self._journal.commit(self._debt[0])
                    self._debt.pop(0)
                    for sequence, blob in signed:
                        self._outside.published(sequence, blob)
            except StorageError as error:
                if not self.failed:
                    self._outside.alarm("storage", f"{error}; orders are refused, releases go on")
                self.failed = True
                if must:
                    self._debt.pop()
                    raise
                return
            self.failed = False
