"""One building as its site file describes it: typed, frozen, nothing unknown accepted.

What a single table can know is checked here, of values from `parts`; what needs two of them stands in `relations`, the
wording of mistakes in `wording`, the reading of the file in `load`. Every path is absolute once loaded: a relative one
means "beside the site file".
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from config.door import Door
from config.dwelling import Dwelling
from config.parts import (
    VISIBLE,
    About,
    Eur,
    File,
    Host,
    Name,
    Part,
    Port,
    ProfileName,
    PulseLine,
    Seconds,
    Socket,
    TcpPort,
    Timezone,
    Value,
)


class Gateway(Part):
    """Who this gateway is."""

    id: str = Field(
        pattern=r"^gw-[a-z0-9-]{1,58}$",
        description='the name in its broker certificate: "gw-" and up to 58 of a-z, 0-9 and -',
    )
    name: str = Field(
        min_length=1,
        max_length=80,
        pattern=VISIBLE,
        description="the building's name, for people, 80 characters at most",
    )
    timezone: Timezone = Field(
        default="Europe/Paris", description='the time zone of the building\'s days, like "Europe/Paris"'
    )
    drift_ppm: int = Field(
        default=50, ge=1, le=1000, description="how far the box's crystal may run away while nothing corrects it"
    )


class Storage(Part):
    """Where readings are kept until the centre has them, and how often they are written."""

    directory: File = Field(description="the folder for the readings; relative means beside this file")
    quota_mb: int = Field(default=512, ge=16, le=1_000_000, description="most megabytes that kept readings may take")
    journal_s: float = Field(default=10, gt=0, le=60, description="seconds between two writes, lost in a power cut")
    seal_up_s: Seconds = Field(default=10, description="seconds between two segments while the centre is reached")
    seal_down_s: Seconds = Field(default=900, description="seconds between two segments while it is not")
    retention_days: int = Field(
        default=90, ge=1, le=366, description="days for which what the centre has is kept here as well"
    )


class Fallback(Part):
    """A second broker for when the first cannot be reached, with the same authority and certificates."""

    host: Host = Field(description="a host name or address, as it stands in that broker's certificate")
    port: TcpPort = 8883
    after_s: Seconds = Field(default=300, description="seconds without the first broker until this one is tried")
    return_s: Seconds = Field(default=300, description="seconds that the first must answer again to be gone back to")


class Broker(Part):
    """The MQTT broker: TLS 1.3, both sides show a certificate."""

    host: Host = Field(description="a host name or address, as it stands in the broker's certificate")
    port: TcpPort = 8883
    ca_file: File
    certificate_file: File
    key_file: File
    reconnect_min_s: Seconds = 1
    reconnect_max_s: Seconds = 60
    resend_after_s: Seconds = Field(default=60, description="seconds after which an unreceipted segment is sent again")
    keepalive_s: int = Field(default=30, ge=5, le=3600, description="MQTT keep-alive in seconds")
    receipts: Literal["signed", "puback"] = Field(
        default="signed",
        description='"signed": the centre\'s signed receipts; "puback": the broker\'s word, which can lose data',
    )
    metered_mb_day: float = Field(
        default=0, ge=0, le=1_000_000, description="megabytes a day that the link may cost; 0: no limit"
    )
    fallback: Fallback | None = Field(default=None, description="a second broker, as a table [broker.fallback]")


class Signing(Part):
    """The key that signs everything that leaves."""

    key_file: File
    key_id: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$",
        description='the name that this key must bear: letters, digits, ".", "_" and "-", 64 at most; "" for any',
    )


class Centre(Part):
    """Whose orders are carried out, and when the link counts as lost."""

    keys_file: File
    heartbeat_lost_s: float = Field(default=120, ge=1, le=3600, description="seconds without a heartbeat: link lost")
    failsafe_h: float = Field(default=4, ge=2, le=24, description="hours of lost link until the building is on its own")


class Control(Part):
    """The local socket of the page and the command line."""

    socket: Socket = Field(description="a path of 107 bytes at most; relative means beside this file")
    act_group: str = Field(
        default="root",
        pattern=r"^[a-z_][a-z0-9_-]{0,31}$",
        description="a group of this machine whose members may opt out; others who can open the socket only read",
    )


class Linky(Part):
    """A meter's customer output (TIC): a Linky's, or that of an older meter."""

    name: Name
    port: Port = Field(description="the serial port, best as /dev/serial/by-id/...; relative means beside this file")
    mode: Literal["auto", "historique", "standard", "jaune", "emeraude", "pme-pmi"] = Field(
        default="auto", description='"auto" for a Linky or a blue meter (CBE); any other meter is named'
    )
    speed: Literal["auto", 1200, 2400, 4800, 9600, 19200] = Field(
        default="auto", description="of a PME-PMI meter, where it is known: 1200, 2400, 4800, 9600 or 19200"
    )
    about: About = ""


class TcpBus(Part):
    """A Modbus TCP connection, shared by the devices behind it."""

    kind: Literal["tcp"]
    name: Name
    host: Host = Field(description="a host name or address")
    port: TcpPort = 502
    timeout_s: float = Field(default=1, gt=0, le=30, description="seconds that a device may take to answer")


class RtuBus(Part):
    """An RS-485 line with Modbus RTU; the defaults are those of the Modbus specification."""

    kind: Literal["rtu"]
    name: Name
    device: Port = Field(description="the serial port, best as /dev/serial/by-id/...; relative means beside this file")
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 19200
    parity: Literal["N", "E", "O"] = "E"
    stop_bits: Literal[1, 2] = 1
    timeout_s: float = Field(default=1, gt=0, le=30, description="seconds that a device may take to answer")


ModbusBus = Annotated[TcpBus | RtuBus, Field(discriminator="kind")]


class ModbusDevice(Part):
    """A device on a Modbus bus; its registers stand in its profile."""

    name: Name
    bus: Name = Field(description="the name of a [[modbus_bus]]")
    unit: int = Field(ge=1, le=247, description="its address on the bus")
    profile: ProfileName = Field(
        min_length=1, max_length=1024, description="a built-in profile's name, or the path of a .toml file"
    )
    poll_s: Seconds = Field(default=2, description="seconds between two readings of what changes fast")
    slow_poll_s: Seconds = Field(default=60, description="seconds between two readings of the rest")
    about: About = ""


class Pulse(Part):
    """A gas or water meter that gives pulses: total = dial_index + pulses x weight, in units of 10**exponent."""

    name: Name
    line: PulseLine = Field(description='"unix:" and the path of a pulse counter\'s socket')
    quantity: Literal["gas_volume", "water_volume"]
    unit: Literal["m3"] = "m3"
    exponent: int = Field(default=-3, ge=-6, le=3, description="power of ten of one unit: -3 counts litres")
    weight: int = Field(ge=1, le=1_000_000, description="units of 10**exponent for each pulse")
    dial_index: int = Field(ge=0, le=10**15, description="what the dial showed at pulse 0, in units of 10**exponent")
    poll_s: Seconds = Field(default=10, description="seconds between two readings")
    about: About = ""


class _Load(Part):
    name: Name
    device: Name = Field(description="the name of a [[modbus]] device")
    point: str = Field(min_length=1, max_length=64, description="a writable point of that device's profile")
    rated_w: int = Field(ge=1, le=100_000_000, description="watts that it draws when fully on")
    priority: int = Field(ge=0, le=99, description="99 is shed first, 0 last and never for an overrun")
    min_on_s: float = Field(default=300, ge=0, le=86400, description="seconds that it stays on once on")
    min_off_s: float = Field(default=300, ge=0, le=86400, description="seconds that it stays off once off")
    about: About = ""


class OnOffLoad(_Load):
    """A load that is on or off; the values are the device's own (a coil takes 0 and 1)."""

    kind: Literal["onoff"]
    on_value: Value = Field(default=1, description="the value that switches it on")
    off_value: Value = Field(default=0, description="the value that switches it off")


class SetpointLoad(_Load):
    """A load that can be lowered step by step; the values are the device's own integer steps, before any scale."""

    kind: Literal["setpoint"]
    min_value: Value = Field(description="the lowest that shedding may write: the load at rest")
    max_value: Value = Field(description="the value at which it draws rated_w")


Load = Annotated[OnOffLoad | SetpointLoad, Field(discriminator="kind")]


class Shedding(Part):
    """What the centre, or an overrun of the subscribed power, may do to the loads; off unless said."""

    enabled: bool = Field(default=False, description="carry out the centre's orders")
    overrun: bool = Field(default=False, description="shed by itself when the meter tells an overrun")
    meter: Name | None = Field(default=None, description="the [[linky]] whose power proves the effect")
    max_duration_s: int = Field(default=14400, ge=1, le=86400, description="longest order accepted, in seconds")
    start_spread_s: float = Field(default=300, ge=0, le=300, description="seconds over which starts are spread")
    release_spread_s: float = Field(default=300, ge=0, le=300, description="seconds over which releases are spread")
    effect_after_s: Seconds = Field(default=60, description="seconds after which the meter must show the effect")


class Price(Part):
    """What a kWh or a m3 of one channel costs, for people to look at; no bill is made from it."""

    channel: str = Field(
        min_length=1,
        max_length=128,
        description='a channel of this site that counts an energy or a volume, "main.east"',
    )
    name: str = Field(
        min_length=1, max_length=40, pattern=VISIBLE, description="the tariff's name, for people, 40 characters at most"
    )
    eur: Eur = Field(ge=0, le=1000, description="euros for each kWh or m3, 6 decimals at most")
    per: Literal["kWh", "m3"]

    @property
    def exactly(self) -> str:
        """Give the euros as the file has them: "0.1579"."""
        return format(Decimal(repr(self.eur)).normalize(), "f")


def _entries(what: str) -> Any:  # noqa: ANN401 - Field itself promises Any, so that it can stand for a default
    # A TOML array comes as a list, which the strict tuple would refuse; its entries stay strict.
    return Field(default=(), max_length=256, strict=False, description=what)


class Site(Part):
    """The whole site file."""

    gateway: Gateway
    storage: Storage
    broker: Broker
    signing: Signing
    centre: Centre
    control: Control
    linky: tuple[Linky, ...] = _entries("one [[linky]] for each Linky meter")
    modbus_bus: tuple[ModbusBus, ...] = _entries("one [[modbus_bus]] for each Modbus line or connection")
    modbus: tuple[ModbusDevice, ...] = _entries("one [[modbus]] for each device on a bus")
    pulse: tuple[Pulse, ...] = _entries("one [[pulse]] for each pulse counter")
    load: tuple[Load, ...] = _entries("one [[load]] for each load that may be shed")
    dwelling: tuple[Dwelling, ...] = _entries("one [[dwelling]] for each household whose devices are read")
    price: tuple[Price, ...] = _entries("one [[price]] for each channel that has one")
    shedding: Shedding = Shedding()
    door: Door | None = None


def schema() -> dict[str, Any]:
    """Give the JSON schema of a site file, for editors (draft 2020-12)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Site.model_json_schema()}
