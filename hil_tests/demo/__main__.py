"""`make demo`: plays the scene, judges it, and goes on with the building until Ctrl-C (not with DEMO_FAST=1).

The building's page is served all the while, for whoever wants to watch it there.
"""

import asyncio
import logging
import os
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from hil_tests.bench.broker import BrokerError
from hil_tests.bench.processes import ProcessEnded, tail
from hil_tests.demo.outcome import OPTED_OUT, Outcome, judge
from hil_tests.demo.screen import BOLD, GREEN, RED, Overheard, Screen
from hil_tests.demo.story import FAST, UNHURRIED, Noted, Story
from hil_tests.demo.verdict import Verdict

MOST_TOLD = 8


async def main() -> int:
    """Play, judge, tell; give the exit status."""
    fast = os.environ.get("DEMO_FAST", "") not in {"", "0"}
    screen = Screen()
    folder = Path(tempfile.mkdtemp(prefix="gateway-demo-"))
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_, stopped.set)
    logging.getLogger("gateway").addHandler(Overheard(screen, loop))
    code = 1
    try:
        async with Story(folder, FAST if fast else UNHURRIED, screen) as story:
            playing = asyncio.create_task(story.play())
            stopping = asyncio.create_task(stopped.wait())
            await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not playing.done():
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)
                screen.say("Stopped before the end; nothing was counted.")
                return 130
            noted = playing.result()
            outcome, verdict = judge(noted, story.centre, story.bench.ledger)
            failures = outcome.failures(verdict, opted_out=noted.finished == OPTED_OUT)
            tell(screen, noted, outcome, verdict, failures)
            code = 1 if failures else 0
            if not fast and not code:
                screen.say(f"The building goes on; its page: {story.whole.page.address}. Ctrl-C ends all.", colour=BOLD)
                going_on = asyncio.create_task(story.goes_on())
                await stopping
                going_on.cancel()
                await asyncio.gather(going_on, return_exceptions=True)
            stopping.cancel()
            screen.leave()
    except (ProcessEnded, TimeoutError, BrokerError) as error:
        screen.leave()
        screen.say(str(error), colour=RED)
    if code:
        screen.plain(f"The agent's log ends:\n{tail(folder / 'agent.log')}\nEverything is kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    if fast and code in (0, 1):
        with suppress(UnboundLocalError):
            print(outcome.as_json(), flush=True)
    return code


def tell(screen: Screen, noted: Noted, outcome: Outcome, verdict: Verdict, failures: list[str]) -> None:
    """Close with what was read, what arrived verified, lost, duplicated, and how fast the order was."""
    screen.plain()
    reaction = "-" if outcome.order_to_relay_ms is None else outcome.order_to_relay_ms
    for line in (
        f"had to arrive, by the meters' own books  {verdict.put:>8}   readings",
        f"of these, at the centre                  {verdict.found:>8}",
        f"lost                                     {outcome.lost:>8}   but for what was not on the card at the kill",
        f"at the centre, never sent by a meter     {sum(verdict.invented.values()):>8}",
        f"with a bad signature                     {outcome.bad_signatures:>8}",
        f"came twice, counted once                 {outcome.duplicates_dropped:>8}   messages",
        "",
        f"stored by the gateway in all             {outcome.readings_stored:>8}   (1)",
        f"verified by the centre in all            {outcome.readings_verified:>8}   (2)",
        "",
        f"not yet on the card at the kill          {outcome.uncommitted_s:>8.1f} s",
        f"from the kill to the first whole frame   {noted.downtime_ms / 1000:>8.1f} s",
        f"from the order to the switched loads     {reaction:>8} ms",
        f"power before the shed, and during it     {outcome.shed_power_before_w} VA, {outcome.shed_power_during_w} VA",
        "",
        "(1) Also what need not arrive or is made of readings: values that did not change, pulse counts, one-minute",
        "    means, indexes at each quarter of an hour. It goes on while the centre counts: it may be ahead of (2).",
        "(2) Signature, place in the sequence and chain of hashes are right.",
    ):
        screen.plain(f"  {line}".rstrip())
    for name, count in sorted(verdict.lost.items(), key=lambda item: -item[1])[:MOST_TOLD]:
        screen.plain(f"    lost of {name}: {count}")
    for name, count in sorted(verdict.invented.items(), key=lambda item: -item[1])[:MOST_TOLD]:
        screen.plain(f"    verified of {name} and never on a wire: {count}")
    screen.plain()
    for failure in failures:
        screen.say(failure, colour=RED)
    if not failures and noted.finished == OPTED_OUT:
        screen.say(
            "Nothing lost that was on the card, nothing unverified; somebody opted out on the page: the shed ended.",
            colour=GREEN,
        )
    elif not failures:
        screen.say(
            "Nothing lost that was on the card, nothing unverified; the shed took effect and was undone.", colour=GREEN
        )


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
