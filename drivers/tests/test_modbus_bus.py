"""The bus against a raw device that answers late, wrongly or not at all: no value is ever that of another request."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from pymodbus.client import AsyncModbusTcpClient

from drivers.errors import DeviceSilent, DriverError, PortLeft, PortMissing, WriteUncertain
from drivers.modbus_bus import ModbusBus
from drivers.modbus_exceptions import ExceptionReply
from drivers.modbus_ports import SerialPort, TcpPort
from drivers.tests.pty_link import PtyLink
from drivers.tests.raw_modbus import RawDevice, register
from modbus.profile import Table

_TIMEOUT_S = 0.06
_FIRM_S = 0.15
"""Where some answers must be missed and others must not, on a machine that is busy with something else."""
_PATIENT_S = 30.0
"""Where none is to be missed."""
_LATE, _SOON = 100, 200
_WAYS = ["tcp", "rtu over tcp", "rtu"]
_UNNUMBERED = ["rtu over tcp", "rtu"]


class _Boot:
    """Boot time that a test may push on, so that no back-off has to be waited for."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000 + self.ahead_ms


class _NearPort(TcpPort):
    """A port whose timeout is the answers' alone: a busy machine may take longer to connect to itself."""

    def client(self, timeout_s: float) -> AsyncModbusTcpClient:
        client = super().client(timeout_s)
        connect, settings = client.connect, client.ctx.comm_params

        async def patiently() -> bool:
            settings.timeout_connect = _PATIENT_S
            try:
                return await connect()
            finally:
                settings.timeout_connect = timeout_s

        client.connect = patiently  # type: ignore[method-assign]
        return client


@contextlib.asynccontextmanager
async def _bus(
    device: RawDevice, way: str, *, boot: _Boot | None = None, retries: int = 0, timeout_s: float = _TIMEOUT_S
) -> AsyncIterator[ModbusBus]:
    async with contextlib.AsyncExitStack() as stack:
        port: TcpPort | SerialPort
        if way == "rtu":
            link = PtyLink()
            stack.callback(link.close)
            await stack.enter_async_context(device.pty(link.near))
            port = SerialPort(link.far, baud=115200, parity="N")
        else:
            rtu = way != "tcp"
            port = _NearPort("127.0.0.1", await stack.enter_async_context(device.tcp(rtu=rtu)), rtu_frames=rtu)
        bus = ModbusBus("b", port, boot_ms=boot or _Boot(), timeout_s=timeout_s, retries=retries)
        yield bus
        await bus.close()


@pytest.mark.parametrize("late_by_s", [0.02, 0.08, 0.15])
@pytest.mark.parametrize("way", _WAYS)
async def test_a_late_answer_is_never_that_to_the_next_request(way: str, late_by_s: float) -> None:
    """After a timeout the next read, of the same length, gives its own value or an error, however late the first is."""
    device = RawDevice(delay_s=lambda address: _TIMEOUT_S + late_by_s if address == _LATE else 0)
    async with _bus(device, way) as bus, asyncio.timeout(_PATIENT_S):
        for _ in range(3):
            with pytest.raises(DeviceSilent):
                await bus.read(1, Table.HOLDING, _LATE, 2, urgent=True)
            tried = right = 0
            while tried < 2 or not right:
                tried += 1
                with contextlib.suppress(DeviceSilent):
                    words = await bus.read(1, Table.HOLDING, _SOON, 2, urgent=True)
                    assert words == [register(1, _SOON), register(1, _SOON + 1)]
                    right += 1


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("way", _UNNUMBERED)
async def test_whatever_the_delays_every_value_is_that_of_its_address(way: str, seed: int) -> None:
    """Forty reads of one length at random delays around the timeout: an error or the right value, never another's."""
    random = Random(seed)
    device = RawDevice(delay_s=lambda _: random.choice([0] * 7 + [0.05, 0.07, 0.11, 0.2]))
    right = 0
    async with _bus(device, way) as bus:
        for _ in range(40):
            unit, address = random.choice([1, 2]), random.randrange(0, 900, 2)
            with contextlib.suppress(DeviceSilent):
                assert await bus.read(unit, Table.INPUT, address, 2, urgent=True) == [
                    register(unit, address),
                    register(unit, address + 1),
                ]
                right += 1
    assert right >= 4


@pytest.mark.parametrize("way", _WAYS)
async def test_a_caller_that_is_cancelled_leaves_no_answer_behind(way: str) -> None:
    """The transaction goes on to its end, and the next read gives its own value."""
    asked = asyncio.Event()

    def delay_s(address: int) -> float:
        if address == _LATE:
            asked.set()
        return 0.03 if address == _LATE else 0

    async with _bus(RawDevice(delay_s=delay_s), way, timeout_s=_PATIENT_S) as bus:
        for _ in range(3):
            asked.clear()
            reading = asyncio.create_task(bus.read(1, Table.HOLDING, _LATE, 1))
            await asked.wait()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert await bus.read(1, Table.HOLDING, _SOON, 1) == [register(1, _SOON)]


@pytest.mark.parametrize("way", _WAYS)
async def test_an_answer_of_another_length_is_dropped(way: str) -> None:
    """A reply that carries less than was asked for is nobody's."""
    device = RawDevice(answer=lambda _, pdu: bytes([pdu[0], 2, 0, 7]))
    async with _bus(device, way, timeout_s=_PATIENT_S) as bus:
        with pytest.raises(DeviceSilent, match=r"bus b, unit 1, input 5: the answer to another request"):
            await bus.read(1, Table.INPUT, 5, 2)


@pytest.mark.parametrize("way", _WAYS)
async def test_an_answer_to_another_function_is_dropped(way: str) -> None:
    """Input registers are not taken for holding registers."""
    device = RawDevice(answer=lambda *_: bytes([4, 4, 0, 7, 0, 8]))
    async with _bus(device, way) as bus:
        with pytest.raises(DeviceSilent):
            await bus.read(1, Table.HOLDING, 5, 2)


@pytest.mark.parametrize("way", _WAYS)
async def test_a_reply_that_makes_no_sense_is_dropped_and_the_next_one_read(way: str) -> None:
    """Damaged replies cost a timeout and reach nothing else."""
    device = RawDevice(answer=lambda _, pdu: bytes([0x55, 0xFF]) if pdu[0] == 3 else bytes([pdu[0], 9]))
    boot = _Boot()
    async with _bus(device, way, boot=boot, timeout_s=_FIRM_S) as bus:
        for table in Table:
            with pytest.raises(DriverError):
                await bus.read(1, table, 0, 1, urgent=True)
        device.answer = None
        assert await bus.read(1, Table.HOLDING, 7, 1, urgent=True) == [register(1, 7)]


@pytest.mark.parametrize("way", _WAYS)
async def test_bits_come_as_zeros_and_ones_and_as_many_as_asked(way: str) -> None:
    """Ten coils are ten values, though they fill two bytes."""
    async with _bus(RawDevice(), way, timeout_s=_PATIENT_S) as bus:
        assert await bus.read(1, Table.COIL, 3, 10) == [1, 0] * 5
        assert await bus.read(1, Table.DISCRETE, 4, 1) == [0]


@pytest.mark.parametrize("way", _WAYS)
async def test_a_dead_unit_is_left_alone_ever_longer_and_the_others_are_read(way: str) -> None:
    """Between its back-offs a dead unit costs the bus nothing; its error says when it is asked again."""
    device, boot = RawDevice(silent={2}), _Boot()
    async with _bus(device, way, boot=boot, timeout_s=_FIRM_S) as bus:
        for pause_ms in (1_000, 2_000, 4_000):
            asked = len(device.reads(2))
            with pytest.raises(DeviceSilent, match="unit 2, input 0: no answer"):
                await bus.read(2, Table.INPUT, 0, 1)
            assert len(device.reads(2)) == asked + 1
            for _ in range(5):
                with pytest.raises(DeviceSilent, match=r"asked again in \d+ s"):
                    await bus.read(2, Table.INPUT, 0, 1)
                assert await bus.read(1, Table.INPUT, 0, 1) == [register(1, 0)]
            assert len(device.reads(2)) == asked + 1
            boot.ahead_ms += pause_ms
        assert "silent units 2" in bus.state


@pytest.mark.parametrize("way", _WAYS)
async def test_a_unit_that_comes_back_is_read_again(way: str) -> None:
    """After its back-off the first answer ends it."""
    device, boot = RawDevice(silent={1}), _Boot()
    async with _bus(device, way, boot=boot, timeout_s=_FIRM_S) as bus:
        with pytest.raises(DeviceSilent):
            await bus.read(1, Table.INPUT, 0, 3)
        device.silent.clear()
        boot.ahead_ms += 1_000
        assert await bus.read(1, Table.INPUT, 0, 3) == [register(1, at) for at in range(3)]
        assert await bus.read(1, Table.INPUT, 1, 3) == [register(1, at) for at in range(1, 4)]


@pytest.mark.parametrize("way", _WAYS)
async def test_one_retry_saves_a_read_whose_answer_was_lost(way: str) -> None:
    """With one retry a single lost answer is not noticed by the caller."""
    lost = [True]

    def lose_first(_: int, pdu: bytes) -> bytes | None:
        return None if lost.pop() else bytes([pdu[0], 2 * pdu[4]]) + bytes(2 * pdu[4])

    lost[:0] = [False] * 9
    async with _bus(RawDevice(answer=lose_first), way, retries=1, timeout_s=_FIRM_S) as bus:
        assert await bus.read(1, Table.INPUT, 0, 3) == [0, 0, 0]


def test_more_than_one_retry_is_refused() -> None:
    """Retries multiply what a dead unit costs the others."""
    with pytest.raises(ValueError, match="retries"):
        ModbusBus("b", TcpPort("127.0.0.1"), boot_ms=_Boot(), retries=2)


@pytest.mark.parametrize("way", _WAYS)
async def test_a_write_is_sent_once_and_carries_its_value(way: str) -> None:
    """A coil, a register and two registers go out with functions 5, 6 and 16, once each."""
    device = RawDevice()
    async with _bus(device, way, timeout_s=_PATIENT_S) as bus:
        await bus.write(1, Table.COIL, 3, [1])
        await bus.write(1, Table.HOLDING, 4, [1234])
        await bus.write(1, Table.HOLDING, 5, [1, 2])
    assert device.writes() == [
        b"\x05\x00\x03\xff\x00",
        b"\x06\x00\x04\x04\xd2",
        b"\x10\x00\x05\x00\x02\x04\x00\x01\x00\x02",
    ]


@pytest.mark.parametrize("way", _WAYS)
async def test_a_write_without_an_answer_is_uncertain_and_never_repeated(way: str) -> None:
    """Silence after a write says nothing about it, even where reads are retried."""
    device = RawDevice(silent={1})
    async with _bus(device, way, retries=1) as bus:
        with pytest.raises(WriteUncertain, match=r"unit 1, coil 3.*read it back"):
            await bus.write(1, Table.COIL, 3, [1])
    assert len(device.writes()) == 1


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("repeated", [b"\x06\x00\x04\x00\x00", b"\x06\x00\x05\x04\xd2", b"\x05\x00\x04\xff\x00"])
async def test_a_write_whose_answer_does_not_repeat_it_is_uncertain(way: str, repeated: bytes) -> None:
    """Function, address and value of the answer must be those of the write."""
    async with _bus(RawDevice(answer=lambda *_: repeated), way) as bus:
        with pytest.raises(WriteUncertain):
            await bus.write(1, Table.HOLDING, 4, [1234])


@pytest.mark.parametrize(("code", "uncertain"), [(1, False), (2, False), (3, False), (4, True), (5, True), (6, False)])
async def test_an_exception_tells_whether_a_write_may_have_been_carried_out(code: int, *, uncertain: bool) -> None:
    """A refusal is certain; "failed while doing it" and "still doing it" are not."""
    device = RawDevice(answer=lambda _, pdu: bytes([pdu[0] | 0x80, code]))
    async with _bus(device, "tcp", timeout_s=_PATIENT_S) as bus:
        with pytest.raises(WriteUncertain if uncertain else ExceptionReply, match=f"Modbus exception {code}"):
            await bus.write(1, Table.COIL, 0, [1])
        with pytest.raises(ExceptionReply) as caught:
            await bus.read(1, Table.COIL, 0, 1)
        assert caught.value.code == code


async def test_a_write_to_a_unit_that_still_owes_an_answer_waits_for_it() -> None:
    """Nothing is written until the unit has shown that it answers the request that it was asked."""
    device = RawDevice(silent={1})
    async with _bus(device, "rtu", timeout_s=_FIRM_S) as bus:
        with pytest.raises(DeviceSilent):
            await bus.read(1, Table.HOLDING, 0, 1)
        with pytest.raises(DeviceSilent):
            await bus.write(1, Table.HOLDING, 0, [1])
        assert not device.writes()
        device.silent.clear()
        await bus.write(1, Table.HOLDING, 0, [1])
        assert len(device.writes()) == 1


async def test_a_port_that_nobody_serves_is_missing_and_says_what_to_do() -> None:
    """The error names bus, host and port; while it lasts the next try is not made at once."""
    async with RawDevice().tcp(rtu=False) as port:
        pass
    bus = ModbusBus("b", TcpPort("127.0.0.1", port), boot_ms=_Boot(), timeout_s=_TIMEOUT_S)
    with pytest.raises(PortMissing, match=f"bus b: nobody answers at 127.0.0.1:{port}; check the cable"):
        await bus.read(1, Table.INPUT, 0, 1)
    with pytest.raises(PortMissing, match="next try in"):
        await bus.read(1, Table.INPUT, 0, 1)
    with pytest.raises(PortMissing, match="nobody answers"):
        await bus.write(1, Table.COIL, 0, [1])


async def test_a_serial_port_that_is_not_there_is_missing_and_says_what_to_do(tmp_path: Path) -> None:
    """The error names the path and where to look for the right one."""
    bus = ModbusBus("b", SerialPort(str(tmp_path / "ttyUSB9")), boot_ms=_Boot())
    with pytest.raises(PortMissing, match=r"there is no .*ttyUSB9; plug the adapter in"):
        await bus.read(1, Table.INPUT, 0, 1)


async def test_a_file_that_is_no_serial_port_is_missing(tmp_path: Path) -> None:
    """A path that exists and is no port is told as such."""
    (tmp_path / "file").write_bytes(b"")
    bus = ModbusBus("b", SerialPort(str(tmp_path / "file")), boot_ms=_Boot())
    with pytest.raises(PortMissing, match="is in use by another program, or takes no 19200 Bd with parity E"):
        await bus.read(1, Table.INPUT, 0, 1)


async def test_a_connection_that_closes_while_it_is_asked_has_left_and_is_opened_again() -> None:
    """The caller gets PortLeft; the next read opens a new connection and the unit is not blamed."""
    device = RawDevice()

    def close(*_: object) -> None:
        device.hang_up()

    device.answer = close
    async with _bus(device, "tcp", timeout_s=_FIRM_S) as bus:
        with pytest.raises(PortLeft, match=r"127\.0\.0\.1:\d+ closed"):
            await bus.read(1, Table.INPUT, 0, 1)
        device.answer = None
        assert await bus.read(1, Table.INPUT, 0, 1) == [register(1, 0)]
        assert device.connections == 2


async def test_a_connection_that_closed_while_idle_costs_nothing() -> None:
    """The next read opens a new one by itself."""
    device = RawDevice()
    async with _bus(device, "tcp", timeout_s=_PATIENT_S) as bus:
        await bus.read(1, Table.INPUT, 0, 1)
        device.hang_up()
        await asyncio.sleep(0.01)
        assert await bus.read(1, Table.INPUT, 0, 1) == [register(1, 0)]


async def test_a_serial_adapter_that_is_pulled_out_has_left() -> None:
    """Then it is missing, and nothing raises what the supervisor would take for a bug."""
    link = PtyLink()
    bus = ModbusBus("b", SerialPort(link.far, parity="N"), boot_ms=_Boot(), timeout_s=_FIRM_S)
    async with RawDevice().pty(link.near):
        assert await bus.read(1, Table.INPUT, 0, 1) == [register(1, 0)]
        reading = asyncio.create_task(bus.read(9, Table.INPUT, 0, 1))
        await asyncio.sleep(0.015)
        link.unplug()
        with pytest.raises(PortLeft):
            await reading
        with pytest.raises((PortMissing, PortLeft)):
            await bus.read(1, Table.INPUT, 0, 1, urgent=True)
    await bus.close()
    link.close()


async def test_requests_of_many_tasks_never_overlap() -> None:
    """Twenty readers at once each get their own values."""
    async with _bus(RawDevice(delay_s=lambda _: 0.001), "rtu", timeout_s=_PATIENT_S) as bus:
        reads = [bus.read(1 + at % 2, Table.INPUT, at, 2) for at in range(20)]
        for at, words in enumerate(await asyncio.gather(*reads)):
            assert words == [register(1 + at % 2, at), register(1 + at % 2, at + 1)]
