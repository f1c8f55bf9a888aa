"""The pages by which one comes in and goes out: log in, first use, log out, another password."""

import http
import math
from collections.abc import Awaitable, Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.web.doorkeeper import Doorkeeper, TooOften, Wrong
from gateway.web.form import fields
from gateway.web.password import SHORTEST, Busy
from gateway.web.refusal import Refused
from gateway.web.rendering import page
from gateway.web.store import LONGEST_S
from gateway.web.visitor import SESSION_COOKIE

LOGIN, FIRST_USE, CHANGE = "login.html", "first_use.html", "password.html"

SOON_S = 5
"""When to try again while others are being let in."""

_SEE_OTHER, _FORBIDDEN, _UNPROCESSABLE = http.HTTPStatus.SEE_OTHER, http.HTTPStatus.FORBIDDEN, 422
_TOO_MANY = http.HTTPStatus.TOO_MANY_REQUESTS


async def _log_in(request: Request) -> Response:
    door = _door(request)
    if request.method != "POST":
        if request.state.visitor.session is not None:
            return RedirectResponse("/", _SEE_OTHER)
        return RedirectResponse("/first-use", _SEE_OTHER) if await door.is_first_use() else _form(request, LOGIN)
    given = (await fields(request)).get("password", "")
    return await _let_in(request, LOGIN, door.log_in(request.state.visitor.address, given), "login.wrong")


async def _first_use(request: Request) -> Response:
    if request.method != "POST":
        return _form(request, FIRST_USE)
    form, door = await fields(request), _door(request)
    fault = _fault(door, form)
    if fault is not None:
        return _form(request, FIRST_USE, _UNPROCESSABLE, fault, code=form.get("code", ""))
    coming = door.first_use(request.state.visitor.address, form.get("code", ""), form["new"])
    return await _let_in(request, FIRST_USE, coming, "first.wrong")


async def _change(request: Request) -> Response:
    if request.method != "POST":
        return _form(request, CHANGE)
    form, door = await fields(request), _door(request)
    fault = _fault(door, form)
    if fault is not None:
        return _form(request, CHANGE, _UNPROCESSABLE, fault)
    coming = door.change(request.state.visitor.address, form.get("current", ""), form["new"])
    return await _let_in(request, CHANGE, coming, "password.wrong")


async def _log_out(request: Request) -> Response:
    visitor = request.state.visitor
    await _door(request).log_out(visitor.address, visitor.session)
    leaving = RedirectResponse("/login", _SEE_OTHER)
    leaving.set_cookie(SESSION_COOKIE, "", max_age=0, secure=True, httponly=True, samesite="strict")
    return leaving


async def _let_in(request: Request, template: str, coming: Awaitable[str], wrong: str) -> Response:
    """Give whoever is let in a session, and whoever is not the form again, with why."""
    try:
        secret = await coming
    except Wrong:
        return _form(request, template, _FORBIDDEN, wrong)
    except TooOften as error:
        return _form(request, template, _TOO_MANY, "guard.429.text", wait_s=error.wait_s)
    except Busy as error:
        raise Refused(503, "guard.busy", headers={"Retry-After": str(SOON_S)}) from error
    entering = RedirectResponse("/", _SEE_OTHER)
    lasting = int(LONGEST_S)
    entering.set_cookie(SESSION_COOKIE, secret, max_age=lasting, secure=True, httponly=True, samesite="strict")
    return entering


def _form(  # noqa: PLR0913 - what a form may show when it is shown again
    request: Request, template: str, status: int = 200, fault: str | None = None, *, wait_s: int = 0, code: str = ""
) -> Response:
    """Give a form, with why it is shown again, and how long to wait; a good code need not be typed twice."""
    headers = {"Retry-After": str(wait_s)} if wait_s else {}
    minutes = math.ceil(wait_s / 60)
    return page(
        request, template, status=status, headers=headers, fault=fault, minutes=minutes, shortest=SHORTEST, code=code
    )


def _fault(door: Doorkeeper, form: Mapping[str, str]) -> str | None:
    """Give the key of why a new password is not taken, None if it is; it was typed twice."""
    new = form.get("new", "")
    return "password.differ" if new != form.get("again", "") else door.fault(new)


def _door(request: Request) -> Doorkeeper:
    found: Doorkeeper = request.state.doorkeeper
    return found


ROUTES = [
    Route("/login", _log_in, methods=["GET", "POST"]),
    Route("/first-use", _first_use, methods=["GET", "POST"]),
    Route("/password", _change, methods=["GET", "POST"]),
    Route("/logout", _log_out, methods=["POST"]),
]
