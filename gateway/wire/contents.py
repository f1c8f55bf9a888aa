"""Every content of the contract by its name, where each may stand, and one door to all of them once they are verified.

A content that is not known here is refused by name: what a message of a newer version means cannot be guessed.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from gateway.wire import enrolling, messages, packing
from gateway.wire.cose import Header, Verified
from gateway.wire.errors import MalformedMessage
from gateway.wire.messages import Message
from gateway.wire.packing import SegmentContent
from gateway.wire.schema import Schema

MESSAGES: Mapping[str, type[Message]] = {
    each.CONTENT: each
    for each in (
        messages.Alarm,
        messages.Answer,
        messages.Birth,
        messages.ClockRecord,
        messages.Command,
        messages.Dropped,
        messages.Heartbeat,
        messages.Receipt,
        messages.Resend,
        messages.TimeReply,
        messages.TimeRequest,
        enrolling.Enrolment,
        enrolling.Issued,
        enrolling.Renewal,
    )
}
"""All that are a map of fields."""

KNOWN = frozenset({*MESSAGES, Schema.CONTENT, packing.CONTENT})

_DWELLING = r"(?:\.[a-z0-9][a-z0-9-]{0,11}\.[a-z0-9][a-z0-9-]{0,10})?"
_STREAMS: Mapping[str, re.Pattern[str]] = {
    content: re.compile(streams)
    for content, streams in {
        packing.CONTENT: f"(?:fine|minute|index){_DWELLING}",
        Schema.CONTENT: f"schema{_DWELLING}",
        messages.Alarm.CONTENT: "alarm|evt",
        messages.Answer.CONTENT: "ack",
        messages.Birth.CONTENT: "state",
        messages.ClockRecord.CONTENT: "clock",
        messages.Command.CONTENT: "cmd",
        messages.Dropped.CONTENT: "dropped",
        messages.Heartbeat.CONTENT: "receipt",
        messages.Receipt.CONTENT: "receipt",
        messages.Resend.CONTENT: "receipt",
        messages.TimeReply.CONTENT: "receipt",
        messages.TimeRequest.CONTENT: "evt",
        enrolling.Enrolment.CONTENT: "enrolment",
        enrolling.Issued.CONTENT: "cfg",
        enrolling.Renewal.CONTENT: "evt",
    }.items()
}
_SINGLE = frozenset({"cfg", "cmd", "enrolment", "evt", "receipt", "state"})
"""Streams without a chain."""

_VERSIONED = re.compile(r"(.*);v=([0-9]+)")


def unknown(content: str, known: Iterable[str] = KNOWN) -> str:
    """Say of a content that is none of `known` what is to be done."""
    found = _VERSIONED.fullmatch(content)
    if found is not None:
        name, version = found[1], int(found[2])
        here = sorted(int(each[2]) for text in known if (each := _VERSIONED.fullmatch(text)) and each[1] == name)
        if here:
            which = "newer" if version > here[-1] else "older"
            return (
                f"{content}: version {here[-1]} of {name} is read here, and the sender is {which}: update "
                f"{'this reader' if which == 'newer' else 'the sender'}; what is not receipted is kept and sent again"
            )
    return f"{content[:80]}: no such content is known here: update this reader, or look at who sends it"


def hold_place(header: Header) -> None:
    """Hold a header to the stream, the chain and the schema of its content; raise MalformedMessage."""
    streams = _STREAMS.get(header.content)
    if streams is None:
        raise MalformedMessage(unknown(header.content))
    if streams.fullmatch(header.stream) is None:
        raise MalformedMessage(f"{header.content} in stream {header.stream}")
    if (header.previous is None) is not (header.stream in _SINGLE):
        raise MalformedMessage(f"{header.content} in {header.stream}: a previous where there is no chain, or none")
    if (header.schema is None) is (header.content in (packing.CONTENT, Schema.CONTENT)):
        raise MalformedMessage(f"{header.content}: a schema id is for segments and schemas, and for no other")


def read(verified: Verified, schema: Callable[[bytes], Schema | None]) -> Message | Schema | SegmentContent:
    """Read what was verified; `schema` gives the schema of an id, or None. Raises MalformedMessage."""
    header = verified.header
    if header.content == packing.CONTENT:
        found = None if header.schema is None else schema(header.schema)
        if found is None:
            named = "no schema" if header.schema is None else f"schema {header.schema.hex()}, which is not there yet"
            raise MalformedMessage(
                f"segment {header.sequence} of {header.stream} names {named}: keep it, read it later"
            )
        return packing.unpack(verified.payload, found)
    if header.content == Schema.CONTENT:
        announced = Schema.decode(verified.payload)
        if announced.id != header.schema:
            raise MalformedMessage(f"schema {announced.id.hex()}: its header names another one")
        return announced
    kind = MESSAGES.get(header.content)
    if kind is None:
        raise MalformedMessage(unknown(header.content))
    return kind.decode(verified.payload)
