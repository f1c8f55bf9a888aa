"""enedis-tic: frames from a line that asyncio reads; its own frames() logs and skips each one that it refuses."""

import asyncio
from typing import Self

from enedis_tic.link_layer import Link

from hil_tests.benchmarks.peers.replay import End, Port, Told


class _Line:
    def __init__(self, port: Port) -> None:
        self.port = "replayed"
        self._port = port

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def readuntil(self, token: bytes) -> bytes:
        return self._port.read_until(token)


def values(port: Port, told: Told, _mode: str) -> None:
    """Read a whole stream."""

    async def frames() -> None:
        try:
            async for frame in Link(_Line(port)).frames():
                for label, group in frame.items():
                    stamp = group["datetime"]
                    told.value(label, group["data"], None if stamp is None else f"{stamp:%y%m%d%H%M%S}")
        except End:
            pass

    asyncio.run(frames())
