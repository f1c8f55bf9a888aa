"""One MQTT 5 connection over paho, from CONNECT to its end; never used twice.

paho's thread only puts events into a queue and wakes the loop; all that decides runs in the loop. A connection that
ends is thrown away together with whatever paho still held: a fresh one starts with an empty window, so paho's own
queue, its repeats after a reconnect and its ignoring of the window never come into play. What was in flight is known
to the caller, who sends it again.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.uplink.events import Acknowledged, Arrived, Ended, Event, Outgoing, Unheard
from gateway.uplink.settings import Inbound, UplinkSettings
from gateway.uplink.tls import LinkError, RefusedError, client_context, is_refusal, lost, why, why_closed
from gateway.uplink.traffic import Traffic, traffic

_ANSWER_S = 15.0
_GOODBYE_S = 2.0
_RECEIVE_MAXIMUM = 20
_NO_SUBSCRIBER = 0x10
_RETAINED = frozenset({"state", "conn"})


class Session:
    """One connection. `wake` is called in the loop whenever `events` may have something new.

    `receive_maximum` and `packet_maximum` (bytes, None for no limit) are what the broker's CONNACK allows.
    """

    def __init__(self, settings: UplinkSettings, wake: Callable[[], None]) -> None:
        self.receive_maximum = 65_535
        self.packet_maximum: int | None = None
        self._settings = settings
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._events: deque[Event] = deque()
        self._answer: asyncio.Future[str | None] = self._loop.create_future()
        self._opened = False
        self._prefix = settings.topic("")
        self._socket: socket.socket | None = None
        self._closed = Traffic()
        self._counted = Traffic()
        self._context: ssl.SSLContext | None = None
        self._plain: dict[str, Properties] = {}
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.gateway,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        # Our own window is the only one: paho must hold nothing back.
        client.max_inflight_messages = 0
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        client.on_subscribe = self._on_subscribe
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        self._client = client

    async def open(self) -> None:
        """Connect and wait for the broker's CONNACK; raise LinkError, RefusedError where it will not have us."""
        settings = self._settings
        self._context = client_context(settings)
        self._client.tls_set_context(self._context)
        will = _properties(PacketTypes.WILLMESSAGE)
        will.WillDelayInterval = settings.will_delay_s
        self._client.will_set(settings.topic("conn"), b"offline", 1, retain=True, properties=will)
        connect = _properties(PacketTypes.CONNECT)
        connect.SessionExpiryInterval = settings.session_expiry_s
        connect.ReceiveMaximum = _RECEIVE_MAXIMUM
        connect.MaximumPacketSize = settings.inbound_limit

        def dial() -> None:
            self._client.connect(
                settings.host, settings.port, settings.keepalive_s, clean_start=False, properties=connect
            )

        dialling = self._loop.run_in_executor(None, dial)
        try:
            await asyncio.shield(dialling)
        except asyncio.CancelledError:
            dialling.add_done_callback(self._abandon)
            raise
        except OSError as error:
            if is_refusal(error):
                raise RefusedError(why_closed(settings)) from error
            raise LinkError(why(error, settings)) from error
        self._opened = True
        self._client.loop_start()
        try:
            async with asyncio.timeout(_ANSWER_S):
                refusal = await self._answer
        except TimeoutError as error:
            raise LinkError(
                f"broker {settings.host}:{settings.port} takes the connection and says nothing: is it an MQTT broker?"
            ) from error
        if refusal is not None:
            raise RefusedError(refusal)

    async def close(self) -> None:
        """Say goodbye (the broker then publishes no will) and stop paho's thread; never raises."""
        if self._opened:
            self._opened = False
            if self._client.is_connected():
                self.publish(Outgoing("conn", b"offline"))
            self._client.disconnect()  # disconnect first, then stop: the other way round paho's thread waits for ever
            stopping = self._loop.run_in_executor(None, self._client.loop_stop)
            done, _ = await asyncio.wait((stopping,), timeout=_GOODBYE_S)
            if not done:
                # Its farewell cannot leave: a line that takes nothing any more, and has not said so.
                self._hang_up()
                await stopping
        # paho closes its inner sockets when it is deleted, which a circle of references would put off.
        client = self._client
        client.on_connect = client.on_disconnect = client.on_publish = client.on_message = None
        client.on_socket_open = client.on_socket_close = client.on_subscribe = None

    def cost(self) -> Traffic:
        """Give what this connection has cost on the line since the last call."""
        connection = self._socket
        now = self._closed if connection is None else traffic(connection)
        if connection is None and self._context is not None:
            now = now.plus(lost(self._context))
        if now.total < self._counted.total:
            return Traffic()  # it was closed just now, by paho's thread
        since = now.minus(self._counted)
        self._counted = now
        return since

    def events(self) -> Sequence[Event]:
        """Take what has happened since the last call."""
        taken = []
        while self._events:
            taken.append(self._events.popleft())
        return taken

    def subscribe(self, kinds: Sequence[str]) -> None:
        """Subscribe to our own topics of these kinds, QoS 1; the broker may have lost the session."""
        wanted = [(self._settings.topic(kind), SubscribeOptions(qos=1)) for kind in kinds]
        self._client.subscribe(wanted)

    def publish(self, message: Outgoing) -> int | None:
        """Hand one message to paho and give its mid; None where a QoS 0 message found no connection.

        A QoS 1 message has a mid even when the line has just fallen: paho keeps it, and a second `publish` would
        double it.
        """
        info = self._client.publish(
            self._settings.topic(message.kind),
            message.payload,
            message.qos,
            message.kind in _RETAINED,
            self._publish_properties(message),
        )
        if message.qos == 0 and info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return None
        return info.mid

    def settle(self, mid: int) -> None:
        """Tell the broker that an arrived message was handed over."""
        if mid:
            self._client.ack(mid, 1)

    def _abandon(self, dialling: asyncio.Future[None]) -> None:
        if not dialling.cancelled() and dialling.exception() is None:
            self._client.disconnect()

    def _publish_properties(self, message: Outgoing) -> Properties | None:
        if message.expiry_s is None and message.correlation is None:
            if message.content is None:
                return None
            # Most messages differ in nothing else, and paho takes its time to make properties.
            plain = self._plain.get(message.content)
            if plain is None:
                plain = self._plain[message.content] = _properties(PacketTypes.PUBLISH)
                plain.ContentType = message.content
            return plain
        properties = _properties(PacketTypes.PUBLISH)
        for name, value in (
            ("MessageExpiryInterval", message.expiry_s),
            ("CorrelationData", message.correlation),
            ("ContentType", message.content),
        ):
            if value is not None:
                setattr(properties, name, value)
        return properties

    def _hang_up(self) -> None:
        connection = self._socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _post(self, event: Event) -> None:
        self._events.append(event)
        self._call(self._wake)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(function, *arguments)

    def _answered(self, refusal: str | None) -> None:
        if not self._answer.done():
            self._answer.set_result(refusal)

    # From here on paho's thread: nothing but handing over.

    def _on_socket_open(self, _client: mqtt.Client, _data: object, connection: object) -> None:
        if isinstance(connection, socket.socket):
            # Small messages go as they are: Nagle's algorithm would hold an answer back for the last one's sake.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = connection

    def _on_socket_close(self, _client: mqtt.Client, _data: object, connection: object) -> None:
        if isinstance(connection, socket.socket):
            self._closed = traffic(connection)
        self._socket = None

    def _on_connect(
        self,
        _client: mqtt.Client,
        _data: object,
        _flags: mqtt.ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if code.is_failure:
            where, gateway = f"{self._settings.host}:{self._settings.port}", self._settings.gateway
            self._call(self._answered, f"broker {where} refuses us: {code}: check its access rules for {gateway!r}")
            return
        self.receive_maximum = int(getattr(properties, "ReceiveMaximum", 65_535))
        self.packet_maximum = getattr(properties, "MaximumPacketSize", None)
        self._call(self._answered, None)

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _data: object,
        _flags: mqtt.DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._call(self._closed_early)
        self._post(Ended(str(code)))

    def _closed_early(self) -> None:
        if not self._answer.done():
            self._answered(why_closed(self._settings))

    def _on_publish(
        self, _client: mqtt.Client, _data: object, mid: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        refusal = f"{code} (0x{code.value:02x})" if code.is_failure else None
        self._post(Acknowledged(mid, refusal, code.value == _NO_SUBSCRIBER))

    def _on_subscribe(
        self, _client: mqtt.Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = next((code for code in codes if code.is_failure), None)
        if refused is not None:
            self._post(Unheard(f"{refused} (0x{refused.value:02x})"))

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        kind = message.topic.removeprefix(self._prefix)
        correlation = getattr(message.properties, "CorrelationData", None)
        inbound = Inbound(kind, bytes(message.payload), bool(message.retain), correlation)
        self._post(Arrived(inbound, message.mid if message.qos else 0))


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]  # paho leaves it without annotations
