"""The bench's pulse outputs: gas and water meters that pulse as the building consumes; `drivers.simulated` reads them.

The counter runs whether anyone listens or not, as the contact of a meter does; who connects is told where it stands.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from hil_tests.bench.building import Building

LOOK_S = 0.1

Ledger = Callable[[int, str, int], None]
"""Told (boot_ms, name, sequence number) at each pulse."""


class PulseOutput:
    """The output `name`, which pulses each `ml_per_pulse` millilitres of what `volume_ml` gives, on a Unix socket.

    `count_id` names its counter: a bench that is started anew begins at 0 and takes another one.
    """

    def __init__(
        self,
        name: str,
        volume_ml: Callable[[], int],
        *,
        ml_per_pulse: int,
        count_id: int,
        boot_ms: Callable[[], int],
        ledger: Ledger | None = None,
    ) -> None:
        self.name = name
        self.sequence = 0
        self._volume_ml = volume_ml
        self._first_ml = volume_ml()
        self._ml_per_pulse = ml_per_pulse
        self._count_id = count_id
        self._boot_ms = boot_ms
        self._ledger = ledger
        self._listeners: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._path: Path | None = None

    async def serve(self, path: Path) -> str:
        """Listen at `path`; give the address as the site file names it."""
        self._server = await asyncio.start_unix_server(self._greet, path)
        self._path = path
        return f"unix:{path}"

    def look(self) -> None:
        """Pulse as often as the volume since the last look says."""
        while (self.sequence + 1) * self._ml_per_pulse <= self._volume_ml() - self._first_ml:
            self.pulse()

    def pulse(self) -> None:
        """Close the contact once."""
        self.sequence = (self.sequence + 1) % 2**32
        now = self._boot_ms()
        for writer in self._listeners:
            writer.write(b"pulse %d %d\n" % (now, self.sequence))
        if self._ledger is not None:
            self._ledger(now, self.name, self.sequence)

    def lose(self, pulses: int) -> None:
        """Order a fault: so many pulses happen without an event; the sequence number alone tells."""
        self.sequence = (self.sequence + pulses) % 2**32

    async def close(self) -> None:
        """Hang up and stop listening; the socket disappears."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._listeners):
                writer.close()
            await self._server.wait_closed()
            self._server = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"gw-pulses 1 %d %d\n" % (self._count_id, self.sequence))
        self._listeners.add(writer)
        try:
            with contextlib.suppress(OSError):
                await reader.read()  # a listener says nothing: this ends when it hangs up
        finally:
            self._listeners.discard(writer)
            writer.close()


class PulseOutputs:
    """Gas (10 l a pulse) and water (1 l a pulse) of `building`; `run` lets them pulse."""

    def __init__(
        self, building: Building, *, count_id: int, boot_ms: Callable[[], int], ledger: Ledger | None = None
    ) -> None:
        self._building = building
        self._boot_ms = boot_ms
        self.gas = PulseOutput(
            "gas",
            lambda: building.gas_ml,
            ml_per_pulse=10_000,
            count_id=count_id,
            boot_ms=boot_ms,
            ledger=ledger,
        )
        self.water = PulseOutput(
            "water",
            lambda: building.water_ml,
            ml_per_pulse=1_000,
            count_id=count_id,
            boot_ms=boot_ms,
            ledger=ledger,
        )

    async def run(self) -> None:
        """Pulse until cancelled."""
        while True:
            self._building.step(self._boot_ms())
            self.gas.look()
            self.water.look()
            await asyncio.sleep(LOOK_S)

    async def close(self) -> None:
        """Take both sockets away."""
        await self.gas.close()
        await self.water.close()
