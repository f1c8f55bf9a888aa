"""The schema: the same channels give the same bytes, and a reader refuses what no gateway writes."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.channel import Channel, Quantity
from gateway.wire.errors import MalformedMessage, WireError
from gateway.wire.schema import Schema
from gateway.wire.tests.building import BMS, CHANNELS, LINKY

ROW = ["bms.t0", "bms", "bms", "temperature", "°C", -1, False, None, None]


def test_a_schema_decodes_to_itself() -> None:
    """Channels, groups and id come back from the bytes."""
    schema = Schema.of(CHANNELS)
    again = Schema.decode(schema.encode())
    assert (again, again.id, again.channels, again.groups) == (schema, schema.id, schema.channels, schema.groups)


def test_a_channel_is_known_by_its_position() -> None:
    """Numbers count from 0 in the order given, and every field of the channel is kept."""
    lone = Channel("hp.flow", "hp", "hp.fast", Quantity.TEMPERATURE, "°C", -1, obis="1-0:1.8.0", phase=2)
    schema = Schema.of([*LINKY, lone])
    assert schema.number("hp.flow") == len(LINKY)
    info = schema.channels[len(LINKY)]
    assert (info.name, info.device, info.group, info.quantity) == ("hp.flow", "hp", "hp.fast", "temperature")
    assert (info.unit, info.exponent, info.is_text, info.obis, info.phase) == ("°C", -1, False, "1-0:1.8.0", 2)
    assert schema.groups["hp.fast"] == (len(LINKY),)
    with pytest.raises(KeyError):
        schema.number("hp.return")


def test_the_id_tells_schemas_apart() -> None:
    """Another order, another exponent or one channel less is another schema; the same channels are the same one."""
    ids = {
        Schema.of(BMS).id,
        Schema.of(BMS[::-1]).id,
        Schema.of(BMS[1:]).id,
        Schema.of([Channel(BMS[0].name, "bms", "bms", Quantity.STATUS, exponent=-1), *BMS[1:]]).id,
    }
    assert len(ids) == 4
    assert Schema.of(list(BMS)).id in ids


def test_a_name_twice_is_refused() -> None:
    """Two channels of one name could not be told apart."""
    with pytest.raises(MalformedMessage, match="twice"):
        Schema.of([BMS[0], BMS[1], BMS[0]])


@pytest.mark.parametrize(
    "document",
    [
        [2, [ROW]],
        [1],
        {1: [ROW]},
        [1, [ROW[:8]]],
        [1, [["", *ROW[1:]]]],
        [1, [["x" * 129, *ROW[1:]]]],
        [1, [[*ROW[:5], 19, *ROW[6:]]]],
        [1, [[*ROW[:5], True, *ROW[6:]]]],
        [1, [[*ROW[:6], 0, None, None]]],
        [1, [[*ROW[:8], 4]]],
        [1, [[*ROW[:7], "", None]]],
        [1, [ROW, ROW]],
        [1, [[f"c{number}", *ROW[1:]] for number in range(4097)]],
    ],
)
def test_what_no_gateway_writes_is_refused(document: object) -> None:
    """Another version, missing or odd fields, doubles and too many channels raise."""
    with pytest.raises(MalformedMessage):
        Schema.decode(cbor2.dumps(document))


@given(st.binary(max_size=100))
def test_random_bytes_are_refused_or_are_a_schema(data: bytes) -> None:
    """Whatever comes, WireError is all that is raised, and what is accepted encodes to the same bytes."""
    for payload in (data, b"\x82\x01" + data):
        try:
            schema = Schema.decode(payload)
        except WireError:
            continue
        assert schema.encode() == payload
