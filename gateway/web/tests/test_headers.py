"""S7: the exact content policy, and its companions, on everything that the page ever answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from email.message import Message
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message as Event
from starlette.types import Scope

from gateway.web import guard
from gateway.web.guard import Guard
from gateway.web.refusal import HANDLERS
from gateway.web.schema import StoreError
from gateway.web.settings import Settings
from gateway.web.store import Store
from gateway.web.tests.browser import Page, raw
from gateway.web.tests.routes import GET, POST
from gateway.web.visitor import SESSION_COOKIE

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""As the requirement has it, not as the code does."""

ALWAYS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def right(headers: Message, *, kept: bool = False) -> bool:
    """Tell whether each header is there once and exact, and nothing but what is static may be kept."""
    exact = all(headers.get_all(name) == [value] for name, value in ALWAYS.items())
    found = headers.get_all("cache-control", [])
    return exact and (found != ["no-store"] if kept else found == ["no-store"])


def test_s7_every_route_has_the_exact_policy(page: Page) -> None:
    """To a stranger and to the manager, to GET, HEAD and POST, whatever comes of it."""
    for browser in (page.browser(), page.set_up()):
        for path in (*GET, *POST, "/nothing"):
            status, headers = browser.begin(path)
            assert right(headers, kept=path.startswith("/static/")), (path, status)
            assert right(browser.post(path, {}).headers), path
        assert right(browser.ask("HEAD", "/login").headers)


def test_s7_every_refusal_has_the_exact_policy(page: Page) -> None:
    """400, 403, 404, 405, 413, 415 and 429; for a browser each is a page with a word on what to do."""
    browser = page.set_up()
    form = {"Origin": f"https://127.0.0.1:{page.port}", "Content-Type": "application/x-www-form-urlencoded"}
    stranger = page.browser("127.0.0.2")
    refused = {
        400: browser.get("/", Host="evil.example"),
        403: browser.ask("POST", "/opt-out", "", form),
        404: browser.get("/nothing"),
        405: browser.ask("DELETE", "/"),
        413: browser.ask("POST", "/opt-out", "", {**form, "Content-Length": "70000"}),
        415: browser.ask("POST", "/opt-out", "", {**form, "Content-Type": "text/plain"}),
        429: [stranger.log_in("wrong") for _ in range(6)][-1],
    }
    assert {status: answer.status for status, answer in refused.items()} == {status: status for status in refused}
    for status, answer in refused.items():
        assert right(answer.headers), status
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "<h1>" in answer.text
    assert refused[405].headers["Allow"]
    assert right(browser.get("/static/nothing.css").headers)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"no HTTP at all\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000, b"431"),
        (b"GET /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nUpgrade: websocket\r\n\r\n", b"303"),
    ],
)
def test_s7_what_never_reaches_the_guard_has_the_policy_too(page: Page, request_: bytes, status: bytes) -> None:
    """Answers of the HTTP layer itself; one client too many is held in the tests of slow clients."""
    answer = raw(page.port, request_)
    assert answer.split(b" ")[1] == status
    assert f"\r\ncontent-security-policy: {CSP}\r\n".encode() in answer


async def _broken(_: Request) -> Response:
    raise ZeroDivisionError


async def _full(_: Request) -> Response:
    raise StoreError("the disk is full")


async def _own(_: Request) -> Response:
    return HTMLResponse("<p>mine", headers={"Content-Security-Policy": "default-src *", "Cache-Control": "public"})


async def _endless(_: Request) -> Response:
    async def more() -> AsyncIterator[bytes]:
        while True:
            yield b"more"

    return StreamingResponse(more())


ROUTES = [
    Route("/health", _broken),
    Route("/login", _full),
    Route("/first-use", _own),
    Route("/endless", _endless),
]


async def asked(store: Store, path: str, cookie: str = "", method: str = "GET") -> list[Event]:
    """Ask guarded routes as the HTTP layer does, and give what they say."""
    app = Guard(Starlette(routes=ROUTES, exception_handlers=HANDLERS), store, Settings())
    said: list[Event] = []
    over = asyncio.Event()
    headers = [(b"host", b"localhost"), (b"accept", b"text/html"), (b"cookie", cookie.encode())]
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("192.0.2.7", 1),
        "server": ("192.0.2.1", 443),
    }

    async def receive() -> Event:
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(event: Event) -> None:
        said.append(event)
        if not event.get("more_body", True):
            over.set()

    await app(scope, receive, send)
    return said


def headers_of(said: list[Event]) -> Message:
    """Give the headers of an answer."""
    made = Message()
    for name, value in said[0]["headers"]:
        made[name.decode()] = value.decode()
    return made


@pytest.mark.parametrize(("path", "status"), [("/health", 500), ("/login", 503), ("/first-use", 200)])
async def test_s7_a_mistake_of_ours_has_the_exact_policy(tmp_path: Path, path: str, status: int) -> None:
    """A route that fails is 500, a disk that is full 503; a route cannot have headers of its own instead."""
    with contextlib.closing(Store(tmp_path)) as store:
        said = await asked(store, path)
    assert said[0]["status"] == status
    assert right(headers_of(said))
    assert [event["type"] for event in said].count("http.response.start") == 1


async def test_head_is_over_with_its_head(tmp_path: Path) -> None:
    """Of an answer without end too: nobody waits for what is not sent."""
    with contextlib.closing(Store(tmp_path)) as store:
        cookie = f"{SESSION_COOKIE}={store.begin_session()}"
        said = await asyncio.wait_for(asked(store, "/endless", cookie, "HEAD"), 30)
    assert said[0]["status"] == 200
    assert said[1:] == [{"type": "http.response.body", "body": b"", "more_body": False}]


async def test_a_long_answer_ends_with_its_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is logged out elsewhere sees nothing more, also on a page that is open."""
    monkeypatch.setattr(guard, "LOOK_AGAIN_S", 0.0)
    with contextlib.closing(Store(tmp_path)) as store:
        secret = store.begin_session()
        asking = asyncio.create_task(asked(store, "/endless", f"{SESSION_COOKIE}={secret}"))
        await asyncio.sleep(0)
        session = store.session(secret)
        assert session is not None
        done, _ = await asyncio.wait([asking], timeout=0.05)
        assert not done
        store.end_session(session)
        said = await asyncio.wait_for(asking, 30)
    assert said[0]["status"] == 200
    assert said[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
