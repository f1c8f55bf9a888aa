"""What happens, told to those who listen: a bounded number of them, each with a bounded queue; who is slow is dropped.

While nobody listens an event costs one look at an empty set; it is written down once, however many listen.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from gateway.control.routes import Refusal

MOST_LISTENERS = 10
MOST_BEHIND = 256
"""Events that a listener may be behind: some seconds of a busy building."""

HEARTBEAT_S = 15.0


class Events:
    """Tells events; `now_ms` is the boot time that each carries."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._listeners: dict[asyncio.Queue[bytes | None], frozenset[str]] = {}

    def heard(self, kind: str) -> bool:
        """Tell whether anybody listens to events of that kind, so that none is made for nobody."""
        return any(kind in kinds for kinds in self._listeners.values())

    def tell(self, kind: str, content: dict[str, object]) -> None:
        """Tell those who listen to that kind."""
        listening = [queue for queue, kinds in self._listeners.items() if kind in kinds]
        if not listening:
            return
        event = self._event(kind, content)
        for queue in listening:
            if queue.qsize() < MOST_BEHIND:
                queue.put_nowait(event)
            else:
                # Its place is free at once; what it has not taken is gone, and it is told so.
                del self._listeners[queue]
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(self._event("dropped", {"text": "too slow: events were lost; ask again"}))
                queue.put_nowait(None)

    async def listen(self, kinds: frozenset[str]) -> AsyncIterator[bytes]:
        """Give the events of these kinds as they come, with a heartbeat at least each 15 s; raise Refusal if full."""
        if len(self._listeners) >= MOST_LISTENERS:
            raise Refusal(503, f"{MOST_LISTENERS} listen already: try again later")
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._listeners[queue] = kinds
        try:
            yield self._event("begin", {"kinds": sorted(kinds)})
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        event = await queue.get()
                except TimeoutError:
                    event = self._event("heartbeat", {})
                if event is None:
                    return
                yield event
        finally:
            self._listeners.pop(queue, None)

    def _event(self, kind: str, content: dict[str, object]) -> bytes:
        told = {"event": kind, "boot_ms": self._now_ms(), **content}
        return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
