"""The control socket answers what it serves, refuses the rest with a reason, and survives any client."""

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.control import client, server
from gateway.control.client import AgentRefused, AgentUnreachable
from gateway.control.events import MOST_BEHIND, MOST_LISTENERS, Events
from gateway.control.exchange import LARGEST_HEAD
from gateway.control.rights import Peer, Rights, peer_of
from gateway.control.routes import Call, Field, Right, Route, Text, Whole, get
from gateway.control.server import ControlServer, ControlSocketError

HUGE = 3


async def status(_: Call) -> object:
    """Stand in for the agent."""
    return {"gateway": "gw-1"}


async def echo(call: Call) -> object:
    """Give back what was asked."""
    return {"path": dict(call.path), "query": dict(call.query), "body": dict(call.body)}


async def broken(_: Call) -> object:
    """Stand in for a mistake of ours."""
    raise ZeroDivisionError


EVENTS = Events(lambda: 7)
ROUTES = (
    get("/v1/status", "The status.", status),
    get("/v1/broken", "A mistake.", broken),
    get("/v1/echo/{name}", "An echo.", echo, Field("limit", Whole(1, 9), "how many", default=HUGE)),
    Route("POST", "/v1/order", Right.ACT, "An order.", echo, body=(Field("why", Text(1, 20), "why", is_needed=True),)),
    Route("DELETE", "/v1/order", Right.ACT, "No order.", echo),
    Route("GET", "/v1/events", Right.READ, "Events.", stream=lambda _: EVENTS.listen(frozenset({"reading"}))),
)


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[None]:
    """Serve one resource for as long as the block runs."""
    serving_ = asyncio.create_task(ControlServer(path, ROUTES, version="1").run())
    while not path.exists() or stat.S_IMODE(path.stat().st_mode) != 0o660:
        await asyncio.sleep(0.01)
        assert not serving_.done(), serving_
    try:
        yield
    finally:
        serving_.cancel()
        await asyncio.gather(serving_, return_exceptions=True)


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
        assert await asyncio.to_thread(client.get, path, "/v1/status") == {"gateway": "gw-1"}
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()


async def test_what_is_not_there_is_refused_with_what_is(tmp_path: Path) -> None:
    """An unknown path names the known ones."""
    path = tmp_path / "control.sock"
    async with serving(path):
        with pytest.raises(AgentRefused, match="/v1/status") as refused:
            await asyncio.to_thread(client.get, path, "/v1/nothing")
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /v1/status HTTP/1.1\r\nHost: g\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"\x00\xff\x16\x03\x01 not http\r\n\r\n", b"400"),
        (b"GET /v1/status HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /" + b"x" * (2 * LARGEST_HEAD) + b" HTTP/1.1\r\nHost: g\r\n\r\n", b"431"),
        (b"POST /v1/order HTTP/1.1\r\nHost: g\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000, b"413"),
        (b"POST /v1/order HTTP/1.1\r\nHost: g\r\nContent-Length: 9\r\n\r\n{}", b""),
        (b"GET http://elsewhere/v1/status HTTP/1.1\r\nHost: g\r\n\r\n", b"400"),
        (b"", b""),
    ],
)
async def test_bad_requests_are_answered_and_harm_nothing(tmp_path: Path, request_: bytes, status: bytes) -> None:
    """Whatever a client sends, the next one is served."""
    path = tmp_path / "control.sock"
    async with serving(path):
        answer = await asyncio.to_thread(raw, path, request_)
        assert status in answer.split(b"\r\n")[0]
        assert await asyncio.to_thread(client.get, path, "/v1/status") == {"gateway": "gw-1"}


async def test_a_wrong_method_is_told_with_the_right_ones(tmp_path: Path) -> None:
    """A 405 names in `Allow` what the path takes, as RFC 9110 wants, so that a program finds it too."""
    path = tmp_path / "control.sock"
    async with serving(path):
        answer = await asyncio.to_thread(raw, path, b"GET /v1/order HTTP/1.1\r\nHost: g\r\n\r\n")
        other = await asyncio.to_thread(raw, path, b"GET /v1/nothing HTTP/1.1\r\nHost: g\r\n\r\n")
    assert b"\r\nAllow: DELETE, POST\r\n" in answer
    assert b"Allow:" not in other


async def test_a_socket_left_by_a_dead_agent_is_replaced(tmp_path: Path) -> None:
    """A SIGKILL leaves its socket; the next start takes its place."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    path.chmod(0o600)
    async with serving(path):
        assert await asyncio.to_thread(client.get, path, "/v1/status") == {"gateway": "gw-1"}


async def test_a_socket_that_is_served_is_never_taken(tmp_path: Path) -> None:
    """A second agent on the same socket is turned away, and the first one goes on answering."""
    path = tmp_path / "control.sock"
    async with serving(path):
        with pytest.raises(ControlSocketError, match="another agent serves there"):
            await ControlServer(path, ()).open()
        assert await asyncio.to_thread(client.get, path, "/v1/status") == {"gateway": "gw-1"}


async def test_another_file_is_never_replaced(tmp_path: Path) -> None:
    """A mistyped path in the site file costs nobody a file."""
    path = tmp_path / "precious"
    path.write_text("kept")
    with pytest.raises(ControlSocketError, match="is no socket"):
        await ControlServer(path, ()).run()
    assert path.read_text() == "kept"


def test_each_way_of_not_being_there_says_what_to_do(tmp_path: Path) -> None:
    """No socket, and a socket that nobody serves, are told apart."""
    with pytest.raises(AgentUnreachable, match="is it running"):
        client.get(tmp_path / "none.sock", "/v1/status")
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(AgentUnreachable, match="has ended"):
        client.get(path, "/v1/status")
    assert os.path.exists(path)  # noqa: PTH110 - Path.exists follows, and this is about the entry


async def test_what_is_asked_comes_through_whole(tmp_path: Path) -> None:
    """Path, query and body reach the one who answers as they were meant; what is absent has its default."""
    path = tmp_path / "control.sock"
    async with serving(path):
        answer = await asyncio.to_thread(client.get, path, "/v1/echo/%C3%A9%2Fa", {"limit": 4})
        assert answer == {"path": {"name": "é/a"}, "query": {"limit": 4}, "body": {}}
        assert (await asyncio.to_thread(client.get, path, "/v1/echo/b"))["query"] == {"limit": HUGE}
        assert (await asyncio.to_thread(client.post, path, "/v1/order", {"why": "été"}))["body"] == {"why": "été"}
        assert (await asyncio.to_thread(client.delete, path, "/v1/order"))["body"] == {}


async def test_a_mistake_of_ours_is_an_answer_and_a_log_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A bug in an answer for people ends nothing, tells the client nothing of itself, and stands in the log."""
    path = tmp_path / "control.sock"
    async with serving(path):
        with pytest.raises(AgentRefused, match="its log") as refused:
            await asyncio.to_thread(client.get, path, "/v1/broken")
        assert refused.value.status == 500
        assert await asyncio.to_thread(client.get, path, "/v1/status") == {"gateway": "gw-1"}
    assert "ZeroDivisionError" in caplog.text


async def test_the_kernel_says_who_is_there() -> None:
    """The peer is this very process, with all its groups."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_of(ours) == Peer(os.getpid(), os.geteuid(), frozenset({os.getegid(), *os.getgroups()}))


def test_reading_and_acting_are_told_apart() -> None:
    """Who can open the socket reads; the agent's user, root and one group act, nobody else."""
    rights = Rights(owner=990, act_gid=800)
    owner, root, member, other = (
        Peer(1, 990, frozenset({990})),
        Peer(1, 0, frozenset({0})),
        Peer(1, 1000, frozenset({1000, 800})),
        Peer(1, 1000, frozenset({1000, 990})),
    )
    assert [rights.allow(peer, Right.READ) for peer in (owner, root, member, other)] == [True] * 4
    assert [rights.allow(peer, Right.ACT) for peer in (owner, root, member, other)] == [True, True, True, False]
    assert not Rights(owner=990).allow(member, Right.ACT)


async def test_who_may_not_act_is_refused_before_what_he_sends_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order of a peer without the right is answered 403 and goes nowhere; the same peer may read."""
    path = tmp_path / "control.sock"
    monkeypatch.setattr("gateway.control.rights.peer_of", lambda _: Peer(1, 65_534, frozenset({65_534})))
    async with serving(path):
        with pytest.raises(AgentRefused, match="act_group") as refused:
            await asyncio.to_thread(client.post, path, "/v1/order", {"nonsense": 1})
        assert refused.value.status == 403
        assert await asyncio.to_thread(client.get, path, "/v1/status") == {"gateway": "gw-1"}


async def test_a_group_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A mistyped group ends the start with what to do, and does not silently take the right away."""
    with pytest.raises(ControlSocketError, match="no group 'no-such-group'"):
        await ControlServer(tmp_path / "control.sock", (), act_group="no-such-group").open()


async def heard(stream: "asyncio.Queue[dict[str, object]]") -> dict[str, object]:
    """Give the next event."""
    async with asyncio.timeout(5):
        return await stream.get()


@asynccontextmanager
async def listening(path: Path) -> AsyncIterator["asyncio.Queue[dict[str, object]]"]:
    """Listen to events in a thread of its own, as a client does, until the stream ends or the server does."""
    queue: asyncio.Queue[dict[str, object]] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def listen() -> None:
        with contextlib.suppress(AgentUnreachable):
            for event in client.stream(path, "/v1/events"):
                loop.call_soon_threadsafe(queue.put_nowait, event)

    task = asyncio.create_task(asyncio.to_thread(listen))
    yield queue
    async with asyncio.timeout(5):
        await task


async def test_events_reach_who_listens(tmp_path: Path) -> None:
    """A listener is told that it listens, then each event of the kinds that it asked for, as it happens."""
    path = tmp_path / "control.sock"
    async with contextlib.AsyncExitStack() as stack, serving(path):
        queue = await stack.enter_async_context(listening(path))
        assert await heard(queue) == {"event": "begin", "boot_ms": 7, "kinds": ["reading"]}
        assert (EVENTS.heard("reading"), EVENTS.heard("other")) == (True, False)
        EVENTS.tell("other", {"value": 1})
        EVENTS.tell("reading", {"value": 2})
        assert await heard(queue) == {"event": "reading", "boot_ms": 7, "value": 2}
    assert not EVENTS.heard("reading")


async def test_a_listener_that_leaves_frees_its_place(tmp_path: Path) -> None:
    """Nothing is written for, nor kept of, a client that has gone."""
    path = tmp_path / "control.sock"
    async with serving(path):
        _, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"GET /v1/events HTTP/1.1\r\nHost: g\r\n\r\n")
        async with asyncio.timeout(5):
            while not EVENTS.heard("reading"):  # noqa: ASYNC110 - a client is waited for, which sets no Event
                await asyncio.sleep(0.01)
            writer.close()
            while EVENTS.heard("reading"):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)


async def test_a_slow_listener_is_dropped_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not take its events costs bounded memory, then nothing, and harms no other."""
    monkeypatch.setattr("gateway.control.events.HEARTBEAT_S", 0.01)
    events = Events(lambda: 7)
    slow, quick = events.listen(frozenset({"reading"})), events.listen(frozenset({"reading"}))
    await anext(slow)
    await anext(quick)
    for number in range(MOST_BEHIND + 1):
        events.tell("reading", {"value": number})
        assert f'"value":{number}'.encode() in await anext(quick)
    assert [event async for event in slow] == [
        b'{"event":"dropped","boot_ms":7,"text":"too slow: events were lost; ask again"}'
    ]
    assert await anext(quick) == b'{"event":"heartbeat","boot_ms":7}'
    await quick.aclose()  # type: ignore[attr-defined] # it is a generator
    assert not events.heard("reading")


async def test_listeners_are_counted(tmp_path: Path) -> None:
    """One listener more than there is room for is refused, until another leaves."""
    path = tmp_path / "control.sock"
    async with serving(path):
        streams = [EVENTS.listen(frozenset({"reading"})) for _ in range(MOST_LISTENERS)]
        for each in streams:
            await anext(each)
        with pytest.raises(AgentRefused, match="listen already") as refused:
            await asyncio.to_thread(lambda: next(client.stream(path, "/v1/events")))
        assert refused.value.status == 503
        for each in streams:
            await each.aclose()  # type: ignore[attr-defined] # it is a generator


async def test_a_slow_request_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that never ends its request does not keep its place."""
    monkeypatch.setattr(server, "SLOW_CLIENT_S", 0.1)
    path = tmp_path / "control.sock"
    async with serving(path):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"POST /v1/order HTTP/1.1\r\nHost: g\r\nContent-Length: 50\r\n\r\n{")
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_the_document_names_every_route(tmp_path: Path) -> None:
    """The OpenAPI document is the table: each path, method, right, parameter and bound."""
    path = tmp_path / "control.sock"
    async with serving(path):
        document = await asyncio.to_thread(client.get, path, "/v1/openapi.json")
    found = {(m.upper(), p, o["x-right"]) for p, item in document["paths"].items() for m, o in item.items()}
    own = ("GET", "/v1/openapi.json", "read")
    assert found == {own, *((route.method, route.path, route.right.value) for route in ROUTES)}
    name, limit = document["paths"]["/v1/echo/{name}"]["get"]["parameters"]
    assert (name["in"], name["required"]) == ("path", True)
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 9, "default": 3, "description": "how many"}
    body = document["paths"]["/v1/order"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert (body["required"], body["additionalProperties"]) == (["why"], False)
