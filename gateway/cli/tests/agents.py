"""A stand-in for the agent: real HTTP on a real Unix socket, with answers that a test makes up."""

import errno
import http.server
import json
import os
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.cli.main import run


def channel(name: str, value: int | str, boot_ms: int = 1000, quality: str = "ok", age_ms: int = 400) -> dict[str, Any]:
    """Give a channel as the agent's status shows it."""
    return {
        "name": name,
        "value": value,
        "exponent": 0,
        "unit": "W",
        "quantity": "active_power_import",
        "quality": quality,
        "boot_ms": boot_ms,
        "age_ms": age_ms,
    }


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    resources: dict[str, Any]


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        resources = cast(_Server, self.server).resources
        found = resources.get(self.path)
        if isinstance(found, list):  # one answer after another, the last one again and again
            found = found.pop(0) if len(found) > 1 else found[0]
        body = json.dumps({"error": f"nothing at {self.path}"} if found is None else found).encode()
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        server = cast(_Server, self.server)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = server.resources[f"POST {self.path}"](body)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def address_string(self) -> str:
        return "local"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the overridden
        pass


@contextmanager
def serving(path: Path, resources: Mapping[str, Any]) -> Iterator[None]:
    """Answer what `resources` holds (path -> JSON, or a list of JSON for one question after another) at a socket.

    Under "POST <path>" stands a function of the body that gives status and answer.
    """
    with _Server(str(path), _Handler) as server:
        server.resources = dict(resources)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        path.chmod(0o660)
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            path.unlink()


def code_of(*arguments: str | Path) -> int:
    """Run the command line in this process; give its exit code."""
    with pytest.raises(SystemExit) as ended:
        run([str(each) for each in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def closed_to_us(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let a file be one that this user may not open, whoever runs the tests."""
    opens = Path.open

    def refusing(self: Path, *how: Any, **more: Any) -> Any:  # noqa: ANN401 - as Path.open has them
        if self == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opens(self, *how, **more)

    monkeypatch.setattr(Path, "open", refusing)
