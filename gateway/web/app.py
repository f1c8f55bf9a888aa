"""The page's application: the routes of those who may and may not come in, behind the guard."""

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.web import access, refusal, statics
from gateway.web.agent import Agent
from gateway.web.guard import Guard
from gateway.web.live import Live
from gateway.web.pages import Pages
from gateway.web.settings import Settings
from gateway.web.store import Store


async def _health(_: Request) -> Response:
    """Say that this process answers; of the agent it says nothing."""
    return PlainTextResponse("ok\n")


def application(settings: Settings, store: Store) -> ASGIApp:
    """Compose the page, for the agent at `settings.socket`."""
    agent = Agent(settings.socket)
    pages = Pages(agent, Live(agent), store)
    routes = [*pages.routes(), *access.ROUTES, statics.ROUTE, Route("/health", _health)]
    inner = Starlette(routes=routes, exception_handlers=refusal.HANDLERS)
    return Guard(GZipMiddleware(inner, minimum_size=1024), store, settings)
