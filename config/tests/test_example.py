"""The example that installers start from, and the schema that their editors use: both follow the model."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from config.door import Door
from config.load import load
from config.site import (
    Broker,
    Centre,
    Control,
    Fallback,
    Gateway,
    Linky,
    ModbusDevice,
    OnOffLoad,
    Price,
    Pulse,
    RtuBus,
    SetpointLoad,
    Shedding,
    Signing,
    Site,
    Storage,
    TcpBus,
    schema,
)
from config.tests.sites import write

EXAMPLE = Path(__file__).parent.parent / "example.toml"


def test_the_example_loads() -> None:
    """The example that installers start from has no mistake."""
    site = load(EXAMPLE)
    names = {item.name for part in (site.linky, site.modbus, site.pulse) for item in part}
    assert names == {"main", "bms", "workshop", "gas", "water"}


def _with_defaults() -> str:
    """Give the example with the "#" taken away from each default."""
    return re.sub(r"^# ([a-z_]+ = |\[door\])", r"\1", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)


def test_the_example_tells_the_defaults(tmp_path: Path) -> None:
    """Each default that the example shows behind a "#" is the true one: with all of them set, the site is the same."""
    told = _with_defaults()
    assert tomllib.loads(told)["broker"].keys() == Broker.model_fields.keys() - {"fallback"}
    site = load(write(tmp_path, told))
    assert site.model_copy(update={"door": None}) == load(EXAMPLE)  # the one table that is off unless it is there
    assert site.door is not None
    defaults = {name: field.default for name, field in Door.model_fields.items() if not field.is_required()}
    shown = {name: getattr(site.door, name) for name in defaults}
    assert shown == {**defaults, "purpose": "advice"}


def test_the_example_shows_every_key() -> None:
    """No key that the model knows is missing from the example."""
    told = _with_defaults()
    shown: dict[str, set[str]] = {}
    for kind, value in tomllib.loads(told).items():
        for entry in value if isinstance(value, list) else [value]:
            shown.setdefault(f"{kind}.{entry['kind']}" if kind in {"load", "modbus_bus"} else kind, set()).update(entry)
    models: dict[str, type[BaseModel]] = {
        "gateway": Gateway,
        "storage": Storage,
        "broker": Broker,
        "signing": Signing,
        "centre": Centre,
        "control": Control,
        "linky": Linky,
        "modbus_bus.tcp": TcpBus,
        "modbus_bus.rtu": RtuBus,
        "modbus": ModbusDevice,
        "pulse": Pulse,
        "load.onoff": OnOffLoad,
        "load.setpoint": SetpointLoad,
        "price": Price,
        "shedding": Shedding,
        "door": Door,
    }
    shown["broker"].add("fallback")
    assert shown == {kind: set(model.model_fields) for kind, model in models.items()}


def test_the_example_shows_a_second_broker(tmp_path: Path) -> None:
    """The table that is wholly commented out can be taken in, has every key, and shows the true defaults."""
    text = re.sub(r"^#(\[|[a-z])", r"\1", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)
    assert tomllib.loads(text)["broker"]["fallback"].keys() == Fallback.model_fields.keys()
    assert load(write(tmp_path, text)).broker.fallback == Fallback(host="broker-2.example.org")


def test_the_schema_is_of_the_site_file() -> None:
    """The schema for editors has every table of the model, refuses unknown keys, and takes paths as texts."""
    found = schema()
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["properties"].keys() == Site.model_fields.keys()
    assert found["additionalProperties"] is False
    assert all(part["additionalProperties"] is False for part in found["$defs"].values())
    storage = found["$defs"]["Storage"]["properties"]
    assert storage["directory"]["type"] == "string"
    assert (storage["quota_mb"]["minimum"], storage["quota_mb"]["default"]) == (16, 512)
    assert found["$defs"]["OnOffLoad"]["properties"]["kind"]["const"] == "onoff"


def test_every_key_is_described() -> None:
    """Each key of the schema says what it is, or lists what it takes: an editor shows it and a mistake quotes it."""
    parts = schema()["$defs"]
    for name, part in parts.items():
        assert part["description"], name
        for key, value in part["properties"].items():
            assert value.keys() & {"description", "enum", "const"}, f"{name}.{key}"


def test_a_site_cannot_be_changed() -> None:
    """A loaded site is frozen: what the agent runs is what the file says."""
    site = load(EXAMPLE)
    with pytest.raises(ValueError, match="frozen"):
        site.gateway.name = "other"  # type: ignore[misc]
