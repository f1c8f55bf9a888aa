"""One request and its reply as HTTP/1.1, bounded: bytes of a socket in, bytes for it out; the protocol is h11's."""

import asyncio
import http
import json
from typing import NamedTuple

import h11

from gateway.control.requests import LARGEST_BODY
from gateway.control.routes import Refusal

LARGEST_HEAD = 16 * 1024

_JSON = "application/json"
_LINES = "application/x-ndjson"


class Reply(NamedTuple):
    """What is sent back; `allow` as in Refusal."""

    status: int
    body: object
    allow: str = ""


def refused(refusal: Refusal) -> Reply:
    """Give the reply of a refusal."""
    return Reply(refusal.status, {"error": str(refusal)}, refusal.allow)


async def receive(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Request, bytes] | None:
    """Read one request with its body, None if the client left; raise Refusal where the body is too large."""
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(LARGEST_HEAD))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LARGEST_BODY:
                raise Refusal(413, f"the body is over {LARGEST_BODY} bytes")
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return request, bytes(body)
        else:
            return None


def whole(connection: h11.Connection, reply: Reply, *, has_body: bool) -> bytes:
    """Give the bytes of one answer, none where the client cannot take any; one to HEAD ends with its head."""
    if connection.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
        return b""
    payload = json.dumps(reply.body, separators=(",", ":"), ensure_ascii=False).encode()
    headers = [("Content-Type", _JSON), ("Content-Length", str(len(payload)))]
    head = _head(connection, reply.status, headers + ([("Allow", reply.allow)] if reply.allow else []))
    rest = [connection.send(h11.Data(payload)) if has_body else None, connection.send(h11.EndOfMessage())]
    return head + b"".join(part for part in rest if part)


def head_of_lines(connection: h11.Connection) -> bytes:
    """Give the head of a stream: JSON objects, one a line."""
    return _head(connection, 200, [("Content-Type", _LINES)])


def _head(connection: h11.Connection, status: int, headers: list[tuple[str, str]]) -> bytes:
    always = [("Cache-Control", "no-store"), ("Connection", "close")]
    reason = http.HTTPStatus(status).phrase
    return connection.send(h11.Response(status_code=status, headers=[*headers, *always], reason=reason)) or b""
