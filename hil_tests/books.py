"""What every test of the whole agent ends with: the bench's books against the centre's, reading by reading."""

import asyncio
import contextlib
from collections.abc import Mapping

from hil_tests.bench.lost import Lost
from hil_tests.bench.whole import CENTRE_LOOKS_S, Whole
from hil_tests.demo.outcome import compared, pulses_lost, verified
from hil_tests.demo.verdict import Span, Verdict

FOREVER_MS = 1 << 62
POLL_MS = 300
"""A poll is stamped when its last answer has come: its first may have been on the wire so much earlier."""


async def nothing_lost(
    whole: Whole, since_ms: int, *left_out: Span, unseen: Mapping[str, int] | None = None
) -> Verdict:
    """Hold that all that was on the wires from `since_ms` to now, outside some spans, is verified, and nothing else.

    Signatures, chains and places in the streams must be in order as well; no reading may be counted twice. `unseen` are
    the pulses of each counter from before the gateway was there.
    """
    counted = (await whole.bench.ask("pulses"))["pulses"]
    pulses = {name: count - (unseen or {}).get(name, 0) for name, count in counted.items()}
    end_ms = await whole.settled()
    arrived = verified(whole.centre, whole.gateway)
    verdict = compared(arrived, whole.bench.ledger, [Span(0, since_ms), Span(end_ms, FOREVER_MS), *left_out])
    if verdict.lost or verdict.invented or pulses_lost(arrived, pulses):
        raise Lost(f"lost {verdict.lost}, invented {verdict.invented}, pulses lost {pulses_lost(arrived, pulses)}")
    assert verdict.put == verdict.found > 0
    # The tallies are brought up to date beside the store that was just read: they may be a moment behind, never short.
    counts = whole.centre.counts
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CENTRE_LOOKS_S * 50):
            while counts.verified_readings < verdict.found or counts.gaps or counts.undecoded:
                await asyncio.sleep(CENTRE_LOOKS_S / 4)
                counts = whole.centre.counts
    assert (counts.bad_signatures, counts.malformed, counts.misplaced, counts.unreadable) == (0, 0, 0, 0), counts
    assert (counts.chain_breaks, counts.conflicts, counts.gaps, counts.undecoded) == (0, 0, 0, 0), counts
    assert counts.verified_readings >= verdict.found
    return verdict
