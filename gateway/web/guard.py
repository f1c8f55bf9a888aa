"""Stands before every route: what it refuses never reaches a page, and every answer leaves with its headers.

head too large 431 - no path 400 - unknown Host 400 - other method 405 - foreign Origin 403 - no session 401 or 303
- body too large 413, too slow 408 - form without its token 403 - then the application
"""

import asyncio
import hmac
import ipaddress
import logging
import time
from email.utils import formatdate
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.web import form, refusal, visitor
from gateway.web.doorkeeper import Doorkeeper
from gateway.web.refusal import Refused
from gateway.web.schema import StoreError
from gateway.web.settings import Settings
from gateway.web.store import Session, Store
from gateway.web.visitor import Visitor

log = logging.getLogger(__name__)

LARGEST_HEAD = 16 * 1024
METHODS = ("GET", "HEAD", "POST")
LOOK_AGAIN_S = 15.0
"""How often a long answer, of events or of rows, is held against its session."""

OPEN = frozenset({"/login", "/first-use", "/health"})
STATIC = "/static/"
"""What a stranger may see; everything else needs a session."""

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
ALWAYS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with that, browsers send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""On every answer. No HSTS: with a certificate of our own making it would lock people out."""

_COOKIE = "Path=/; Secure; HttpOnly; SameSite=Strict"
_A_YEAR_S = 31_536_000


class Guard:
    """Wraps the application `app` of a page with these settings.

    A route finds who asks in `request.state.visitor`, and who lets in in `request.state.doorkeeper`.
    """

    def __init__(self, app: ASGIApp, store: Store, settings: Settings) -> None:
        self._app = app
        self._store = store
        self._names = settings.hosts
        self._slow_s = settings.slow_s
        self._doorkeeper = Doorkeeper(store, self._names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything else (the lifespan) is the app's own affair."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        answer = _Answer(request, send, self._store)
        scope.setdefault("state", {}).update(visitor=answer.visitor, doorkeeper=self._doorkeeper)
        try:
            try:
                body = await self._admitted(request, receive, answer)
            except HTTPException as error:
                await refusal.answer(request, error)(scope, receive, answer.send)
            else:
                await self._app(scope, _replayed(body, receive), answer.send)
        except _Left:
            return
        except StoreError as error:
            log.error("%s", error)  # noqa: TRY400 - its text says all there is to say
            await answer.instead(Refused(503, "guard.store"))
        except Exception:
            if answer.is_begun and not answer.is_over:
                raise  # the connection is cut, which is all that is left to say
            log.exception("%s %s failed", scope["method"], scope["path"][:200])
            await answer.instead(Refused(500))

    async def _admitted(self, request: Request, receive: Receive, answer: "_Answer") -> bytes:
        """Give the body of a request that may go to the app, with its session found; raise Refused or _Left."""
        scope, headers = request.scope, request.headers
        if sum(len(name) + len(value) + 4 for name, value in headers.raw) + len(scope["raw_path"]) > LARGEST_HEAD:
            raise Refused(431)
        if not scope["raw_path"].startswith(b"/"):
            raise Refused(400)
        host = _host(headers)
        if not self._is_ours(host, scope.get("server")):
            raise Refused(400, "guard.host")
        if scope["method"] not in METHODS:
            raise Refused(405, headers={"Allow": ", ".join(METHODS)})
        is_safe = scope["method"] != "POST"
        if not is_safe and headers.getlist("origin") != [f"https://{host}"]:
            raise Refused(403, "guard.origin")
        await self._with_session(request, answer)
        if answer.visitor.session is None and not _is_open(scope["path"]):
            raise Refused(401)
        body = await self._body(headers, receive)
        answer.has_unread = False
        if not is_safe:
            given = form.parsed(headers.get("content-type", ""), body).get("token", "")
            if answer.is_new or not hmac.compare_digest(given.encode(), answer.visitor.token.encode()):
                raise Refused(403, "guard.token")
        return body

    def _is_ours(self, host: str, server: tuple[str, int] | None) -> bool:
        """Tell whether a Host header names us: by a name that we have, or by the address that was connected to."""
        if not host.isascii():
            return False
        if host.startswith("["):
            name, closed, rest = host[1:].partition("]")
            colon, port = rest[:1], rest[1:]
            if not closed or name.count(":") < 2:
                return False
        else:
            name, colon, port = host.partition(":")
        if (colon and not (port.isdecimal() and len(port) <= 5)) or colon not in {"", ":"}:
            return False
        if name.removesuffix(".") in self._names:
            return True
        try:
            return server is not None and ipaddress.ip_address(name) == _address(server[0])
        except ValueError:
            return False

    async def _with_session(self, request: Request, answer: "_Answer") -> None:
        secret = request.cookies.get(visitor.SESSION_COOKIE, "")
        if not secret or request.url.path.startswith(STATIC):
            return
        session = await asyncio.to_thread(self._store.session, secret[:200])
        known = answer.visitor
        answer.visitor = Visitor(known.language, known.token, known.address, session)
        request.scope["state"]["visitor"] = answer.visitor

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        announced = headers.get("content-length", "0")
        if announced == "0" and "transfer-encoding" not in headers:
            return b""
        if not announced.isdecimal() or int(announced) > form.LARGEST_BODY:
            raise Refused(413)
        body = bytearray()
        try:
            async with asyncio.timeout(self._slow_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Left
                    body += message.get("body", b"")
                    if len(body) > form.LARGEST_BODY:
                        raise Refused(413)
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError as error:
            raise Refused(408) from error


class _Left(Exception):
    """The client has gone before we had its request."""


class _Answer:
    """One answer on its way out: whatever the app says, our headers are on it, and a long one ends with its session."""

    def __init__(self, request: Request, send: Send, store: Store) -> None:
        cookies, accepted = request.cookies, request.headers.get("accept-language", "")
        token, self.is_new = visitor.token(cookies)
        asked = request.query_params.get("lang")
        language = visitor.language(asked, cookies, accepted)
        self.visitor = Visitor(language, token, visitor.address(request.client.host if request.client else ""))
        self.has_unread = "content-length" in request.headers or "transfer-encoding" in request.headers
        self.is_begun = self.is_over = False
        self._request = request
        self._send = send
        self._store = store
        self._is_head = request.method == "HEAD"
        self._is_chosen = asked == language
        self._looked_at = time.monotonic()

    async def send(self, message: Message) -> None:
        """Pass on what the app says."""
        # Sending to somebody who has gone never waits: a long answer would keep everybody else from their turn.
        await asyncio.sleep(0)
        if self.is_over:
            return
        if message["type"] == "http.response.start":
            self.is_begun = True
            self._dress(message["status"], MutableHeaders(scope=message))
        elif message["type"] == "http.response.body":
            if message.get("more_body", False) and (self._is_head or not await self._goes_on()):
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            self.is_over = not message.get("more_body", False)
        await self._send(message)

    async def instead(self, error: HTTPException) -> None:
        """Answer with a refusal if nothing was answered yet."""
        if not self.is_begun:
            await refusal.answer(self._request, error)(self._request.scope, _nothing_more, self.send)

    def _dress(self, status: int, headers: MutableHeaders) -> None:
        for name, value in ALWAYS.items():
            headers[name] = value
        headers["Date"] = formatdate(usegmt=True)
        if status != 200 or not self._request.scope["path"].startswith(STATIC):
            headers["Cache-Control"] = "no-store"
        if self.has_unread:
            headers["Connection"] = "close"
        if headers.get("content-type", "").startswith("text/html"):
            if self.is_new:
                headers.append("Set-Cookie", f"{visitor.FORM_COOKIE}={self.visitor.token}; {_COOKIE}")
            if self._is_chosen:
                chosen = f"{visitor.LANGUAGE_COOKIE}={self.visitor.language}; Max-Age={_A_YEAR_S}; {_COOKIE}"
                headers.append("Set-Cookie", chosen)

    async def _goes_on(self) -> bool:
        """Tell whether a long answer may go on: a session that has ended takes its open answers along."""
        session: Session | None = self.visitor.session
        if session is None or time.monotonic() - self._looked_at < LOOK_AGAIN_S:
            return True
        self._looked_at = time.monotonic()
        return await asyncio.to_thread(self._store.is_open, session)


async def _nothing_more() -> Message:
    return {"type": "http.disconnect"}


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read once more to the app, then what else comes: that the client leaves."""
    whole: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return whole.pop() if whole else await receive()

    return again


def _host(headers: Headers) -> str:
    """Give the Host header in lower case, empty where there is none or more than one."""
    found = headers.getlist("host")
    return found[0].lower() if len(found) == 1 else ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    parsed = ipaddress.ip_address(text.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith(STATIC)
