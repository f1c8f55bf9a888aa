"""What the page answers where it does not do what was asked: a small page for a browser, a line for a program."""

import http
import logging
from collections.abc import Mapping

from jinja2 import TemplateError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from gateway.web import rendering
from gateway.web.schema import StoreError
from gateway.web.words import WORDS, said

log = logging.getLogger(__name__)


class Refused(HTTPException):
    """A request is refused with a status; `word` is the key of the text that says why and what to do."""

    def __init__(
        self, status: int, word: str | None = None, *, headers: Mapping[str, str] | None = None, **values: object
    ) -> None:
        super().__init__(status, http.HTTPStatus(status).phrase, dict(headers or {}))
        self.word = word or f"guard.{status}.text"
        self.values = values


def answer(request: Request, error: HTTPException) -> Response:
    """Say in the visitor's language that a request is refused; whoever is to log in first is led there."""
    status = error.status_code
    if status == http.HTTPStatus.UNAUTHORIZED and request.method in {"GET", "HEAD"} and _is_browser(request):
        return RedirectResponse("/login", http.HTTPStatus.SEE_OTHER)
    word, values = (error.word, error.values) if isinstance(error, Refused) else (f"guard.{status}.text", {})
    t = said(request.state.visitor.language)
    title = t(f"guard.{status}") if f"guard.{status}" in WORDS else http.HTTPStatus(status).phrase
    text = t(word, **values) if word in WORDS else error.detail
    if _is_browser(request):
        try:
            return rendering.page(request, "error.html", status=status, headers=error.headers, title=title, text=text)
        except TemplateError:
            # A mistake in a template is no reason to leave the visitor without an answer.
            log.exception("error.html cannot be filled")
    return PlainTextResponse(f"{title}\n{text}\n", status, dict(error.headers or {}))


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    return answer(request, error)


async def _no_store(request: Request, error: Exception) -> Response:
    log.error("%s", error)
    return answer(request, Refused(503, "guard.store"))


HANDLERS = {HTTPException: _refused, StoreError: _no_store}
"""For Starlette's `exception_handlers`; what is not there ends at the guard, with 500."""
