"""Whether a message from the broker may be believed: the right key for that gateway, the right topic for that message.

A broker can map topics and a gateway can lie: the topic names who should speak, the signature proves who did, and the
two must agree. Sequence, duplicates and chains are the store's business.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gateway.wire import contents, cose
from gateway.wire.enrolling import Renewal
from gateway.wire.errors import MalformedMessage, RevokedKey, SignatureError, WireError
from gateway.wire.keys import KeySet
from gateway.wire.messages import Alarm, Answer, Birth, ClockRecord, Dropped, TimeRequest
from gateway.wire.packing import CONTENT as SEGMENT
from gateway.wire.schema import Schema

_TOPIC = re.compile(r"gw/v1/([^/]+)/(tele/[^/]+|evt/[^/]+|state|ack)")

_CONTENTS: Mapping[str, frozenset[str]] = {
    "tele": frozenset({SEGMENT, Schema.CONTENT, ClockRecord.CONTENT, Dropped.CONTENT}),
    "evt": frozenset({Alarm.CONTENT, TimeRequest.CONTENT, Renewal.CONTENT}),
    "state": frozenset({Birth.CONTENT}),
    "ack": frozenset({Answer.CONTENT}),
}


_ROLE = "gateway"
_TOLD_MOST = 16

log = logging.getLogger(__name__)

ALARMS = "alarm"
"""The chained stream of alarms; one that the gateway could not store is said singly, in the stream `evt`."""


_EVENTS: Mapping[str, str] = {
    ALARMS: Alarm.CONTENT,
    "time": TimeRequest.CONTENT,
    "renewal": Renewal.CONTENT,
}
"""What is said on each topic below `evt`."""


class Refusal(Enum):
    """Why a message was refused; the value is the name under which it is counted."""

    BAD_SIGNATURE = "bad_signatures"
    REVOKED = "revoked_keys"
    """The signature is good, and its key is revoked: somebody has it who should not."""
    MALFORMED = "malformed"
    MISPLACED = "misplaced"
    UNKNOWN = "unknown_contents"
    """Of a version that is not read here. Without a receipt its gateway keeps it, until this centre is updated."""


_REFUSED: tuple[tuple[type[WireError], Refusal], ...] = (
    (RevokedKey, Refusal.REVOKED),
    (SignatureError, Refusal.BAD_SIGNATURE),
    (MalformedMessage, Refusal.MALFORMED),
)


@dataclass(frozen=True, slots=True)
class Genuine:
    """A message that its gateway signed, under its own topic; `blob` is the whole message as it came."""

    header: cose.Header
    payload: bytes
    blob: bytes


class Judge:
    """Holds the gateways' keys; a key speaks for the gateway that is its issuer and for no other."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys
        self._told: set[str] = set()

    def gateways(self) -> list[str]:
        """Name every gateway that has a key that is not revoked."""
        return sorted({self._keys.issuer_of(key_id) for key_id in self._keys.with_role(_ROLE)})

    def judge(self, topic: str, message: bytes) -> Genuine | Refusal:
        """Verify one message; never raises for anything that came from outside."""
        found = _TOPIC.fullmatch(topic)
        if found is None:
            return Refusal.MISPLACED
        gateway, place = found.groups()
        try:
            verified = self._keys.verify(message, _ROLE)
        except WireError as error:
            return next(refusal for kind, refusal in _REFUSED if isinstance(error, kind))
        if self._keys.issuer_of(verified.header.key_id) != gateway:
            return Refusal.BAD_SIGNATURE
        if verified.header.content not in contents.KNOWN:
            self._tell(gateway, verified.header.content)
            return Refusal.UNKNOWN
        if verified.header.gateway != gateway or not _in_place(place, verified.header):
            return Refusal.MISPLACED
        return Genuine(verified.header, verified.payload, message)

    def _tell(self, gateway: str, content: str) -> None:
        """Say once of each content that it is not read here, and what to do."""
        if content not in self._told and len(self._told) < _TOLD_MOST:
            self._told.add(content)
            log.warning("%s sends %s", gateway, contents.unknown(content))


def _in_place(place: str, header: cose.Header) -> bool:
    """Tell whether content, stream and topic belong together."""
    kind, _, what = place.partition("/")
    if header.content not in _CONTENTS[kind]:
        return False
    try:
        contents.hold_place(header)
    except MalformedMessage:
        return False
    if kind == "tele":
        return header.stream == what
    if kind == "evt":
        return header.content == _EVENTS.get(what)
    return header.stream == kind
