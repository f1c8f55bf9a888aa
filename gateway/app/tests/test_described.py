"""What is said of a site: the installer's own words and numbers, and from when a value is stale."""

from pathlib import Path

import pytest

from config.channel import Quantity
from config.load import load
from config.prices import points
from config.site import Site
from gateway.app.described import described
from gateway.app.devices import Devices, devices
from gateway.app.freshness import Freshness

EXAMPLE = Path(__file__).parents[3] / "config" / "example.toml"


@pytest.fixture
def site() -> Site:
    """The example's site."""
    return load(EXAMPLE)


@pytest.fixture
def made(site: Site) -> Devices:
    """What an agent makes of it."""
    return devices(site, {}, lambda: 0)


def test_a_device_is_told_with_where_it_is_and_what_is_connected(site: Site, made: Devices) -> None:
    """An installer finds each device again by its port, its address and unit, and the words of the site file."""
    told = described(site)["devices"]
    assert [each["name"] for each in told] == [meter.name for meter in made.meters]
    assert [(each["protocol"], each["address"]) for each in told] == [
        ("TIC", "/dev/serial/by-id/usb-GCE_Electronics_TIC_to_USB-if00-port0"),
        ("Modbus TCP", "192.168.1.40:502, unit 1"),
        ("Modbus RTU", "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0, unit 3"),
        ("pulses", "unix:/run/gateway/pulse-gas.sock"),
        ("pulses", "unix:/run/gateway/pulse-water.sock"),
    ]
    assert told[0]["about"] == "arrivée générale, TGBT du rez-de-chaussée"
    assert told[2]["about"] == ""


def test_an_ipv6_address_is_told_apart_from_its_port(site: Site) -> None:
    """The colons of the address are in brackets, as in a URL."""
    bus = site.modbus_bus[0].model_copy(update={"host": "fd00::40"})
    there = site.model_copy(update={"modbus_bus": (bus, *site.modbus_bus[1:])})
    assert described(there)["devices"][1]["address"] == "[fd00::40]:502, unit 1"


def test_a_load_names_the_channel_that_shows_it(site: Site, made: Devices) -> None:
    """What a load does can be looked up among the channels; its rating and rank are those of the site file."""
    told = described(site)["loads"]
    assert told[0] == {
        "name": "water-heater",
        "device": "bms",
        "channel": "bms.water_heater_1",
        "about": "chauffe-eau des vestiaires",
        "rated_w": 3000,
        "priority": 80,
    }
    assert {each["channel"] for each in told} <= {channel.name for meter in made.meters for channel in meter.channels}


def test_a_price_is_told_exactly(site: Site) -> None:
    """Euros are decimal text: no binary number comes between the file and what people read."""
    assert described(site)["prices"] == [
        {"channel": "main.easf01", "name": "Heures creuses", "eur": "0.1579", "per": "kWh"},
        {"channel": "main.easf02", "name": "Heures pleines", "eur": "0.2068", "per": "kWh"},
        {"channel": "water.total", "name": "Eau", "eur": "4.21", "per": "m3"},
    ]


@pytest.mark.parametrize("mode", ["auto", "standard", "historique", "emeraude", "pme-pmi"])
def test_the_site_file_and_the_drivers_agree_on_what_can_have_a_price(site: Site, mode: str) -> None:
    """`config` knows without the drivers which channel counts kWh or m3; no channel is missed, and none made up."""
    linky = site.linky[0].model_copy(update={"mode": mode})
    site = site.model_copy(update={"linky": (linky,)})
    made = devices(site, {}, lambda: 0)
    per = {
        Quantity.ACTIVE_ENERGY_IMPORT: ("Wh", "kWh"),
        Quantity.ACTIVE_ENERGY_EXPORT: ("Wh", "kWh"),
        Quantity.THERMAL_ENERGY: ("Wh", "kWh"),
        Quantity.GAS_VOLUME: ("m3", "m3"),
        Quantity.WATER_VOLUME: ("m3", "m3"),
    }
    tables = [("linky", each) for each in site.linky] + [("modbus", each) for each in site.modbus]
    entries = [*tables, *(("pulse", each) for each in site.pulse)]
    priced = {}
    for kind, table in entries:
        counted = points(kind, table.model_dump(), Path())
        assert counted is not None
        priced.update({f"{table.name}.{point}": unit for point, unit in counted.items() if unit is not None})
    assert priced == {
        channel.name: per[channel.quantity][1]
        for meter in made.meters
        for channel in meter.channels
        if channel.quantity in per
    }
    for meter in made.meters:
        for channel in meter.channels:
            if channel.quantity in per:
                assert channel.unit == per[channel.quantity][0]


def test_a_value_is_stale_after_three_of_its_own_periods(made: Devices, site: Site) -> None:
    """10 s at least, for what is read fast; three periods and the time of an answer for what is read slowly."""
    slow = site.modbus[0].model_copy(update={"poll_s": 5.5, "slow_poll_s": 300.0})
    pulses = site.pulse[1].model_copy(update={"poll_s": 60.0})
    site = site.model_copy(update={"modbus": (slow, site.modbus[1]), "pulse": (site.pulse[0], pulses)})
    found = Freshness.of(site, [channel for meter in made.meters for channel in meter.channels])
    groups = {channel.name: channel.group for meter in made.meters for channel in meter.channels}
    bounds = {
        groups[name]: bound
        for name, bound in found.channels.items()
        if bound is not None and not name.startswith("main.")
    }
    assert bounds == {
        "bms.fast": 17_500,
        "bms.slow": 901_000,
        "workshop.fast": 10_000,
        "gas.total": 30_000,
        "water.total": 180_000,
    }
    assert found.meters == {"main": 5_000, "bms": 17_500, "workshop": 10_000, "gas": 30_000, "water": 180_000}


def test_a_linky_is_stale_after_five_seconds(made: Devices, site: Site) -> None:
    """What comes with each frame after two of them, 5 s at least; what is repeated each minute after three."""
    found = Freshness.of(site, [channel for meter in made.meters for channel in meter.channels])
    bounds = [found.channels[f"main.{label}"] for label in ("sinsts", "papp", "east", "pref", "ltarf")]
    assert bounds == [5_000, 6_000, 180_000, 180_000, None]
    assert found.meters["main"] == made.linky[0].stale_after_ms == 5_000


def test_what_comes_only_now_and_then_is_never_stale(site: Site, made: Devices) -> None:
    """A text, an overrun and the notice of a peak have no period: their age says nothing."""
    channels = [channel for meter in made.meters for channel in meter.channels]
    found = Freshness.of(site, channels)
    never = {name for name, bound in found.channels.items() if bound is None}
    rare = {f"main.{label}" for label in ("adps", "adir1", "adir2", "adir3", "pejp")}
    assert never == rare | {channel.name for channel in channels if channel.is_text}
    assert "main.msg1" in never
