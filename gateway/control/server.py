"""The agent's local door: HTTP over a Unix socket. The command line and the page know nothing else of the agent."""

import asyncio
import contextlib
import json
import logging
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import h11

log = logging.getLogger(__name__)

Resource = Callable[[], Awaitable[object]]
"""Gives what stands at a path, as JSON-able objects."""

LARGEST_HEAD = 16 * 1024
SLOW_CLIENT_S = 10.0
MOST_CLIENTS = 16


class ControlSocketError(Exception):
    """The control socket cannot be made; the text says what to do."""


class ControlServer:
    """Serves `resources` (path -> Resource) on the Unix socket at `path`, for its owner and its group (0660)."""

    def __init__(self, path: Path, resources: Mapping[str, Resource]) -> None:
        self._path = path
        self._resources = resources
        self._clients = 0
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen; a socket left by a process that died is replaced, nothing else is. Raise ControlSocketError."""
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
            await self._server.serve_forever()
        finally:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            async with asyncio.timeout(SLOW_CLIENT_S):
                writer.write(await self._answer(reader))
                await writer.drain()
        except (TimeoutError, ConnectionError):
            log.debug("a client of the control socket went away or was too slow")
        finally:
            self._clients -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        """Give the bytes of one answer; each connection carries one request, which is all that our clients need."""
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)
        try:
            status, body = await self._respond(await _request(connection, reader))
        except h11.RemoteProtocolError as error:
            status, body = error.error_status_hint, {"error": f"not HTTP as we take it: {error}"}
        payload = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        if connection.our_state is h11.ERROR or connection.our_state is h11.CLOSED:
            return b""
        head = h11.Response(
            status_code=status,
            headers=[
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(payload))),
                ("Cache-Control", "no-store"),
                ("Connection", "close"),
            ],
        )
        parts = [
            connection.send(head),
            connection.send(h11.Data(payload)),
            connection.send(h11.EndOfMessage()),
        ]
        return b"".join(part for part in parts if part)

    async def _respond(self, request: h11.Request | None) -> tuple[int, object]:
        if request is None:
            return 400, {"error": "no request came"}
        if self._clients > MOST_CLIENTS:
            return 503, {"error": f"more than {MOST_CLIENTS} clients at once: try again"}
        path = request.target.partition(b"?")[0].decode("ascii", "replace")
        resource = self._resources.get(path)
        if resource is None:
            return 404, {"error": f"nothing at {path}; there is: {', '.join(sorted(self._resources))}"}
        if request.method != b"GET":
            return 405, {"error": f"{path} can only be read (GET)"}
        return 200, await resource()


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


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """Read up to the head of one request, None if the client left; a body is not waited for."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(LARGEST_HEAD))
        elif isinstance(event, h11.Request):
            return event
        else:
            return None
