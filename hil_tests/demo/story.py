"""The scene of the demo, step by step: what is done to building and gateway, and what is measured on the way."""

import asyncio
import time
import webbrowser
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Self

from gateway.centre.errors import DispatchError
from gateway.centre.service import Centre
from gateway.wire.messages import Answer
from hil_tests.bench.processes import Agent, Bench
from hil_tests.bench.site import LINKY, Tempo
from hil_tests.bench.whole import STAMPED_MS, Whole, boot_ms, first_frame
from hil_tests.demo.screen import BOLD, GREEN, RED, Screen
from hil_tests.demo.table import lines, summary
from hil_tests.demo.verdict import Span

GATEWAY = "gw-demo"
POWER = f"{LINKY}.sinsts"

SHED_PERCENT = 40
POLL_MS = 300

AGAIN_S, AGAIN_SHED_S = 120, 40
"""Once everything is counted: how often the centre sheds again, and for how long."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long each step lasts, in seconds, and how often the gateway does its things meanwhile."""

    read_s: float
    outage_s: float
    after_s: float
    shed_s: int
    drawn_s: float
    tempo: Tempo


UNHURRIED = Pace(
    read_s=15,
    outage_s=20,
    after_s=8,
    shed_s=20,
    drawn_s=0.5,
    tempo=Tempo(
        poll_s=2,
        slow_poll_s=10,
        journal_s=5,
        seal_up_s=5,
        seal_down_s=10,
        reconnect_max_s=1,
        resend_after_s=10,
        effect_after_s=8,
        spread_s=0,
        min_time_s=0,
    ),
)
FAST = Pace(
    read_s=6,
    outage_s=8,
    after_s=4,
    shed_s=10,
    drawn_s=0.5,
    tempo=Tempo(
        poll_s=1,
        slow_poll_s=5,
        journal_s=1,
        seal_up_s=1,
        seal_down_s=2,
        reconnect_max_s=0.5,
        resend_after_s=5,
        effect_after_s=6,
        spread_s=0,
        min_time_s=0,
    ),
)


@dataclass(slots=True)
class Noted:
    """What the scene noted for the verdict; times in ms of boot time."""

    spans: list[Span] = field(default_factory=list)
    uncommitted_ms: int = 0
    downtime_ms: int = 0
    stored: int = 0
    verified: int = 0
    power_before_w: int | None = None
    power_during_w: int | None = None
    acknowledged: bool = False
    finished: str = ""
    order_to_relay_ms: int | None = None
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    pulses: dict[str, int] = field(default_factory=dict)


class Story:
    """Plays the scene in `folder`; the centre is in this process, the rest are processes of their own."""

    def __init__(self, folder: Path, pace: Pace, screen: Screen) -> None:
        self.whole = Whole(folder, gateway=GATEWAY, tempo=pace.tempo, linky_mode="auto")
        self.pace = pace
        self.screen = screen
        self.noted = Noted()

    @property
    def folder(self) -> Path:
        """Where everything lies."""
        return self.whole.folder

    @property
    def centre(self) -> Centre:
        """The centre, while the story plays."""
        return self.whole.centre

    @property
    def bench(self) -> Bench:
        """The building's devices."""
        return self.whole.bench

    @property
    def agent(self) -> Agent:
        """The gateway's agent."""
        return self.whole.agent

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.whole)
            await self.agent.start()
            await self._page()
            drawing = asyncio.create_task(self._draw())
            stack.push_async_callback(_cancelled, drawing)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def play(self) -> Noted:
        """Play the scene and give what was noted."""
        await self.metering()
        await self.outage()
        await self.kill()
        await self.shed()
        await self.closing()
        return self.noted

    async def metering(self) -> None:
        """A building is metered."""
        self.screen.say("The agent starts: a Linky on its line, a BMS over Modbus, gas and water pulses.", colour=BOLD)
        await self.agent.serving()
        first = await self.whole.until(first_frame, "the first frame")
        self.noted.spans.append(Span(0, first))
        await self.whole.until(lambda status: status["link"]["connected"], "a connection")
        self.screen.say("Metering. What is read is journalled, sealed, signed, published; the centre verifies it.")
        await asyncio.sleep(self.pace.read_s)

    async def outage(self) -> None:
        """The broker dies, the backlog grows; it returns, the backlog drains."""
        self.screen.say(f"The broker dies, for {self.pace.outage_s:.0f} s. Readings stay on the card.", colour=BOLD)
        self.whole.broker.kill()
        await asyncio.sleep(self.pace.outage_s)
        status = await self.whole.status()
        self.screen.say(f"The broker returns. Waiting: {status['outbox']['text']}.", colour=BOLD)
        self.whole.broker.start()
        begun = time.monotonic()
        await self.whole.until(lambda s: s["link"]["connected"], "a connection")
        newest = (await self.whole.status())["outbox"]["last_commit_ms"]
        await self.whole.drained(newest)
        self.screen.say(f"Drained after {time.monotonic() - begun:.1f} s; the centre has signed for everything.")
        await asyncio.sleep(self.pace.after_s)

    async def kill(self) -> None:
        """The agent is killed without warning, and started again."""
        # A commit that comes between this look and the kill makes the span too long, never too short.
        status = await self.whole.status()
        committed = status["outbox"]["last_commit_ms"]
        self.screen.say("The agent is killed: SIGKILL, in the middle of its work.", colour=BOLD)
        await self.agent.kill()
        killed = boot_ms()
        await self.agent.start()
        await self.agent.serving()
        first = await self.whole.until(first_frame, "the first frame")
        # A poll is stamped when its last answer has come: its first may lie a little before the last commit.
        self.noted.spans.append(Span(committed - POLL_MS, first))
        self.noted.uncommitted_ms = killed - committed
        self.noted.downtime_ms = first - killed
        self.screen.say(
            f"It reads again. Lost with it, for not on the card yet: {(killed - committed) / 1000:.1f} s of readings; "
            f"from its death to its first whole frame: {(first - killed) / 1000:.1f} s."
        )
        await self.whole.until(lambda status: status["link"]["connected"], "a connection")
        await asyncio.sleep(self.pace.after_s)

    async def shed(self) -> None:
        """The centre orders a shed, the building's power falls, and everything returns at the end."""
        noted = self.noted
        # An order is obeyed only by who knows the time; the centre's signed reply has told it by now, or soon will.
        await self.whole.until(lambda status: status["clock"]["trusted"], "a trusted clock")
        noted.before = await self.whole.loads()
        from_ms = boot_ms()
        self.screen.say(f"The centre orders: shed {SHED_PERCENT} % for {self.pace.shed_s} s, signed.", colour=BOLD)
        command = await self.centre.shed(GATEWAY, SHED_PERCENT, self.pace.shed_s)
        started = await self._answer(command, "started", patience_s=15)
        noted.acknowledged = started.state == "started"
        if not noted.acknowledged:
            noted.finished = started.state
            self.screen.say(f"The order was not carried out: {started.state} ({started.reason}).", colour=RED)
            return
        relay = started.detail.get("relay_boot_ms")
        noted.order_to_relay_ms = relay - from_ms if isinstance(relay, int) else None
        self.screen.say(
            f"Written and read back {noted.order_to_relay_ms} ms after the order. The meter is watched for the effect.",
            colour=GREEN,
        )
        ended = await self._answer(command, patience_s=self.pace.shed_s + 30)
        noted.finished = ended.state
        noted.after = await self.whole.loads()
        done_ms = boot_ms()
        await self.whole.drained(done_ms - 100)
        released = next(
            (a.answer.boot_ms for a in self.centre.answers(command) if a.answer.state == "releasing"), done_ms
        )
        span_ms = 5_000
        noted.power_before_w = self._power(from_ms - span_ms, from_ms)
        settled = (relay if isinstance(relay, int) else from_ms) + 4_000
        noted.power_during_w = self._power(settled, released)
        whole = noted.after == noted.before
        self.screen.say(
            f"The order ended: {ended.state}. The meter showed {noted.power_before_w} VA before and "
            f"{noted.power_during_w} VA during it; the loads {'hold their old values again' if whole else 'DIFFER'}.",
            colour=GREEN if whole else RED,
        )

    async def closing(self) -> None:
        """What was on the wires until now must all be at the centre before anything is counted."""
        end = boot_ms()
        self.screen.say("The last segment is sealed and sent; then everything is counted.")
        self.noted.pulses = (await self.bench.ask("pulses"))["pulses"]
        await self.whole.drained(end + STAMPED_MS)
        self.noted.spans.append(Span(end, 1 << 62))
        await self.whole.counted()
        self.noted.verified = self.centre.verified_readings
        # Asked last, for the building goes on: what is verified was stored before.
        status = await self.whole.status()
        self.noted.stored = status["outbox"]["readings_stored"]

    async def goes_on(self) -> None:
        """Shed now and then, for whoever watches on the page, until cancelled."""
        while True:
            await asyncio.sleep(AGAIN_S)
            try:
                await self.centre.shed(GATEWAY, SHED_PERCENT, AGAIN_SHED_S)
            except DispatchError as error:
                self.screen.say(f"The centre could not order: {error}", colour=RED)
                return
            self.screen.say(f"The centre orders again: shed {SHED_PERCENT} % for {AGAIN_SHED_S} s.")

    async def _page(self) -> None:
        """Serve the page, and say where it is and how one comes in."""
        address = await self.whole.page.start()
        code = await self.whole.page.code()
        self.screen.say(f"The building's page: {address}first-use   one-time code: {code}", colour=BOLD)
        self.screen.say("The browser warns: the box made its certificate itself. Then choose a password, and watch.")
        if self.screen.on_a_desk:
            webbrowser.open(f"{address}first-use")

    async def _answer(self, command: str, *states: str, patience_s: float) -> Answer:
        """Wait for an answer in one of these states, or for the last one."""
        try:
            return (await self.centre.answered(command, (*states, *_ENDS), patience_s)).answer
        except TimeoutError:
            raise TimeoutError(f"no answer to the order within {patience_s:.0f} s") from None

    def _power(self, first_ms: int, last_ms: int) -> int | None:
        """Give the mean of the verified apparent power between two moments, in VA."""
        seen = [
            value
            for table in self.centre.readings(GATEWAY, LINKY)
            for boot_ms, value in zip(table.ticks, table.columns.get(POWER, ()), strict=False)
            if first_ms <= boot_ms <= last_ms and isinstance(value, int)
        ]
        return round(fmean(seen)) if seen else None

    async def _draw(self) -> None:
        while True:
            status = await self.agent.status()
            counts = self.centre.counts
            centre = {
                "verified_readings": counts.verified_readings,
                "segments": counts.segments,
                "duplicates_dropped": counts.duplicates_dropped,
                "bad_signatures": counts.bad_signatures,
            }
            self.screen.show(lines(self.screen, status, centre, self.whole.broker.running), summary(status, centre))
            await asyncio.sleep(self.pace.drawn_s)


_ENDS = (
    "completed",
    "partial",
    "failed",
    "rejected",
    "expired",
    "cancelled",
    "superseded",
    "opted_out",
    "aborted_safety",
    "needs_time",
)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
