"""A request is taken as it was meant or refused with a reason, whatever it is made of."""

import json
from collections.abc import Mapping
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.control.requests import LARGEST_BODY, checked, find
from gateway.control.routes import CONTROL, Call, Choice, Field, Refusal, Right, Route, Text, Whole


async def nothing(_: Call) -> object:
    """Answer nothing."""
    return {}


FIELDS = (
    Field("count", Whole(-5, 500), "how many", default=7),
    Field("why", Text(1, 20), "why"),
    Field("kind", Choice(("minute", "day")), "which"),
)
READ = Route("GET", "/v1/things/{name}", Right.READ, "Read.", nothing, query=FIELDS)
ORDER = Route(
    "POST",
    "/v1/things/{name}",
    Right.ACT,
    "Order.",
    nothing,
    body=(*FIELDS, Field("must", Whole(1, 1), "1", is_needed=True)),
)
PLAIN = Route("GET", "/v1/plain", Right.READ, "Plain.", nothing)
ROUTES = (READ, ORDER, PLAIN)

VISIBLE = st.text(min_size=1, max_size=20).filter(lambda text: not CONTROL.search(text))
VALUES = st.fixed_dictionaries(
    {}, optional={"count": st.integers(-5, 500), "why": VISIBLE, "kind": st.sampled_from(["minute", "day"])}
)


def ask(method: str, target: bytes, body: bytes = b"") -> Call:
    """Take a request as the server does."""
    route, values, query = find(ROUTES, method, target)
    return checked(route, values, query, body)


def refused_with(method: str, target: bytes, body: bytes) -> Refusal | None:
    """Give the refusal of a request, None if it is taken."""
    try:
        ask(method, target, body)
    except Refusal as refusal:
        return refusal
    return None


@given(VISIBLE, VALUES)
def test_a_query_that_is_well_made_comes_back_as_it_was(name: str, values: Mapping[str, int | str]) -> None:
    """Whatever is quoted as it should be is understood, and an absent value has its default."""
    call = ask("GET", f"/v1/things/{quote(name, safe='')}?{urlencode(values)}".encode())
    assert (call.path, call.query) == ({"name": name}, {"count": 7, **values})


@given(VISIBLE, VALUES)
def test_a_body_that_is_well_made_comes_back_as_it_was(name: str, values: Mapping[str, int | str]) -> None:
    """JSON is understood however it is written."""
    call = ask("POST", f"/v1/things/{quote(name, safe='')}".encode(), json.dumps({**values, "must": 1}).encode())
    assert call.body == {"count": 7, **values, "must": 1}


@given(
    st.sampled_from(["GET", "POST", "PUT", ""]), st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60)
)
def test_any_bytes_are_taken_or_refused(method: str, path: bytes, query: bytes, body: bytes) -> None:
    """Nothing but a Refusal comes out, always with a status of the client's and a bounded text."""
    for target in (path, b"/v1/things/" + path + b"?" + query, b"/v1/plain?" + query):
        refusal = refused_with(method, target, body)
        if refusal is not None:
            assert refusal.status in {400, 404, 405, 413, 422}
            assert len(str(refusal)) < 1000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["count", "why", "kind", "must", "other"]), JSON))
def test_what_is_taken_is_within_its_bounds(given_: dict[str, object]) -> None:
    """No value of a wrong kind, no number out of bounds and no unknown name is ever let through."""
    body = json.dumps(given_).encode()
    refusal = refused_with("POST", b"/v1/things/a", body)
    if refusal is not None:
        assert refusal.status in {400, 422}
        return
    call = ask("POST", b"/v1/things/a", body)
    assert call.body.keys() <= {"count", "why", "kind", "must"}
    assert type(call.body["count"]) is int
    assert -5 <= call.body["count"] <= 500
    assert (type(call.body["must"]), call.body["must"]) == (int, 1)


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "text"),
    [
        ("GET", b"/v1/nothing", b"", 404, "there is: /v1/plain"),
        ("GET", b"/v1/plain/", b"", 404, "nothing at that path"),
        ("GET", b"//v1/plain", b"", 404, "nothing at that path"),
        ("GET", b"*", b"", 400, "no path"),
        ("GET", b"/v1/things/", b"", 404, "1 to 128"),
        ("GET", b"/v1/things/" + b"a" * 129, b"", 404, "1 to 128"),
        ("GET", b"/v1/things/%00", b"", 404, "visible"),
        ("GET", b"/v1/things/%ff", b"", 400, "not UTF-8"),
        ("GET", b"/v1/things/%2", b"", 400, "begins no byte"),
        ("PUT", b"/v1/things/a", b"", 405, "takes GET, POST, not PUT"),
        ("GET", b"/v1/plain?a=1", b"", 422, "it takes: nothing"),
        ("GET", b"/v1/plain", b"{}", 422, "no body is wanted"),
        ("GET", b"/v1/things/a?form=1", b"", 422, "it takes: count, kind, why"),
        ("GET", b"/v1/things/a?count=1&count=1", b"", 422, "twice"),
        ("GET", b"/v1/things/a?count", b"", 422, "write name=value"),
        ("GET", b"/v1/things/a?count=", b"", 422, "-5 to 500"),
        ("GET", b"/v1/things/a?count=501", b"", 422, "-5 to 500"),
        ("GET", b"/v1/things/a?count=1e2", b"", 422, "-5 to 500"),
        ("GET", b"/v1/things/a?count=%C2%B2", b"", 422, "-5 to 500"),
        ("GET", b"/v1/things/a?count=" + b"9" * 5000, b"", 422, "-5 to 500"),
        ("GET", b"/v1/things/a?kind=hour", b"", 422, "one of minute, day"),
        ("GET", b"/v1/things/a?why=%0a", b"", 422, "visible characters"),
        ("POST", b"/v1/things/a", b"", 400, "no JSON"),
        ("POST", b"/v1/things/a", b"\xff", 400, "no JSON"),
        ("POST", b"/v1/things/a", b"[" * 60_000, 400, "no JSON"),
        ("POST", b"/v1/things/a", b'{"must": 1, "must": 1}', 400, "twice"),
        ("POST", b"/v1/things/a", b'{"must": NaN}', 400, "no JSON"),
        ("POST", b"/v1/things/a", b"[]", 422, "a JSON object"),
        ("POST", b"/v1/things/a", b"{}", 422, "lacks must"),
        ("POST", b"/v1/things/a", b'{"must": true}', 422, "1 to 1"),
        ("POST", b"/v1/things/a", b'{"must": "1"}', 422, "1 to 1"),
        ("POST", b"/v1/things/a", b'{"must": 1, "why": "\\ud800"}', 422, "visible"),
        ("POST", b"/v1/things/a", b" " * (LARGEST_BODY + 1), 413, "over 65536"),
    ],
)
def test_each_mistake_is_told(method: str, target: bytes, body: bytes, status: int, text: str) -> None:
    """The status says whose mistake it is, the text what to do."""
    with pytest.raises(Refusal) as refused:
        ask(method, target, body)
    assert refused.value.status == status
    assert text in str(refused.value)
