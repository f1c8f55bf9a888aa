"""Checks a request against the table of routes: strict, bounded, and with the reason for each refusal.

Pure: it is given the target and the body as they came. Nothing unknown is passed over, for a misspelt `form=` would
else answer another question than was asked.
"""

import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote_to_bytes

from gateway.control.routes import CONTROL, Call, Choice, Field, Refusal, Route, Text, Value, Whole

LARGEST_BODY = 64 * 1024
LONGEST_SEGMENT = 128

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_BROKEN_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def find(routes: Sequence[Route], method: str, target: bytes) -> tuple[Route, Mapping[str, str], bytes]:
    """Give the route of a request, the values of its path, and its query; raise Refusal (400, 404, 405)."""
    path, _, query = target.partition(b"?")
    if not path.startswith(b"/"):
        raise Refusal(400, "the target is no path: it begins with /v1/")
    segments = [_decoded(segment, "the path") for segment in path[1:].split(b"/")]
    found = [(route, values) for route in routes if (values := route.matches(segments)) is not None]
    if not found:
        raise Refusal(404, f"nothing at that path; there is: {', '.join(sorted({route.path for route in routes}))}")
    for route, values in found:
        if route.method == method:
            for name, value in values.items():
                if not 0 < len(value) <= LONGEST_SEGMENT or CONTROL.search(value):
                    raise Refusal(404, f"{name} is a text of 1 to {LONGEST_SEGMENT} visible characters")
            return route, values, query
    allowed = ", ".join(sorted(route.method for route, _ in found))
    raise Refusal(405, f"{found[0][0].path} takes {allowed}, not {method}", allow=allowed)


def checked(route: Route, values: Mapping[str, str], query: bytes, body: bytes) -> Call:
    """Check what a request carries; raise Refusal (400 cannot be read, 413 too large, 422 not what is wanted)."""
    if len(body) > LARGEST_BODY:
        raise Refusal(413, f"the body is over {LARGEST_BODY} bytes")
    return Call(values, _query(route.query, query), _body(route.body, body))


def _query(fields: Sequence[Field], query: bytes) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for part in query.split(b"&") if query else ():
        name_, equals, value_ = part.partition(b"=")
        name = _decoded(name_.replace(b"+", b" "), "the query")
        if not equals:
            raise Refusal(422, f"the query has {name[:64]!r} without a value: write name=value")
        if name in given:
            raise Refusal(422, f"the query has {name[:64]!r} twice")
        text = _decoded(value_.replace(b"+", b" "), "the query")
        wanted = next((field.kind for field in fields if field.name == name), None)
        given[name] = int(text) if isinstance(wanted, Whole) and _WHOLE.fullmatch(text) else text
    return _values("the query", fields, given)


def _body(fields: Sequence[Field], body: bytes) -> dict[str, Value]:
    if not fields:
        if body:
            raise Refusal(422, "no body is wanted here")
        return {}
    try:
        given = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "the body is no JSON in UTF-8, or names something twice") from error
    if not isinstance(given, dict):
        raise Refusal(422, "the body is a JSON object")
    return _values("the body", fields, given)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _values(where: str, fields: Sequence[Field], given: Mapping[str, object]) -> dict[str, Value]:
    known = {field.name for field in fields}
    for name in given:
        if name not in known:
            raise Refusal(422, f"{where} has {name[:64]!r}; it takes: {', '.join(sorted(known)) or 'nothing'}")
    values: dict[str, Value] = {}
    for field in fields:
        if field.name in given:
            values[field.name] = _value(where, field, given[field.name])
        elif field.is_needed:
            raise Refusal(422, f"{where} lacks {field.name}: {field.about}")
        elif field.default is not None:
            values[field.name] = field.default
    return values


def _value(where: str, field: Field, value: object) -> Value:
    match field.kind:
        case Whole(least, most):
            if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
                return value
            wanted = f"a whole number from {least} to {most}"
        case Text(least, most):
            if isinstance(value, str) and least <= len(value) <= most and not CONTROL.search(value):
                return value
            wanted = f"a text of {least} to {most} visible characters"
        case Choice(of):
            if isinstance(value, str) and value in of:
                return value
            wanted = f"one of {', '.join(of)}"
    raise Refusal(422, f"{field.name} in {where}: {wanted} is wanted ({field.about})")


def _decoded(raw: bytes, where: str) -> str:
    try:
        if _BROKEN_PERCENT.search(raw):
            raise Refusal(400, f"{where} has a % that begins no byte")
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal(400, f"{where} is not UTF-8") from None
