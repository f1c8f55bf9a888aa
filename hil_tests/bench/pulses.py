"""The bench's gas and water meters, which pulse as the building consumes; `drivers.simulated` reads them."""

import asyncio
from collections.abc import Callable

from drivers.tests.pulse_output import Ledger, PulseOutput
from hil_tests.bench.building import Building

LOOK_S = 0.1


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
