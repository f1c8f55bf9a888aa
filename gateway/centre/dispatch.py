"""Commands to buildings: numbered, signed, kept before they are sent, and followed to their answers.

A command dies in the broker when it expires: its message expiry is its own. One that nobody answered by then is
recorded as undelivered; it is never sent again, for its building may have done without. What an answer means is the
caller's to judge.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from gateway.centre.errors import DispatchError, StoreUnavailable
from gateway.centre.link import ToGateway
from gateway.centre.signer import Signer
from gateway.centre.store import Store
from gateway.centre.tables import read_only
from gateway.wire.messages import Answer, Command

_NO_SUBSCRIBER = 0x10
_FAILED = 0x80
_GRACE_MS = 5_000
_OTHERS_S = 0.5
"""So often an answer is looked for that another centre on the same store may have taken."""

T = TypeVar("T")


class OnStore(Protocol):
    """Runs a question or an order in the store's thread."""

    def __call__(self, work: Callable[[Store], T]) -> Awaitable[T]:
        """Give what `work` gives."""


@dataclass(frozen=True, slots=True)
class ReceivedAnswer:
    """An answer and when it came (UTC, ms): the times inside are the gateway's own."""

    answer: Answer
    gateway: str
    arrived_utc_ms: int


class Dispatch:
    """Sends commands and knows what became of them; lives in the loop."""

    def __init__(
        self, signer: Signer, on_store: OnStore, publish: Callable[[ToGateway], int | None], database: Path
    ) -> None:
        self._signer = signer
        self._on_store = on_store
        self._publish = publish
        self._database = database
        self._sent: dict[int, str] = {}
        self._news = asyncio.Condition()
        self._order = asyncio.Lock()

    async def send(self, gateway: str, command: Command) -> str:
        """Keep, sign and publish one command; give its id; raise DispatchError where there is no connection."""
        left_ms = command.expires_utc_ms - now_utc_ms()
        if left_ms <= 0:
            raise DispatchError(f"command {command.id}: it expired {-left_ms} ms ago: issue it anew")
        async with self._order:  # one cmd topic keeps the order of the numbers
            try:
                number = await self._signer.number(gateway, "cmd", 1)
                blob = self._signer.sign_as(number, gateway, "cmd", Command.CONTENT, command.encode())
                await self._on_store(
                    lambda store: store.keep_command(command.id, gateway, number, command.expires_utc_ms, blob)
                )
            except StoreUnavailable as error:
                raise DispatchError(f"command {command.id}: {error}: issue it anew") from error
            mid = self._publish(
                ToGateway(
                    gateway,
                    "cmd",
                    blob,
                    expiry_s=max(1, left_ms // 1_000),
                    correlation=command.id.encode(),
                    content=Command.CONTENT,
                )
            )
        if mid is None:
            await self._undelivered(command.id)
            raise DispatchError(f"command {command.id}: the centre has no connection to the broker: issue it anew")
        self._sent[mid] = command.id
        return command.id

    def published(self, mid: int, code: int) -> str | None:
        """Take the broker's word on a PUBLISH; give the id of a command that found nobody."""
        command = self._sent.pop(mid, None)
        return command if code == _NO_SUBSCRIBER or code >= _FAILED else None

    def answers(self, command: str) -> list[ReceivedAnswer]:
        """Give every answer to a command so far, in order of arrival."""
        with read_only(self._database) as database:
            rows = database.execute(
                "SELECT payload, gateway, arrived_utc_ms FROM answer WHERE command = ? ORDER BY id", (command,)
            ).fetchall()
        return [ReceivedAnswer(Answer.decode(payload), gateway, when) for payload, gateway, when in rows]

    def undelivered(self, command: str) -> bool:
        """Whether a command is known to have died without an answer."""
        with read_only(self._database) as database:
            row = database.execute("SELECT undelivered FROM command WHERE id = ?", (command,)).fetchone()
        return row is not None and bool(row[0])

    async def answered(self, command: str, states: Collection[str], timeout_s: float) -> ReceivedAnswer:
        """Wait for the first answer in one of these states; raise TimeoutError."""
        async with asyncio.timeout(timeout_s), self._news:
            while True:
                for received in self.answers(command):
                    if received.answer.state in states:
                        return received
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), _OTHERS_S)

    async def heard(self) -> None:
        """Wake those who wait: answers have been committed."""
        async with self._news:
            self._news.notify_all()

    async def watch(self) -> None:
        """Mark what expired without an answer; call it now and then."""
        before = now_utc_ms() - _GRACE_MS
        await self._on_store(lambda store: store.unanswered(before))

    async def found_nobody(self, command: str) -> None:
        """Mark a command that the broker had nobody to give to."""
        await self._undelivered(command)

    async def _undelivered(self, command: str) -> None:
        await self._on_store(lambda store: store.mark_undelivered(command))


def new_id() -> str:
    """Give an id for a command, never used before."""
    return secrets.token_hex(8)


def now_utc_ms() -> int:
    """Wall time in Unix milliseconds; the centre's clock is taken to be right."""
    return time.time_ns() // 1_000_000
