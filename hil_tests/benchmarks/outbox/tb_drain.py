"""ThingsBoard's way to send a backlog, over the bench's broker: rows read in batches, published, waited for, deleted.

Two ways are measured. "One by one": each row is a message, and the next waits for its acknowledgement; so do gateways
and scripts that know no window. "In packs": what 3.8.5 does, all payloads of a batch under way at once, the next batch
when the last is acknowledged. Nobody subscribes here and nothing is receipted: both are easier than what ours does.
"""

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from hil_tests.bench.pki import SiteKeys
from hil_tests.benchmarks.outbox.rivals import TbStore, naive_rows, tb_moments, tb_packs
from hil_tests.benchmarks.outbox.trace import BEGIN_MS, Tick, readings, ticks

_PATIENCE_S = 30.0


class Sender:
    """One connection, as the gateway `name` of the bench's broker; every message goes to a topic that it may use."""

    def __init__(self, keys: SiteKeys, name: str, port: int) -> None:
        tls = keys.gateways[name].tls
        context = ssl.create_default_context(cafile=keys.ca)
        context.load_cert_chain(tls.cert, tls.key)
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
        client.tls_set_context(context)
        client.max_inflight_messages = 0  # as tb-mqtt-client sets it where the platform names no limit
        self._connected = connected = threading.Event()
        client.on_connect = lambda *_: connected.set()
        self._client = client
        self._topic = f"gw/v1/{name}/tele/fine"
        client.connect("127.0.0.1", port, 60)

    def __enter__(self) -> Self:
        self._client.loop_start()
        if not self._connected.wait(_PATIENCE_S):
            raise TimeoutError("the broker does not answer")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, payloads: Iterable[bytes]) -> None:
        """Publish messages with QoS 1, and wait until all are acknowledged."""
        for sent in [self._client.publish(self._topic, payload, 1) for payload in payloads]:
            sent.wait_for_publish(_PATIENCE_S)


@contextmanager
def backlog(path: Path, days: float) -> Iterator[tuple[TbStore, float]]:
    """Give a storage with so many days of the trace, and how many readings one of its rows has."""
    store = TbStore.open(path)
    rows = 0
    for moment in tb_moments(ticks(days=days)):
        store.put(BEGIN_MS, moment)
        rows += len(moment)
    try:
        yield store, sum(map(readings, ticks(days=days))) / rows
    finally:
        store.close()


def one_by_one(store: TbStore, sender: Sender, seconds: float) -> float:
    """Drain for so long; give rows a second."""
    begun, sent = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        upto, rows = store.batch()
        if not rows:
            break
        for row in rows:
            sender.send([row.encode()])
            sent += 1
            if time.monotonic() - begun >= seconds:
                return sent / (time.monotonic() - begun)
        store.done(upto)
    return sent / (time.monotonic() - begun)


def naive(trace: Iterable[Tick], sender: Sender, seconds: float) -> float:
    """Send a message for each reading, one after another, for so long; give readings a second."""
    begun, sent = time.monotonic(), 0
    for tick in trace:
        for row in naive_rows(tick):
            sender.send([row.encode()])
            sent += 1
            if time.monotonic() - begun >= seconds:
                return sent / (time.monotonic() - begun)
    return sent / (time.monotonic() - begun)


def in_packs(store: TbStore, sender: Sender, seconds: float) -> float:
    """Drain for so long; give rows a second."""
    begun, sent = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        upto, rows = store.batch()
        if not rows:
            break
        sender.send(tb_packs(rows))
        store.done(upto)
        sent += len(rows)
    return sent / (time.monotonic() - begun)
