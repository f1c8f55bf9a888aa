"""Asks the agent over its Unix socket. It imports nothing of ours: the command line and the page stay light."""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

LARGEST_ANSWER = 4 * 1024 * 1024
LONGEST_LINE = 1024 * 1024

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


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("gateway", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


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
    with _answer(path, "GET", _target(resource, query), None, timeout_s) as answer:
        while line := answer.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                raise AgentUnreachable(f"a line of {path} is over {LONGEST_LINE} bytes: is this the agent's socket?")
            yield json.loads(line)


def _target(resource: str, query: Mapping[str, str | int] | None) -> str:
    return f"{resource}?{urlencode(query)}" if query else resource


def _ask(path: Path, method: str, target: str, body: bytes | None, timeout_s: float) -> Any:  # noqa: ANN401 - JSON is what it is
    with _answer(path, method, target, body, timeout_s) as answer:
        content = answer.read(LARGEST_ANSWER + 1)
        if len(content) > LARGEST_ANSWER:
            raise AgentUnreachable(f"the answer of {path} is over {LARGEST_ANSWER} bytes: is this the agent's socket?")
        return json.loads(content)


@contextlib.contextmanager
def _answer(
    path: Path, method: str, target: str, body: bytes | None, timeout_s: float
) -> Iterator[http.client.HTTPResponse]:
    """Send a request and give the answer to be read; whatever goes wrong, there or here, is one of our errors."""
    connection = _UnixConnection(path, timeout_s)
    answer: http.client.HTTPResponse | None = None
    try:
        headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body is not None else {})
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise AgentRefused(answer.status, _reason(answer.read(LARGEST_ANSWER)))
        yield answer
    except FileNotFoundError as error:
        raise AgentUnreachable(f"no agent at {path}: is it running? (gateway run --config SITE.toml)") from error
    except ConnectionRefusedError as error:
        raise AgentUnreachable(f"nobody listens at {path}: the agent has ended; see its log, start it again") from error
    except PermissionError as error:
        raise AgentUnreachable(f"not permitted to open {path}: join the agent's group, or use sudo") from error
    except TimeoutError as error:
        raise AgentSlow(f"no answer at {path} within {timeout_s:g} s: the agent hangs or is starting") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise AgentUnreachable(f"no usable answer at {path}: {error}") from error
    finally:
        if answer is not None:
            answer.close()
        connection.close()


def _reason(content: bytes) -> str:
    """Give the text of a refusal."""
    try:
        return str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        return content.decode("utf-8", "replace").strip()
