"""Asks the agent over its Unix socket. It imports nothing of ours: the command line and the page stay light."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any

LARGEST_ANSWER = 4 * 1024 * 1024


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


def get(path: Path, resource: str, *, timeout_s: float = 5.0) -> Any:  # noqa: ANN401 - JSON is what it is
    """Give the JSON at `resource` ("/v1/status"); raise AgentUnreachable or AgentRefused."""
    connection = _UnixConnection(path, timeout_s)
    try:
        connection.request("GET", resource, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read(LARGEST_ANSWER + 1)
        if len(body) > LARGEST_ANSWER:
            raise AgentUnreachable(f"the answer of {path} is over {LARGEST_ANSWER} bytes: is this the agent's socket?")
        if answer.status != http.HTTPStatus.OK:
            raise AgentRefused(answer.status, body.decode("utf-8", "replace").strip())
        return json.loads(body)
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
        connection.close()
