"""The security requirements of the page that are about coming in, held against a page that really serves."""

import re
import signal
import socket
import sqlite3
import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.web.guard import OPEN, STATIC
from gateway.web.tests.browser import PASSWORD, Page, drained, make_code, serving, unverified
from gateway.web.tests.routes import GET, POST
from gateway.web.visitor import FORM_COOKIE, SESSION_COOKIE

OTHER = "seize tuiles et un chat"


def test_s1_nobody_can_log_in_before_the_first_use(page: Page) -> None:
    """A box as delivered has no password: none fits, and every way leads to the form that wants a one-time code."""
    browser = page.browser()
    assert (browser.get("/").status, browser.get("/").headers["Location"]) == (303, "/login")
    assert (browser.get("/login").status, browser.get("/login").headers["Location"]) == (303, "/first-use")
    for given in ("", "admin", "gateway", PASSWORD):
        assert browser.log_in(given).status == 403
    assert SESSION_COOKIE not in browser.cookies


def test_s1_the_code_works_once_and_only_the_newest(page: Page) -> None:
    """Of two codes the second is valid, typed in whatever way, once; it sets the password and lets in."""
    old, code = make_code(page.state), make_code(page.state)
    browser = page.browser()
    assert browser.first_use(old).status == 403
    assert browser.first_use(f"{code[:5]}-{code[5:]} ".lower()).status == 303
    assert browser.get("/").status == 200
    again = page.browser()
    assert again.first_use(code, OTHER).status == 403
    assert again.log_in().status == 303


def test_s1_nothing_that_is_kept_tells_a_secret(page: Page) -> None:
    """In the folder there is no password, no code, no session and no token; in the log neither."""
    browser = page.set_up()
    secrets = [PASSWORD, browser.cookies[SESSION_COOKIE], browser.cookies[FORM_COOKIE], make_code(page.state)]
    page.process.send_signal(signal.SIGTERM)
    _, log = page.process.communicate(timeout=30)
    kept = b"".join(file.read_bytes() for file in page.state.iterdir()) + log.encode()
    assert [secret for secret in secrets if secret.encode() in kept] == []


@pytest.mark.parametrize("given", ["", "court", "azertyuiop123", "passwordpassword", "x" * 12, "x1y2z3" * 50])
def test_s2_a_bad_password_is_not_taken_and_the_code_stays(page: Page, given: str) -> None:
    """Empty, short, well-known, repeated or endless: refused with what to do, and the code can still be used."""
    code = make_code(page.state)
    browser = page.browser()
    refused = browser.first_use(code, given)
    assert refused.status == 422
    assert 'role="alert"' in refused.text
    assert browser.get("/").status == 303
    assert browser.first_use(code).status == 303


def test_s2_the_password_cannot_be_taken_away(page: Page) -> None:
    """Changing it needs the current one and another good one; there is no way back to none."""
    browser = page.set_up()
    for current, new, again in ((PASSWORD, "", ""), ("wrong", OTHER, OTHER), (PASSWORD, OTHER, OTHER + "x")):
        answer = browser.post("/password", {"current": current, "new": new, "again": again})
        assert answer.status in {403, 422}
    assert page.browser().log_in().status == 303
    assert page.browser().get("/login").status == 200


@pytest.mark.parametrize("used", [False, True])
def test_s2_without_a_session_there_is_nothing_to_see(page: Page, used: bool) -> None:  # noqa: FBT001 - both cases
    """A browser is led to the login, a program gets 401, on each route but login, first use, health and static."""
    if used:
        page.set_up()
    stranger = page.browser()
    for path in [each for each in (*GET, "/nothing/here") if each not in OPEN and not each.startswith(STATIC)]:
        led = stranger.get(path)
        assert (led.status, led.headers["Location"], led.text) == (303, "/login", ""), path
        assert stranger.get(path, Accept="*/*").status == 401, path
        assert stranger.get(path, Cookie=f"{SESSION_COOKIE}={'A' * 43}", Accept="*/*").status == 401, path
    for path in [each for each in POST if each not in OPEN]:
        assert stranger.post(path, {}).status == 401, path


def test_s2_a_session_ends_with_logout_and_with_a_new_password(page: Page) -> None:
    """A cookie that was copied is worth nothing after that; whoever changes the password stays."""
    first, second = page.set_up(), page.browser()
    assert second.log_in().status == 303
    copied = dict(second.cookies)
    assert second.post("/logout", {}).status == 303
    assert SESSION_COOKIE not in second.cookies
    second.cookies = copied
    assert second.get("/").status == 303
    assert second.log_in().status == 303
    assert first.post("/password", {"current": PASSWORD, "new": OTHER, "again": OTHER}).status == 303
    assert (first.get("/").status, second.get("/").status) == (200, 303)
    assert (page.browser().log_in().status, page.browser().log_in(OTHER).status) == (403, 303)


def test_s2_a_forgotten_password_is_replaced_with_a_code(page: Page) -> None:
    """A new code sets another password and ends what was open with the old one."""
    old = page.set_up()
    assert page.browser().first_use(make_code(page.state), OTHER).status == 303
    assert old.get("/").status == 303
    assert page.browser().log_in(OTHER).status == 303


def test_s2_the_session_cookie_is_for_this_page_alone(page: Page) -> None:
    """Secure, HttpOnly, SameSite=Strict, for the whole page and no other host; it survives a restart of the page."""
    browser = page.browser()
    lines = browser.first_use(make_code(page.state)).headers.get_all("Set-Cookie", [])
    (session,) = [line for line in lines if line.startswith(SESSION_COOKIE)]
    attributes = {each.strip().lower() for each in session.split(";")[1:]}
    assert attributes >= {"secure", "httponly", "samesite=strict", "path=/"}
    assert not [each for each in attributes if each.startswith("domain")]
    page.process.kill()
    page.process.wait(timeout=30)
    with serving(page.state) as again:
        browser.port = again.port
        assert browser.get("/").status == 200


def test_s3_five_failures_close_the_door_to_an_address_also_after_a_restart(page: Page) -> None:
    """The sixth attempt is refused unread, even a right one, with when to try again; other addresses come in."""
    page.set_up()
    browser = page.browser("127.0.0.2")
    assert [browser.log_in("wrong").status for _ in range(5)] == [403] * 5
    refused = browser.log_in()
    assert refused.status == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    assert re.search(r"\d+ min", refused.text)
    assert browser.first_use(make_code(page.state)).status == 429
    assert page.browser("127.0.0.3").log_in().status == 303
    page.process.kill()
    page.process.wait(timeout=30)
    with serving(page.state) as again:
        assert again.browser("127.0.0.2").log_in().status == 429
        assert again.browser("127.0.0.3").log_in().status == 303


def test_s3_thirty_failures_close_it_to_all(page: Page) -> None:
    """From however many addresses."""
    page.set_up()
    for last in range(2, 8):
        assert [page.browser(f"127.0.0.{last}").log_in("wrong").status for _ in range(5)] == [403] * 5
    assert page.browser("127.0.0.9").log_in().status == 429


def test_s3_many_at_once_do_not_get_past_the_count(page: Page) -> None:
    """Of twenty wrong attempts at once from one address five are judged."""
    page.set_up()
    browser = page.browser("127.0.0.2")
    browser.get("/login")
    with ThreadPoolExecutor(20) as threads:
        statuses = list(threads.map(lambda _: browser.log_in("wrong").status, range(20)))
    assert sorted(statuses) == [403] * 5 + [429] * 15


def test_s3_success_clears_the_count_of_its_own_address_only(page: Page) -> None:
    """Whoever mistypes four times and is then right begins anew; another address is not forgiven."""
    page.set_up()
    other, browser = page.browser("127.0.0.2"), page.browser("127.0.0.3")
    assert [other.log_in("wrong").status for _ in range(5)] == [403] * 5
    for _ in range(2):
        assert [browser.log_in("wrong").status for _ in range(4)] == [403] * 4
        assert browser.log_in().status == 303
    assert other.log_in().status == 429


def test_s4_twenty_logins_at_once_stay_in_the_memory_budget(page: Page) -> None:
    """All are let in, one hash of 12 MiB after the other: the page never takes more than 60 MB."""
    page.set_up()
    browsers = [page.browser(f"127.0.0.{last}") for last in range(2, 22)]
    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(lambda browser: browser.log_in().status, browsers)) == [303] * 20
    status = Path(f"/proc/{page.process.pid}/status").read_text("ascii")
    highest = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert highest is not None
    assert int(highest[1]) <= 60 * 1024


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_s8_tls_is_1_2_or_newer_and_nothing_else_is_spoken(page: Page) -> None:
    """1.2 and 1.3 are served; a client that has no more than 1.1 is hung up on, and plain HTTP gets no answer."""

    def agreed(version: ssl.TLSVersion) -> str | None:
        context = unverified()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with (
            socket.create_connection(("127.0.0.1", page.port), timeout=30) as plain,
            context.wrap_socket(plain) as secured,
        ):
            return secured.version()

    assert agreed(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert agreed(ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises(ssl.SSLError, match=r"EOF|PROTOCOL_VERSION"):
        agreed(ssl.TLSVersion.TLSv1_1)
    with socket.create_connection(("127.0.0.1", page.port), timeout=30) as plain:
        plain.sendall(b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP/" not in drained(plain)


def test_s8_key_and_memory_are_for_the_pages_user_alone(page: Page) -> None:
    """The folder is 0700; key and database are 0600."""
    page.set_up()
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (page.state, *page.state.iterdir())}
    assert modes == {"state": 0o700, "page.db": 0o600, "page.pem": 0o600}


def test_who_comes_and_goes_is_audited(page: Page) -> None:
    """Each login, failure, logout and new password is a row with the address, and none holds a secret."""
    browser = page.set_up()
    browser.post("/logout", {})
    browser.log_in("wrong")
    browser.log_in()
    rows = sqlite3.connect(page.state / "page.db").execute("SELECT kind, address FROM audit ORDER BY number").fetchall()
    kinds = ["password set", "login", "logout", "login failed", "login"]
    assert rows[-len(kinds) :] == [(kind, "127.0.0.1") for kind in kinds]


def test_methods_that_are_not_ours_are_405_and_head_has_no_body(page: Page) -> None:
    """The answer names what is taken; HEAD tells what GET would."""
    browser = page.browser()
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "BREW"):
        answer = browser.ask(method, "/login", headers={"Accept": "*/*"})
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    head = browser.ask("HEAD", "/first-use")
    assert (head.status, head.text) == (200, "")


def test_the_page_speaks_the_visitors_language(page: Page) -> None:
    """French, unless the browser asks for English or ?lang= does, which is remembered; refusals are told in it too."""
    browser = page.browser()
    assert '<html lang="fr">' in browser.get("/first-use").text
    english = {"Accept-Language": "de, en-GB;q=0.8, fr;q=0.5"}
    assert '<html lang="en">' in browser.get("/first-use", **english).text
    assert '<html lang="en">' in browser.get("/first-use?lang=en").text
    assert "does not answer to this name" in browser.get("/first-use", Host="evil.example").text
    assert '<html lang="fr">' in browser.get("/first-use?lang=fr", **english).text
