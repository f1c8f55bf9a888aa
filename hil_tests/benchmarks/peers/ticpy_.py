"""python-tic (ticpy), and pyticcom and pytictri that grew out of it: frames, of the labels that each has a name for."""

import asyncio
import importlib
import inspect
from typing import Any

from hil_tests.benchmarks.peers.replay import End, Port, Told


def ticpy(port: Port, told: Told, _mode: str) -> None:
    """Read a whole stream with python-tic."""
    _values(port, told, "ticpy")


def pyticcom(port: Port, told: Told, _mode: str) -> None:
    """Read a whole stream with pyticcom."""
    _values(port, told, "pyticcom")


def pytictri(port: Port, told: Told, _mode: str) -> None:
    """Read a whole stream with pytictri."""
    _values(port, told, "pytictri")


def _values(port: Port, told: Told, package: str) -> None:
    reader = importlib.import_module(f"{package}.teleinfo").Teleinfo("replayed")
    reader.reader = port

    async def frames() -> None:
        try:
            while True:
                await _frame(reader, told)
        except End:
            pass

    asyncio.run(frames())


async def _frame(reader: Any, told: Told) -> None:  # noqa: ANN401 - a class that only its own environment has
    try:
        frame = reader.read_frame()
        if inspect.isawaitable(frame):
            frame = await frame
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
        told.crash(error)
        return
    for group in frame.groups:
        if group.info is not None:
            told.value(group.info.name, group.value)
