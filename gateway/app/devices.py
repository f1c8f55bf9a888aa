"""From the site file to the devices that it describes: meters to read, loads to hold back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from config.channel import Quantity
from config.profiles import read_profile
from config.site import ModbusBus as BusOfSite
from config.site import OnOffLoad, Site, TcpBus
from drivers.linky import LinkyMeter
from drivers.modbus_bus import ModbusBus
from drivers.modbus_device import ModbusMeter
from drivers.modbus_ports import SerialPort, TcpPort
from drivers.ports import Meter, Switch
from drivers.pulses import PulseMeter
from drivers.relay import ModbusSwitch
from drivers.simulated import SimulatedLine
from gateway.commands.allocate import Kind, Resource

Marks = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Devices:
    """Everything of one site that can be read or switched."""

    linky: tuple[LinkyMeter, ...]
    modbus: tuple[ModbusMeter, ...]
    pulses: tuple[PulseMeter, ...]
    buses: tuple[ModbusBus, ...]
    switches: Mapping[str, Switch]
    resources: tuple[Resource, ...]

    @property
    def meters(self) -> Sequence[Meter]:
        """Every meter, in the order of the site file."""
        return (*self.linky, *self.modbus, *self.pulses)

    def marks(self) -> dict[str, int | str]:
        """Give what the devices need at the next start: pulse totals, mode and speed of each Linky's line."""
        marks: dict[str, int | str] = {}
        for pulses in self.pulses:
            marks.update(pulses.marks)
        for linky in self.linky:
            if linky.line_mode is not None:
                marks[_mode_mark(linky.name)] = linky.line_mode
                marks[_speed_mark(linky.name)] = linky.speed
        return marks

    async def close(self) -> None:
        """Let go of the buses, after the transactions that are under way."""
        for bus in self.buses:
            await bus.close()


def devices(site: Site, marks: Marks, boot_ms: Callable[[], int]) -> Devices:
    """Make the devices of a site; nothing is opened yet. `marks` is what they left at the last start."""
    buses = {
        bus.name: ModbusBus(bus.name, _port(bus), boot_ms=boot_ms, timeout_s=bus.timeout_s) for bus in site.modbus_bus
    }
    profiles = {device.name: read_profile(device.profile) for device in site.modbus}
    units = {device.name: (buses[device.bus], device.unit, profiles[device.name]) for device in site.modbus}
    pulses = tuple(
        PulseMeter(
            pulse.name,
            SimulatedLine(pulse.line, boot_ms=boot_ms),
            quantity=Quantity(pulse.quantity),
            unit=pulse.unit,
            exponent=pulse.exponent,
            weight=pulse.weight,
            dial_index=pulse.dial_index,
            poll_s=pulse.poll_s,
            boot_ms=boot_ms,
        )
        for pulse in site.pulse
    )
    for meter in pulses:
        meter.resume(marks)
    return Devices(
        linky=tuple(
            LinkyMeter(
                meter.name,
                meter.port,
                mode=meter.mode,
                speed=None if meter.speed == "auto" else meter.speed,
                boot_ms=boot_ms,
                remembered_mode=_text(marks.get(_mode_mark(meter.name))),
                remembered_speed=_number(marks.get(_speed_mark(meter.name))),
            )
            for meter in site.linky
        ),
        modbus=tuple(
            ModbusMeter(
                device.name,
                *units[device.name],
                boot_ms=boot_ms,
                poll_s=device.poll_s,
                slow_poll_s=device.slow_poll_s,
            )
            for device in site.modbus
        ),
        pulses=pulses,
        buses=tuple(buses.values()),
        switches={load.name: ModbusSwitch(load.name, *units[load.device], load.point) for load in site.load},
        resources=tuple(
            Resource(
                name=load.name,
                kind=Kind.ONOFF if isinstance(load, OnOffLoad) else Kind.SETPOINT,
                rated_w=load.rated_w,
                priority=load.priority,
                normal_value=load.on_value if isinstance(load, OnOffLoad) else load.max_value,
                shed_value=load.off_value if isinstance(load, OnOffLoad) else load.min_value,
                min_on_s=int(load.min_on_s),
                min_off_s=int(load.min_off_s),
            )
            for load in site.load
        ),
    )


def _port(bus: BusOfSite) -> TcpPort | SerialPort:
    if isinstance(bus, TcpBus):
        return TcpPort(bus.host, bus.port)
    return SerialPort(bus.device, bus.baud, bus.parity, bus.stop_bits)


def _mode_mark(name: str) -> str:
    return f"linky.{name}.mode"


def _speed_mark(name: str) -> str:
    return f"linky.{name}.speed"


def _text(mark: int | str | None) -> str | None:
    return mark if isinstance(mark, str) else None


def _number(mark: int | str | None) -> int | None:
    return mark if isinstance(mark, int) else None
