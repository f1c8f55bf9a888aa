"""ModbusMeter against the bench's real pymodbus server and the raw device: what arrives, when, and what is left out."""

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import pytest

from config.channel import Quantity
from drivers.errors import DeviceRefused, DeviceSilent, PortMissing
from drivers.modbus_bus import ModbusBus
from drivers.modbus_device import ModbusMeter
from drivers.modbus_ports import SerialPort, TcpPort
from drivers.reading import Quality, Reading
from drivers.tests.raw_modbus import RawDevice, register, right_answer
from hil_tests.bench.bms import ELECTRICITY, HEAT, PLANT, Bms, Late, Refusing, Silent
from hil_tests.bench.building import Building
from modbus.profile import Kind, Point, Poll, Profile, Span, Table

_TIMEOUT_S = 0.1


def _boot_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class _Ticks:
    """Collects what a meter gives, tick by tick."""

    def __init__(self) -> None:
        self.ticks: list[Sequence[Reading]] = []
        self._came = asyncio.Event()

    def __call__(self, readings: Sequence[Reading]) -> None:
        self.ticks.append(readings)
        self._came.set()

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not enough():
                self._came.clear()
                await self._came.wait()

    def of(self, group: str) -> list[Sequence[Reading]]:
        return [tick for tick in self.ticks if tick[0].channel.group == group]


@contextlib.asynccontextmanager
async def _running(meter: ModbusMeter) -> AsyncIterator[tuple[_Ticks, asyncio.Task[None]]]:
    ticks = _Ticks()
    task = asyncio.create_task(meter.run(ticks))
    try:
        yield ticks, task
    finally:
        task.cancel()
        await asyncio.wait((task,))


@contextlib.asynccontextmanager
async def _bench(*, rtu: bool = False) -> AsyncIterator[tuple[Bms, ModbusBus, list[tuple[int, Mapping[str, int]]]]]:
    ledger: list[tuple[int, Mapping[str, int]]] = []
    bms = Bms(Building(_boot_ms()), boot_ms=_boot_ms, ledger=lambda _, unit, values: ledger.append((unit, values)))
    port: TcpPort | SerialPort
    if rtu:
        port = SerialPort(await bms.serve_rtu(), baud=115200, parity="N")
    else:
        port = TcpPort("127.0.0.1", await bms.serve_tcp())
    bus = ModbusBus("plant", port, boot_ms=_boot_ms, timeout_s=_TIMEOUT_S)
    try:
        yield bms, bus, ledger
    finally:
        await bus.close()
        await bms.close()


def _meter(bms: Bms, bus: ModbusBus, unit: int, *, poll_s: float = 0.1, slow_poll_s: float = 0.3) -> ModbusMeter:
    name = {PLANT: "bms", ELECTRICITY: "electricity", HEAT: "heat"}[unit]
    return ModbusMeter(name, bus, unit, bms.profiles[unit], boot_ms=_boot_ms, poll_s=poll_s, slow_poll_s=slow_poll_s)


@pytest.mark.parametrize("rtu", [False, True])
async def test_what_arrives_is_what_the_bms_put_on_the_wire(*, rtu: bool) -> None:
    """Every value of every point equals the ledger's of the same poll; both poll classes come, in their own groups."""
    async with _bench(rtu=rtu) as (bms, bus, ledger):
        meters = [_meter(bms, bus, unit) for unit in bms.profiles]
        async with contextlib.AsyncExitStack() as stack:
            for meter in meters:
                unit = {"bms": PLANT, "electricity": ELECTRICITY, "heat": HEAT}[meter.name]
                ledger.clear()
                ticks, _ = await stack.enter_async_context(_running(meter))
                await ticks.until(lambda ticks=ticks: len(ticks.ticks) >= 2)  # type: ignore[misc]
                sent = [(key, value) for asked, values in ledger if asked == unit for key, value in values.items()]
                for reading in (reading for tick in ticks.ticks for reading in tick):
                    assert (reading.channel.name.partition(".")[2], reading.value) in sent
                    assert reading.quality is Quality.OK
                got = {reading.channel for tick in ticks.ticks[:2] for reading in tick}
                fast = {channel for channel in meter.channels if channel.group.endswith(".fast")}
                assert got >= fast


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
        await meter.run(_Ticks())
    assert due == [10_250, *range(12_007, 12_007 + 20 * 2_000, 2_000)]


async def test_a_dead_unit_ends_its_own_meter_and_no_other() -> None:
    """After three polls without an answer its meter raises DeviceSilent; the other unit's ticks go on meanwhile."""
    async with _bench() as (bms, bus, _):
        bms.faults[ELECTRICITY] = Silent()
        async with (
            _running(_meter(bms, bus, ELECTRICITY)) as (dead, task),
            _running(_meter(bms, bus, HEAT)) as (ticks, _),
        ):
            with pytest.raises(DeviceSilent, match="bus plant, unit 2"):
                await asyncio.wait_for(task, 5)
            before = len(ticks.ticks)
            await ticks.until(lambda: len(ticks.ticks) >= before + 3)
            assert not dead.ticks


async def test_a_unit_that_is_late_gives_nothing_wrong_and_comes_back() -> None:
    """While it is late its polls are left out; once it is in time again they come, started anew."""
    async with _bench() as (bms, bus, _):
        meter = _meter(bms, bus, HEAT)
        bms.faults[HEAT] = Late(2 * _TIMEOUT_S)
        async with _running(meter) as (ticks, task):
            with pytest.raises(DeviceSilent):
                await asyncio.wait_for(task, 5)
            assert not ticks.ticks
            assert "silent for" in meter.state
        del bms.faults[HEAT]
        await asyncio.sleep(2)  # the first back-offs of the bus, 1 s and what is left
        async with _running(meter) as (ticks, _):
            await ticks.until(lambda: bool(ticks.ticks))
            assert "silent" not in meter.state


async def test_a_busy_unit_is_left_out_and_asked_again() -> None:
    """A Modbus exception that passes ("busy") costs a tick, not the meter."""
    async with _bench() as (bms, bus, _):
        bms.faults[HEAT] = Refusing(6)
        async with _running(_meter(bms, bus, HEAT)) as (ticks, task):
            await asyncio.sleep(0.15)
            assert not task.done()
            del bms.faults[HEAT]
            await ticks.until(lambda: bool(ticks.ticks))


async def test_a_bus_that_cannot_be_opened_ends_the_meter_with_its_reason() -> None:
    """PortMissing reaches the supervisor."""
    async with RawDevice().tcp(rtu=False) as port:
        pass
    bus = ModbusBus("b", TcpPort("127.0.0.1", port), boot_ms=_boot_ms)
    profile = Profile("p", "m", ("x",), "s", (Point("u", Table.INPUT, 0, Kind.U16, "voltage"),))
    with pytest.raises(PortMissing):
        await ModbusMeter("m", bus, 1, profile, boot_ms=_boot_ms).run(_Ticks())


def _registers(*addresses: int, **more: Span) -> Profile:
    points = tuple(Point(f"r{at}", Table.HOLDING, at, Kind.U16, "current", **more) for at in addresses)  # type: ignore[arg-type]
    return Profile("p", "m", ("x",), "s", points)


def _without(*missing: int) -> Callable[[int, bytes], bytes | None]:
    """Answer exception 2 wherever one of these addresses is touched."""

    def answer(unit: int, pdu: bytes) -> bytes | None:
        address, count = struct.unpack(">HH", pdu[1:5])
        if any(address <= at < address + count for at in missing):
            return bytes([pdu[0] | 0x80, 2])
        return right_answer(unit, pdu, address, count)

    return answer


@contextlib.asynccontextmanager
async def _raw(device: RawDevice, profile: Profile) -> AsyncIterator[tuple[ModbusMeter, _Ticks, asyncio.Task[None]]]:
    async with device.tcp(rtu=False) as port:
        bus = ModbusBus("b", TcpPort("127.0.0.1", port), boot_ms=_boot_ms, timeout_s=_TIMEOUT_S)
        meter = ModbusMeter("m", bus, 1, profile, boot_ms=_boot_ms, poll_s=0.05)
        async with _running(meter) as (ticks, task):
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
