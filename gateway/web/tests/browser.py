"""A page that really serves, in a process of its own, and a browser of a few lines that keeps its cookies."""

import contextlib
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from email.message import Message
from http.cookies import SimpleCookie
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from gateway.web.store import Store
from gateway.web.visitor import FORM_COOKIE

PASSWORD = "lapin violet sous la pluie"  # noqa: S105 - of a test
PATIENCE_S = 30.0
"""A safety net: no test measures time by it."""


def unverified() -> ssl.SSLContext:
    """Give what a browser does once its warning was clicked away."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Message
    text: str


class Browser:
    """Asks the page at a port of this machine, from one of its loopback addresses."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.port = port
        self.cookies: dict[str, str] = {}
        self._source = source

    def ask(
        self, method: str, path: str, body: str | bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request; what it has in `headers` goes instead of what a browser sends."""
        always = {"Accept": "text/html", "Host": f"127.0.0.1:{self.port}"}
        if self.cookies:
            always["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with self._answer(method, path, body, {**always, **(headers or {})}) as found:
            return Answer(found.status, found.headers, found.read().decode())

    def begin(self, path: str) -> tuple[int, Message]:
        """Give the beginning of an answer that may have no end."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with self._answer("GET", path, None, {"Cookie": cookies}) as found:
            return found.status, found.headers

    @contextlib.contextmanager
    def _answer(
        self, method: str, path: str, body: str | bytes | None, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=PATIENCE_S, context=unverified(), source_address=(self._source, 0)
        )
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers))
            found = connection.getresponse()
            for line in found.headers.get_all("Set-Cookie", []):
                for name, morsel in SimpleCookie(line).items():
                    self.cookies[name] = morsel.value
                    if not morsel.value:
                        del self.cookies[name]
            yield found

    def get(self, path: str, **headers: str) -> Answer:
        """Open an address."""
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """Send a form as a browser does, from a page that was opened before."""
        if FORM_COOKIE not in self.cookies:
            self.get("/first-use")
        form = {"token": self.cookies[FORM_COOKIE], **fields}
        usual = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://127.0.0.1:{self.port}"}
        return self.ask("POST", path, urlencode(form), {**usual, **(headers or {})})

    def log_in(self, password: str = PASSWORD) -> Answer:
        """Send the form of the login."""
        return self.post("/login", {"password": password})

    def first_use(self, code: str, password: str = PASSWORD) -> Answer:
        """Send the form of the first use."""
        return self.post("/first-use", {"code": code, "new": password, "again": password})


class Page(NamedTuple):
    """A page that runs."""

    process: "subprocess.Popen[str]"
    port: int
    state: Path

    def browser(self, source: str = "127.0.0.1") -> Browser:
        """Give a browser that knows nothing yet."""
        return Browser(self.port, source)

    def set_up(self) -> Browser:
        """Give a browser that has set the password, and is logged in by that."""
        code = make_code(self.state)
        browser = self.browser()
        assert browser.first_use(code).status == 303
        return browser


def make_code(state: Path) -> str:
    """Make a one-time code beside a page that runs."""
    with contextlib.closing(Store(state)) as store:
        return store.make_code()


@contextlib.contextmanager
def serving(state: Path, *options: str, **environment: str) -> Iterator[Page]:
    """Run `gateway web` on any free port, without an agent, and end it; it must end well."""
    command = [sys.executable, "-m", "gateway", "web", "--state", str(state), "--socket", str(state / "no-agent.sock")]
    process = subprocess.Popen(  # noqa: S603 - this very interpreter
        [*command, "--listen", "127.0.0.1", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_ARENA_MAX": "1", **environment},
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.fullmatch(r"https://127\.0\.0\.1:(\d+)/\n", line)
        assert found is not None, (line, process.communicate(timeout=PATIENCE_S))
        yield Page(process, int(found[1]), state)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode in {0, -signal.SIGKILL}, told
    assert "Traceback" not in told, told


def raw(port: int, request: bytes) -> bytes:
    """Send bytes over TLS and give what comes back until the page hangs up."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as plain,
        unverified().wrap_socket(plain) as secured,
    ):
        secured.sendall(request)
        return drained(secured)


def drained(secured: socket.socket) -> bytes:
    """Give all that comes until the other end hangs up, in whatever way."""
    answer = b""
    with contextlib.suppress(OSError):
        while part := secured.recv(65536):
            answer += part
    return answer
