"""What a manager sees once logged in: the overview, the channels, a day's power as a table, and what lives on them."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.control.client import AgentRefused, AgentUnreachable
from gateway.web import chart, past
from gateway.web.agent import Agent
from gateway.web.form import fields
from gateway.web.live import Live, View
from gateway.web.rendering import html, page
from gateway.web.shedding import BUILDING
from gateway.web.store import Store
from gateway.web.words import Language

MOST_VIEWERS = 10
"""Pages that live at once; one more is told to try again, and shows what it was loaded with."""

LOOK_S = 1.0
HEARTBEAT_S = 15.0
STREAM_S = 600.0
"""A stream ends by itself after so long: the browser asks again, and whoever has logged out is refused."""

LASTING_S = (3_600, 4 * 3_600, 12 * 3_600, 86_400, 3 * 86_400, 7 * 86_400)
"""For how long one may opt out, as the form offers it."""

FRAGMENTS: Mapping[str, tuple[str, ...]] = {
    "overview": ("now", "alerts", "shedding", "power", "counters", "parts", "health"),
    "channels": ("now", "alerts", "channels"),
}
"""Page -> what lives on it, each a template of its own in an element of that id."""

ROLE = "manager"


@dataclass(slots=True)
class _Shown:
    """The fragments of a page in a language, as they were for a view."""

    view: View
    fragments: dict[str, str]


class _Watched(StreamingResponse):
    """A stream of events; `left` is called when its reader has gone, however: a generator alone would not be told."""

    def __init__(self, events: AsyncIterator[str], left: Callable[[], None], *, packed: bool) -> None:
        headers = {"Content-Encoding": "gzip"} if packed else {}
        super().__init__(_packed(events) if packed else events, headers=headers, media_type="text/event-stream")
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._left()


class Pages:
    """The pages, on what `live` knows; orders go to `agent` and are noted in `store`."""

    def __init__(self, agent: Agent, live: Live, store: Store) -> None:
        self._agent = agent
        self._live = live
        self._store = store
        self._shown: dict[tuple[str, Language], _Shown] = {}
        self._viewers = 0

    def routes(self) -> list[Route]:
        """Give the routes."""
        return [
            Route("/", self._overview),
            Route("/channels", self._channels),
            Route("/power", self._power),
            Route("/power.json", self._power_json),
            Route("/history", self._history),
            Route("/history.json", self._history_json),
            Route("/totals.csv", self._totals),
            Route("/live/{page}", self._stream),
            Route("/opt-out", self._opt_out, methods=["POST"]),
            Route("/opt-in", self._opt_in, methods=["POST"]),
        ]

    async def _overview(self, request: Request) -> Response:
        view = await self._live.now()
        curve = await chart.curve(self._agent, view)
        return self._page(request, "overview", view, curve=curve, done=_done(request))

    async def _channels(self, request: Request) -> Response:
        return self._page(request, "channels", await self._live.now())

    def _page(
        self, request: Request, name: str, view: View, *, curve: chart.Curve | None = None, done: str | None = None
    ) -> Response:
        return page(
            request,
            f"{name}.html",
            view=view,
            shown=self._fragments(name, request.state.visitor.language, view),
            living=name,
            lasting=LASTING_S,
            building=BUILDING,
            curve=curve,
            done=done,
        )

    def _fragments(self, name: str, language: Language, view: View) -> dict[str, str]:
        """Give what lives on a page, rendered once for all who watch it in a language."""
        shown = self._shown.get((name, language))
        if shown is None or shown.view is not view:
            rendered = {each: html(language, f"parts/{each}.html", view=view) for each in FRAGMENTS[name]}
            shown = self._shown[name, language] = _Shown(view, rendered)
        return shown.fragments

    async def _power(self, request: Request) -> Response:
        view = await self._live.now()
        return page(request, "power.html", view=view, curve=await chart.curve(self._agent, view))

    async def _power_json(self, _: Request) -> Response:
        curve = await chart.curve(self._agent, await self._live.now())
        return JSONResponse(None if curve is None else curve.points())

    async def _history(self, request: Request) -> Response:
        view = await self._live.now()
        found = past.choices(view)
        choice, by = _asked(request, found)
        shown = None if choice is None else await past.past(self._agent, view, choice, by)
        first, last = past.span({}, view) or (None, None)
        return page(
            request, "history.html", view=view, choices=found, choice=choice, by=by, past=shown, first=first, last=last
        )

    async def _history_json(self, request: Request) -> Response:
        view = await self._live.now()
        choice, by = _asked(request, past.choices(view))
        shown = None if choice is None else await past.past(self._agent, view, choice, by)
        return JSONResponse(None if shown is None else shown.points())

    async def _totals(self, request: Request) -> Response:
        view = await self._live.now()
        span = past.span(request.query_params, view)
        if span is None:
            return await self._refused(request, 422, "totals.wrong")
        lines = past.totals(self._agent, view, span, comma=request.state.visitor.language == "fr")
        name = f"totals-{span[0].isoformat()}-{span[1].isoformat()}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(lines, headers=headers, media_type="text/csv")

    async def _stream(self, request: Request) -> Response:
        name = request.path_params["page"]
        if name not in FRAGMENTS:
            raise HTTPException(404)
        if self._viewers >= MOST_VIEWERS:
            raise HTTPException(503, headers={"Retry-After": "30"})
        self._viewers += 1
        events = self._events(name, request.state.visitor.language)
        return _Watched(events, self._left, packed="gzip" in request.headers.get("accept-encoding", ""))

    def _left(self) -> None:
        self._viewers -= 1

    async def _events(self, name: str, language: Language) -> AsyncIterator[str]:
        """Give what has changed, once a second, and a sign of life where nothing has."""
        loop = asyncio.get_running_loop()
        ends_at, said_at = loop.time() + STREAM_S, loop.time()
        sent: dict[str, str] = {}
        while loop.time() < ends_at:
            fragments = self._fragments(name, language, await self._live.now())
            changed = {key: text for key, text in fragments.items() if sent.get(key) != text}
            if changed:
                sent, said_at = fragments, loop.time()
                yield f"data: {json.dumps(changed, ensure_ascii=False, separators=(',', ':'))}\n\n"
            elif loop.time() - said_at >= HEARTBEAT_S:
                said_at = loop.time()
                yield "event: alive\ndata: 1\n\n"
            await asyncio.sleep(LOOK_S)

    # Orders

    async def _opt_out(self, request: Request) -> Response:
        given = await fields(request)
        target, reason = given.get("target", ""), " ".join(given.get("reason", "").split())
        lasts = given.get("duration_s", "")
        if not reason or not target or lasts not in map(str, LASTING_S):
            return await self._refused(request, 422, "opt_out.incomplete")
        order: dict[str, str | int] = {"target": target, "reason": reason, "duration_s": int(lasts), "role": ROLE}
        return await self._ordered(request, self._agent.order("/v1/opt-out", order), "opt_out", f"{target}: {reason}")

    async def _opt_in(self, request: Request) -> Response:
        target = (await fields(request)).get("target", "")
        if not target:
            return await self._refused(request, 422, "opt_out.incomplete")
        ending = self._agent.end(f"/v1/opt-out/{quote(target, safe='')}", {"reason": "ended on the page", "role": ROLE})
        return await self._ordered(request, ending, "opt_in", target)

    async def _ordered(self, request: Request, order: Awaitable[object], kind: str, about: str) -> Response:
        """Have an order carried out; whatever becomes of it is noted, and told to who gave it."""
        address = request.client.host if request.client else ""
        try:
            await order
        except AgentRefused as error:
            self._store.audit(f"{kind}_refused", address, f"{about} ({error})")
            return await self._refused(request, 409, "order.refused", detail=str(error))
        except AgentUnreachable as error:
            self._store.audit(f"{kind}_failed", address, f"{about} ({error})")
            return await self._refused(request, 503, "order.unreachable", detail=str(error))
        self._store.audit(kind, address, about)
        return RedirectResponse(f"/?done={kind}#shedding", 303)

    async def _refused(self, request: Request, status: int, why: str, *, detail: str = "") -> Response:
        return page(request, "refused.html", status=status, why=why, detail=detail)


def _asked(request: Request, found: Sequence[past.Choice]) -> tuple[past.Choice | None, str]:
    """Read whose past is asked for, and by what; raise HTTPException for what is not there."""
    by, channel = request.query_params.get("by", past.DAY), request.query_params.get("channel")
    choice = past.chosen(found, channel)
    if by not in past.BY or (channel is not None and choice is None):
        raise HTTPException(404)
    return choice, by


async def _packed(events: AsyncIterator[str]) -> AsyncIterator[bytes]:
    """Pack events as they come: what is said each second hardly differs, and goes from 8 kB to a few hundred bytes.

    A window of 16 kB reaches back to the event before, and takes 100 kB for a viewer, not zlib's usual 256.
    """
    packing = zlib.compressobj(wbits=16 + 14, memLevel=6)
    async for event in events:
        yield packing.compress(event.encode()) + packing.flush(zlib.Z_SYNC_FLUSH)
    yield packing.flush()


def _done(request: Request) -> str | None:
    """Give what was just done, where it is one of what can be."""
    done = request.query_params.get("done")
    return done if done in {"opt_out", "opt_in"} else None
