"""Where a message from the topic of commands comes in: verified, then handed over, repeated, or refused with an answer.

What cannot be proved is counted and answered without detail, a few times a minute only: a stranger can neither learn
anything nor fill the disk.
"""

import asyncio
from collections.abc import Callable
from enum import StrEnum

from gateway.clock import Clock
from gateway.commands.change import Arrival
from gateway.commands.executor import Executor
from gateway.commands.journal import Journal
from gateway.commands.verify import Attempt, Refused, Repeated, judge, open_message, times_of
from gateway.wire.errors import RevokedKey
from gateway.wire.trust import Keyring

_ANSWERED_EACH_MS = 10_000
_UNUSED_NUMBER = frozenset({"auth", "retained", "conflict", "stale", "sequence"})
"""Refusals that leave the number of the message free: it was not the issuer's next one, or not proved to be his."""


class Heard(StrEnum):
    """What a verified command tells about the link."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    RELEASE = "release"


class Reception:
    """Takes what comes on the topic of commands, one message after another."""

    def __init__(  # noqa: PLR0913 - the ports of the composition root, each named
        self,
        *,
        gateway: str,
        keys: Keyring,
        journal: Journal,
        executor: Executor,
        clock: Clock,
        heard: Callable[[Heard], None],
        revoked: Callable[[RevokedKey], None] = lambda _: None,
    ) -> None:
        self._gateway = gateway
        self._keys = keys
        self._journal = journal
        self._executor = executor
        self._clock = clock
        self._heard = heard
        self._revoked = revoked
        self._turn = asyncio.Lock()
        self._answered_ms: int | None = None
        self.unproved = 0
        """Messages that could not be proved, since the start; those of revoked keys are counted apart."""

    async def receive(self, message: bytes, *, retained: bool) -> None:
        """Take one message; raises nothing for whatever it contains."""
        async with self._turn:
            await self._receive(message, retained=retained)

    async def _receive(self, message: bytes, *, retained: bool) -> None:
        opened = open_message(message, self._keys.current())
        if isinstance(opened, Refused):
            await self._refuse(opened, None)
            return
        header = opened.header
        standing = await self._journal.standing(opened.key.issuer, header.epoch, header.sequence)
        times = times_of(self._clock, standing.floor_utc_ms, self._journal.boot_nonce)
        found = judge(
            Attempt(self._gateway, header, opened.key, opened.command, opened.digest, retained, standing, times)
        )
        if isinstance(found, Repeated):
            await self._executor.repeat(found.command_id)
            return
        if isinstance(found, Refused):
            arrival = Arrival(opened.key.issuer, header.epoch, header.sequence, opened.digest)
            await self._refuse(found, None if found.reason in _UNUSED_NUMBER else arrival)
            return
        ruling = await self._executor.submit(found)
        if ruling.releases:
            self._heard(Heard.RELEASE)
        else:
            self._heard(Heard.ACCEPTED if ruling.accepted else Heard.REFUSED)

    async def _refuse(self, refused: Refused, arrival: Arrival | None) -> None:
        if refused.reason != "auth":
            await self._executor.refuse(refused, arrival)
            if arrival is not None:
                self._heard(Heard.REFUSED)
            return
        if refused.revoked is None:
            self.unproved += 1
        else:
            self._revoked(refused.revoked)
        now = self._clock.boot_ms()
        if self._answered_ms is None or now - self._answered_ms >= _ANSWERED_EACH_MS:
            self._answered_ms = now
            await self._executor.refuse(refused, None)
