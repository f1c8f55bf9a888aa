"""Every route of the page, taken from the application itself, so that a new one is held against the rules too."""

import tempfile
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Route

from gateway.web import statics
from gateway.web.app import application
from gateway.web.guard import Guard
from gateway.web.settings import Settings
from gateway.web.store import Store

_VALUES = {"page": "overview", "name": statics.address("page.css").removeprefix("/static/")}
"""What stands for the variables of a path."""


def _routes() -> list[Route]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.close()
        app = application(Settings(), store)
    assert isinstance(app, Guard)
    inner = app._app
    while not isinstance(inner, Starlette):
        inner = inner.app  # type: ignore[attr-defined]
    return [route for route in inner.routes if isinstance(route, Route)]


def _path(route: Route) -> str:
    return route.path.format(**_VALUES)


_ROUTES = _routes()

GET = sorted(_path(route) for route in _ROUTES if "GET" in (route.methods or ()))
POST = sorted(_path(route) for route in _ROUTES if "POST" in (route.methods or ()))
