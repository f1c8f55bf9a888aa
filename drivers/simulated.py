"""A pulse line over a Unix socket: the bench's, or any program that counts pulses and tells them line by line.

    gw-pulses 1 <count id> <sequence number>        once, as the connection opens
    pulse <boot ms> <sequence number>               at each pulse

Numbers are decimal; the count id (63 bits) changes whenever the counter begins again at 0. The other side may be of
another owner: lines are bounded, and anything else than these two closes the line.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable

from drivers.errors import DeviceSilent, PortLeft, PortMissing
from drivers.pulses import Pulse

LONGEST_LINE = 64
_GREETING_TIMEOUT_S = 5

_GREETING = re.compile(rb"gw-pulses 1 (\d{1,19}) (\d{1,10})\n")
_PULSE = re.compile(rb"pulse (\d{1,15}) (\d{1,10})\n")
_MOST_COUNT_ID = 2**63
_SEQUENCES = 2**32


class SimulatedLine:
    """The PulseLine at `address` ("unix:/path/of/socket"); `boot_ms` gives CLOCK_BOOTTIME."""

    def __init__(self, address: str, *, boot_ms: Callable[[], int]) -> None:
        kind, _, path = address.partition(":")
        if kind != "unix" or not path:
            raise ValueError(f'a simulated pulse line is "unix:" and the path of a socket, not {address!r}')
        self._path = path
        self._boot_ms = boot_ms

    async def pulses(self) -> AsyncGenerator[Pulse, None]:
        """Connect and give where the count stands, then each pulse; raise PortMissing, PortLeft, DeviceSilent."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._path, limit=LONGEST_LINE)
        except OSError as error:
            raise PortMissing(
                f"pulse line {self._path} cannot be opened ({error.strerror}); start the program that counts its pulses"
            ) from error
        try:
            try:
                async with asyncio.timeout(_GREETING_TIMEOUT_S):
                    greeting = await self._line(reader, _GREETING)
            except TimeoutError:
                raise DeviceSilent(f"pulse line {self._path} did not greet within {_GREETING_TIMEOUT_S} s") from None
            count_id, seqno = greeting
            if count_id >= _MOST_COUNT_ID:
                raise DeviceSilent(f"pulse line {self._path} gave the count id {count_id}, which has more than 63 bits")
            yield Pulse(self._boot_ms(), self._sequence(seqno), count_id)
            while True:
                told_ms, seqno = await self._line(reader, _PULSE)
                # A time ahead of ours would put readings into the future, and hold back the next ones.
                yield Pulse(min(told_ms, self._boot_ms()), self._sequence(seqno), count_id)
        finally:
            writer.close()

    async def _line(self, reader: asyncio.StreamReader, pattern: re.Pattern[bytes]) -> tuple[int, int]:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            raise PortLeft(f"pulse line {self._path} was closed by the other side; it is opened again") from error
        except asyncio.LimitOverrunError as error:
            raise DeviceSilent(f"pulse line {self._path} sent a line of more than {LONGEST_LINE} bytes") from error
        except OSError as error:
            raise PortLeft(f"pulse line {self._path} failed: {error.strerror}; it is opened again") from error
        match = pattern.fullmatch(line)
        if match is None:
            raise DeviceSilent(f"pulse line {self._path} sent {line!r}, which is not what it should say there")
        return int(match[1]), int(match[2])

    def _sequence(self, seqno: int) -> int:
        if seqno >= _SEQUENCES:
            raise DeviceSilent(f"pulse line {self._path} sent the sequence number {seqno}, which has more than 32 bits")
        return seqno
