"""One connection as we take it: uvicorn's HTTP/1.1, with the deadlines, bounds and headers that it lacks."""

import asyncio
import http
import socket
import sys
from typing import Any, cast

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from gateway.web.guard import ALWAYS, LARGEST_HEAD

MOST_UNSENT = 64 * 1024
"""Of one answer in our memory, and as much again in the kernel's."""

_HEADERS = [
    *((name.lower().encode(), value.encode()) for name, value in ALWAYS.items()),
    (b"cache-control", b"no-store"),
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"connection", b"close"),
]


def configured(app: Any, slow_s: float) -> Config:  # noqa: ANN401 - uvicorn's types are not for others
    """Give uvicorn's settings for an application."""
    made = Config(
        app,
        http=Connection,
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=cast("int", slow_s),
        h11_max_incomplete_event_size=LARGEST_HEAD,
    )
    made.load()
    return made


def bound(listener: socket.socket, slow_s: float) -> None:
    """Have the kernel cut clients of a listening socket that take nothing for `slow_s`, and keep little for each."""
    # Counts unacknowledged and, with a closed window, unsent data alike; connections inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(slow_s * 1000))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_UNSENT)


class Connection(H11Protocol):
    """Serves one client; one that has sent no whole head of a request after `slow_s` is cut, idle ones included.

    `lost` is set when it has ended; a client for which there is no room (`full`) is told so.
    """

    def __init__(
        self, config: Config, state: ServerState, app_state: dict[str, Any], *, slow_s: float, full: bool
    ) -> None:
        super().__init__(config, state, app_state)
        self._slow_s = slow_s
        self._deadline: asyncio.TimerHandle | None = None
        self.lost = asyncio.Event()
        if full:
            self.app = _no_room

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, once TLS stands."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=MOST_UNSENT)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._head_is_there()
        super().connection_lost(exc)
        self.lost.set()

    def handle_events(self) -> None:
        """Take what has come."""
        super().handle_events()
        if self.conn.their_state is not h11.IDLE:
            self._head_is_there()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._await_head()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are not ours
        """Answer what is no HTTP, or no longer, with our headers; 431 where the head is too large."""
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        # There is none before the first request, whatever its type says.
        if self.cycle is not None and not self.cycle.response_complete:  # type: ignore[redundant-expr]
            # The application was promised the rest of the request: it is told that the client has gone.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.abort()
            return
        reason = http.HTTPStatus(status).phrase
        head = h11.Response(status_code=status, headers=_HEADERS, reason=reason)
        for event in (head, h11.Data(data=f"{reason}\n".encode()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _await_head(self) -> None:
        self._head_is_there()
        self._deadline = self.loop.call_later(self._slow_s, self.transport.abort)

    def _head_is_there(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


async def _no_room(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer one client too many."""
    headers = [*_HEADERS, (b"retry-after", b"5")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b"More clients than there is room for: try again.\n"})
