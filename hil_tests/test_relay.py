"""The relay of the bench does what the proofs rest on: delay, rate, silence, cut."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hil_tests.bench.relay import Relay


class Echo(asyncio.Protocol):
    """Sends back what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """Serve what comes back as it came; give the port."""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0.05)  # its ends are told that theirs are gone


async def test_everything_comes_through_late_and_in_order() -> None:
    """A delay is made each way; the bytes are the same."""
    sent = bytes(range(256)) * 400
    async with echo() as port, Relay(port, delay_ms=40) as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        began = time.monotonic()
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
        assert time.monotonic() - began >= 0.08
        assert (relay.up, relay.down, relay.connections) == (len(sent), len(sent), 1)
        writer.close()


async def test_no_more_passes_than_the_rate_allows() -> None:
    """A rate holds each way, and the sender is held back rather than stored."""
    async with echo() as port, Relay(port, rate=100_000, queue=10_000) as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        began = time.monotonic()
        writer.write(bytes(50_000))
        assert len(await reader.readexactly(50_000)) == 50_000
        assert time.monotonic() - began >= 0.5
        writer.close()


async def test_half_open_passes_nothing_and_closes_nothing() -> None:
    """What is sent into a connection that was lost waits for ever, and nobody is told."""
    async with echo() as port, Relay(port) as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"1")
        assert await reader.readexactly(1) == b"1"
        relay.hold()
        writer.write(b"2")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(1)
        assert relay.open_connections == 1
        relay.release()
        assert await reader.readexactly(1) == b"2"
        writer.close()


async def test_cut_ends_every_connection() -> None:
    """A cut is seen at the near end, and a new connection is taken."""
    async with echo() as port, Relay(port) as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"1")
        await reader.readexactly(1)
        relay.cut()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"2")
        assert await reader.readexactly(1) == b"2"
        assert relay.connections == 2
        writer.close()
