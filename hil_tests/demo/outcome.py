"""What came of the scene: the counts for people, and the one JSON object that ends the fast demo."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gateway.centre.decode import FINE
from gateway.centre.service import Centre
from hil_tests.bench.site import BMS, GAS, GAS_DIAL, GAS_WEIGHT, LOADS, WATER, WATER_DIAL, WATER_WEIGHT
from hil_tests.demo.due import Sightings, unknown
from hil_tests.demo.ledger import wires
from hil_tests.demo.story import GATEWAY, Noted
from hil_tests.demo.verdict import Seen, Span, Verdict, compare

OPTED_OUT = "opted_out"
"""How an order ends that somebody on site has ended."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figures of the demo; see the issue of the same names. Powers are the Linky's VA, which it gives for W."""

    readings_stored: int
    readings_verified: int
    lost: int
    uncommitted_s: float
    duplicates_dropped: int
    bad_signatures: int
    shed_acknowledged: bool
    shed_power_before_w: int | None
    shed_power_during_w: int | None
    restored: bool
    order_to_relay_ms: int | None

    def as_json(self) -> str:
        """Give the object that the last line holds."""
        return json.dumps(asdict(self))

    def failures(self, verdict: Verdict, *, opted_out: bool = False) -> list[str]:
        """Say what is not as it should be; empty if the scene succeeded.

        Whoever opts out on the page (`opted_out`) ends the shed before the meter has to show it.
        """
        before, during = self.shed_power_before_w, self.shed_power_during_w
        wrong = {
            f"{self.lost} readings were lost": self.lost != 0,
            f"{sum(verdict.invented.values())} readings were verified that never were on a wire": bool(
                verdict.invented
            ),
            "nothing was verified": self.readings_verified == 0,
            f"{self.bad_signatures} messages were not verified": self.bad_signatures != 0,
            f"{self.uncommitted_s} s of readings were not yet committed at the kill": self.uncommitted_s > 10,
            "the shed was not acknowledged": not self.shed_acknowledged,
            "the shed did not show on the meter": not opted_out
            and (before is None or during is None or during >= before),
            "the loads were not restored": not self.restored,
        }
        return [text for text, is_so in wrong.items() if is_so]


def judge(noted: Noted, centre: Centre, ledger: Path) -> tuple[Outcome, Verdict]:
    """Compare the bench's ledger with what the centre verified, and gather the figures."""
    arrived = verified(centre, GATEWAY)
    verdict = compared(arrived, ledger, noted.spans)
    counts = centre.counts
    outcome = Outcome(
        readings_stored=noted.stored,
        readings_verified=noted.verified,
        lost=sum(verdict.lost.values()) + pulses_lost(arrived, noted.pulses),
        uncommitted_s=round(noted.uncommitted_ms / 1000, 3),
        duplicates_dropped=counts.duplicates_dropped,
        bad_signatures=counts.bad_signatures,
        shed_acknowledged=noted.acknowledged,
        shed_power_before_w=noted.power_before_w,
        shed_power_during_w=noted.power_during_w,
        restored=noted.finished in {"completed", OPTED_OUT} and bool(noted.before) and noted.before == noted.after,
        order_to_relay_ms=noted.order_to_relay_ms,
    )
    return outcome, verdict


def verified(centre: Centre, gateway: str) -> Sightings:
    """Give every reading that the centre has verified of a gateway, by channel."""
    seen: Sightings = defaultdict(list)
    for segment in centre.segments(gateway):
        if segment.tier != FINE:
            continue  # means and snapshots are no readings of their own
        for channel, boot_ms, value, _quality in segment.content.readings():
            seen[channel].append((boot_ms, value))
    return seen


def compared(arrived: Sightings, ledger: Path, left_out: Sequence[Span]) -> Verdict:
    """Compare what was verified with what the bench put on the wires; pulses are counted by `pulses_lost`."""
    put = wires(ledger, _points())
    read = {channel: seen for channel, seen in arrived.items() if channel not in _TOTALS}
    verdict = compare(put.certain, read, left_out, put.perhaps)
    return replace(verdict, lost=Counter(verdict.lost) + Counter(unknown(put.said, read, left_out)))


def pulses_lost(arrived: Sightings, counted: Mapping[str, int]) -> int:
    """Count the pulses that are missing: a counter's totals are published, and its last one lacks what was lost."""
    return sum(
        max(0, dial + counted[name] * weight - _highest(arrived.get(total, ()), dial)) // weight
        for total, (name, dial, weight) in _TOTALS.items()
    )


_TOTALS = {f"{GAS}.total": (GAS, GAS_DIAL, GAS_WEIGHT), f"{WATER}.total": (WATER, WATER_DIAL, WATER_WEIGHT)}


def _highest(totals: Sequence[Seen], dial: int) -> int:
    return max((value for _, value in totals if isinstance(value, int)), default=dial)


def _points() -> set[str]:
    """Channels that a switch looks at as well, alone: see `wires`."""
    return {f"{BMS}.{point}" for point, *_ in LOADS.values()}
