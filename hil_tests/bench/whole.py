"""The whole: broker, bench, centre, agent and page of one building, started in order, taken down in reverse.

The demo and the tests start it in this one way. The centre is in this process, the rest are processes of their own;
the agent is asked over its control socket and no other way.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

from gateway.centre.issuing import Issuing
from gateway.centre.service import Centre
from gateway.centre.settings import CentreSettings
from hil_tests.bench.broker import Broker
from hil_tests.bench.pki import CENTRE_EPOCH, make_site_keys
from hil_tests.bench.processes import Agent, Bench, Page, ProcessEnded, tail
from hil_tests.bench.site import LINKY, Tempo, Wiring, site_text

PATIENCE_S = 30.0
CENTRE_LOOKS_S = 1.2
"""The centre decodes what it has committed at least so often."""

STAMPED_MS = 1_500
"""What was on a wire at one moment bears a time at most so much later."""

QUICK = Tempo(
    poll_s=0.5,
    slow_poll_s=2,
    journal_s=0.3,
    seal_up_s=0.5,
    seal_down_s=1,
    reconnect_max_s=0.3,
    resend_after_s=2,
    effect_after_s=4,
    spread_s=0,
    min_time_s=0,
)
"""Everything as often as a test wants it."""

Status = dict[str, Any]


class Whole:
    """One building with everything around it, in `folder`; entered, all is there but agent and page.

    `begin` starts the agent; the page is started where one is wanted, by `page.start`.
    `tempo` says how often the gateway does its things, `heartbeat_s` how often the centre shows that it is alive.
    """

    def __init__(
        self,
        folder: Path,
        *,
        gateway: str = "gw-bench",
        tempo: Tempo = QUICK,
        linky_mode: str = "standard",
        heartbeat_s: float = 5,
    ) -> None:
        self.folder = folder
        self.gateway = gateway
        self.keys = make_site_keys(folder / "keys", (gateway,))
        self.broker = Broker(folder / "broker", self.keys)
        self.bench = Bench(folder)
        self.authority: Path | None = None
        """Where certificates are renewed from, if it is not the bench's own authority; set before entering."""
        self.state = folder / "state"
        self.site = folder / "site.toml"
        self.agent = Agent(self.site, self.state / "control.sock", folder / "agent.log")
        self.page = Page(self.state / "control.sock", folder / "page", folder / "page.log")
        self._tempo = tempo
        self._linky_mode = linky_mode
        self._heartbeat_s = heartbeat_s
        self._wiring: Wiring | None = None
        self._centre: Centre | None = None

    @property
    def centre(self) -> Centre:
        """The centre, while the building is there."""
        assert self._centre is not None
        return self._centre

    @property
    def wiring(self) -> Wiring:
        """Where the bench put its ends."""
        assert self._wiring is not None
        return self._wiring

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.enter_context(self.broker)
            stack.push_async_callback(self.bench.stop)
            self._wiring = await self.bench.start()
            self.state.mkdir(mode=0o700)
            text = site_text(
                self.keys,
                self.keys.gateways[self.gateway],
                self._wiring,
                tempo=self._tempo,
                broker_port=self.broker.port,
                state=self.state,
                linky_mode=self._linky_mode,
            )
            self.site.write_text(text, "utf-8")
            stack.push_async_callback(self._centre_ends)
            await self._centre_begins()
            stack.push_async_callback(self.agent.stop)
            stack.push_async_callback(self.page.stop)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def change_site(self, old: str, new: str) -> None:
        """Change the site file as an installer would; the next start of the agent reads it."""
        text = self.site.read_text("utf-8")
        assert old in text
        self.site.write_text(text.replace(old, new), "utf-8")

    async def begin(self) -> int:
        """Start the agent and wait until it is connected and reads every meter; give that moment (boot time, ms)."""
        await self.agent.start()
        await self.agent.serving()
        await self.until(lambda status: status["link"]["connected"], "a connection")
        return int(await self.until(all_first_read, "a first reading of each meter"))

    async def until(self, found: Callable[[Status], Any], what: str, *, patience_s: float = PATIENCE_S) -> Any:  # noqa: ANN401 - what `found` gives
        """Ask the agent until `found` gives something that is neither None nor False, and give that."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            status = await self.agent.status()
            got = None if status is None else found(status)
            if got is not None and got is not False:
                return got
            if not self.agent.running:
                raise ProcessEnded(f"the agent ended while waiting for {what}:\n{tail(self.agent.log)}")
            await asyncio.sleep(0.1)
        status = await self.agent.status()
        link = "nothing" if status is None else status["link"]["text"]
        raise TimeoutError(
            f"waited {patience_s:.0f} s for {what}; of its link the agent says: {link}; its log ends:\n"
            f"{tail(self.agent.log)}"
        )

    async def status(self) -> Status:
        """Give the agent's status."""
        status: Status = await self.until(lambda status: status, "an answer")
        return status

    async def drained(self, until_ms: int) -> None:
        """Wait until all that was read up to a moment has the centre's receipt."""
        await self.until(lambda status: _drained(status, until_ms), "the centre's receipts")

    async def settled(self) -> int:
        """Wait until all that was on the wires up to now is at the centre, and give the moment that "now" was."""
        now = boot_ms()
        await self.drained(now + STAMPED_MS)
        await self.counted()
        return now

    async def counted(self) -> None:
        """Wait until the centre has decoded all that it has committed."""
        deadline = time.monotonic() + PATIENCE_S
        await asyncio.sleep(CENTRE_LOOKS_S)
        while self.centre.counts.undecoded and time.monotonic() < deadline:
            await asyncio.sleep(CENTRE_LOOKS_S)

    async def loads(self) -> dict[str, int]:
        """Give what the point of each load holds, asked of the BMS itself."""
        held: dict[str, int] = (await self.bench.ask("loads"))["loads"]
        return held

    async def writes(self) -> dict[str, int]:
        """Give how often each load was written, counted by the BMS itself."""
        counted: dict[str, int] = (await self.bench.ask("loads"))["writes"]
        return counted

    @asynccontextmanager
    async def centre_away(self) -> AsyncIterator[None]:
        """Let the centre be away for the length of a block; it comes back with what it had committed."""
        await self._centre_ends()
        try:
            yield
        finally:
            await self._centre_begins()

    async def _centre_begins(self) -> None:
        issuing = Issuing(self.authority or self.keys.folder)
        self._centre = await Centre(self._centre_settings(), {Issuing.CONTENT: issuing}).__aenter__()

    async def _centre_ends(self) -> None:
        centre, self._centre = self._centre, None
        if centre is not None:
            await centre.__aexit__()

    def _centre_settings(self) -> CentreSettings:
        return CentreSettings(
            host="127.0.0.1",
            port=self.broker.port,
            ca_file=self.keys.ca,
            cert_file=self.keys.centre.cert,
            key_file=self.keys.centre.key,
            signing_key=self.keys.centre_signing_key,
            gateway_keys=self.keys.gateway_keys,
            database=self.folder / "centre.db",
            epoch=CENTRE_EPOCH,
            heartbeat_s=self._heartbeat_s,
            receipt_late_s=0.2,
            gap_after_s=2,
            reconnect_max_s=1,
        )


def boot_ms() -> int:
    """CLOCK_BOOTTIME in ms, the same for every process of this machine."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def meter(status: Status, name: str) -> Status:
    """Give what a status says of one meter."""
    found: Status = next(each for each in status["meters"] if each["name"] == name)
    return found


def first_frame(status: Status) -> int | None:
    """Give when the Linky was first read, None before."""
    first: int | None = meter(status, LINKY)["first_read_ms"]
    return first


def all_first_read(status: Status) -> int | None:
    """Give when the last of all meters was first read, None before."""
    firsts = [each["first_read_ms"] for each in status["meters"]]
    return None if None in firsts else max(firsts)


def _drained(status: Status, until_ms: int) -> bool:
    outbox = status["outbox"]
    oldest = outbox["oldest_without_receipt_ms"]
    committed = outbox["last_commit_ms"]
    return committed is not None and committed >= until_ms and (oldest is None or oldest > until_ms)
