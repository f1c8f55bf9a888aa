"""The building's devices as one process: `python -m hil_tests.bench FOLDER`.

Says in one JSON line where its ends are, obeys JSON lines on its standard input, one answer each, and ends with it:

    {"order": "loads"}                        what each load's point holds, and how often it was written
    {"order": "pulses"}                       pulses of each counter since somebody first listened to it
    {"order": "linky", "silent": true}        sets `silent`, `noise` or `mode` of the Linky, or with "plugged" plugs it
    {"order": "unit", "unit": 2, "silent": true}   silences a unit of the BMS, or lets it speak again

What is put on the wires goes to FOLDER/ledger.jsonl, a line each: {"boot_ms", "certain", "values": {channel: value}};
`certain` is false for what may have been heard in part only.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from hil_tests.bench.bms import Bms, Silent
from hil_tests.bench.building import Building
from hil_tests.bench.linky import BenchLinky, Fate, SentFrame
from hil_tests.bench.pulses import PulseOutputs
from hil_tests.bench.site import LINKY, LOADS, UNITS
from linky_tic.label import Mode

PLANT_UNIT = 1
DEVICES = {unit: name for name, (unit, _profile) in UNITS.items()}

_READ_S = 0.4
"""A reader gathers characters for a fifth of a second; a frame of the shortest kind takes twice as long."""

Order = Mapping[str, Any]


class Devices:
    """Everything that the gateway is wired to, in one building."""

    def __init__(self, folder: Path, ledger: IO[str], linky_mode: Mode) -> None:
        self._ledger = ledger
        self.building = Building(boot_ms())
        self.linky = BenchLinky(folder / "linky", self.building, mode=linky_mode, ledger=self._frame)
        self.bms = Bms(self.building, boot_ms=boot_ms, ledger=self._registers)
        self.pulses = PulseOutputs(self.building, count_id=int.from_bytes(os.urandom(4), "big"), boot_ms=boot_ms)
        self._folder = folder
        self._heard: asyncio.TimerHandle | None = None
        self._last: tuple[int, Mapping[str, int | str]] = (0, {})

    async def open(self) -> dict[str, object]:
        """Open every end and say where it is."""
        self.linky.plug()
        port = await self.bms.serve_tcp()
        for output in (self.pulses.gas, self.pulses.water):
            await output.serve(self._folder / f"{output.name}.sock")
        return {
            "linky": str(self._folder / "linky"),
            "modbus_port": port,
            "gas": str(self._folder / "gas.sock"),
            "water": str(self._folder / "water.sock"),
        }

    async def close(self) -> None:
        """Take every end away."""
        await self.pulses.close()
        await self.bms.close()

    def obey(self, order: Order) -> dict[str, object]:
        """Carry one order out and answer."""
        orders: Mapping[str, Callable[[Order], dict[str, object]]] = {
            "loads": self._loads,
            "pulses": self._pulses,
            "linky": self._linky,
            "unit": self._unit,
        }
        carry_out = orders.get(str(order.get("order")))
        return {"error": f"orders are {', '.join(orders)}"} if carry_out is None else carry_out(order)

    def _loads(self, _order: Order) -> dict[str, object]:
        held = self.bms.values(PLANT_UNIT)
        writes = self.bms.writes
        return {
            "loads": {load: held[point] for load, (point, *_) in LOADS.items()},
            "writes": {load: writes[point] for load, (point, *_) in LOADS.items()},
        }

    def _pulses(self, _order: Order) -> dict[str, object]:
        return {"pulses": {output.name: output.heard for output in (self.pulses.gas, self.pulses.water)}}

    def _linky(self, order: Order) -> dict[str, object]:
        self.linky.silent = bool(order.get("silent", self.linky.silent))
        self.linky.noise = float(order.get("noise", self.linky.noise))
        self.linky.mode = Mode(order.get("mode", self.linky.mode))
        if "plugged" in order:
            self._unread()
            (self.linky.plug if order["plugged"] else self.linky.unplug)()
        return {"ok": True}

    def _unit(self, order: Order) -> dict[str, object]:
        unit = int(order["unit"])
        if order.get("silent"):
            self.bms.faults[unit] = Silent()
        else:
            self.bms.faults.pop(unit, None)
        return {"ok": True}

    def _frame(self, frame: SentFrame) -> None:
        values = {f"{LINKY}.{label.lower()}": value for label, value in frame.values.items()}
        # What nobody could have read whole is no loss of the gateway's; of a cut frame it may have the good groups.
        if frame.fate is not Fate.HEARD:
            self._note(frame.boot_ms, values, certain=False)
            return
        self._last = (frame.boot_ms, values)
        self._heard = asyncio.get_running_loop().call_later(_READ_S, self._was_read)

    def _was_read(self) -> None:
        self._heard = None
        self._note(*self._last, certain=True)

    def _unread(self) -> None:
        """Of a frame that ended a moment before the adapter is pulled out, nobody may have had the end."""
        if self._heard is not None:
            self._heard.cancel()
            self._heard = None
            self._note(*self._last, certain=False)

    def _registers(self, at_ms: int, unit: int, values: Mapping[str, int]) -> None:
        points = sorted(
            (p for p in self.bms.profiles[unit].points if p.key in values), key=lambda p: (p.table, p.address)
        )
        # A request goes from the first to the last value that is wanted; what is polled at another pace and merely lies
        # in between is read over.
        wanted = [p.key for p in points if p.poll is points[0].poll]
        self._note(at_ms, {f"{DEVICES[unit]}.{key}": values[key] for key in wanted}, certain=True)

    def _note(self, at_ms: int, values: Mapping[str, int | str], *, certain: bool) -> None:
        self._ledger.write(json.dumps({"boot_ms": at_ms, "certain": certain, "values": values}) + "\n")


def boot_ms() -> int:
    """CLOCK_BOOTTIME in ms, the same for every process of this machine."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


async def serve(folder: Path, mode: Mode) -> None:
    """Serve until the standard input ends."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    with (folder / "ledger.jsonl").open("a", encoding="utf-8", buffering=1) as ledger:
        devices = Devices(folder, ledger, mode)
        say(await devices.open())
        running = [asyncio.create_task(devices.linky.run()), asyncio.create_task(devices.pulses.run())]
        try:
            while line := await orders.readline():
                say(devices.obey(json.loads(line)))
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await devices.close()


def say(answer: Mapping[str, object]) -> None:
    """Answer in one line."""
    print(json.dumps(answer), flush=True)


def main() -> None:
    """Run the bench's devices in a folder."""
    parser = argparse.ArgumentParser(prog="python -m hil_tests.bench", description="The devices of a building.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--linky", choices=[mode.value for mode in Mode], default=Mode.STANDARD.value)
    options = parser.parse_args()
    asyncio.run(serve(options.folder, Mode(options.linky)))


if __name__ == "__main__":
    main()
