"""Switches over Modbus, against the bench's real server: what is written is what the device holds."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from drivers.errors import DeviceRefused, DeviceSilent, WriteUncertain
from drivers.modbus_bus import ModbusBus
from drivers.modbus_ports import TcpPort
from drivers.relay import ModbusSwitch
from drivers.tests.raw_modbus import RawDevice
from hil_tests.bench.bms import PLANT, Bms, Late, Refusing, Silent, Stuck
from hil_tests.bench.building import Building
from modbus.profile import Kind, Point, Profile, Span, Table


def _boot_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@contextlib.asynccontextmanager
async def _plant() -> AsyncIterator[tuple[Bms, ModbusBus]]:
    bms = Bms(Building(_boot_ms()), boot_ms=_boot_ms)
    bus = ModbusBus("plant", TcpPort("127.0.0.1", await bms.serve_tcp()), boot_ms=_boot_ms, timeout_s=0.1)
    try:
        yield bms, bus
    finally:
        await bus.close()
        await bms.close()


def _switch(bms: Bms, bus: ModbusBus, key: str) -> ModbusSwitch:
    return ModbusSwitch("load", bus, PLANT, bms.profiles[PLANT], key)


@pytest.mark.parametrize(
    ("key", "first", "value"),
    [("water_heater_2", 1, 0), ("heat_pump_1_setpoint", 100, 60), ("charger_2_setpoint", 16, 6)],
)
async def test_what_is_written_is_read_back(key: str, first: int, value: int) -> None:
    """A coil and a set-point hold what was written to them."""
    async with _plant() as (bms, bus):
        switch = _switch(bms, bus, key)
        assert await switch.read() == first
        await switch.write(value)
        assert await switch.read() == value
        assert bms.values(PLANT)[key] == value


@pytest.mark.parametrize(
    ("key", "value"), [("water_heater_1", 2), ("heat_pump_1_setpoint", 101), ("charger_1_setpoint", -1)]
)
async def test_a_value_outside_the_limits_is_never_sent(key: str, value: int) -> None:
    """The profile's limits hold whatever the caller asks for."""
    device = RawDevice()
    async with _plant() as (bms, _), device.tcp(rtu=False) as port:
        bus = ModbusBus("b", TcpPort("127.0.0.1", port), boot_ms=_boot_ms)
        with pytest.raises(DeviceRefused, match=f"load load: {value} is outside .*nothing was written"):
            await _switch(bms, bus, key).write(value)
        await bus.close()
    assert not device.requests


async def test_a_point_that_is_not_there_or_read_only_makes_no_switch() -> None:
    """The mistake is told when the switch is made, not when it is needed."""
    async with _plant() as (bms, bus):
        with pytest.raises(ValueError, match="has no point 'boiler'"):
            _switch(bms, bus, "boiler")
        with pytest.raises(ValueError, match=r"'heat_pump_1_power' .* is read only"):
            _switch(bms, bus, "heat_pump_1_power")


async def test_a_write_whose_answer_is_late_is_uncertain_and_its_outcome_can_be_read() -> None:
    """Reading back after WriteUncertain tells what the device holds, although the bus leaves polls of it out."""
    async with _plant() as (bms, bus):
        switch = _switch(bms, bus, "heat_pump_1_setpoint")
        bms.faults[PLANT] = Late(0.25)
        with pytest.raises(WriteUncertain):
            await switch.write(40)
        del bms.faults[PLANT]
        assert await switch.read() == 100
        await asyncio.sleep(0.4)
        assert await switch.read() == 40


async def test_a_silent_unit_is_asked_each_time() -> None:
    """A switch is never told "later": a release is tried for real each time."""
    async with _plant() as (bms, bus):
        bms.faults[PLANT] = Silent()
        switch = _switch(bms, bus, "water_heater_1")
        for _ in range(2):
            with pytest.raises(DeviceSilent, match="no answer within"):
                await switch.read()
            with pytest.raises(WriteUncertain):
                await switch.write(0)
        del bms.faults[PLANT]
        await switch.write(0)
        assert await switch.read() == 0


async def test_a_unit_that_refuses_or_does_nothing_is_seen() -> None:
    """A refusal raises; a device that lies about a write is found by reading back."""
    async with _plant() as (bms, bus):
        switch = _switch(bms, bus, "water_heater_1")
        bms.faults[PLANT] = Refusing(3)
        with pytest.raises(DeviceRefused, match="Modbus exception 3"):
            await switch.write(0)
        bms.faults[PLANT] = Stuck()
        with pytest.raises(WriteUncertain):  # the echo of the server already shows the old value
            await switch.write(0)
        assert await switch.read() == 1


async def test_a_set_point_that_is_not_available_is_no_value() -> None:
    """The pattern of "not available" is never taken for the value to restore."""
    point = Point("p", Table.HOLDING, 0, Kind.U16, "setpoint", absent=(1000,), limits=Span(0, 100))
    async with RawDevice().tcp(rtu=False) as port:
        bus = ModbusBus("b", TcpPort("127.0.0.1", port), boot_ms=_boot_ms)
        with pytest.raises(DeviceSilent, match="not available"):
            await ModbusSwitch("load", bus, 1, Profile("p", "m", ("x",), "s", (point,)), "p").read()
        await bus.close()
