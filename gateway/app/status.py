"""What the agent says of itself on the control socket: facts for programs, with a line for people beside each group."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from buffer.outbox import Stats
from drivers.linky_quality import Rates
from drivers.ports import Meter
from drivers.reading import Reading
from gateway.app.keeping import Keeping
from gateway.app.rebuilding import Rebuilding
from gateway.clock import READINGS_UNCERTAINTY_MS, Clock
from gateway.commands.executor import Shedding
from gateway.historian import Historian
from gateway.sealing import Sealing
from gateway.supervise import Supervised
from gateway.uplink.settings import LinkState

Json = dict[str, Any]

PAGE_BYTES = 4096
"""What the outbox counts its room in."""

_TOLD_AFTER_MS = 60_000
_NEARLY_A_DAY_MS = 23 * 3_600_000

CONTROL: Mapping[str, str] = {
    "init": "the centre has not ordered anything yet",
    "controlled_idle": "the centre is in control",
    "controlled_shedding": "the centre is in control",
    "link_lost": "the centre is not heard: what runs goes on to its signed end",
    "autonomous": "the centre is not heard: the building is on its own",
}
"""The link's states (`gateway.shedding.link`) as people say them."""

_NOT_HEARD = frozenset({"link_lost", "autonomous"})
_HEARD = "the centre is heard, and is in control from its next order on"
"""Of a state that only an order ends, while heartbeats come: as when none was ordered for two minutes after a start."""


def channels(latest: Iterable[Reading], now_ms: int) -> list[Json]:
    """Give the last Reading of each channel, with its age."""
    return [
        {
            "name": reading.channel.name,
            "value": reading.value,
            "exponent": reading.channel.exponent,
            "unit": reading.channel.unit,
            "quantity": reading.channel.quantity.value,
            "quality": reading.quality.name.lower(),
            "boot_ms": reading.boot_ms,
            "age_ms": max(0, now_ms - reading.boot_ms),
        }
        for reading in latest
    ]


def meters(  # noqa: PLR0913 - what is known of a meter comes from so many places
    devices: Sequence[Meter],
    supervised: Mapping[str, Supervised],
    first_read_ms: Mapping[str, int],
    last_read_ms: Callable[[str], int | None],
    counters: Mapping[str, Mapping[str, int]],
    *,
    stale_after_ms: Mapping[str, int],
    rates: Mapping[str, Mapping[str, Rates | None]],
) -> list[Json]:
    """Give each meter with what it is doing, or what is wrong with it.

    Those whose line can be noisy have `counters`, and `rates` over the last minute and the last hour.
    """
    return [
        {
            "name": meter.name,
            "state": supervised[meter.name].failure or meter.state,
            "failed": supervised[meter.name].failure is not None,
            "restarts": supervised[meter.name].restarts,
            "first_read_ms": first_read_ms.get(meter.name),
            "last_read_ms": last_read_ms(meter.name),
            "stale_after_ms": stale_after_ms[meter.name],
            "counters": dict(counters.get(meter.name, {})),
            "rates": _rates(rates[meter.name]) if meter.name in rates else None,
        }
        for meter in devices
    ]


def _rates(of: Mapping[str, Rates | None]) -> Json:
    return {span: None if rates is None else asdict(rates) for span, rates in of.items()}


def clock(clock_: Clock) -> Json:
    """Say whether the wall clock is known, and how well."""
    now = clock_.boot_ms()
    found = clock_.correlation()
    if found is None:
        text = "not known yet: readings are kept under boot time and placed later; commands need the time"
        return {"trusted": False, "utc_ms": None, "uncertainty_ms": None, "source": None, "text": text}
    uncertainty = found.uncertainty_ms_at(now)
    trusted = found.is_trusted_at(now)
    doubt = "" if uncertainty <= READINGS_UNCERTAINTY_MS else "; readings should be placed to 2 s"
    if not trusted:
        doubt = "; too vague for commands"
    if found.provisional:
        doubt = "'s own clock: it stamps readings for now, commands need a better one"
    return {
        "trusted": trusted,
        "utc_ms": found.utc_ms_at(now),
        "uncertainty_ms": uncertainty,
        "source": found.source,
        "text": f"known to {uncertainty} ms, from the {found.source}{doubt}",
    }


def history(keeping: Keeping, historian: Historian, rebuilding: Rebuilding) -> Json:
    """Say whether the history is kept, and how far one is that was lost and is made again."""
    text = f"kept; {historian.given_up} minutes lost for want of a clock or a disk" if historian.given_up else "kept"
    place = rebuilding.place
    if place is not None:
        text += f"; it was lost, and is made again: {place.stream or 'begun'} {place.sequence} of {place.last}"
    return {
        "text": keeping.failure or text,
        "failure": keeping.failure,
        "given_up": historian.given_up,
        "made_again": None if place is None else asdict(place),
    }


def outbox(stats: Stats, sealing: Sealing, up_ms: int) -> Json:
    """Say what is kept, what the centre has not signed for, and what is wrong with the disk."""
    pending = stats.readings_pending + stats.journal_readings
    oldest = [ms for ms in (stats.oldest_pending_ms, sealing.unsealed_since_ms) if ms is not None]
    full = 100 * stats.pages_used // stats.quota_pages
    text = f"{pending} readings without a receipt, {stats.segments_pending} segments; {full} % of the room used"
    if stats.dropped_readings:
        text += f"; {stats.dropped_readings} readings dropped over the quota"
    elif stats.dropped_segments:  # how many readings were in them, a damaged card no longer tells
        text += f"; {stats.dropped_segments} segments lost"
    if stats.aside_rows:
        text += f"; {stats.aside_rows} rows that cannot be sealed are set aside"
    if sealing.given_up:
        text += f"; {sealing.given_up} readings lost while the disk refused them"
    if sealing.failure is not None:
        text = f"{sealing.failure}; {text}"
    return {
        "readings_stored": sealing.readings_stored,
        "readings_pending": pending,
        "segments_pending": stats.segments_pending,
        "segments_received": stats.segments_received,
        "journal_rows": stats.journal_rows,
        "oldest_without_receipt_ms": min(oldest, default=None),
        "last_commit_ms": sealing.last_commit_ms,
        "pages_used": stats.pages_used,
        "quota_pages": stats.quota_pages,
        "room_s": _room_s(stats, sealing, up_ms),
        "dropped_readings": stats.dropped_readings,
        "dropped_segments": stats.dropped_segments,
        "given_up_readings": sealing.given_up,
        "withdrawn_readings": stats.withdrawn_readings,
        "aside_rows": stats.aside_rows,
        "failure": sealing.failure,
        "text": text,
    }


def _room_s(stats: Stats, sealing: Sealing, up_ms: int) -> int | None:
    """Estimate for how long readings can be kept without the centre; None until enough was sealed to tell.

    What has a receipt gives way, so all of the quota counts but what is pending. A month away is sealed in longer
    segments than are sent while the centre is there: they are smaller for each reading, so the truth is rather more.
    """
    if sealing.sealed_readings == 0 or up_ms < _TOLD_AFTER_MS:
        return None
    a_reading = sealing.sealed_bytes / sealing.sealed_readings
    left = stats.quota_pages * PAGE_BYTES - (stats.readings_pending + stats.journal_readings) * a_reading
    return max(0, int(left / (sealing.sealed_bytes / up_ms) / 1000))


def link(state: LinkState) -> Json:
    """Say whether the broker is reached, and if not why; how good the link is, and what it costs."""
    quality, day = state.quality, state.day
    failure = quality.last_failure
    return {
        "connected": state.connected,
        "since_ms": state.since_boot_ms,
        "broker": state.broker,
        "fallback": state.on_fallback,
        "receipts": "puback" if state.puback_receipts else "signed",
        "last_puback_ms": state.last_puback_boot_ms,
        "in_flight": state.in_flight,
        "unreceipted": state.unreceipted,
        "waiting": state.waiting,
        "sent": state.sent,
        "acked": state.acked,
        "failed": state.failed,
        "dropped": state.dropped,
        "reconnects": state.reconnects,
        "refused": state.refused_reason,
        "text": state.refused_reason or state.text,
        "puback_ms": None
        if quality.puback_ms is None
        else {"median": quality.puback_ms[0], "p95": quality.puback_ms[1]},
        "last_failure": None if failure is None else {"text": failure[0], "boot_ms": failure[1]},
        "last_24h": {
            "covered_ms": quality.covered_ms,
            "up_percent": quality.up_permille / 10,
            "reconnects": quality.reconnects,
            "sent_bytes": quality.sent_bytes,
            "received_bytes": quality.received_bytes,
        },
        "today": {
            "is_utc_day": day.is_known,
            "sent_bytes": day.sent,
            "received_bytes": day.received,
            "budget_bytes": day.budget,
            "held_back": list(day.held),
        },
        "figures": _figures(state),
    }


def _figures(state: LinkState) -> str:
    """Say in a line how good the link is, and what it costs."""
    quality, day = state.quality, state.day
    parts = []
    if quality.puback_ms is not None:
        parts.append(f"{quality.puback_ms[0]} ms there and back ({quality.puback_ms[1]} ms at worst in 95 %)")
    span = "24 h" if quality.covered_ms >= _NEARLY_A_DAY_MS else f"{quality.covered_ms // 60_000} min"
    parts.append(f"up {quality.up_permille / 10:g} % of {span}, {quality.reconnects} reconnects")
    used = f"{(day.sent + day.received) / 1e6:.2f}"
    if day.budget is None:
        parts.append(f"{used} MB today")
    else:
        parts.append(f"{used} of {day.budget / 1e6:g} MB today")
        if day.held:
            parts.append(f"{' and '.join(reversed(day.held))} readings wait for more")
    return "; ".join(parts)


def shedding(link_state: str, running: Sequence[Shedding], now_ms: int, *, heard: bool = False) -> Json:
    """Say what is held back, until when, and how the link to the centre stands; `heard` if heartbeats come now."""
    control = _HEARD if heard and link_state in _NOT_HEARD else CONTROL.get(link_state, link_state)
    texts = [
        f"{each.state} {each.percent} % of {each.target}, {len(each.values)} loads, "
        f"{max(0, each.end_boot_ms - now_ms) // 1000} s left"
        for each in running
    ]
    return {
        "link": link_state,
        "running": [
            {
                "id": each.id,
                "issuer": each.issuer,
                "state": each.state,
                "target": each.target,
                "percent": each.percent,
                "values": dict(each.values),
                "failed": dict(each.failed),
                "end_ms": each.end_boot_ms,
            }
            for each in running
        ],
        "text": f"{'; '.join(texts) or 'nothing is shed'}; {control}",
    }


@cache
def program() -> str:
    """Give the version of this program, as its files are named: to ask importlib.metadata costs half a megabyte."""
    for folder in map(Path, sys.path):
        for found in folder.glob("building_gateway-*.dist-info"):
            return found.name.removesuffix(".dist-info").rpartition("-")[2]
    from importlib.metadata import version  # noqa: PLC0415 - see above

    return version("building-gateway")
