"""Asks the agent over its Unix socket. It imports nothing of ours: the command line and the page stay light.

The protocol is h11's, for `http.client` costs a program 6 MB: it brings `email` and `ssl` with it.
"""

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import h11

LARGEST_ANSWER = 4 * 1024 * 1024
LONGEST_LINE = 1024 * 1024

_OK = 200
_AT_ONCE = 65_536

SILENCE_S = 40.0
"""A stream says something each 15 s; one that is silent for longer has ended."""


class AgentUnreachable(Exception):
    """The agent does not answer on its control socket; the text says what to do."""


class AgentSlow(AgentUnreachable):
    """The agent is there and does not answer in time."""


class AgentRefused(Exception):
    """The agent answered, and refused; `status` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Exchange:
    """One request, and its answer as it comes, on a connection of its own."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._http = h11.Connection(h11.CLIENT)

    def ask(self, method: str, target: str, body: bytes | None) -> int:
        """Send the request; give the HTTP status of the answer."""
        headers = [("Host", "gateway"), ("Accept", "application/json")]
        if body is not None:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        events = [h11.Request(method=method, target=target, headers=headers), h11.Data(body or b""), h11.EndOfMessage()]
        self._socket.sendall(b"".join(self._http.send(event) or b"" for event in events))
        while not isinstance(answer := self._next(), h11.Response):
            pass
        return answer.status_code

    def parts(self) -> Iterator[bytes]:
        """Give what the answer says, in pieces of any size, to its end."""
        while isinstance(event := self._next(), h11.Data):
            yield bytes(event.data)

    def _next(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(self._socket.recv(_AT_ONCE))
        return event


def get(path: Path, resource: str, query: Mapping[str, str | int] | None = None, *, timeout_s: float = 5.0) -> Any:  # noqa: ANN401 - JSON is what it is
    """Give the JSON at `resource` ("/v1/status"); raise AgentUnreachable or AgentRefused."""
    return _ask(path, "GET", _target(resource, query), None, timeout_s)


def post(path: Path, resource: str, body: Mapping[str, str | int], *, timeout_s: float = 5.0) -> Any:  # noqa: ANN401 - JSON is what it is
    """Order something, and give the agent's JSON answer; raise AgentUnreachable or AgentRefused."""
    return _ask(path, "POST", resource, json.dumps(body).encode(), timeout_s)


def delete(path: Path, resource: str, query: Mapping[str, str | int] | None = None, *, timeout_s: float = 5.0) -> Any:  # noqa: ANN401 - JSON is what it is
    """End something, and give the agent's JSON answer; raise AgentUnreachable or AgentRefused."""
    return _ask(path, "DELETE", _target(resource, query), None, timeout_s)


def stream(
    path: Path, resource: str, query: Mapping[str, str | int] | None = None, *, timeout_s: float = SILENCE_S
) -> Iterator[dict[str, Any]]:
    """Give what the agent tells as it comes, heartbeats included; raise AgentUnreachable or AgentRefused.

    Ends when the agent ends it. The connection goes with the iterator: close it, or let it be collected.
    """
    with _answer(path, "GET", _target(resource, query), None, timeout_s) as parts:
        rest = b""
        for part in parts:
            *lines, rest = (rest + part).split(b"\n")
            if max(map(len, (*lines, rest))) > LONGEST_LINE:
                raise ValueError(f"a line of more than {LONGEST_LINE} bytes: is this the agent's socket?")
            yield from map(json.loads, lines)
        if rest:
            raise ValueError("it ended in the middle of a line")


def _target(resource: str, query: Mapping[str, str | int] | None) -> str:
    return f"{resource}?{urlencode(query)}" if query else resource


def _ask(path: Path, method: str, target: str, body: bytes | None, timeout_s: float) -> Any:  # noqa: ANN401 - JSON is what it is
    with _answer(path, method, target, body, timeout_s) as parts:
        return json.loads(_whole(parts))


@contextlib.contextmanager
def _answer(path: Path, method: str, target: str, body: bytes | None, timeout_s: float) -> Iterator[Iterator[bytes]]:
    """Send a request and give the answer to be read; whatever goes wrong, there or here, is one of our errors."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            exchange = _Exchange(connection)
            status = exchange.ask(method, target, body)
            if status != _OK:
                raise AgentRefused(status, _reason(_whole(exchange.parts())))
            yield exchange.parts()
    except FileNotFoundError as error:
        raise AgentUnreachable(f"no agent at {path}: is it running? (systemctl status gateway)") from error
    except ConnectionRefusedError as error:
        raise AgentUnreachable(f"nobody listens at {path}: the agent has ended; see its log, start it again") from error
    except PermissionError as error:
        raise AgentUnreachable(f"not permitted to open {path}: join the agent's group, or use sudo") from error
    except TimeoutError as error:
        raise AgentSlow(f"no answer at {path} within {timeout_s:g} s: the agent hangs or is starting") from error
    except (OSError, h11.ProtocolError, ValueError, RecursionError) as error:
        raise AgentUnreachable(f"no usable answer at {path}: {error}") from error


def _whole(parts: Iterator[bytes]) -> bytes:
    """Put an answer together; raise ValueError where it is far too long."""
    content = bytearray()
    for part in parts:
        content += part
        if len(content) > LARGEST_ANSWER:
            raise ValueError(f"more than {LARGEST_ANSWER} bytes: is this the agent's socket?")
    return bytes(content)


def _reason(content: bytes) -> str:
    """Give the text of a refusal."""
    try:
        return str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        return content.decode("utf-8", "replace").strip()
