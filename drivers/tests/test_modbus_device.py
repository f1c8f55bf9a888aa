"""ModbusMeter against the raw device: what a poll gives, when, and what is left out of it."""

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator, Callable

import pytest

from config.channel import Quantity
from config.profiles import built_in, read_profile
from drivers.errors import DeviceRefused, DeviceSilent, PortMissing
from drivers.modbus_bus import ModbusBus
from drivers.modbus_device import ModbusMeter
from drivers.modbus_ports import TcpPort
from drivers.reading import Quality
from drivers.tests.raw_modbus import RawDevice, register
from drivers.tests.ticks import Ticks, running
from modbus.profile import Kind, Point, Poll, Profile, Span, Table

_TIMEOUT_S = 0.1


def _boot_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def test_channels_are_known_before_the_device_is_opened() -> None:
    """A channel bears the device's name, its poll class as group, and what the profile says of it."""
    bms_profile = Profile(
        "p",
        "m",
        ("x",),
        "s",
        (Point("u", Table.INPUT, 0, Kind.U16, "voltage", unit="V", exponent=-1, phase=2, poll=Poll.SLOW),),
    )
    bus = ModbusBus("b", TcpPort("127.0.0.1"), boot_ms=_boot_ms)
    (channel,) = ModbusMeter("m", bus, 1, bms_profile, boot_ms=_boot_ms).channels
    assert (channel.name, channel.device, channel.group) == ("m.u", "m", "m.slow")
    assert (channel.quantity, channel.unit, channel.exponent, channel.phase) == (Quantity.VOLTAGE, "V", -1, 2)


@pytest.mark.parametrize("profile", built_in())
def test_every_shipped_profile_makes_a_meter(profile: str) -> None:
    """Its quantities are in the site's vocabulary."""
    bus = ModbusBus("b", TcpPort("127.0.0.1"), boot_ms=_boot_ms)
    points = read_profile(profile).points
    assert len(ModbusMeter("m", bus, 1, read_profile(profile), boot_ms=_boot_ms).channels) == len(points)


def test_a_quantity_outside_the_vocabulary_is_refused_at_once() -> None:
    """The error names device, point and what is known."""
    profile = Profile("p", "m", ("x",), "s", (Point("u", Table.INPUT, 0, Kind.U16, "volts"),))
    with pytest.raises(ValueError, match=r"m: point 'u' .* 'volts'; known are active_energy_import"):
        ModbusMeter("m", ModbusBus("b", TcpPort("h"), boot_ms=_boot_ms), 1, profile, boot_ms=_boot_ms)


async def test_polls_stand_on_whole_multiples_of_their_period(monkeypatch: pytest.MonkeyPatch) -> None:
    """However late a wake-up and however long a poll, the next one is due at a multiple of the period: no drift."""
    clock = [10_250]
    due: list[int] = []

    async def read(*_: object) -> list[int]:
        due.append(clock[0])
        clock[0] += 130
        return [0]

    async def sleep(seconds: float) -> None:
        clock[0] += round(1000 * seconds) + 7
        if len(due) > 20:
            raise DeviceSilent("enough")

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(ModbusBus, "read", read)
    bus = ModbusBus("b", TcpPort("127.0.0.1"), boot_ms=lambda: clock[0])
    meter = ModbusMeter("m", bus, 1, _registers(0), boot_ms=lambda: clock[0], poll_s=2)
    with pytest.raises(DeviceSilent, match="enough"):
        await meter.run(Ticks())
    assert due == [10_250, *range(12_007, 12_007 + 20 * 2_000, 2_000)]


async def test_a_bus_that_cannot_be_opened_ends_the_meter_with_its_reason() -> None:
    """PortMissing reaches the supervisor."""
    async with RawDevice().tcp(rtu=False) as port:
        pass
    bus = ModbusBus("b", TcpPort("127.0.0.1", port), boot_ms=_boot_ms)
    profile = Profile("p", "m", ("x",), "s", (Point("u", Table.INPUT, 0, Kind.U16, "voltage"),))
    with pytest.raises(PortMissing):
        await ModbusMeter("m", bus, 1, profile, boot_ms=_boot_ms).run(Ticks())


def _registers(*addresses: int, **more: Span) -> Profile:
    points = tuple(Point(f"r{at}", Table.HOLDING, at, Kind.U16, "current", **more) for at in addresses)  # type: ignore[arg-type]
    return Profile("p", "m", ("x",), "s", points)


def _without(*missing: int) -> Callable[[int, bytes], bytes | None]:
    """Answer exception 2 wherever one of these addresses is touched."""

    def answer(unit: int, pdu: bytes) -> bytes | None:
        address, count = struct.unpack(">HH", pdu[1:5])
        if any(address <= at < address + count for at in missing):
            return bytes([pdu[0] | 0x80, 2])
        return RawDevice().sound(unit, pdu)

    return answer


@contextlib.asynccontextmanager
async def _raw(device: RawDevice, profile: Profile) -> AsyncIterator[tuple[ModbusMeter, Ticks, asyncio.Task[None]]]:
    async with device.tcp(rtu=False) as port:
        bus = ModbusBus("b", TcpPort("127.0.0.1", port), boot_ms=_boot_ms, timeout_s=_TIMEOUT_S)
        meter = ModbusMeter("m", bus, 1, profile, boot_ms=_boot_ms, poll_s=0.05)
        async with running(meter) as (ticks, task):
            yield meter, ticks, task
        await bus.close()


async def test_a_hole_that_no_profile_told_is_learned_and_kept() -> None:
    """A device that refuses reads across a gap still gives all its values at the first poll, and is asked so once."""
    device = RawDevice(answer=_without(5))
    async with _raw(device, _registers(0, 1, 2, 8, 9)) as (_, ticks, _):
        await ticks.until(lambda: len(ticks.ticks) >= 2)
        assert {r.channel.name: r.value for r in ticks.ticks[0]} == {
            f"m.r{at}": register(1, at) for at in (0, 1, 2, 8, 9)
        }
        assert device.reads(1).count((0, 10)) == 1


async def test_a_value_that_the_device_lacks_costs_no_other() -> None:
    """The refused point is found by halving, named in the state, and left out."""
    device = RawDevice(answer=_without(2))
    async with _raw(device, _registers(0, 1, 2, 3, 4)) as (meter, ticks, _):
        await ticks.until(lambda: len(ticks.ticks) >= 2)
        for tick in ticks.ticks:
            assert [reading.channel.name for reading in tick] == ["m.r0", "m.r1", "m.r3", "m.r4"]
        assert "refused: r2" in meter.state


async def test_a_device_that_has_none_of_the_values_is_refused() -> None:
    """The wrong profile for a device ends the meter and says so."""
    async with _raw(RawDevice(answer=_without(0, 1, 2)), _registers(0, 1, 2)) as (_, _, task):
        with pytest.raises(DeviceRefused, match="check that the profile is that of this device"):
            await asyncio.wait_for(task, 5)


async def test_a_value_that_no_sound_device_reports_is_suspect() -> None:
    """Outside the profile's range a value is given, and marked."""
    async with _raw(RawDevice(), _registers(0, 500, plausible=Span(0, 1200))) as (_, ticks, _):
        await ticks.until(lambda: bool(ticks.ticks))
        assert [(reading.value, reading.quality) for reading in ticks.ticks[0]] == [
            (1000, Quality.OK),
            (1500, Quality.SUSPECT),
        ]


async def test_a_value_that_is_not_available_is_left_out_of_its_tick() -> None:
    """The pattern of "not available" gives no Reading, and the others come."""
    points = (
        Point("there", Table.INPUT, 0, Kind.U16, "current"),
        Point("absent", Table.INPUT, 1, Kind.U16, "current", absent=(register(1, 1),)),
    )
    async with _raw(RawDevice(), Profile("p", "m", ("x",), "s", points)) as (_, ticks, _):
        await ticks.until(lambda: bool(ticks.ticks))
        assert [reading.channel.name for reading in ticks.ticks[0]] == ["m.there"]
