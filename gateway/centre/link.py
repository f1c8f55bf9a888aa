"""The centre's MQTT 5 connection: shared subscription for ingest, a session that outlives it, manual acknowledgement.

paho keeps the connection up by itself; its thread only hands over. What arrives is acknowledged after it was committed,
so a centre that dies in between is given it again. Whether a message may be believed is decided elsewhere.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.centre.errors import LinkUnusable
from gateway.centre.ingest import Arrival
from gateway.centre.settings import CentreSettings

log = logging.getLogger(__name__)

_SUBSCRIPTIONS = (
    "$share/ingest/gw/v1/+/tele/#",
    "$share/ingest/gw/v1/+/ack",
    "$share/ingest/gw/v1/+/evt/#",
    "gw/v1/+/state",  # retained messages are not delivered to a shared subscription
    "gw/v1/+/conn",
)
_RECEIVE_MAXIMUM = 200
_PACKET_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Delivered:
    """An arrival, and what it takes to acknowledge it: mid (0 for QoS 0) and the connection that it came by."""

    arrival: Arrival
    mid: int
    connection: int


@dataclass(frozen=True, slots=True)
class ToGateway:
    """A message of ours to one gateway: `kind` is `cmd` or `receipt`."""

    gateway: str
    kind: str
    payload: bytes
    qos: int = 1
    expiry_s: int | None = None
    correlation: bytes | None = None
    content: str | None = None


class Link:
    """The connection; callbacks run in the loop, and `connected` is set while it is up.

    `on_answer` gets mid and the PUBACK's reason code.
    """

    def __init__(
        self,
        settings: CentreSettings,
        on_message: Callable[[Delivered], None],
        on_answer: Callable[[int, int], None],
        connected: asyncio.Event,
    ) -> None:
        """Read the files of TLS; raise LinkUnusable."""
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._on_delivered = on_message
        self._on_answer = on_answer
        self._connections = 0
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=settings.name, protocol=mqtt.MQTTv5, manual_ack=True
        )
        client.tls_set_context(_context(settings))
        client.reconnect_delay_set(settings.reconnect_min_s, settings.reconnect_max_s)
        client.on_socket_open = _at_once
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        self._client = client
        self._is_up = False
        self.connected = connected
        self.trouble: str | None = None
        """Why there is no connection, while there is none."""

    def start(self) -> None:
        """Begin to connect, and go on until `stop`."""
        settings = self._settings
        connect = _properties(PacketTypes.CONNECT)
        connect.SessionExpiryInterval = settings.session_expiry_s
        connect.ReceiveMaximum = _RECEIVE_MAXIMUM
        connect.MaximumPacketSize = _PACKET_MAX
        self._client.connect_async(
            settings.host, settings.port, settings.keepalive_s, clean_start=False, properties=connect
        )
        self._client.loop_start()

    async def stop(self) -> None:
        """Disconnect, then stop paho's thread: the other way round it waits for ever."""
        self._client.disconnect()
        await self._loop.run_in_executor(None, self._client.loop_stop)
        # paho closes its inner sockets when it is deleted, which a circle of references would put off.
        client = self._client
        client.on_connect = client.on_disconnect = client.on_publish = client.on_message = None
        client.on_connect_fail = None

    def publish(self, message: ToGateway) -> int | None:
        """Publish to one gateway and give the mid; None without a connection: paho would keep it and send it late."""
        if not self.connected.is_set() or not self._client.is_connected():
            return None
        properties = _properties(PacketTypes.PUBLISH)
        for name, value in (
            ("MessageExpiryInterval", message.expiry_s),
            ("CorrelationData", message.correlation),
            ("ContentType", message.content),
        ):
            if value is not None:
                setattr(properties, name, value)
        topic = f"gw/v1/{message.gateway}/{message.kind}"
        return self._client.publish(topic, message.payload, message.qos, properties=properties).mid

    def settle(self, delivered: Delivered) -> None:
        """Acknowledge; over another connection the same mid would be another message."""
        if delivered.mid and delivered.connection == self._connections:
            self._client.ack(delivered.mid, 1)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(function, *arguments)

    # From here on paho's thread: nothing but handing over.

    def _on_connect(
        self,
        client: mqtt.Client,
        _data: object,
        _flags: mqtt.ConnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if code.is_failure:
            self._fail(f"it refuses the connection: {code}")
            return
        if self.trouble is not None:
            log.info("connected to broker %s:%d", self._settings.host, self._settings.port)
        self._is_up, self.trouble = True, None
        self._connections += 1
        client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in _SUBSCRIPTIONS])
        self._call(self.connected.set)

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _data: object,
        _flags: mqtt.DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self._is_up and not code.is_failure:
            pass  # we have said goodbye
        elif self._is_up:
            self._fail("the connection was lost")
        elif self.trouble is None:
            self._fail(
                f"it hung up before it answered: it refuses our certificate {self._settings.cert_file}; check that its "
                "authority signed it, that it has not ended, and that it is not revoked"
            )
        self._is_up = False
        self._call(self.connected.clear)

    def _on_connect_fail(self, _client: mqtt.Client, _data: object) -> None:
        # paho calls this where it has caught the error, which it tells nobody.
        self._fail(_why(sys.exc_info()[1], self._settings))

    def _fail(self, text: str) -> None:
        """Note why there is no connection, and say so where it is new."""
        told = f"broker {self._settings.host}:{self._settings.port}: {text}; it is tried again"
        if told != self.trouble:
            log.warning("%s", told)
        self.trouble = told

    def _on_publish(
        self, _client: mqtt.Client, _data: object, mid: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._call(self._on_answer, mid, int(code.value))

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        arrival = Arrival(message.topic, bytes(message.payload), time.time_ns() // 1_000_000)
        self._call(self._on_delivered, Delivered(arrival, message.mid if message.qos else 0, self._connections))


class _Socket(ssl.SSLSocket):
    """Closes itself where the handshake fails: paho lets go of it without closing it."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature of ssl.SSLSocket
        """Do the handshake; raise what it raises, with nothing left open."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def _context(settings: CentreSettings) -> ssl.SSLContext:
    files = {
        "[broker] ca_file": settings.ca_file,
        "certificate_file": settings.cert_file,
        "key_file": settings.key_file,
    }
    for what, path in files.items():
        try:
            path.open("rb").close()
        except OSError as error:
            raise LinkUnusable(f"{what}: {path}: cannot be read ({error.strerror})") from error
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(settings.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.sslsocket_class = _Socket
        # With a passphrase told, if an empty one, OpenSSL does not stop to ask for that of an encrypted key.
        context.load_cert_chain(settings.cert_file, settings.key_file, password="")
    except (ssl.SSLError, OSError) as error:
        raise LinkUnusable(
            f"{', '.join(map(str, files.values()))}: make no TLS identity ({error.strerror or error}): each must be "
            "PEM, unencrypted, and the key that of the certificate"
        ) from error
    return context


def _why(error: BaseException | None, settings: CentreSettings) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}): check [broker] host, and that "
            f"{settings.ca_file} is its authority"
        )
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error}): the port must speak TLS 1.3"
    if isinstance(error, socket.gaierror):
        return f"the name is unknown ({error.strerror})"
    return f"cannot be reached ({getattr(error, 'strerror', None) or error or 'no answer'})"


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]  # paho leaves it without annotations


def _at_once(_client: mqtt.Client, _data: object, sock: object) -> None:
    """Let small messages go as they are: Nagle's algorithm would hold an answer back for the last one's sake."""
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
