"""Forms as the page takes them: application/x-www-form-urlencoded, UTF-8, each field once, and bounded."""

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from gateway.web.refusal import Refused

LARGEST_BODY = 64 * 1024
MOST_FIELDS = 32

_FORM = "application/x-www-form-urlencoded"


async def fields(request: Request) -> Mapping[str, str]:
    """Give the fields of a posted form; raise Refused, which the page answers with 400, 413 or 415."""
    return parsed(request.headers.get("content-type", ""), await request.body())


def parsed(content_type: str, body: bytes) -> Mapping[str, str]:
    """Read the body of a form; raise Refused."""
    kind, _, parameters = content_type.lower().partition(";")
    if kind.strip() != _FORM or parameters.strip() not in {"", "charset=utf-8"}:
        raise Refused(415)
    if len(body) > LARGEST_BODY:
        raise Refused(413)
    found: dict[str, str] = {}
    parts = body.split(b"&", MOST_FIELDS) if body else []
    if len(parts) > MOST_FIELDS:
        raise Refused(400)
    for part in parts:
        name, equals, value = part.partition(b"=")
        key = _text(name)
        if not equals or not key or key in found:
            raise Refused(400)
        found[key] = _text(value)
    return found


def _text(encoded: bytes) -> str:
    try:
        text = unquote_to_bytes(encoded.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(400) from error
    if "\0" in text:
        raise Refused(400)
    return text
