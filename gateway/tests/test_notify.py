"""What is said to systemd, on a real socket, and when its watchdog goes hungry."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.notify import Notifier

QUICK_S = 0.06


class Manager:
    """The other end: systemd's socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(0)

    def close(self) -> None:
        self._socket.close()

    def heard(self) -> list[str]:
        """Each datagram that came since the last time."""
        said = []
        with contextlib.suppress(BlockingIOError):
            while True:
                said.append(self._socket.recv(4096).decode())
        return said

    async def hears(self) -> str:
        """Wait for the next datagram."""
        async with asyncio.timeout(10):
            return (await asyncio.get_running_loop().sock_recv(self._socket, 4096)).decode()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """A socket of each kind that systemd uses."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@gateway-test-{os.getpid()}"
    made = Manager(address)
    yield made
    made.close()


@contextlib.asynccontextmanager
async def kept(notifier: Notifier, progress: list[int]) -> AsyncIterator[None]:
    """Keep the watchdog for the length of a block."""
    keeping = asyncio.create_task(notifier.keep(lambda: progress[0], lambda: "two meters\nof two"))
    yield
    keeping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await keeping


def test_each_word_is_one_datagram(manager: Manager) -> None:
    """READY=1, STATUS=, WATCHDOG=1 and STOPPING=1 arrive as systemd reads them, a state on one line."""
    notifier = Notifier.of({"NOTIFY_SOCKET": manager.address})
    notifier.ready()
    notifier.state("waits\nREADY=1")
    notifier.alive("reads")
    notifier.stopping()
    assert manager.heard() == ["READY=1", "STATUS=waits READY=1", "WATCHDOG=1\nSTATUS=reads", "STOPPING=1"]


async def test_progress_feeds_the_watchdog(manager: Manager) -> None:
    """Work that goes on is told again and again."""
    progress = [0]
    async with kept(Notifier(manager.address, QUICK_S), progress):
        for _ in range(3):
            while "WATCHDOG=1" not in await manager.hears():
                pass
            progress[0] += 1


async def test_no_progress_lets_the_watchdog_go_hungry(manager: Manager) -> None:
    """A loop that turns and does no work tells its state, and does not feed; when it works again, it does."""
    progress = [7]
    async with kept(Notifier(manager.address, QUICK_S), progress):
        assert await manager.hears() == "WATCHDOG=1\nSTATUS=two meters of two"
        assert [await manager.hears() for _ in range(5)] == ["STATUS=two meters of two"] * 5
        progress[0] += 1
        while "WATCHDOG=1" not in await manager.hears():
            pass


async def test_without_systemd_nothing_is_said() -> None:
    """No NOTIFY_SOCKET: nothing is sent, and keeping the watchdog is at once over."""
    notifier = Notifier.of({})
    notifier.ready()
    assert notifier.watchdog_s is None
    async with asyncio.timeout(10):
        await notifier.keep(lambda: 0, lambda: "")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WATCHDOG_USEC": "150000000"}, 150.0),
        ({"WATCHDOG_USEC": "150000000", "WATCHDOG_PID": str(os.getpid())}, 150.0),
        ({"WATCHDOG_USEC": "150000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_ours_only_if_the_environment_says_so(
    environment: dict[str, str], expected: float | None
) -> None:
    """A watchdog meant for another process, or for none, is not kept."""
    assert Notifier.of(environment).watchdog_s == expected


def test_a_manager_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    """Nobody at the socket: the agent goes on."""
    Notifier(str(tmp_path / "nobody")).ready()
