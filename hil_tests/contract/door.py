"""The checks of docs/contract in their order, as the code makes them: 1 to 5, then the payload."""

from gateway.app.inbound import LIMIT as RECEIPT_LIMIT
from gateway.commands.verify import LIMIT as COMMAND_LIMIT
from gateway.enrolment.request import RequestError
from gateway.enrolment.request import read as read_request
from gateway.wire import contents, cose
from gateway.wire.enrolling import Enrolment
from gateway.wire.errors import MalformedMessage, SignatureError, WireError
from gateway.wire.messages import Message
from gateway.wire.packing import SegmentContent
from gateway.wire.schema import Schema
from hil_tests.contract.examples import KEYS, SCHEMAS

__all__ = ["COMMAND_LIMIT", "RECEIPT_LIMIT", "read"]

_LIMITS = {"receipt": RECEIPT_LIMIT, "cfg": RECEIPT_LIMIT, "cmd": COMMAND_LIMIT}
_ROLES = {"receipt": "receipt", "cfg": "config", "cmd": "dispatch"}
_GATEWAY = "gateway"


def read(message: bytes) -> Message | Schema | SegmentContent | int | str:
    """Give what a message of the examples says, or the check that it fails."""
    try:
        header = cose.peek(message)
    except WireError:
        return 1 if len(message) > cose.LIMIT else 2
    if len(message) > _LIMITS.get(header.stream, cose.LIMIT):
        return 1
    try:
        return _enrolment(message) if header.content == Enrolment.CONTENT else _verified(message)
    except (SignatureError, RequestError):
        return 3


def _enrolment(message: bytes) -> Message:
    read_request(message)
    return Enrolment.decode(cose.content(message).payload)


def _verified(message: bytes) -> Message | Schema | SegmentContent | int | str:
    verified = KEYS.verify(message)
    header = verified.header
    role, key = _ROLES.get(header.stream, _GATEWAY), KEYS.keys[header.key_id]
    if role not in key.roles or (role == _GATEWAY and key.issuer != header.gateway):
        return 4
    try:
        contents.hold_place(header)
    except MalformedMessage:
        return 5
    try:
        return contents.read(verified, SCHEMAS.get)
    except MalformedMessage:
        return "payload"
