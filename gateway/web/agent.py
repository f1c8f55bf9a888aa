"""What the agent says, asked over its control socket: once for all who watch, and remembered when it falls silent."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from gateway.control import client
from gateway.control.client import AgentRefused, AgentUnreachable

Json = Any

PATIENCE_S = 5.0
TOGETHER = 2
"""Questions at once; the agent has room for 24 clients, and others ask it too."""

MOST_KEPT = 256
AGAIN_S = 2.0
"""What failed is tried again so soon, however long its answer would have been good for."""


@dataclass(frozen=True, slots=True)
class Known:
    """The agent's last answer, None if it never gave one; `failure` is why it gave none now, `age_s` how old it is."""

    content: Json
    failure: str | None
    age_s: float


@dataclass(slots=True)
class _Kept:
    lock: asyncio.Lock
    content: Json = None
    failure: str | None = None
    answered_at: float = 0.0
    asked_at: float = float("-inf")


class Agent:
    """The agent behind the control socket at `socket`; `now_s` is a clock that only goes on."""

    def __init__(self, socket: Path, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._socket = socket
        self._now_s = now_s
        self._threads = ThreadPoolExecutor(TOGETHER, thread_name_prefix="agent")
        self._kept: dict[str, _Kept] = {}

    async def known(self, resource: str, fresh_s: float) -> Known:
        """Give what is at a resource ("/v1/status"), asked anew if the last time is longer ago than `fresh_s`."""
        kept = self._kept.get(resource)
        if kept is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            kept = self._kept[resource] = _Kept(asyncio.Lock())
        async with kept.lock:
            good_s = fresh_s if kept.failure is None else min(fresh_s, AGAIN_S)
            if self._now_s() - kept.asked_at >= good_s:
                kept.asked_at = self._now_s()
                try:
                    kept.content, kept.failure = await self._ask(client.get, resource), None
                    kept.answered_at = self._now_s()
                except (AgentUnreachable, AgentRefused) as error:
                    kept.failure = str(error)
            return Known(kept.content, kept.failure, self._now_s() - kept.answered_at)

    async def told(self, resource: str) -> Json | None:
        """Ask for what is too large, or too seldom wanted, to be remembered; None where there is no answer."""
        try:
            return await self._ask(client.get, resource)
        except (AgentUnreachable, AgentRefused):
            return None

    async def order(self, resource: str, body: Mapping[str, str | int]) -> Json:
        """Order something of the agent; raise AgentUnreachable or AgentRefused."""
        answer = await self._ask(client.post, resource, body)
        self._ask_anew()
        return answer

    async def end(self, resource: str, query: Mapping[str, str | int]) -> Json:
        """End something at the agent; raise AgentUnreachable or AgentRefused."""
        answer = await self._ask(client.delete, resource, query)
        self._ask_anew()
        return answer

    def _ask_anew(self) -> None:
        """After an order, what was known is old."""
        for kept in self._kept.values():
            kept.asked_at = float("-inf")

    def _ask(self, how: Callable[..., Json], *what: object) -> Awaitable[Json]:
        def ask() -> Json:
            return how(self._socket, *what, timeout_s=PATIENCE_S)

        return asyncio.get_running_loop().run_in_executor(self._threads, ask)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
