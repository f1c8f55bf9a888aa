"""Runs the page: listens, or takes the socket that systemd has opened, serves TLS alone, and ends when told to."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import sys
import time
from asyncio import sslproto
from collections import Counter
from collections.abc import Callable, MutableMapping
from functools import partial

from starlette.types import ASGIApp, Message
from uvicorn.lifespan.on import LifespanOn
from uvicorn.server import ServerState

from gateway.notify import Notifier
from gateway.web import certificate, visitor
from gateway.web.app import application
from gateway.web.certificate import Certificate, CertificateError
from gateway.web.connection import Connection, bound, configured
from gateway.web.schema import StoreError
from gateway.web.settings import WILDCARDS, Settings
from gateway.web.store import Store

log = logging.getLogger(__name__)

OK, CHECK_FAILED = 0, 5

MOST_CLIENTS = 64
TOO_MANY = 16
"""So many more are told that there is no room; the next ones are hung up on before TLS costs us anything."""

MOST_OF_ONE = 40
"""Of one address: a machine that holds connections open, idle or half made, keeps nobody else out."""

LOOK_S = 3600.0
"""How often we look whether the certificate is due."""

LAST_WORDS_S = 1.0
"""How long requests may go on when we are told to end."""

_FIRST_PASSED_FD = 3
_TLS_BUFFER = 16 * 1024


class ListenError(Exception):
    """The page cannot listen; the text says what to do."""


def run(settings: Settings) -> int:
    """Serve the page until SIGTERM or SIGINT; give the exit code: 0 told to end, 5 something is to be mended first.

    Where it serves is told on stdout, in a line; everything else on stderr.
    """
    # systemd and its journal stamp each line themselves.
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    # It warns of each request that is no HTTP: whoever scans the network could fill the journal.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    # asyncio's 256 KiB for each connection are 16 MB at 64; a TLS record has 16 KiB.
    sslproto.SSLProtocol.max_size = _TLS_BUFFER
    try:
        with contextlib.closing(Store(settings.state)) as store, _listener(settings, os.environ) as listener:
            kept = certificate.kept(settings, time.time())
            return asyncio.run(_until_told(settings, store, listener, kept))
    except (StoreError, ListenError, CertificateError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - to whoever started it, as it is
        return CHECK_FAILED


def _listener(settings: Settings, environment: MutableMapping[str, str]) -> socket.socket:
    """Give the listening socket, systemd's if it passed one; raise ListenError."""
    passed = {name: environment.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    try:
        if passed["LISTEN_PID"] == str(os.getpid()) and passed["LISTEN_FDS"].isdecimal() and int(passed["LISTEN_FDS"]):
            listener = socket.socket(fileno=_FIRST_PASSED_FD)
            listener.set_inheritable(False)
        else:
            family = socket.AF_INET6 if ":" in settings.listen else socket.AF_INET
            listener = socket.create_server((settings.listen, settings.port), family=family)
    except OSError as error:
        raise ListenError(
            f"{settings.listen} port {settings.port}: cannot listen there ({error.strerror or error}): is another page "
            "running? Name another with --listen and --port"
        ) from error
    if listener.type != socket.SOCK_STREAM or listener.family not in {socket.AF_INET, socket.AF_INET6}:
        listener.close()
        raise ListenError("systemd passed a socket that is not TCP: ListenStream= of gateway-web.socket names a port")
    listener.setblocking(False)  # noqa: FBT003 - the name says it
    bound(listener, settings.slow_s)
    return listener


def addresses(listener: socket.socket) -> list[str]:
    """Give the addresses of the page that listens there, those that need no name service first."""
    host, port = listener.getsockname()[:2]
    hosts = [host]
    if host in WILDCARDS:
        own = certificate.own_addresses()
        four_only = listener.family == socket.AF_INET
        hosts = [each for each in own if not (four_only and ":" in each)] + [f"{socket.gethostname()}.local"]
    at = "" if port == 443 else f":{port}"
    return [f"https://[{each}]{at}/" if ":" in each else f"https://{each}{at}/" for each in hosts]


async def _until_told(settings: Settings, store: Store, listener: socket.socket, kept: Certificate) -> int:
    systemd = Notifier.of(os.environ)
    context = certificate.context(kept.file)
    app = application(settings, store)
    page = Serving(app, listener, context, slow_s=settings.slow_s)
    told = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, told.set)

    def ready() -> None:
        served = addresses(listener)
        try:
            store.set_addresses(served)
        except StoreError as error:  # `gateway passwd` alone wants them, and could change nothing either
            log.warning("%s", error)
        print(served[0], flush=True)  # noqa: T201 - the one line that whoever started us waits for
        log.info("serving %s", " ".join(served))
        systemd.ready()

    pulse = _Pulse(app)
    tasks = [
        asyncio.create_task(each)
        for each in (
            page.run(ready),
            told.wait(),
            _renewing(settings, context, kept),
            pulse.run((systemd.watchdog_s or 60.0) / 6),
            systemd.keep(lambda: pulse.beats, lambda: f"{page.clients} clients"),
        )
    ]
    # Without systemd nobody is told how we are, and `keep` has ended at once.
    await asyncio.wait(tasks[:4], return_when=asyncio.FIRST_COMPLETED)
    systemd.stopping()
    for task in reversed(tasks):
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
    return OK


class Serving:
    """Serves an application over TLS to whoever connects to a listening socket."""

    def __init__(self, app: ASGIApp, listener: socket.socket, context: ssl.SSLContext, *, slow_s: float) -> None:
        self._config = configured(app, slow_s)
        self._state = ServerState()
        self._listener = listener
        self._context = context
        self._slow_s = slow_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._of_one: Counter[str] = Counter()

    @property
    def clients(self) -> int:
        """Give how many are connected, those included with whom TLS does not stand yet."""
        return len(self._tasks)

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled; `ready` is called when clients are served."""
        lifespan = LifespanOn(self._config)
        await lifespan.startup()
        if lifespan.should_exit:
            raise RuntimeError("the page's application did not start; the lines before say why")
        try:
            ready()
            await self._accept()
        finally:
            await self._end()
            await lifespan.shutdown()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connected, peer = await loop.sock_accept(self._listener)
            except OSError as error:
                log.warning("no client can be accepted: %s", error)
                await asyncio.sleep(1)
                continue
            address = visitor.address(peer[0])
            if self.clients >= MOST_CLIENTS + TOO_MANY or self._of_one[address] >= MOST_OF_ONE:
                connected.close()
                continue
            self._of_one[address] += 1
            task = loop.create_task(self._serve(connected, full=self.clients >= MOST_CLIENTS))
            self._tasks.add(task)
            task.add_done_callback(partial(self._left, address))

    def _left(self, address: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._of_one[address] -= 1
        if not self._of_one[address]:
            del self._of_one[address]

    async def _serve(self, connected: socket.socket, *, full: bool) -> None:
        """Serve one client to its end; one that breaks off TLS has just gone."""
        with contextlib.suppress(OSError):
            _, connection = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Connection(self._config, self._state, {}, slow_s=self._slow_s, full=full),
                connected,
                ssl=self._context,
                ssl_handshake_timeout=self._slow_s,
                ssl_shutdown_timeout=self._slow_s,
            )
            await connection.lost.wait()

    async def _end(self) -> None:
        """Let what is being answered end, for a moment; then everybody is cut."""
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=LAST_WORDS_S)
        for connection in list(self._state.connections):
            connection.transport.abort()
        rest = [*self._tasks, *self._state.tasks]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


class _Pulse:
    """Counts how often the application, asked as by a client, has answered: what the watchdog is fed with."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.beats = 0

    async def run(self, every_s: float) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await self._ask()

    async def _ask(self) -> None:
        path = "/health"
        scope: MutableMapping[str, object] = {
            "type": "http",
            "method": "GET",
            "scheme": "https",
            "http_version": "1.1",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "client": None,
            "server": None,
            "state": {},
        }

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            self.beats += message.get("status") == 200

        await self._app(scope, receive, send)


async def _renewing(settings: Settings, context: ssl.SSLContext, kept: Certificate) -> None:
    """Renew the certificate whenever it is due, until cancelled; one that cannot be renewed is tried again."""
    while True:
        await asyncio.sleep(LOOK_S)
        kept = await renewed(settings, context, kept, time.time())


async def renewed(settings: Settings, context: ssl.SSLContext, kept: Certificate, now_s: float) -> Certificate:
    """Give the certificate that is served from now on, another one if it is due."""
    if not kept.is_due(now_s):
        return kept
    try:
        made = await asyncio.to_thread(certificate.kept, settings, now_s)
        certificate.load(context, made.file)
    except CertificateError as error:
        log.error("the certificate is due and is not renewed: %s", error)  # noqa: TRY400 - its text says all
        return kept
    log.info("the page has a new certificate, SHA-256 %s", made.fingerprint)
    return made
