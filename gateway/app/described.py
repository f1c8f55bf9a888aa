"""What the control socket says of the site itself, in the installer's words: its devices, its loads, its prices."""

from collections.abc import Mapping
from typing import Any

from config.site import ModbusBus, ModbusDevice, Site, TcpBus
from gateway.app.gives import SITE
from gateway.control.routes import Call, Route, get

Json = dict[str, Any]


def route(site: Site) -> Route:
    """Give the route /v1/site."""
    said = described(site)

    async def answer(_: Call) -> object:
        return said

    return get("/v1/site", "What the site file says of the building: devices, loads, prices.", answer, gives=SITE)


def described(site: Site) -> Json:
    """Give what the control socket serves as /v1/site; nothing of it changes while the agent runs."""
    buses = {bus.name: bus for bus in site.modbus_bus}
    return {
        "gateway": site.gateway.id,
        "name": site.gateway.name,
        "timezone": site.gateway.timezone,
        "devices": [
            *(_device(linky.name, "TIC", linky.port, linky.about) for linky in site.linky),
            *(_device(each.name, *_modbus(each, buses), each.about) for each in site.modbus),
            *(_device(pulse.name, "pulses", pulse.line, pulse.about) for pulse in site.pulse),
        ],
        "loads": [
            {
                "name": load.name,
                "device": load.device,
                "channel": f"{load.device}.{load.point}",
                "about": load.about,
                "rated_w": load.rated_w,
                "priority": load.priority,
            }
            for load in site.load
        ],
        "prices": [
            {"channel": price.channel, "name": price.name, "eur": price.exactly, "per": price.per}
            for price in site.price
        ],
    }


def _device(name: str, protocol: str, address: str, about: str) -> Json:
    return {"name": name, "protocol": protocol, "address": address, "about": about}


def _modbus(device: ModbusDevice, buses: Mapping[str, ModbusBus]) -> tuple[str, str]:
    """Give the protocol and the address of a device on a bus."""
    bus = buses[device.bus]
    if isinstance(bus, TcpBus):
        host = f"[{bus.host}]" if ":" in bus.host else bus.host
        return "Modbus TCP", f"{host}:{bus.port}, unit {device.unit}"
    return "Modbus RTU", f"{bus.device}, unit {device.unit}"
