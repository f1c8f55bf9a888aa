"""Who asks: the language, the address failures are counted by, the token; and forms as they are read."""

import pytest

from gateway.web import visitor
from gateway.web.form import LARGEST_BODY, MOST_FIELDS, parsed
from gateway.web.refusal import Refused
from gateway.web.store import Session
from gateway.web.visitor import Visitor
from gateway.web.words import Language

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("asked", "cookie", "accepted", "language"),
    [
        (None, "", "", "fr"),
        ("en", "fr", "fr", "en"),
        (None, "en", "fr", "en"),
        ("de", "klingon", "", "fr"),
        (None, "", "en", "en"),
        (None, "", "en-US,en;q=0.9,fr;q=0.8", "en"),
        (None, "", "de-DE, FR;q=0.7, en ; q=0.3", "fr"),
        (None, "", "de, es;q=0.9", "fr"),
        (None, "", "fr;q=0, en;q=0.1", "en"),
        (None, "", "en;q=9,;;,=, fr;q=x", "fr"),
    ],
)
def test_the_language_is_the_one_wanted_most(asked: str | None, cookie: str, accepted: str, language: Language) -> None:
    """?lang=, then what was chosen before, then what the browser prefers, then French; nonsense is passed over."""
    assert visitor.language(asked, {"lang": cookie}, accepted) == language


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("192.168.1.20", "192.168.1.20"),
        ("::ffff:192.168.1.20", "192.168.1.20"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_address_is_what_somebody_cannot_change_at_will(client: str, address: str) -> None:
    """Of IPv6 that is the network: a host there may take any of 2^64 addresses."""
    assert visitor.address(client) == address


def test_a_token_is_kept_if_it_can_be_ours() -> None:
    """Anything else, as somebody may have planted it, is replaced by a new one."""
    made, is_new = visitor.token({})
    assert is_new
    assert visitor.token({visitor.FORM_COOKIE: made}) == (made, False)
    for planted in ("", "x", made + "x", made[:-1] + '"', made[:-1] + "é"):
        other, is_new = visitor.token({visitor.FORM_COOKIE: planted})
        assert is_new
        assert other not in {made, planted}


def test_a_stranger_has_no_role() -> None:
    """Whoever has a session is the manager."""
    assert Visitor("fr", "token", "192.0.2.1").role is None
    assert Visitor("fr", "token", "192.0.2.1", Session(b"", 0.0)).role == "manager"


def test_a_form_is_read() -> None:
    """As browsers write it."""
    assert parsed(f"{FORM}; charset=UTF-8", b"a=1&b=%C3%A9t%C3%A9+%26+%3D&c=") == {"a": "1", "b": "été & =", "c": ""}
    assert parsed(FORM, b"") == {}


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("", b"a=1", 415),
        ("text/plain", b"a=1", 415),
        ("multipart/form-data; boundary=x", b"", 415),
        (f"{FORM}; charset=latin-1", b"a=1", 415),
        (FORM, b"a=" + b"x" * LARGEST_BODY, 413),
        (FORM, b"a=1&a=2", 400),
        (FORM, b"a=1&%61=2", 400),
        (FORM, b"a", 400),
        (FORM, b"=1", 400),
        (FORM, b"a=1&", 400),
        (FORM, b"a=%FF", 400),
        (FORM, b"a=\xff", 400),
        (FORM, b"a=%00", 400),
        (FORM, b"&".join(b"f%d=1" % number for number in range(MOST_FIELDS + 1)), 400),
    ],
)
def test_what_can_be_read_in_two_ways_is_no_form(content_type: str, body: bytes, status: int) -> None:
    """Refused with the status that says which."""
    with pytest.raises(Refused) as refused:
        parsed(content_type, body)
    assert refused.value.status_code == status
