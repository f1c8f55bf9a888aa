"""A broker that answers as a test tells it: the PUBACK codes and silences that no real broker gives to order.

It speaks just enough MQTT 5 over TLS for one client at a time, in the test's own loop. Everything else is mosquitto's
part (`broker`).
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from hil_tests.bench.pki import SiteKeys

_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _SUBSCRIBE, _SUBACK, _PING, _PONG = 1, 2, 3, 4, 8, 9, 12, 13
_RECEIVE_MAXIMUM, _PACKET_MAXIMUM = 0x21, 0x27


@dataclass(frozen=True, slots=True)
class Publish:
    """A PUBLISH as it came: on which connection (from 1), under which kind of topic (`tele/fine`), and what."""

    connection: int
    kind: str
    packet: int
    payload: bytes


Answer = Callable[[Publish], int | None]
"""Gives the reason code of the PUBACK; None where none shall be sent."""


class ScriptedBroker:
    """`async with ScriptedBroker(keys, answer) as broker:` listens on `broker.port`."""

    def __init__(
        self, keys: SiteKeys, answer: Answer, *, receive_maximum: int = 65_535, packet_maximum: int | None = None
    ) -> None:
        self.port = 0
        self.published: list[Publish] = []
        self.most_unanswered = 0
        self.connections = 0
        self._answer = answer
        self._receive_maximum = receive_maximum
        self._packet_maximum = packet_maximum
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(keys.ca))
        self._context.load_cert_chain(keys.broker.cert, keys.broker.key)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._unanswered: list[Publish] = []
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """Cut the connection, as a network does."""
        if self._writer is not None:
            # Python 3.11.2, Debian 12's, lets go of its TLS before abort: one that is gone already is cut already.
            with contextlib.suppress(AttributeError):
                self._writer.transport.abort()

    def answer_all(self, code: int = 0) -> None:
        """Acknowledge now whatever was left without an answer."""
        waiting, self._unanswered = self._unanswered, []
        for publish in waiting:
            self._acknowledge(publish, code)

    def kinds(self) -> list[str]:
        """Name what came, in order."""
        return [publish.kind for publish in self.published]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writer = writer
        self._unanswered = []
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while True:
                first, body = await _packet(reader)
                self._handle(writer, first, body)
        writer.close()

    def _handle(self, writer: asyncio.StreamWriter, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == _CONNECT:
            properties = bytes([_RECEIVE_MAXIMUM]) + self._receive_maximum.to_bytes(2, "big")
            if self._packet_maximum is not None:
                properties += bytes([_PACKET_MAXIMUM]) + self._packet_maximum.to_bytes(4, "big")
            _send(writer, _CONNACK, bytes([0, 0, len(properties)]) + properties)
        elif kind == _SUBSCRIBE:
            _send(writer, _SUBACK, body[:2] + bytes([0, 1, 1, 1]))
        elif kind == _PING:
            _send(writer, _PONG, b"")
        elif kind == _PUBLISH and first & 0x06:
            self._published(body)

    def _published(self, body: bytes) -> None:
        end = 2 + int.from_bytes(body[:2], "big")
        length, start = _varint(body, end + 2)
        topic = body[2:end].decode()
        packet = int.from_bytes(body[end : end + 2], "big")
        publish = Publish(self.connections, topic.split("/", 3)[3], packet, body[start + length :])
        self.published.append(publish)
        code = self._answer(publish)
        if code is None:
            self._unanswered.append(publish)
            self.most_unanswered = max(self.most_unanswered, len(self._unanswered))
        else:
            self._acknowledge(publish, code)

    def _acknowledge(self, publish: Publish, code: int) -> None:
        if self._writer is not None and not self._writer.is_closing():
            _send(self._writer, _PUBACK, publish.packet.to_bytes(2, "big") + bytes([code, 0]))


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return first, await reader.readexactly(length)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if byte < 0x80:
            return value, at


def _send(writer: asyncio.StreamWriter, kind: int, body: bytes) -> None:
    writer.write(bytes([kind << 4, len(body)]) + body)
