"""S5 and S6: a request is for us, from a page of ours, and can be read in one way only; else nothing happens."""

from pathlib import Path

import pytest

from gateway.web.tests.browser import PASSWORD, Page, raw, serving
from gateway.web.tests.routes import GET, POST
from gateway.web.visitor import FORM_COOKIE, SESSION_COOKIE

OTHER = "seize tuiles et un chat"


@pytest.mark.parametrize("path", sorted({*GET, *POST, "/nothing"}))
def test_s5_an_unknown_host_is_400_on_every_route(page: Page, path: str) -> None:
    """A name that an attacker lets point here (DNS rebinding) opens nothing, with a session or without."""
    browser = page.set_up()
    for host in ("evil.example", "127.0.0.2", "localhost.evil.example", "127.0.0.1:99999999", "[::1", ""):
        assert browser.get(path, Host=host).status == 400, host
        assert browser.post(path, {}, {"Host": host, "Origin": f"https://{host}"}).status == 400, host


def test_s5_names_of_ours_are_answered(state: Path) -> None:
    """The machine's name, that with .local, localhost, a name given by --name and the address; any port, any case."""
    machine = Path("/proc/sys/kernel/hostname").read_text("ascii").strip()
    with serving(state, "--name", "Immeuble.example") as page:
        for host in (machine, f"{machine}.local", "LOCALHOST", "immeuble.EXAMPLE:443", "127.0.0.1", "localhost.:8443"):
            assert page.browser().get("/first-use", Host=host).status == 200, host


@pytest.mark.parametrize(
    "head",
    [
        b"GET /login HTTP/1.1\r\n",
        b"GET /login HTTP/1.0\r\n",
        b"GET /login HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n",
        b"GET https://localhost/login HTTP/1.1\r\nHost: localhost\r\n",
        b"GET * HTTP/1.1\r\nHost: localhost\r\n",
    ],
)
def test_s5_a_request_that_does_not_name_one_host_is_400(page: Page, head: bytes) -> None:
    """None, two, or another form of target: nothing that another reader could understand otherwise."""
    assert raw(page.port, head + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("path", POST)
def test_s6_an_unsafe_request_needs_our_origin_and_the_forms_token(page: Page, path: str) -> None:
    """Without both, from a logged-in browser, nothing happens: 403."""
    browser = page.set_up()
    ours = f"https://127.0.0.1:{page.port}"
    fields = {"password": PASSWORD, "current": PASSWORD, "new": OTHER, "again": OTHER, "target": "building"}
    for origin in (
        "https://evil.example",
        "null",
        "",
        f"http://127.0.0.1:{page.port}",
        "https://127.0.0.1",
        ours + "/",
    ):
        assert browser.post(path, fields, {"Origin": origin}).status == 403, origin
    for token in ("", "A" * 43, browser.cookies[FORM_COOKIE][:-1], "é"):
        assert browser.post(path, {**fields, "token": token}).status == 403, token
    token = browser.cookies[FORM_COOKIE]
    cookies = f"{SESSION_COOKIE}={browser.cookies[SESSION_COOKIE]}"
    for more in ("", f"; {FORM_COOKIE}=", f"; {FORM_COOKIE}={'A' * 43}"):
        assert browser.post(path, {**fields, "token": token}, {"Cookie": cookies + more}).status == 403, more
    assert browser.get("/").status == 200
    assert page.browser().log_in().status == 303


def test_s6_a_form_is_taken_in_one_shape(page: Page) -> None:
    """Another type of content is 415, a body that can be read in two ways 400; without Origin it is 403."""
    browser = page.set_up()
    token, ours = browser.cookies[FORM_COOKIE], {"Origin": f"https://127.0.0.1:{page.port}"}
    for kind in ("", "application/json", "text/plain", "multipart/form-data; boundary=x"):
        assert browser.ask("POST", "/login", f"token={token}", {**ours, "Content-Type": kind}).status == 415, kind
    form = {**ours, "Content-Type": "application/x-www-form-urlencoded"}
    for body in (f"token={token}&token={token}", f"token={token}&x", f"token={token}&x=%ff", f"token={token}&x=%00"):
        assert browser.ask("POST", "/login", body, form).status == 400, body
    del form["Origin"]
    assert browser.ask("POST", "/login", f"token={token}", form).status == 403
