"""One Modbus bus and its only owner: every request of every device and switch goes through here, one at a time.

On RTU a reply carries no number that ties it to its request, so a late reply, taken for the answer to the next one, is
a wrong value without any error (3 of 3 in our trials, also after an outer cancellation). What keeps it from happening:

* a transaction, once begun, is never cancelled: the caller may go, the reply is still waited for;
* after a timeout the line is left alone for a while, and TCP connections are closed and opened anew;
* before a unit that has missed an answer is believed again, it must answer a probe whose reply has another length than
  any read of that unit: units answer in order, so whatever was late has then come, or shows by its length;
* each reply must have the function and the length that were asked for, and a write's reply its address and value.

A unit that does not answer is left alone for 1, 2, 4 .. 60 s, so that it never starves the others. What the registers
mean stands in `modbus`; when to ask for them in `drivers.modbus_device`.
"""

import asyncio
import contextlib
import logging
import termios
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from drivers.errors import DeviceSilent, PortLeft, PortMissing, WriteUncertain
from drivers.modbus_exceptions import BEHIND_GATEWAY, MAY_HAVE_ACTED, ExceptionReply
from drivers.modbus_ports import SerialPort, TcpPort
from modbus.plan import SerialLine
from modbus.profile import Table

# Its errors repeat what ours say, once for every poll of a dead unit, without naming the bus.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

_FIRST_BACK_OFF_MS = 1_000
_LONGEST_BACK_OFF_MS = 60_000
_LONGEST_RECONNECT_MS = 10_000

_Client = AsyncModbusTcpClient | AsyncModbusSerialClient
_Reply = TypeVar("_Reply")

_READ_FUNCTIONS = {Table.COIL: 1, Table.DISCRETE: 2, Table.HOLDING: 3, Table.INPUT: 4}


@dataclass(slots=True)
class _Unit:
    """What the bus knows of one unit: how it fails, and which replies it may still owe."""

    failures: int = 0
    not_before_ms: int = 0
    owes: bool = False
    """A reply was missed; until a probe is answered, nothing that this unit says is believed."""
    shapes: set[tuple[Table, int]] = field(default_factory=set)
    """Payload lengths that were asked for in each table; a probe has another."""


class ModbusBus:
    """The owner of one bus, opened when first needed.

    `timeout_s` is what a device may take to answer, `quiet_s` how long the line rests after a timeout (the timeout
    itself unless said), `retries` 0 or 1 for reads (writes are never retried), `boot_ms` gives CLOCK_BOOTTIME.
    """

    def __init__(  # noqa: PLR0913 - each is one setting of the bus in the site file
        self,
        name: str,
        port: TcpPort | SerialPort,
        *,
        boot_ms: Callable[[], int],
        timeout_s: float = 1.0,
        quiet_s: float | None = None,
        retries: int = 0,
    ) -> None:
        if retries not in (0, 1):
            raise ValueError(f"bus {name}: retries must be 0 or 1, a dead unit would block the others")
        self.name = name
        self._port = port
        self._boot_ms = boot_ms
        self._timeout_s = timeout_s
        self._quiet_ms = int(1000 * (timeout_s if quiet_s is None else quiet_s))
        self._retries = retries
        self._lock = asyncio.Lock()
        self._client: _Client | None = None
        self._units: dict[int, _Unit] = {}
        self._transactions: set[asyncio.Task[Any]] = set()
        self._quiet_until_ms = 0
        self._connect_failures = 0
        self._connect_not_before_ms = 0

    @property
    def line(self) -> SerialLine | None:
        """What reads cost on this bus, None on TCP."""
        return self._port.line

    @property
    def state(self) -> str:
        """One short line for people."""
        silent = sorted(unit for unit, known in self._units.items() if known.failures)
        link = "open" if self._client is not None and self._client.connected else "closed"
        return f"{self._port}: {link}" + (f", silent units {', '.join(map(str, silent))}" if silent else "")

    async def read(self, unit: int, table: Table, address: int, count: int, *, urgent: bool = False) -> list[int]:
        """Give `count` registers (or bits, as 0 and 1) of `unit` from `address` on.

        `urgent` asks a unit that is being left alone all the same. Raises DeviceSilent, ExceptionReply, PortMissing,
        PortLeft.
        """
        return await self._whole(self._read(unit, table, address, count, urgent=urgent))

    async def write(self, unit: int, table: Table, address: int, words: Sequence[int]) -> None:
        """Write `words` (registers, or one bit) to `unit` at `address`, once, whether it is being left alone or not.

        Raises WriteUncertain where the outcome is unknown; DeviceSilent, ExceptionReply, PortMissing and PortLeft say
        that nothing was written.
        """
        await self._whole(self._write(unit, table, address, tuple(words)))

    async def close(self) -> None:
        """Wait for the transaction under way, then close the port; a later request opens it again."""
        if self._transactions:
            await asyncio.wait(self._transactions)
        async with self._lock:
            self._drop_client()

    async def _whole(self, transaction: Coroutine[Any, Any, _Reply]) -> _Reply:
        """Run a transaction to its end even when its caller is cancelled."""
        task = asyncio.create_task(transaction, name=f"modbus {self.name}")
        self._transactions.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._transactions.discard(task)
        if not task.cancelled():
            task.exception()  # a caller that was cancelled never fetches it, and asyncio would complain

    async def _read(self, unit: int, table: Table, address: int, count: int, *, urgent: bool) -> list[int]:
        for attempt in range(self._retries + 1):
            async with self._lock:
                client = await self._ready(unit, (table, address), urgent=urgent or attempt > 0)
                self._known(unit).shapes.add((table, _payload_bytes(table, count)))
                try:
                    return await self._ask_read(client, unit, table, address, count)
                except DeviceSilent:
                    if attempt == self._retries:
                        raise
        raise AssertionError("the loop returns or raises")

    async def _ask_read(self, client: _Client, unit: int, table: Table, address: int, count: int) -> list[int]:
        where = self._where(unit, table, address)
        call = {
            Table.COIL: client.read_coils,
            Table.DISCRETE: client.read_discrete_inputs,
            Table.HOLDING: client.read_holding_registers,
            Table.INPUT: client.read_input_registers,
        }[table]
        reply = await self._ask(client, unit, call(address, count=count, device_id=unit), where)
        words: list[int] = [int(word) for word in (reply.bits if table.is_bits else reply.registers)]
        length = len(words) // 8 if table.is_bits else 2 * len(words)
        if reply.function_code != _READ_FUNCTIONS[table] or length != _payload_bytes(table, count):
            raise self._missed(unit, f"{where}: the answer to another request came; it was dropped")
        self._answered(unit)
        return words[:count]

    async def _write(self, unit: int, table: Table, address: int, words: tuple[int, ...]) -> None:
        where = self._where(unit, table, address)
        async with self._lock:
            client = await self._ready(unit, (table, address), urgent=True)
            call: Awaitable[ModbusPDU]
            if table is Table.COIL:
                call, echo = client.write_coil(address, bool(words[0]), device_id=unit), (5, words[0])
            elif len(words) == 1:
                call, echo = client.write_register(address, words[0], device_id=unit), (6, words[0])
            else:
                call, echo = client.write_registers(address, list(words), device_id=unit), (16, len(words))
            try:
                reply = await self._ask(client, unit, call, where)
            except ExceptionReply as error:
                if error.code in MAY_HAVE_ACTED:
                    raise WriteUncertain(f"{error}: read it back before writing again") from error
                raise
            except (DeviceSilent, PortLeft) as error:
                raise WriteUncertain(f"{error}; the write may have been carried out: read it back first") from error
            said = {5: reply.bits, 6: reply.registers, 16: [reply.count]}.get(reply.function_code, [])
            if (reply.function_code, *said[:1]) != echo or reply.address != address:
                missed = self._missed(unit, f"{where}: the answer to the write does not repeat it")
                raise WriteUncertain(f"{missed}; read it back first") from missed
            self._answered(unit)

    async def _ready(self, unit: int, asked: tuple[Table, int], *, urgent: bool) -> _Client:
        """Wait until the line may be used, open it, and settle what `unit` owes; the lock is held."""
        known = self._known(unit)
        left_ms = known.not_before_ms - self._boot_ms()
        if left_ms > 0 and not urgent:
            raise DeviceSilent(
                f"{self._where(unit, *asked)}: does not answer; it is asked again in {left_ms // 1000 + 1} s"
            )
        await asyncio.sleep(max(0, self._quiet_until_ms - self._boot_ms()) / 1000)
        client = await self._open(urgent=urgent)
        if known.owes:
            await self._probe(client, unit, known, *asked)
        return client

    async def _probe(self, client: _Client, unit: int, known: _Unit, table: Table, address: int) -> None:
        """Ask for a length that no read of this unit has; an answer of that length, or a refusal, settles it."""
        step = 8 if table.is_bits else 1
        count = 1
        while (table, _payload_bytes(table, count)) in known.shapes:
            count += step
        with contextlib.suppress(ExceptionReply):
            await self._ask_read(client, unit, table, min(address, 0x10000 - count), count)
        known.owes = False

    async def _ask(self, client: _Client, unit: int, call: Awaitable[ModbusPDU], where: str) -> ModbusPDU:
        try:
            reply = await call
        except ModbusException as error:
            if not client.connected:
                self._drop_client()
                self._owed(unit)
                raise PortLeft(f"{where}: {self._port} closed while it was asked; it is opened again") from error
            text = f"{where}: no answer within {self._timeout_s:g} s; check its power, its cable and its unit number"
            raise self._missed(unit, text) from error
        if not reply.isError():
            return reply
        code = reply.exception_code
        if code in BEHIND_GATEWAY:
            self._leave_alone(unit)
        else:
            self._answered(unit)
        raise ExceptionReply(where, code)

    def _missed(self, unit: int, text: str) -> DeviceSilent:
        """Note that an answer is owed: rest the line, leave the unit alone, and close what can be closed."""
        self._leave_alone(unit)
        self._owed(unit)
        if isinstance(self._port, TcpPort):
            self._drop_client()
        return DeviceSilent(text)

    def _owed(self, unit: int) -> None:
        # Where replies are numbered, what comes late is known by its number, and on a closed connection comes nowhere.
        if not self._port.is_numbered:
            self._known(unit).owes = True
            self._quiet_until_ms = self._boot_ms() + self._quiet_ms

    def _leave_alone(self, unit: int) -> None:
        known = self._known(unit)
        back_off_ms = min(_LONGEST_BACK_OFF_MS, _FIRST_BACK_OFF_MS << min(known.failures, 10))
        known.failures += 1
        known.not_before_ms = self._boot_ms() + back_off_ms

    def _answered(self, unit: int) -> None:
        known = self._known(unit)
        known.failures = known.not_before_ms = 0

    async def _open(self, *, urgent: bool) -> _Client:
        if self._client is not None and self._client.connected:
            return self._client
        self._drop_client()
        left_ms = self._connect_not_before_ms - self._boot_ms()
        if left_ms > 0 and not urgent:
            raise PortMissing(f"bus {self.name}: {self._port} cannot be opened; next try in {left_ms // 1000 + 1} s")
        client = self._port.client(self._timeout_s)
        try:
            opened = await client.connect()
        except termios.error:  # pyserial lets it through: the port does not take these settings
            opened = False
        if not opened:
            client.close()
            back_off_ms = min(_LONGEST_RECONNECT_MS, 500 << min(self._connect_failures, 10))
            self._connect_failures += 1
            self._connect_not_before_ms = self._boot_ms() + back_off_ms
            raise PortMissing(f"bus {self.name}: {self._port.why_closed()}")
        self._connect_failures = self._connect_not_before_ms = 0
        self._client = client
        return client

    def _drop_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _known(self, unit: int) -> _Unit:
        return self._units.setdefault(unit, _Unit())

    def _where(self, unit: int, table: Table, address: int) -> str:
        return f"bus {self.name}, unit {unit}, {table} {address}"


def _payload_bytes(table: Table, count: int) -> int:
    return (count + 7) // 8 if table.is_bits else 2 * count
