"""A bare MQTT 5 client with any certificate, to try at a broker what a gateway would never do."""

import asyncio
import ssl
from types import TracebackType
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hil_tests.bench.pki import Certificate, SiteKeys

_PATIENCE_S = 10.0


class RawClient:
    """`async with RawClient(keys, certificate, port, client_id) as client:` is connected."""

    def __init__(self, keys: SiteKeys, certificate: Certificate, port: int, client_id: str) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.received: list[mqtt.MQTTMessage] = []
        """The same with all that the broker said of each."""
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._answers: dict[int, asyncio.Future[int]] = {}
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(keys.ca))
        context.load_cert_chain(certificate.cert, certificate.key)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
        self._client.tls_set_context(context)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._client.connect, "127.0.0.1", self._port)
        self._client.loop_start()
        async with asyncio.timeout(_PATIENCE_S):
            await self._connected
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        self._client.on_connect = self._client.on_publish = self._client.on_message = None

    def subscribe(self, topic: str) -> None:
        """Ask for a topic; mosquitto grants it even where it will deliver nothing."""
        self._client.subscribe(topic, 1)

    async def published(self, topic: str, payload: bytes, *, expiry_s: int | None = None) -> int:
        """Publish with QoS 1 and give the PUBACK's reason code."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it without annotations
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        mid = self._client.publish(topic, payload, 1, properties=properties).mid
        async with asyncio.timeout(_PATIENCE_S):
            return await self._answers.setdefault(mid, self._loop.create_future())

    def _answered(self, mid: int, code: int) -> None:
        answer = self._answers.setdefault(mid, self._loop.create_future())
        if not answer.done():
            answer.set_result(code)

    # From here on paho's thread.

    def _on_connect(
        self,
        _client: mqtt.Client,
        _data: object,
        _flags: mqtt.ConnectFlags,
        _code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._connected.set_result, None)

    def _on_publish(
        self, _client: mqtt.Client, _data: object, mid: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._answered, mid, int(code.value))

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.received.append(message)
        self.messages.append((message.topic, bytes(message.payload)))
