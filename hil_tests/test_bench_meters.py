"""Modbus meters against the bench's BMS, a real pymodbus server: what arrives is what was put on the wire."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping

import pytest

from drivers.errors import DeviceSilent
from drivers.modbus_bus import ModbusBus
from drivers.modbus_device import ModbusMeter
from drivers.modbus_ports import SerialPort, TcpPort
from drivers.reading import Quality
from drivers.tests.ticks import running
from hil_tests.bench.bms import ELECTRICITY, HEAT, PLANT, Bms, Late, Refusing, Silent
from hil_tests.bench.building import Building

_TIMEOUT_S = 0.1


def _boot_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


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
                ticks, _ = await stack.enter_async_context(running(meter))
                await ticks.until(lambda ticks=ticks: len(ticks.ticks) >= 2)  # type: ignore[misc]
                sent = [(key, value) for asked, values in ledger if asked == unit for key, value in values.items()]
                for reading in (reading for tick in ticks.ticks for reading in tick):
                    assert (reading.channel.name.partition(".")[2], reading.value) in sent
                    assert reading.quality is Quality.OK
                got = {reading.channel for tick in ticks.ticks[:2] for reading in tick}
                fast = {channel for channel in meter.channels if channel.group.endswith(".fast")}
                assert got >= fast


async def test_a_dead_unit_ends_its_own_meter_and_no_other() -> None:
    """After three polls without an answer its meter raises DeviceSilent; the other unit's ticks go on meanwhile."""
    async with _bench() as (bms, bus, _):
        bms.faults[ELECTRICITY] = Silent()
        async with (
            running(_meter(bms, bus, ELECTRICITY)) as (dead, task),
            running(_meter(bms, bus, HEAT)) as (ticks, _),
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
        async with running(meter) as (ticks, task):
            with pytest.raises(DeviceSilent):
                await asyncio.wait_for(task, 5)
            assert not ticks.ticks
            assert "silent for" in meter.state
        del bms.faults[HEAT]
        await asyncio.sleep(2)  # the first back-offs of the bus, 1 s and what is left
        async with running(meter) as (ticks, _):
            await ticks.until(lambda: bool(ticks.ticks))
            assert "silent" not in meter.state


async def test_a_busy_unit_is_left_out_and_asked_again() -> None:
    """A Modbus exception that passes ("busy") costs a tick, not the meter."""
    async with _bench() as (bms, bus, _):
        bms.faults[HEAT] = Refusing(6)
        async with running(_meter(bms, bus, HEAT)) as (ticks, task):
            await asyncio.sleep(0.15)
            assert not task.done()
            del bms.faults[HEAT]
            await ticks.until(lambda: bool(ticks.ticks))
