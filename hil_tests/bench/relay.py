"""A TCP relay between two ends of the bench: what lies between a building and its broker, made to order.

Each way has a delay, a rate with a queue of its own (a router's), and can fall silent without closing anything, which
is how a mobile network or a firewall loses a connection. It knows nothing of what passes.

    python -m hil_tests.bench.relay PORT [--delay-ms 40] [--rate 64000]     prints the port on which it listens
"""

import argparse
import asyncio
import contextlib
import socket
from collections import deque
from types import TracebackType
from typing import Self

_LOOPBACK = "127.0.0.1"
_CHUNK = 4096
_RECEIVE_BUFFER = 8192
_UNBOUNDED = float("inf")

_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """`async with Relay(port) as relay:` listens on `relay.port` and passes each connection on to `port`.

    `delay_ms` is one way; `rate` in bytes a second, each way for itself, None for no limit; `queue` the bytes that wait
    before the narrow place until the sender is held back. All three may be changed while it runs.
    """

    def __init__(
        self, target: int, *, delay_ms: float = 0, rate: float | None = None, queue: int = 65_536, port: int = 0
    ) -> None:
        self.port = port
        self.target = target
        self.delay_ms = delay_ms
        self.rate = rate
        self.queue = queue
        self.connections = 0
        """Connections taken since the start."""
        self.up = self.down = 0
        """Bytes passed on to the target, and back from it."""
        self.refusing = False
        """Whether new connections are closed at once."""
        self._passes = asyncio.Event()
        self._passes.set()
        self._open: set[_Pair] = set()
        self._serving: set[asyncio.Future[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, sock=_socket(_LOOPBACK, self.port), limit=_CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.refusing = True
        self._passes.set()
        self.cut()
        while self._serving:
            await asyncio.wait(self._serving, timeout=0.1)
            self.cut()
        await self._server.wait_closed()

    @property
    def open_connections(self) -> int:
        """Connections that are up now."""
        return len(self._open)

    def cut(self) -> None:
        """End every connection at once, as a router does that forgets them (RST where data is under way)."""
        for pair in self._open:
            pair.abort()

    def hold(self) -> None:
        """Half-open: pass nothing on any more, in no direction, and close nothing; new connections hang as well."""
        self._passes.clear()

    def release(self) -> None:
        """Pass on again what was held, and what comes."""
        self._passes.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._serving.add(over)
        try:
            await self._passes.wait()
            if not self.refusing:
                await self._join((reader, writer))
        finally:
            writer.transport.abort()
            self._serving.discard(over)
            over.set_result(None)

    async def _join(self, near: _End) -> None:
        try:
            far = await _onward(self.target)
        except OSError:
            return
        pair = _Pair(self, near, far)
        self._open.add(pair)
        try:
            await pair.run()
        finally:
            self._open.discard(pair)

    async def passes(self) -> None:
        """Wait while nothing is passed on."""
        await self._passes.wait()


class _Pair:
    """One connection: its two ends."""

    def __init__(
        self,
        relay: Relay,
        near: _End,
        far: _End,
    ) -> None:
        self._relay = relay
        self._near = near
        self._far = far
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Pass on until one end has gone."""
        ways = (
            asyncio.ensure_future(_Way(self._relay, up=True).run(self._near[0], self._far[1])),
            asyncio.ensure_future(_Way(self._relay, up=False).run(self._far[0], self._near[1])),
        )
        try:
            await asyncio.wait((*ways, self.over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for _, writer in (self._near, self._far):
                writer.transport.abort()

    def abort(self) -> None:
        """End it now."""
        if not self.over.done():
            self.over.set_result(None)


class _Way:
    """One direction: read, wait its turn at the narrow place, travel, be written."""

    def __init__(self, relay: Relay, *, up: bool) -> None:
        self._relay = relay
        self._up = up
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._changed = asyncio.Event()
        self._free_at = 0.0
        self._ended = False

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on until the reader ends and everything has arrived, or the other end has gone."""
        reading = asyncio.ensure_future(self._read(reader))
        try:
            with contextlib.suppress(OSError):
                await self._write(writer)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        now = asyncio.get_running_loop().time
        try:
            while data := await reader.read(_CHUNK):
                rate = self._relay.rate or _UNBOUNDED
                self._free_at = max(now(), self._free_at) + len(data) / rate
                self._under_way.append((self._free_at + self._relay.delay_ms / 1_000, data))
                self._changed.set()
                # What has left the narrow place is on its way and takes no room before it.
                while self._relay.rate and (self._free_at - now()) * self._relay.rate > self._relay.queue:
                    await asyncio.sleep(_CHUNK / self._relay.rate)
        except OSError:
            pass
        self._ended = True
        self._changed.set()

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        now = asyncio.get_running_loop().time
        while True:
            if not self._under_way:
                if self._ended:
                    return
                self._changed.clear()
                await self._changed.wait()
                continue
            due, data = self._under_way[0]
            if due > now():
                await asyncio.sleep(due - now())
            await self._relay.passes()
            self._under_way.popleft()
            writer.write(data)
            await writer.drain()
            if self._up:
                self._relay.up += len(data)
            else:
                self._relay.down += len(data)


def _socket(host: str, port: int) -> socket.socket:
    """Give a bound socket with a small receive buffer: else the kernel would be a second queue, of megabytes."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    made.bind((host, port))
    made.setblocking(False)  # noqa: FBT003 - the signature of the standard library
    return made


async def _onward(port: int) -> _End:
    made = _socket(_LOOPBACK, 0)
    try:
        await asyncio.get_running_loop().sock_connect(made, (_LOOPBACK, port))
    except BaseException:
        made.close()
        raise
    return await asyncio.open_connection(sock=made, limit=_CHUNK)


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hil_tests.bench.relay", description="A slow, far TCP relay.")
    parser.add_argument("target", type=int, help="the port on the loopback to pass on to")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on (0: a free one)")
    parser.add_argument("--delay-ms", type=float, default=0, help="one way")
    parser.add_argument("--rate", type=float, help="bytes a second, each way")
    asked = parser.parse_args()
    async with Relay(asked.target, delay_ms=asked.delay_ms, rate=asked.rate, port=asked.port) as relay:
        print(relay.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
