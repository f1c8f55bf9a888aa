"""The agent's local door: HTTP over a Unix socket. The command line and the page know nothing else of the agent.

One request a connection. What can be asked stands in `routes`, who may ask in `rights`; here is only the transport:
its bounds on size, time and number. A socket on which nobody asks costs nothing.
"""

import asyncio
import contextlib
import logging
import socket
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import h11

from gateway.control import openapi, requests, rights
from gateway.control.exchange import LARGEST_HEAD, Reply, head_of_lines, receive, refused, whole
from gateway.control.routes import Call, Refusal, Route, Stream, get
from gateway.control.shapes import TEXT, by_name, table

log = logging.getLogger(__name__)

SLOW_CLIENT_S = 10.0
MOST_CLIENTS = 24
"""Connections at once, those that listen to events included."""

_MOST_UNSENT = 256 * 1024
_DOCUMENT = table(openapi=TEXT, info=by_name(TEXT), paths=by_name({"type": "object"}), components={"type": "object"})


class ControlSocketError(Exception):
    """The control socket cannot be made; the text says what to do."""


class ControlServer:
    """Serves `routes`, and their OpenAPI document, on the Unix socket at `path`, for its owner and its group (0660).

    The members of `act_group` may act too, besides the agent's own user and root.
    """

    def __init__(self, path: Path, routes: Sequence[Route], *, version: str = "", act_group: str | None = None) -> None:
        self._path = path
        own = get("/v1/openapi.json", "What can be asked here: this document.", self._openapi, gives=_DOCUMENT)
        self._routes = (*routes, own)
        self._version = version
        self._act_group = act_group
        self._rights = rights.rights(None)
        self._clients = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = False

    async def _openapi(self, _call: Call) -> object:
        return openapi.document(self._routes, self._version)

    async def open(self) -> None:
        """Listen; a socket left by a process that died is replaced, nothing else is. Raise ControlSocketError."""
        try:
            self._rights = rights.rights(self._act_group)
        except KeyError as error:
            raise ControlSocketError(
                f"[control] act_group: no group {self._act_group!r} on this machine: make it, or name another"
            ) from error
        try:
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISSOCK(self._path.lstat().st_mode):
                    raise ControlSocketError(
                        f"{self._path} is there and is no socket: move it, or name another [control] socket"
                    )
                if await _is_served(self._path):
                    raise ControlSocketError(
                        f"{self._path}: another agent serves there: end that one, or name another [control] socket"
                    )
                self._path.unlink()
            self._server = await asyncio.start_unix_server(self._client, str(self._path), limit=LARGEST_HEAD)
            self._path.chmod(0o660)
        except OSError as error:
            raise ControlSocketError(
                f"{self._path}: the control socket cannot be made ({error.strerror}): make its folder, or name another"
            ) from error

    async def run(self) -> None:
        """Serve what `open` listens for until cancelled, then take the socket away."""
        if self._server is None:
            await self.open()
        assert self._server is not None  # noqa: S101 - open has set it or raised
        try:
            # Not serve_forever: from Python 3.12 on its end waits for clients to leave, and one that listens does not.
            await asyncio.get_running_loop().create_future()
        finally:
            self._server.close()
            self._ending = True
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; as a task of its own it ends quietly with the server."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio makes one for each connection
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            if not self._ending:
                raise
        finally:
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)
        try:
            async with asyncio.timeout(SLOW_CLIENT_S):
                listening = await self._once(connection, reader, writer)
            if listening is not None:
                await _relay(connection, listening, reader, writer)
        except (TimeoutError, ConnectionError):
            log.debug("a client of the control socket went away or was too slow")
        finally:
            self._clients -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _once(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> AsyncIterator[bytes] | None:
        """Answer one request; give what is to be relayed instead where it asks for a stream."""
        has_body = True
        try:
            received = await receive(connection, reader)
        except h11.RemoteProtocolError as error:
            reply = Reply(error.error_status_hint, {"error": f"not HTTP as we take it: {error}"})
        except Refusal as refusal:
            reply = refused(refusal)
        else:
            if received is None:
                return None
            has_body = received[0].method != b"HEAD"
            reply = await self._respond(*received, writer.get_extra_info("socket"))
            if isinstance(reply.body, AsyncIterator):
                return reply.body
        writer.write(whole(connection, reply, has_body=has_body))
        await writer.drain()
        return None

    async def _respond(self, request: h11.Request, body: bytes, connection: socket.socket) -> Reply:
        """Give the reply; its body may be the begun stream."""
        try:
            return Reply(200, await self._allowed(request, body, connection))
        except Refusal as refusal:
            return refused(refusal)
        except Exception:
            # A mistake in an answer for people must not end what meters the building; the log has it.
            log.exception("%s %s failed", request.method.decode("ascii"), request.target[:200].decode("ascii"))
            return Reply(500, {"error": "a mistake in the agent; its log has the details"})

    async def _allowed(self, request: h11.Request, body: bytes, connection: socket.socket) -> object:
        """Answer what is known, allowed and well made; raise Refusal for the rest."""
        if self._clients > MOST_CLIENTS:
            raise Refusal(503, f"more than {MOST_CLIENTS} clients at once: try again")
        route, values, query = requests.find(self._routes, request.method.decode("ascii"), request.target)
        if not self._rights.allow(rights.peer_of(connection), route.right):
            raise Refusal(403, _MAY_NOT)
        call = requests.checked(route, values, query, body)
        if route.answer is not None:
            return await route.answer(call)
        assert route.stream is not None  # noqa: S101 - a route has one of the two
        return await _begun(route.stream, call)


_MAY_NOT = (
    "only the agent's own user, root and the group that the site file names in [control] act_group may do this: "
    "use sudo, or join that group"
)


async def _begun(stream: Stream, call: Call) -> AsyncIterator[bytes]:
    """Have a stream come as far as its first text, where it may refuse."""
    events = stream(call)
    first = await anext(events)

    async def whole() -> AsyncIterator[bytes]:
        try:
            yield first
            async for each in events:
                yield each
        finally:
            await _end(events)

    return whole()


async def _end(events: AsyncIterator[bytes]) -> None:
    """Let a generator free what it holds."""
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()


async def _relay(
    connection: h11.Connection,
    events: AsyncIterator[bytes],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Send a stream, a line each, until it ends or the client leaves; one that does not take it is cut after 10 s."""
    writer.transport.set_write_buffer_limits(high=_MOST_UNSENT)

    async def send() -> None:
        writer.write(head_of_lines(connection))
        async for event in events:
            writer.write(connection.send(h11.Data(event + b"\n")) or b"")
            async with asyncio.timeout(SLOW_CLIENT_S):
                await writer.drain()
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        async with asyncio.timeout(SLOW_CLIENT_S):
            await writer.drain()

    async def left() -> None:
        while await reader.read(LARGEST_HEAD):
            pass

    sending, leaving = asyncio.ensure_future(send()), asyncio.ensure_future(left())
    try:
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
        results = await asyncio.gather(sending, leaving, return_exceptions=True)
        await _end(events)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _is_served(path: Path) -> bool:
    """Tell whether a process listens on a socket that is there."""
    try:
        async with asyncio.timeout(SLOW_CLIENT_S):
            _, writer = await asyncio.open_unix_connection(str(path))
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except TimeoutError:
        return True
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
