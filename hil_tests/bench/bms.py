"""The bench's BMS: a real pymodbus server whose registers are live from the building, and whose writes change it.

Unit 1 is the plant, unit 2 its electricity meter, unit 3 its heat meter, each with the profile that the gateway ships.
Faults can be ordered for each unit; other units are silent, as on a real line. The ledger is told every value that was
put on the wire, after it was: the judge of a run compares it with what arrived.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice
from pymodbus.simulator.simcore import SimCore

from config.profiles import read_profile
from drivers.tests.pty_link import PtyLink
from hil_tests.bench.bms_points import WRITES, electricity_values, heat_values, plant_values
from hil_tests.bench.building import Building
from modbus.profile import Point, Profile, Table
from modbus.values import decode, encode

PLANT, ELECTRICITY, HEAT = 1, 2, 3

Ledger = Callable[[int, int, Mapping[str, int]], None]
"""Told (boot_ms just before it was sent, unit, {point key: integer as the profile gives it}) of each answered read."""

_READS = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}
_WRITES = {5: Table.COIL, 15: Table.COIL, 6: Table.HOLDING, 16: Table.HOLDING}


@dataclass(frozen=True, slots=True)
class Silent:
    """The unit does not answer."""


@dataclass(frozen=True, slots=True)
class Late:
    """The unit answers after `delay_s`."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Refusing:
    """The unit answers everything with the Modbus exception `code`."""

    code: int


@dataclass(frozen=True, slots=True)
class Stuck:
    """The unit takes writes, says so, and does nothing."""


Fault = Silent | Late | Refusing | Stuck


class Bms:
    """The three units of `building`, served by `serve_tcp` or `serve_rtu`; `faults` holds what was ordered for each."""

    def __init__(self, building: Building, *, boot_ms: Callable[[], int], ledger: Ledger | None = None) -> None:
        self.building = building
        self.faults: dict[int, Fault] = {}
        self.writes: Counter[str] = Counter()
        """How often each point of the plant was written."""
        self.boot_ms = boot_ms
        self.ledger = ledger
        self.profiles = {
            PLANT: read_profile("bench-bms"),
            ELECTRICITY: read_profile("bench-electricity-meter"),
            HEAT: read_profile("bench-heat-meter"),
        }
        self._servers: list[ModbusTcpServer | ModbusSerialServer] = []
        self._links: list[PtyLink] = []

    async def serve_tcp(self, port: int = 0) -> int:
        """Serve Modbus TCP on the loopback; give the port (a free one for 0)."""
        server = _TcpServer(_NOTHING, address=("127.0.0.1", port), ignore_missing_devices=True)
        return await self._serve(server)

    async def serve_rtu(self) -> str:
        """Serve Modbus RTU on a pty; give the path that the gateway opens (8N1: a pty knows no parity)."""
        link = PtyLink()
        self._links.append(link)
        server = _SerialServer(_NOTHING, framer=FramerType.RTU, port=link.near, ignore_missing_devices=True)
        await self._serve(server)
        return link.far

    async def close(self) -> None:
        """Stop serving."""
        for server in self._servers:
            await server.shutdown()  # type: ignore[no-untyped-call]
        for link in self._links:
            link.close()
        self._servers.clear()
        self._links.clear()

    def unplug(self) -> None:
        """Take the serial adapters away: the port that the gateway holds hangs up."""
        for link in self._links:
            link.unplug()

    def values(self, unit: int) -> dict[str, int]:
        """Give what each point of `unit` holds at this moment."""
        self.building.step(self.boot_ms())
        return _VALUES[unit](self.building)

    def write(self, key: str, value: int) -> None:
        """Carry out a write to the plant; no other unit has a point that can be written."""
        self.building.step(self.boot_ms())
        self.writes[key] += 1
        WRITES[key](self.building, value)

    async def _serve(self, server: "_TcpServer | _SerialServer") -> int:
        server.bms = self
        server.context = _Live(self)
        await server.serve_forever(background=True)
        self._servers.append(server)
        sockets = getattr(server.transport, "sockets", ())
        return int(sockets[0].getsockname()[1]) if sockets else 0


_VALUES: Mapping[int, Callable[[Building], dict[str, int]]] = {
    PLANT: plant_values,
    ELECTRICITY: electricity_values,
    HEAT: heat_values,
}

_NOTHING = SimDevice(PLANT, simdata=[SimData(0, values=0, datatype=DataType.REGISTERS)])
"""The server wants a device; ours replaces it before it serves."""


class _Live(SimCore):
    """pymodbus's view of the units: registers made from the building when they are asked for."""

    def __init__(self, bms: Bms) -> None:
        super().__init__(_NOTHING)
        self._bms = bms
        self._read: tuple[int, dict[str, int]] | None = None

    def take_read(self) -> tuple[int, dict[str, int]] | None:
        """Give the unit and the values that the last read puts on the wire, once."""
        read, self._read = self._read, None
        return read

    def device_ids(self) -> list[int]:
        """Give the units that are there."""
        return list(self._bms.profiles)

    async def async_getValues(  # noqa: N802 - pymodbus calls it so
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        """Give `count` registers or bits."""
        profile = self._profile(device_id)
        if (fault := await self._fault(device_id)) is not None:
            return fault
        table = _READS.get(func_code) or _WRITES[func_code]
        end = max((point.end for point in profile.points if point.table is table), default=0)
        if address + count > end:
            return ExcCodes.ILLEGAL_ADDRESS
        values = self._bms.values(device_id)
        cells = [0] * end
        for point in profile.points:
            if point.table is table:
                cells[point.address : point.end] = encode(profile, point, values[point.key])
        if func_code in _READS:
            inside = (
                p for p in profile.points if p.table is table and address <= p.address and p.end <= address + count
            )
            self._read = device_id, {point.key: values[point.key] for point in inside}
        asked = cells[address : address + count]
        return [bool(cell) for cell in asked] if table.is_bits else asked

    async def async_setValues(  # noqa: N802 - pymodbus calls it so
        self, device_id: int, func_code: int, address: int, values: list[int] | list[bool]
    ) -> ExcCodes | None:
        """Write one point."""
        profile = self._profile(device_id)
        if (fault := await self._fault(device_id)) is not None:
            return fault
        point = _writable(profile, _WRITES.get(func_code), address, len(values))
        if point is None or point.limits is None:
            return ExcCodes.ILLEGAL_ADDRESS
        value = decode(profile, point, [int(word) for word in values])
        if value is None or value not in point.limits:
            return ExcCodes.ILLEGAL_VALUE
        if not isinstance(self._bms.faults.get(device_id), Stuck):
            self._bms.write(point.key, value)
        return None

    def _profile(self, unit: int) -> Profile:
        if unit not in self._bms.profiles or isinstance(self._bms.faults.get(unit), Silent):
            raise NoSuchIdException(f"unit {unit} is silent")
        return self._bms.profiles[unit]

    async def _fault(self, unit: int) -> ExcCodes | None:
        match self._bms.faults.get(unit):
            case Late(delay_s):
                await asyncio.sleep(delay_s)
            case Refusing(code):
                return ExcCodes(code)
        return None


def _writable(profile: Profile, table: Table | None, address: int, width: int) -> Point | None:
    for point in profile.points:
        if (point.table, point.address, point.kind.width) == (table, address, width):
            return point
    return None


class _InOrder(ServerRequestHandler):
    """One connection that answers one request after the other, as a device does; pymodbus mixes up those under way."""

    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*args)  # type: ignore[no-untyped-call]
        self._turn = asyncio.Lock()

    async def handle_request(self) -> None:
        """Answer the request that just came, then tell the ledger what was sent."""
        request, addr = self.last_pdu, self.last_addr
        if request is None:
            return
        context: _Live = self.server.context
        async with self._turn:
            context.take_read()
            try:
                response = await request.datastore_update(context, request.dev_id)  # type: ignore[arg-type]
            except NoSuchIdException:
                return
            response.transaction_id = request.transaction_id
            response.dev_id = request.dev_id
            if not self.is_active():
                return
            bms: Bms = self.server.bms
            # Before it is sent: on a busy machine the agent may have it, and stamp it, before we run again.
            at_ms = bms.boot_ms()
            self.server_send(response, addr)  # type: ignore[no-untyped-call]
            read = context.take_read()
            if read is not None and bms.ledger is not None:
                bms.ledger(at_ms, *read)


class _TcpServer(ModbusTcpServer):
    bms: Bms

    def callback_new_connection(self) -> ServerRequestHandler:
        return _InOrder(self, self.trace_packet, self.trace_pdu, self.trace_connect)


class _SerialServer(ModbusSerialServer):
    bms: Bms

    def callback_new_connection(self) -> ServerRequestHandler:
        return _InOrder(self, self.trace_packet, self.trace_pdu, self.trace_connect)
