"""S11: a client that is slow, greedy or one too many is cut, wherever it stops; one that goes on is served."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.web import certificate, server
from gateway.web.access import ROUTES
from gateway.web.connection import bound
from gateway.web.guard import Guard
from gateway.web.refusal import HANDLERS
from gateway.web.server import MOST_CLIENTS, MOST_OF_ONE, TOO_MANY, Serving
from gateway.web.settings import Settings
from gateway.web.store import Store
from gateway.web.tests.browser import PATIENCE_S, drained, unverified
from gateway.web.visitor import FORM_COOKIE

SLOW_S = 0.3
"""What are 10 s on a box."""

LONG_S = 60.0
"""For what is not about slowness: no test waits for it."""

HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
TOKEN = "A" * 43
POST = (
    f"POST /login HTTP/1.1\r\nHost: localhost\r\nOrigin: https://localhost\r\nCookie: {FORM_COOKIE}={TOKEN}\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n"
).encode()


class _Ending(StreamingResponse):
    """Tells when it has ended, in whatever way."""

    def __init__(self, content: AsyncIterator[bytes], ended: asyncio.Event) -> None:
        super().__init__(content)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended.set()


class Streams:
    """Answers that take their time; `ended` is set when the endless one was ended."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def endless(self, _: Request) -> Response:
        """Give more than anybody takes."""

        async def more() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65_536

        return _Ending(more(), self.ended)

    async def patient(self, _: Request) -> Response:
        """Say something now and then, as a stream of events with its heartbeat does."""

        async def beats() -> AsyncIterator[bytes]:
            for beat in range(3):
                await asyncio.sleep(2 * SLOW_S)
                yield f"beat {beat}\n".encode()

        return StreamingResponse(beats(), media_type="text/event-stream")


async def _health(_: Request) -> Response:
    return PlainTextResponse("ok\n")


@asynccontextmanager
async def serving(state: Path, slow_s: float = SLOW_S) -> AsyncIterator[tuple[int, Streams]]:
    """Serve the guarded routes in this process, for as long as the block runs."""
    streams = Streams()
    routes = [
        *ROUTES,
        Route("/health", _health),
        Route("/static/endless", streams.endless),
        Route("/static/patient", streams.patient),
    ]
    ready = asyncio.Event()
    with contextlib.closing(Store(state)) as store, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # noqa: FBT003
        bound(listener, slow_s)
        guarded = Guard(Starlette(routes=routes, exception_handlers=HANDLERS), store, Settings(slow_s=slow_s))
        context = certificate.context(state / "page.pem")
        running = asyncio.create_task(Serving(guarded, listener, context, slow_s=slow_s).run(ready.set))
        await asyncio.wait_for(ready.wait(), PATIENCE_S)
        try:
            yield listener.getsockname()[1], streams
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _connected(port: int, source: str = "127.0.0.1") -> socket.socket:
    plain = socket.socket()
    plain.bind((source, 0))
    # Little room of the client's own: what it does not read soon stays with us.
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(PATIENCE_S)
    plain.connect(("127.0.0.1", port))
    return plain


def _secured(port: int, source: str = "127.0.0.1") -> ssl.SSLSocket:
    return unverified().wrap_socket(_connected(port, source))


async def told(port: int, request: bytes) -> bytes:
    """Send bytes over TLS, go on with nothing, and give what comes until the page hangs up."""

    def talk() -> bytes:
        with _secured(port) as secured:
            secured.sendall(request)
            return drained(secured)

    return await asyncio.to_thread(talk)


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01\x00"])
async def test_s11_a_slow_handshake_is_cut(state: Path, begun: bytes) -> None:
    """Somebody who connects and says nothing, or half a ClientHello, is hung up on."""

    def talk(port: int) -> bytes:
        with _connected(port) as plain:
            plain.sendall(begun)
            return drained(plain)

    async with serving(state) as (port, _):
        assert await asyncio.to_thread(talk, port) == b""


@pytest.mark.parametrize("begun", [b"", b"GET", HEAD[:-2]])
async def test_s11_a_slow_head_is_cut(state: Path, begun: bytes) -> None:
    """Nothing, a word, or all but the end of a head: hung up on without an answer."""
    async with serving(state) as (port, _):
        assert await told(port, begun) == b""


async def test_s11_a_head_that_trickles_is_cut(state: Path) -> None:
    """The time is for the whole head: a byte now and then does not start it again."""

    def trickle(port: int) -> bytes:
        with _secured(port) as secured:
            secured.settimeout(SLOW_S / 4)
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                while True:
                    secured.sendall(b"X")
                    with contextlib.suppress(TimeoutError):
                        return secured.recv(4096)
            return b""

    async with serving(state) as (port, _):
        assert await asyncio.wait_for(asyncio.to_thread(trickle, port), PATIENCE_S) == b""


async def test_s11_an_idle_connection_is_closed(state: Path) -> None:
    """After an answer the next request is waited for no longer than the first; two in time are both answered."""
    async with serving(state) as (port, _):
        assert (await told(port, HEAD + HEAD)).count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize("begun", [b"", b"token=" + TOKEN.encode()])
async def test_s11_a_slow_body_is_408_and_cut(state: Path, begun: bytes) -> None:
    """A body that is announced and does not come."""
    async with serving(state) as (port, _):
        answer = await told(port, POST + b"Content-Length: 2000\r\n\r\n" + begun)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer


async def test_s11_a_body_that_trickles_is_408_and_cut(state: Path) -> None:
    """The time is for the whole body."""

    def trickle(port: int) -> bytes:
        with _secured(port) as secured:
            secured.sendall(POST + b"Content-Length: 60000\r\n\r\n")
            secured.settimeout(SLOW_S / 4)
            answer = b""
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                while not answer:
                    secured.sendall(b"X")
                    with contextlib.suppress(TimeoutError):
                        answer = secured.recv(4096)
            return answer

    async with serving(state) as (port, _):
        answer = await asyncio.wait_for(asyncio.to_thread(trickle, port), PATIENCE_S)
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_s11_a_reader_that_takes_nothing_is_cut(state: Path) -> None:
    """Its answer ends, and what was kept for it is freed."""
    async with serving(state) as (port, streams):
        with await asyncio.to_thread(_secured, port) as secured:
            secured.sendall(HEAD.replace(b"/health", b"/static/endless"))
            await asyncio.wait_for(streams.ended.wait(), PATIENCE_S)


async def test_s11_a_stream_that_is_quiet_for_long_is_not_cut(state: Path) -> None:
    """Events come when there are some: it is the client's silence that is bounded, not ours."""
    request = b"GET /static/patient HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    async with serving(state) as (port, _):
        assert (await told(port, request)).count(b"beat ") == 3


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000, b"431"),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"431"),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 15_000 + b"\r\nConnection: close\r\n\r\n", b"200"),
        (POST + b"Content-Length: 65537\r\n\r\n", b"413"),
        (POST + b"Content-Length: 99999999999999999999\r\n\r\n", b"413"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b"x" * 0x8000, b"408"),
        (
            POST + b"Transfer-Encoding: chunked\r\n\r\n" + (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 2 + b"1\r\nx",
            b"413",
        ),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nno chunk\r\n", b"400"),
        (b"\x00\xff no HTTP\r\n\r\n", b"400"),
    ],
)
async def test_s11_a_request_is_bounded(state: Path, request_: bytes, status: bytes) -> None:
    """A head over 16 KiB is 431, a body over 64 KiB 413, announced or not; what is no HTTP is 400."""
    async with serving(state) as (port, _):
        answer = await told(port, request_)
        assert answer.split(b" ")[1:2] == [status]
        assert (await told(port, HEAD)).startswith(b"HTTP/1.1 200 ")


async def test_s11_there_is_room_for_64_the_others_are_told_so(state: Path) -> None:
    """The 65th gets 503 and when to try again, the 81st is hung up on; who leaves makes room."""
    async with serving(state, LONG_S) as (port, _):
        async with contextlib.AsyncExitStack() as room:
            for each in range(MOST_CLIENTS):
                room.enter_context(await asyncio.to_thread(_secured, port, f"127.0.0.{2 + each % 2}"))
            refused = await told(port, HEAD)
            assert refused.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 5" in refused
            for _ in range(TOO_MANY):
                room.enter_context(await asyncio.to_thread(_secured, port))
            with pytest.raises(OSError):
                await asyncio.to_thread(_secured, port)
        served = HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        await _until(lambda: told(port, served), b"HTTP/1.1 200 ")


async def test_s11_one_address_alone_fills_no_page(state: Path) -> None:
    """The 41st of one address is hung up on, idle as the others may be; whoever comes from another one is served."""
    async with serving(state, LONG_S) as (port, _):
        async with contextlib.AsyncExitStack() as room:
            for _ in range(MOST_OF_ONE):
                room.enter_context(await asyncio.to_thread(_connected, port, "127.0.0.2"))
            with pytest.raises(OSError):
                await asyncio.to_thread(_secured, port, "127.0.0.2")
            assert (await told(port, HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))).startswith(
                b"HTTP/1.1 200 "
            )
        with await _again(port, "127.0.0.2"):
            pass


async def _again(port: int, source: str) -> ssl.SSLSocket:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(OSError):
                return await asyncio.to_thread(_secured, port, source)
            await asyncio.sleep(0.01)


async def _until(ask: Callable[[], Awaitable[bytes]], wanted: bytes) -> None:
    """Ask again until the answer is the wanted one: the page notices those who leave a moment later."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(OSError):
                if (await ask()).startswith(wanted):
                    return
            await asyncio.sleep(0.01)


async def test_the_end_does_not_wait_for_those_who_listen(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless answer is cut when the page is told to end; its client learns of it."""
    monkeypatch.setattr(server, "LAST_WORDS_S", 0.01)
    async with serving(state, LONG_S) as (port, streams):
        secured = await asyncio.to_thread(_secured, port)
        secured.sendall(HEAD.replace(b"/health", b"/static/endless"))
        assert await asyncio.to_thread(secured.recv, 12) == b"HTTP/1.1 200"
    assert streams.ended.is_set()
    with secured:
        await asyncio.to_thread(drained, secured)
