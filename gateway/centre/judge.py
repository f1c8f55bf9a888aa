"""Whether a message from the broker may be believed: the right key for that gateway, the right topic for that message.

A broker can map topics and a gateway can lie: the topic names who should speak, the signature proves who did, and the
two must agree. Sequence, duplicates and chains are the store's business.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.wire import cose
from gateway.wire.errors import MalformedMessage, SignatureError
from gateway.wire.keys import KeySet
from gateway.wire.messages import Alarm, Answer, Birth, ClockRecord, TimeRequest
from gateway.wire.packing import CONTENT as SEGMENT
from gateway.wire.schema import Schema

_TOPIC = re.compile(r"gw/v1/([^/]+)/(tele/[^/]+|evt/[^/]+|state|ack)")

_CONTENTS: Mapping[str, frozenset[str]] = {
    "tele": frozenset({SEGMENT, Schema.CONTENT, ClockRecord.CONTENT}),
    "evt": frozenset({Alarm.CONTENT, TimeRequest.CONTENT}),
    "state": frozenset({Birth.CONTENT}),
    "ack": frozenset({Answer.CONTENT}),
}


class Refusal(Enum):
    """Why a message was refused; the value is the name under which it is counted."""

    BAD_SIGNATURE = "bad_signatures"
    MALFORMED = "malformed"
    MISPLACED = "misplaced"


@dataclass(frozen=True, slots=True)
class Genuine:
    """A message that its gateway signed, under its own topic; `blob` is the whole message as it came."""

    header: cose.Header
    payload: bytes
    blob: bytes


class Judge:
    """Holds the gateways' keys; a key speaks for the gateway that is its issuer and for no other."""

    def __init__(self, keys: KeySet) -> None:
        self._keys: dict[str, dict[bytes, Ed25519PublicKey]] = {}
        for key_id, public in keys.with_role("gateway").items():
            self._keys.setdefault(keys.issuer_of(key_id), {})[key_id] = public

    def gateways(self) -> list[str]:
        """Name every gateway that has a key."""
        return sorted(self._keys)

    def judge(self, topic: str, message: bytes) -> Genuine | Refusal:
        """Verify one message; never raises for anything that came from outside."""
        found = _TOPIC.fullmatch(topic)
        if found is None:
            return Refusal.MISPLACED
        gateway, place = found.groups()
        try:
            verified = cose.verify(message, self._keys.get(gateway, {}))
        except SignatureError:
            return Refusal.BAD_SIGNATURE
        except MalformedMessage:
            return Refusal.MALFORMED
        kind, _, stream = place.partition("/")
        header = verified.header
        wanted = stream if kind == "tele" else kind
        if header.gateway != gateway or header.stream != wanted or header.content not in _CONTENTS[kind]:
            return Refusal.MISPLACED
        return Genuine(header, verified.payload, message)
