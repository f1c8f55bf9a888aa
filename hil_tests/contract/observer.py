"""Somebody who hears everything at the bench's broker: what really crosses it, as it crosses it."""

import asyncio
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from hil_tests.bench.broker import OBSERVER
from hil_tests.bench.pki import Certificate, SiteKeys

_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Observed:
    """One PUBLISH, with what it said of itself; `expiry_s` is what was left of it."""

    topic: str
    payload: bytes
    qos: int
    is_retained: bool
    content: str | None
    correlation: bytes | None
    expiry_s: int | None
    others: tuple[str, ...]


class Observer:
    """`async with Observer(keys, certificate, port) as observer:` hears from then on; `observed` has it in order."""

    def __init__(self, keys: SiteKeys, certificate: Certificate, port: int) -> None:
        self.observed: list[Observed] = []
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Future[None] = self._loop.create_future()
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(keys.ca))
        context.load_cert_chain(certificate.cert, certificate.key)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=OBSERVER, protocol=mqtt.MQTTv5)
        self._client.tls_set_context(context)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._client.connect, "127.0.0.1", self._port)
        self._client.loop_start()
        async with asyncio.timeout(_PATIENCE_S):
            await self._heard
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None

    def _on_connect(
        self, client: mqtt.Client, _data: object, _flags: mqtt.ConnectFlags, _code: ReasonCode, _: Properties | None
    ) -> None:
        client.subscribe("gw/#", options=SubscribeOptions(qos=2, retainAsPublished=True))

    def _on_subscribe(
        self, _client: mqtt.Client, _data: object, _mid: int, _codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._heard.set_result, None)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        told: dict[str, Any] = {} if message.properties is None else message.properties.json()  # type: ignore[no-untyped-call]
        self.observed.append(
            Observed(
                topic=message.topic,
                payload=bytes(message.payload),
                qos=message.qos,
                is_retained=bool(message.retain),
                content=getattr(message.properties, "ContentType", None),
                correlation=getattr(message.properties, "CorrelationData", None),
                expiry_s=getattr(message.properties, "MessageExpiryInterval", None),
                others=tuple(sorted(told.keys() - {"ContentType", "CorrelationData", "MessageExpiryInterval"})),
            )
        )
