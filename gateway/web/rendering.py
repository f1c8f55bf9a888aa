"""Pages from templates: words of the reader's language, everything escaped, nothing undefined passed over."""

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.web import numbers, statics
from gateway.web.words import Language, said

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.globals["static"] = statics.address


def html(language: Language, template: str, **values: object) -> str:
    """Fill a template for readers of a language; `t` gives its words, `n` its numbers."""
    return _ENVIRONMENT.get_template(template).render(
        lang=language, t=said(language), n=numbers.Writing(language), **values
    )


def page(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: object
) -> Response:
    """Answer a request with a filled template; `token` is for its forms, `visitor` tells who asks."""
    visitor = request.state.visitor
    content = html(visitor.language, template, token=visitor.token, visitor=visitor, path=request.url.path, **values)
    return HTMLResponse(content, status, dict(headers or {}))
