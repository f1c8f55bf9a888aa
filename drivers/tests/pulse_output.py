"""A pulse output as a meter has one, in the protocol of `drivers.simulated`.

The counter runs whether anyone listens or not, as the contact of a meter does; who connects is told where it stands.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

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
        self._unheard: int | None = None
        self._listeners: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._path: Path | None = None

    @property
    def heard(self) -> int:
        """Pulses since somebody first listened: of those before nobody can know."""
        return 0 if self._unheard is None else (self.sequence - self._unheard) % 2**32

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
        if self._unheard is None:
            self._unheard = self.sequence
        writer.write(b"gw-pulses 1 %d %d\n" % (self._count_id, self.sequence))
        self._listeners.add(writer)
        try:
            with contextlib.suppress(OSError):
                await reader.read()  # a listener says nothing: this ends when it hangs up
        finally:
            self._listeners.discard(writer)
            writer.close()
