"""The agent, the page and the bench's devices as processes of their own: started, asked, killed."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.control.client import AgentRefused, AgentUnreachable, get
from hil_tests.bench.site import Wiring

PATIENCE_S = 20.0
PROGRAM_ENDS_S = 30.0


class ProcessEnded(Exception):
    """A process ended, or said nothing, where it should have served; the text holds the end of its log."""


class Bench:
    """The building's devices in a process of their own; what they put on the wires stands in `ledger`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: Process | None = None
        self.ledger = folder / "ledger.jsonl"
        self.log = folder / "bench.log"

    async def start(self, *, linky: str = "standard") -> Wiring:
        """Start it and give where its ends are."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "hil_tests.bench",
                str(self._folder),
                "--linky",
                linky,
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
            )
        ready = await self._said()
        return Wiring(
            linky_port=Path(ready["linky"]),
            modbus_port=ready["modbus_port"],
            gas_socket=Path(ready["gas"]),
            water_socket=Path(ready["water"]),
        )

    async def ask(self, order: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Order something of the bench (see `hil_tests.bench.__main__`) and give its answer."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"order": order, **parameters}).encode() + b"\n")
        return await self._said()

    async def stop(self) -> None:
        """End it: it ends with its standard input."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._process = None

    async def _said(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise ProcessEnded(f"the bench says nothing:\n{tail(self.log)}") from None
        if not line:
            raise ProcessEnded(f"the bench ended:\n{tail(self.log)}")
        said: dict[str, Any] = json.loads(line)
        return said


class Agent:
    """The gateway's agent in a process of its own, asked over its control socket and no other way."""

    def __init__(self, site: Path, socket: Path, log: Path) -> None:
        self._site = site
        self._socket = socket
        self._process: Process | None = None
        self.log = log
        self.program: tuple[str, ...] = ("-m", "gateway")
        """What Python runs: another one wants the gateway's own words behind its own."""

    @property
    def pid(self) -> int:
        """The process' id."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    async def start(self, *options: str) -> None:
        """Start it; `serving` waits until it answers."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self.program,
                "run",
                "--config",
                str(self._site),
                *options,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def serving(self) -> dict[str, Any]:
        """Wait until it answers and give its status."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            status = await self.status()
            if status is not None:
                return status
            if not self.running:
                break
            await asyncio.sleep(0.05)
        raise ProcessEnded(f"the agent does not serve:\n{tail(self.log)}")

    async def status(self) -> dict[str, Any] | None:
        """Give its status, None if it does not answer now."""
        try:
            answer: dict[str, Any] = await asyncio.to_thread(get, self._socket, "/v1/status", timeout_s=2.0)
        except (AgentUnreachable, AgentRefused):
            return None
        return answer

    async def ended(self) -> int:
        """Wait until it ends by itself and give its exit status; raise ProcessEnded where it does not."""
        assert self._process is not None
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._process.wait()
        except TimeoutError:
            raise ProcessEnded(f"the agent goes on:\n{tail(self.log)}") from None

    async def kill(self) -> None:
        """SIGKILL: no farewell, nothing flushed."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM, as systemd ends a service; give its exit status."""
        return await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        return 0 if process is None else await _ended(process, how)


class Page:
    """The building's page in a process of its own, for the agent at `socket`; `address` is where a browser finds it.

    Started again, it serves where it did before, and still knows whom it knew.
    """

    def __init__(self, socket: Path, state: Path, log: Path) -> None:
        self._socket = socket
        self._process: Process | None = None
        self._port = 0
        self.state = state
        self.log = log
        self.address = ""

    @property
    def pid(self) -> int:
        """The process' id."""
        assert self._process is not None
        return self._process.pid

    async def start(self, *, environment: Mapping[str, str] | None = None) -> str:
        """Start it, wait until it serves, and give its address (`https://127.0.0.1:PORT/`); `environment` is added."""
        self.state.mkdir(mode=0o700, exist_ok=True)
        where = ("--socket", str(self._socket), "--state", str(self.state), "--listen", "127.0.0.1")
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway",
                "web",
                *where,
                "--port",
                str(self._port),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            await self.kill()
            raise ProcessEnded(f"the page does not serve:\n{tail(self.log)}")
        self.address = line.decode().strip()
        self._port = int(self.address.rstrip("/").rpartition(":")[2])
        return self.address

    async def code(self) -> str:
        """Make a one-time code, as the installer does with `sudo gateway passwd`."""
        _, said, _ = await gateway("passwd", "--state", self.state, "--json")
        code: str = json.loads(said)["code"]
        return code

    async def kill(self) -> None:
        """SIGKILL: no farewell."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM, as systemd ends a service; give its exit status."""
        return await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        return 0 if process is None else await _ended(process, how)


async def gateway(*words: str | Path) -> tuple[int, str, str]:
    """Run the program without a terminal to its end; give exit status, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *map(str, words), stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(PROGRAM_ENDS_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def _ended(process: Process, how: signal.Signals) -> int:
    """End a process, harder where it does not go, and give its exit status."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, how)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode


def tail(log: Path, lines: int = 25) -> str:
    """Give the end of a log."""
    try:
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
