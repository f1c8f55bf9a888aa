"""What a message means, as the JSON that docs/contract/asyncapi.yaml describes: names for keys, hex for bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.wire import cose
from gateway.wire.messages import Message
from gateway.wire.packing import SegmentContent
from gateway.wire.schema import ChannelInfo, Schema

Json = dict[str, Any]

_CHANNEL = tuple(ChannelInfo.__dataclass_fields__)
_ORDER = ("name", "device", "group", "quantity", "unit", "exponent", "is_text", "obis", "phase")
assert set(_CHANNEL) == set(_ORDER)


def header(told: cose.Header) -> Json:
    """Give the protected header."""
    return {
        "key_id": told.key_id.decode(),
        "content": told.content,
        "gateway": told.gateway,
        "stream": told.stream,
        "epoch": told.epoch.hex(),
        "sequence": told.sequence,
        "previous": None if told.previous is None else told.previous.hex(),
        "schema": None if told.schema is None else told.schema.hex(),
    }


def meaning(said: Message | Schema | SegmentContent) -> Json:
    """Give what a payload says; a field that is absent is absent."""
    if isinstance(said, Schema):
        channels = [{name: getattr(each, name) for name in _ORDER} for each in said.channels]
        return {"id": said.id.hex(), "channels": channels}
    if isinstance(said, SegmentContent):
        groups = {
            name: {"ticks": table.ticks, "columns": table.columns, "quality": table.quality}
            for name, table in said.groups.items()
        }
        return {"boot_id": said.boot_id.hex(), "groups": groups}
    told = {field.name: getattr(said, field.name) for field in said.FIELDS}
    return {name: _plain(value) for name, value in told.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value
