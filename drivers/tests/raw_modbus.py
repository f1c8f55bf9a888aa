"""A Modbus device made of bytes alone: pymodbus's own server hides late answers, this one is late for real.

It answers in order, one request after the other, as devices do. Register `a` of unit `u` holds `1000 u + a`, a coil is
set where its address is odd. What it does wrong is ordered with `delay_s`, `answer`, `silent`.
"""

import asyncio
import contextlib
import os
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

UNITS = (1, 2)
_READS_BITS = (1, 2)
_READS_REGISTERS = (3, 4)


@dataclass
class RawDevice:
    """Serves both units; `requests` lists (unit, PDU) in the order in which they came."""

    delay_s: Callable[[int], float] = lambda _: 0.0
    """Seconds that an answer takes, from the address asked for."""
    answer: Callable[[int, bytes], bytes | None] | None = None
    """Gives another PDU for (unit, PDU), None for none; not set: the right one."""
    silent: set[int] = field(default_factory=set)
    stuck: bool = False
    """Repeat writes as if they were carried out, and do nothing."""
    written: dict[tuple[int, bool, int], int] = field(default_factory=dict)
    """What single writes put at (unit, whether it is a bit, address)."""
    requests: list[tuple[int, bytes]] = field(default_factory=list)
    connections: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def tcp(self, *, rtu: bool) -> AsyncIterator[int]:
        """Serve on a free port, with RTU frames or those of Modbus TCP; give the port."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            self._writers.add(writer)
            try:
                while True:
                    if rtu:
                        frame = await _rtu_request(reader)
                        unit, pdu, head = frame[0], frame[1:-2], b""
                    else:
                        header = await reader.readexactly(7)
                        unit, head = header[6], header[:4]
                        pdu = await reader.readexactly(struct.unpack(">H", header[4:6])[0] - 1)
                    if (reply := await self._reply(unit, pdu)) is not None:
                        writer.write(_rtu(unit, reply) if rtu else _tcp(head, unit, reply))
            except (asyncio.IncompleteReadError, OSError):
                pass
            finally:
                self._writers.discard(writer)
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            self.hang_up()
            await server.wait_closed()
            await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def pty(self, port: str) -> AsyncIterator[None]:
        """Serve RTU at one end of a line."""
        fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        loop.add_reader(fd, lambda: reader.feed_data(os.read(fd, 512)))

        async def serve() -> None:
            while True:
                frame = await _rtu_request(reader)
                if (reply := await self._reply(frame[0], frame[1:-2])) is not None:
                    os.write(fd, _rtu(frame[0], reply))

        task = asyncio.create_task(serve())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))
            loop.remove_reader(fd)
            os.close(fd)

    def hang_up(self) -> None:
        """Close every connection."""
        for writer in tuple(self._writers):
            writer.close()

    def reads(self, unit: int) -> list[tuple[int, int]]:
        """Give (address, count) of each request to `unit` that was a read."""
        return [struct.unpack(">HH", pdu[1:5]) for asked, pdu in self.requests if asked == unit and pdu[0] <= 4]

    def writes(self) -> list[bytes]:
        """Give the PDU of each request that was a write."""
        return [pdu for _, pdu in self.requests if pdu[0] in (5, 6, 15, 16)]

    async def _reply(self, unit: int, pdu: bytes) -> bytes | None:
        self.requests.append((unit, pdu))
        if unit not in UNITS or unit in self.silent:
            return None
        (address,) = struct.unpack(">H", pdu[1:3])
        await asyncio.sleep(self.delay_s(address))
        return self.sound(unit, pdu) if self.answer is None else self.answer(unit, pdu)

    def sound(self, unit: int, pdu: bytes) -> bytes:
        """Give the PDU that a sound device answers with, and do what it says."""
        address, count = struct.unpack(">HH", pdu[1:5])
        if pdu[0] in _READS_REGISTERS:
            words = [self.written.get((unit, False, at), register(unit, at)) for at in range(address, address + count)]
            return bytes([pdu[0], 2 * count]) + struct.pack(f">{count}H", *words)
        if pdu[0] in _READS_BITS:
            bits = [self.written.get((unit, True, at), at % 2) for at in range(address, address + count)]
            size = (count + 7) // 8
            packed = sum(bit << offset for offset, bit in enumerate(bits))
            return bytes([pdu[0], size]) + packed.to_bytes(size, "little")
        if pdu[0] in (5, 6) and not self.stuck:
            self.written[unit, pdu[0] == 5, address] = bool(count) if pdu[0] == 5 else count
        return pdu[:5]


def register(unit: int, address: int) -> int:
    """What that register holds."""
    return (1000 * unit + address) & 0xFFFF


def crc16(data: bytes) -> bytes:
    """The check of Modbus over serial line V1.02, 6.2.2."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return struct.pack("<H", crc)


async def _rtu_request(reader: asyncio.StreamReader) -> bytes:
    frame = await reader.readexactly(8)
    if frame[1] in (15, 16):
        frame += await reader.readexactly(frame[6] + 1)
    assert frame[-2:] == crc16(frame[:-2])
    return frame


def _rtu(unit: int, pdu: bytes) -> bytes:
    return bytes([unit]) + pdu + crc16(bytes([unit]) + pdu)


def _tcp(head: bytes, unit: int, pdu: bytes) -> bytes:
    return head + struct.pack(">HB", len(pdu) + 1, unit) + pdu
