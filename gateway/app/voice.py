"""What the gateway says singly, signed and sent at once: its birth, the question what time it is, an alarm at need.

These streams (`state`, `evt`) are not chained and not kept: their epoch is this process', and their numbers begin at 1.
"""

import os
from collections import Counter

from gateway.wire import cose
from gateway.wire.enrolling import Renewal
from gateway.wire.keys import SigningKey
from gateway.wire.messages import Alarm, Birth, TimeRequest

STATE, EVENT = "state", "evt"

LONGEST_ALARM = 512
"""Characters."""


class Voice:
    """Signs for `gateway` with its key."""

    def __init__(self, gateway: str, key: SigningKey) -> None:
        self._gateway = gateway
        self._key = key
        self._epoch = os.urandom(cose.EPOCH_BYTES)
        self._said: Counter[str] = Counter()

    def birth(self, birth: Birth) -> bytes:
        """Sign a birth."""
        return self._sign(STATE, Birth.CONTENT, birth.encode())

    def alarm(self, alarm: Alarm) -> bytes:
        """Sign an alarm that the disk does not take."""
        return self._sign(EVENT, Alarm.CONTENT, alarm.encode())

    def time_request(self, request: TimeRequest) -> bytes:
        """Sign the question what time it is."""
        return self._sign(EVENT, TimeRequest.CONTENT, request.encode())

    def renewal(self, request: bytes) -> bytes:
        """Sign the question for a new certificate; `request` is a whole enrolment message."""
        return self._sign(EVENT, Renewal.CONTENT, Renewal(request).encode())

    def sign_with(self, key: SigningKey) -> None:
        """Sign with another key from now on."""
        self._key = key

    def _sign(self, stream: str, content: str, payload: bytes) -> bytes:
        self._said[stream] += 1
        header = cose.Header(
            key_id=self._key.key_id,
            content=content,
            gateway=self._gateway,
            stream=stream,
            epoch=self._epoch,
            sequence=self._said[stream],
        )
        return cose.sign(header, payload, self._key.private)


def alarm_of(kind: str, text: str, boot_ms: int, utc_ms: int | None) -> Alarm:
    """Make an alarm; `text` is any, also of people or of a device: what a message cannot hold is replaced."""
    return Alarm(kind, _printable(text)[:LONGEST_ALARM], boot_ms, utc_ms)


def _printable(text: str) -> str:
    """Give a text without what no message holds: a space for every kind of space, U+FFFD for the rest."""
    return "".join(each if each.isprintable() else " " if each.isspace() else "\ufffd" for each in text)
