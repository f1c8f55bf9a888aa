"""Switches over Modbus against a raw device: what is written is what the device holds, and nothing is assumed."""

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
from modbus.profile import Kind, Point, Profile, Span, Table

_TIMEOUT_S = 0.1
_PROFILE = Profile(
    "p",
    "m",
    ("x",),
    "s",
    (
        Point("heater", Table.COIL, 3, Kind.BIT, "switch_state", limits=Span(0, 1)),
        Point("limit", Table.HOLDING, 10, Kind.I16, "setpoint", limits=Span(-50, 1_100)),
        Point("lost", Table.HOLDING, 11, Kind.U16, "setpoint", limits=Span(0, 100), absent=(1_011,)),
        Point("power", Table.INPUT, 0, Kind.U16, "active_power_import"),
    ),
)


def _boot_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@contextlib.asynccontextmanager
async def _bus(device: RawDevice) -> AsyncIterator[ModbusBus]:
    async with device.tcp(rtu=False) as port:
        bus = ModbusBus("plant", TcpPort("127.0.0.1", port), boot_ms=_boot_ms, timeout_s=_TIMEOUT_S)
        yield bus
        await bus.close()


def _switch(bus: ModbusBus, key: str) -> ModbusSwitch:
    return ModbusSwitch("load", bus, 1, _PROFILE, key)


@pytest.mark.parametrize(("key", "first", "values"), [("heater", 1, (0, 1)), ("limit", 1_010, (60, -7, 1_100))])
async def test_what_is_written_is_read_back(key: str, first: int, values: tuple[int, ...]) -> None:
    """A coil and a set-point hold what was written to them, negative steps too."""
    async with _bus(RawDevice()) as bus:
        switch = _switch(bus, key)
        assert await switch.read() == first
        for value in values:
            await switch.write(value)
            assert await switch.read() == value


@pytest.mark.parametrize(("key", "value"), [("heater", 2), ("heater", -1), ("limit", 1_101), ("limit", -51)])
async def test_a_value_outside_the_limits_is_never_sent(key: str, value: int) -> None:
    """The profile's limits hold whatever the caller asks for."""
    device = RawDevice()
    async with _bus(device) as bus:
        with pytest.raises(DeviceRefused, match=f"load load: {value} is outside .*nothing was written"):
            await _switch(bus, key).write(value)
    assert not device.requests


async def test_a_point_that_is_not_there_or_read_only_makes_no_switch() -> None:
    """The mistake is told when the switch is made, not when it is needed."""
    async with _bus(RawDevice()) as bus:
        with pytest.raises(ValueError, match="has no point 'boiler'"):
            _switch(bus, "boiler")
        with pytest.raises(ValueError, match=r"'power' .* is read only"):
            _switch(bus, "power")


async def test_a_write_whose_answer_is_late_is_uncertain_and_its_outcome_can_be_read() -> None:
    """Reading back after WriteUncertain tells what the device did, although polls of it are left out for now."""
    device = RawDevice(delay_s=lambda address: 2 * _TIMEOUT_S if address == 10 else 0)
    async with _bus(device) as bus:
        with pytest.raises(WriteUncertain):
            await _switch(bus, "limit").write(40)
        await asyncio.sleep(2 * _TIMEOUT_S)
        device.delay_s = lambda _: 0
        assert await _switch(bus, "limit").read() == 40


async def test_a_silent_unit_is_asked_each_time() -> None:
    """A switch is never told "later": a release is tried for real each time."""
    device = RawDevice(silent={1})
    async with _bus(device) as bus:
        switch = _switch(bus, "heater")
        for _ in range(2):
            with pytest.raises(DeviceSilent, match="no answer within"):
                await switch.read()
            with pytest.raises(WriteUncertain):
                await switch.write(0)
        assert len(device.writes()) == 2
        device.silent.clear()
        await switch.write(0)
        assert await switch.read() == 0


async def test_a_device_that_refuses_a_write_says_so() -> None:
    """A Modbus exception is a DeviceRefused with its meaning."""
    async with _bus(RawDevice(answer=lambda _, pdu: bytes([pdu[0] | 0x80, 3]))) as bus:
        with pytest.raises(DeviceRefused, match=r"unit 1, coil 3: .* \(Modbus exception 3\)"):
            await _switch(bus, "heater").write(0)


async def test_a_device_that_only_pretends_is_found_by_reading_back() -> None:
    """A write that was repeated to us proves nothing."""
    async with _bus(RawDevice(stuck=True)) as bus:
        await _switch(bus, "heater").write(0)
        assert await _switch(bus, "heater").read() == 1


async def test_a_set_point_that_is_not_available_is_no_value() -> None:
    """The pattern of "not available" is never taken for the value to restore, nor ever written."""
    async with _bus(RawDevice()) as bus:
        with pytest.raises(DeviceSilent, match="not available"):
            await _switch(bus, "lost").read()
