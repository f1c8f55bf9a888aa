"""The control socket answers what it serves, refuses the rest with a reason, and survives any client."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.control.client import AgentRefused, AgentUnreachable, get
from gateway.control.server import LARGEST_HEAD, ControlServer, ControlSocketError


async def status() -> dict[str, str]:
    """Stand in for the agent."""
    return {"gateway": "gw-1"}


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[None]:
    """Serve one resource for as long as the block runs."""
    server = asyncio.create_task(ControlServer(path, {"/v1/status": status}).run())
    while not path.exists() or stat.S_IMODE(path.stat().st_mode) != 0o660:
        await asyncio.sleep(0.01)
        assert not server.done(), server
    try:
        yield
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


def raw(path: Path, request: bytes) -> bytes:
    """Send bytes as they are and give what comes back until the server closes."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while part := client.recv(65536):
            answer += part
        return answer


async def test_it_answers_and_leaves_no_socket_behind(tmp_path: Path) -> None:
    """A resource is given as JSON; the socket is for owner and group, and goes with the agent."""
    path = tmp_path / "control.sock"
    async with serving(path):
        assert await asyncio.to_thread(get, path, "/v1/status") == {"gateway": "gw-1"}
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()


async def test_what_is_not_there_is_refused_with_what_is(tmp_path: Path) -> None:
    """An unknown path names the known ones."""
    path = tmp_path / "control.sock"
    async with serving(path):
        with pytest.raises(AgentRefused, match="/v1/status") as refused:
            await asyncio.to_thread(get, path, "/v1/nothing")
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /v1/status HTTP/1.1\r\nHost: g\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"\x00\xff\x16\x03\x01 not http\r\n\r\n", b"400"),
        (b"GET /v1/status HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /" + b"x" * (2 * LARGEST_HEAD) + b" HTTP/1.1\r\nHost: g\r\n\r\n", b"431"),
        (b"", b""),
    ],
)
async def test_bad_requests_are_answered_and_harm_nothing(tmp_path: Path, request_: bytes, status: bytes) -> None:
    """Whatever a client sends, the next one is served."""
    path = tmp_path / "control.sock"
    async with serving(path):
        answer = await asyncio.to_thread(raw, path, request_)
        assert status in answer.split(b"\r\n")[0]
        assert await asyncio.to_thread(get, path, "/v1/status") == {"gateway": "gw-1"}


async def test_a_socket_left_by_a_dead_agent_is_replaced(tmp_path: Path) -> None:
    """A SIGKILL leaves its socket; the next start takes its place."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    path.chmod(0o600)
    async with serving(path):
        assert await asyncio.to_thread(get, path, "/v1/status") == {"gateway": "gw-1"}


async def test_a_socket_that_is_served_is_never_taken(tmp_path: Path) -> None:
    """A second agent on the same socket is turned away, and the first one goes on answering."""
    path = tmp_path / "control.sock"
    async with serving(path):
        with pytest.raises(ControlSocketError, match="another agent serves there"):
            await ControlServer(path, {}).open()
        assert await asyncio.to_thread(get, path, "/v1/status") == {"gateway": "gw-1"}


async def test_another_file_is_never_replaced(tmp_path: Path) -> None:
    """A mistyped path in the site file costs nobody a file."""
    path = tmp_path / "precious"
    path.write_text("kept")
    with pytest.raises(ControlSocketError, match="is no socket"):
        await ControlServer(path, {}).run()
    assert path.read_text() == "kept"


def test_each_way_of_not_being_there_says_what_to_do(tmp_path: Path) -> None:
    """No socket, and a socket that nobody serves, are told apart."""
    with pytest.raises(AgentUnreachable, match="is it running"):
        get(tmp_path / "none.sock", "/v1/status")
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(AgentUnreachable, match="has ended"):
        get(path, "/v1/status")
    assert os.path.exists(path)  # noqa: PTH110 - Path.exists follows, and this is about the entry
