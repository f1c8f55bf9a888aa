"""Whoever watches has a place, ten at most, and gives it back however he leaves."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.web.agent import Agent
from gateway.web.live import Live
from gateway.web.pages import MOST_VIEWERS, Pages
from gateway.web.store import Store
from gateway.web.tests.asgi import get
from gateway.web.visitor import Visitor


@pytest.fixture(name="app")
def app_fixture(tmp_path: Path) -> Iterator[ASGIApp]:
    """The pages of an agent that is not there, for somebody who may see them."""
    agent = Agent(tmp_path / "no-agent.sock")
    with closing(Store(tmp_path / "state")) as store:
        inner = Starlette(routes=Pages(agent, Live(agent), store).routes())

        async def known(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("state", {})["visitor"] = Visitor("fr", "x" * 43, "127.0.0.1")
            await inner(scope, receive, send)

        yield known


@asynccontextmanager
async def watching(app: ASGIApp, *, packed: bool = False) -> AsyncIterator[list[bytes]]:
    """Watch the overview for the length of a block, then leave as a browser does; gives what has come."""
    came: list[bytes] = []
    first, leaves = asyncio.Event(), asyncio.Event()

    async def receive() -> Message:
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if body := message.get("body", b""):
            came.append(body)
            first.set()

    watcher = asyncio.create_task(_ask(app, receive, send, packed=packed))
    async with asyncio.timeout(20):
        await first.wait()
    try:
        yield came
    finally:
        leaves.set()
        async with asyncio.timeout(20):
            await watcher


async def _ask(app: ASGIApp, receive: Receive, send: Send, *, packed: bool) -> None:
    scope = {
        "type": "http",
        "http_version": "1.1",
        # Starlette listens for a leaving client only where the server cannot say it by an error.
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": "GET",
        "path": "/live/overview",
        "raw_path": b"/live/overview",
        "query_string": b"",
        "root_path": "",
        "scheme": "https",
        "server": ("127.0.0.1", 443),
        "client": ("127.0.0.1", 50_000),
        "headers": [(b"accept-encoding", b"gzip")] if packed else [],
    }
    await app(scope, receive, send)


async def test_a_place_is_given_back_when_its_viewer_leaves(app: ASGIApp) -> None:
    """Ten watch, the eleventh is told to try again, and is served once one of them has gone."""
    async with AsyncExitStack() as others:
        for _ in range(MOST_VIEWERS - 1):
            await others.enter_async_context(watching(app))
        for _ in range(3):
            async with watching(app):
                assert (await get(app, "/live/overview")).status == 503
    async with watching(app) as came:
        assert came


async def test_what_is_packed_is_the_same(app: ASGIApp) -> None:
    """A browser that takes gzip gets each event whole, as soon as it is there."""
    async with watching(app) as plain, watching(app, packed=True) as packed:
        text = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(packed[0]).decode()
    told = [json.loads(each.removeprefix("data: ")) for each in (plain[0].decode(), text)]
    assert told[0].keys() == told[1].keys() == {"now", "alerts", "shedding", "power", "counters", "parts", "health"}
    assert len(packed[0]) < len(plain[0])


async def test_only_pages_that_live_have_a_stream(app: ASGIApp) -> None:
    """Anything else is not found."""
    assert (await get(app, "/live/power")).status == 404
