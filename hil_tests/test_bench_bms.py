"""The bench's building, its BMS and its pulse outputs: what is written over a real bus shows on every meter."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from drivers.errors import DeviceSilent, WriteUncertain
from drivers.modbus_bus import ModbusBus
from drivers.modbus_ports import SerialPort, TcpPort
from drivers.relay import ModbusSwitch
from hil_tests.bench.bms import ELECTRICITY, HEAT, PLANT, Bms, Stuck
from hil_tests.bench.bms_points import WRITES
from hil_tests.bench.building import Building
from hil_tests.bench.pulses import PulseOutputs
from modbus.plan import plan
from modbus.profile import Table
from modbus.values import decode_read

_START_MS = 1_000_000


class _Clock:
    """Boot time that stands still until the test moves it."""

    def __init__(self) -> None:
        self.now_ms = _START_MS

    def __call__(self) -> int:
        return self.now_ms


@contextlib.asynccontextmanager
async def _bench(
    *, rtu: bool = False
) -> AsyncIterator[tuple[Bms, ModbusBus, _Clock, list[tuple[int, int, Mapping[str, int]]]]]:
    clock = _Clock()
    ledger: list[tuple[int, int, Mapping[str, int]]] = []
    bms = Bms(Building(clock()), boot_ms=clock, ledger=lambda *told: ledger.append(told))
    port: TcpPort | SerialPort
    if rtu:
        port = SerialPort(await bms.serve_rtu(), baud=115200, parity="N")
    else:
        port = TcpPort("127.0.0.1", await bms.serve_tcp())
    bus = ModbusBus("plant", port, boot_ms=clock, timeout_s=0.2, quiet_s=0)
    try:
        yield bms, bus, clock, ledger
    finally:
        await bus.close()
        await bms.close()


async def _read(bms: Bms, bus: ModbusBus, unit: int) -> dict[str, int]:
    profile = bms.profiles[unit]
    values: dict[str, int] = {}
    for read in plan(profile, profile.points):
        words = await bus.read(unit, read.table, read.address, read.count)
        values |= {point.key: value for point, value in decode_read(profile, read, words) if value is not None}
    return values


@pytest.mark.parametrize("rtu", [False, True])
async def test_shedding_over_the_bus_lowers_what_every_meter_shows(*, rtu: bool) -> None:
    """Coils off and set-points down: supplier's meter, sub-meter and heat meter fall; restored, they return."""
    async with _bench(rtu=rtu) as (bms, bus, clock, _):
        lowest = {"coil": 0, "A": 6, "%": 20}
        points = {point.key: point for point in bms.profiles[PLANT].points if point.key in WRITES}
        switches = {key: ModbusSwitch(key, bus, PLANT, bms.profiles[PLANT], key) for key in points}
        before, heat_before = bms.building.sample(clock()), (await _read(bms, bus, HEAT))["power"]
        restore = {key: await switch.read() for key, switch in switches.items()}
        for key, switch in switches.items():
            await switch.write(lowest[points[key].unit or "coil"])
        clock.now_ms += 5_000
        during = bms.building.sample(clock())
        assert during.power_w < before.power_w - 15_000
        assert all(now < then for now, then in zip(during.phase_va, before.phase_va, strict=True))
        assert (await _read(bms, bus, ELECTRICITY))["power"] == bms.building.plant.power_w
        assert (await _read(bms, bus, HEAT))["power"] < heat_before / 3
        for key, value in restore.items():
            await switches[key].write(value)
        clock.now_ms += 5_000
        assert bms.building.sample(clock()).power_w > before.power_w - 2_000


async def test_a_stuck_actuator_takes_the_write_and_nothing_falls() -> None:
    """The fault that only a meter or a read-back can find."""
    async with _bench() as (bms, bus, clock, _):
        bms.faults[PLANT] = Stuck()
        before = bms.building.sample(clock()).power_w
        await bus.write(PLANT, Table.HOLDING, 0, [100])
        with pytest.raises(WriteUncertain, match="does not repeat it"):
            await bus.write(PLANT, Table.HOLDING, 0, [0])
        clock.now_ms += 3_000
        assert bms.building.sample(clock()).power_w > before - 2_000


@pytest.mark.parametrize("unit", [PLANT, ELECTRICITY, HEAT])
async def test_the_ledger_holds_every_value_that_was_put_on_the_wire(unit: int) -> None:
    """What a read gave is what the ledger was told, with the unit and the moment."""
    async with _bench() as (bms, bus, clock, ledger):
        got = await _read(bms, bus, unit)
        assert got == {key: value for _, _, values in ledger for key, value in values.items()}
        assert set(got) == {point.key for point in bms.profiles[unit].points}
        assert {(boot_ms, told) for boot_ms, told, _ in ledger} == {(clock(), unit)}


@pytest.mark.parametrize("rtu", [False, True])
async def test_a_unit_that_is_not_there_is_silent(*, rtu: bool) -> None:
    """No exception 4 or 11, as a simulator would answer; the ledger is told nothing."""
    async with _bench(rtu=rtu) as (_, bus, _, ledger):
        with pytest.raises(DeviceSilent):
            await bus.read(9, Table.INPUT, 0, 1)
        assert not ledger


async def test_the_values_of_a_profile_are_those_that_the_building_has() -> None:
    """Each profile's points and the bench's values name the same things, about forty in all."""
    async with _bench() as (bms, _, _, _):
        for unit, profile in bms.profiles.items():
            assert set(bms.values(unit)) == {point.key for point in profile.points}
        assert {point.key for point in bms.profiles[PLANT].points if point.limits} == set(WRITES)
        assert 35 <= sum(len(profile.points) for profile in bms.profiles.values()) <= 45


def test_the_same_seed_gives_the_same_building_however_often_it_is_asked() -> None:
    """Ten minutes in one step and in many small ones end at the same sample; another seed ends elsewhere."""
    once, often, other = Building(0, seed=3), Building(0, seed=3), Building(0, seed=4)
    for boot_ms in range(0, 600_000, 370):
        often.step(boot_ms)
    assert once.sample(600_000) == often.sample(600_000)
    assert once.sample(600_000) != other.sample(600_000)


def test_the_index_of_the_running_tariff_alone_rises_with_power() -> None:
    """Energy is power times time, in the tariff that runs; tariffs take turns."""
    building = Building(0, tariff_ms=60_000)
    samples = [building.sample(boot_ms) for boot_ms in range(0, 120_000, 1_000)]
    for before, after in itertools.pairwise(samples):
        assert after.index_wh[1 - after.tariff] == before.index_wh[1 - after.tariff] or before.tariff != after.tariff
    assert {sample.tariff for sample in samples} == {0, 1}
    used_wh = samples[-1].total_wh - samples[0].total_wh
    mean_w = sum(sample.power_w for sample in samples) / len(samples)
    assert used_wh == pytest.approx(mean_w * 119 / 3600, rel=0.02)


def test_more_than_the_subscribed_power_is_an_overrun() -> None:
    """The flag follows the apparent power, and goes when it falls."""
    building = Building(0, subscribed_kva=36)
    assert not building.sample(1_000).overrun
    building.extra_w = 15_000
    over = building.sample(2_000)
    assert over.overrun
    assert over.apparent_va > 36_000
    building.extra_w = 0
    assert not building.sample(3_000).overrun


def test_currents_and_voltages_are_those_of_the_load() -> None:
    """Each phase's current times 230 V is its apparent power, its voltage sags a little."""
    sample = Building(0).sample(10_000)
    for phase in range(3):
        assert abs(sample.current_a[phase] * 230 - sample.phase_va[phase]) <= 115
        assert 220 <= sample.voltage_v[phase] <= 240
    assert sum(sample.phase_va) == sample.apparent_va


async def test_pulse_outputs_pulse_as_the_building_consumes(tmp_path: Path) -> None:
    """Six minutes of gas and water are as many pulses as their volume says, each told to the ledger in order."""
    clock, ledger = _Clock(), list[tuple[int, str, int]]()
    building = Building(clock())
    outputs = PulseOutputs(building, count_id=1, boot_ms=clock, ledger=lambda *told: ledger.append(told))
    address = await outputs.gas.serve(tmp_path / "gas")
    clock.now_ms += 360_000
    task = asyncio.create_task(outputs.run())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait((task,))
    assert address == f"unix:{tmp_path / 'gas'}"
    assert outputs.gas.sequence == building.gas_ml // 10_000 == 23
    assert outputs.water.sequence == building.water_ml // 1_000 == 90
    assert outputs.gas.heard == outputs.water.heard == 0
    assert [sequence for _, name, sequence in ledger if name == "water"] == list(range(1, 91))
    await outputs.close()
    assert not (tmp_path / "gas").exists()
