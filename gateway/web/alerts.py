"""What somebody should see to, the gravest first: each is a key of the words, with what it is about."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.web.power import Meter
from gateway.web.shedding import Shedding

Json = Mapping[str, Any]

NEARLY_FULL = 0.9


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to see to: `about` names what it is about, `age_ms` since when, `detail` is the agent's own text."""

    key: str
    grave: bool = True
    about: str = ""
    age_ms: int | None = None
    detail: str = ""


def alerts(status: Json, meters: Sequence[Meter], shed: Shedding, *, silent_ms: int) -> list[Alert]:
    """Look the agent's status through; what a silent agent said `silent_ms` ago is still what is known."""
    found = [
        *_devices(status["meters"], status["boot_ms"] + silent_ms),
        *(Alert("power", about=meter.device) for meter in meters if meter.over_subscribed),
        *(Alert("refusing", about=name) for event in shed.running for name in event.failed),
        *_storage(status["outbox"]),
    ]
    certificate = status.get("certificate")
    if certificate is not None and (certificate["state"] == "ended" or certificate["failure"] is not None):
        found.append(Alert("certificate", grave=certificate["state"] == "ended", detail=certificate["text"]))
    if not status["clock"]["trusted"]:
        found.append(Alert("clock", grave=False))
    if not status["link"]["connected"]:
        found.append(Alert("link", grave=False, detail=status["link"]["text"]))
    return sorted(found, key=lambda alert: not alert.grave)


def _devices(meters: Iterable[Json], now_ms: int) -> Iterator[Alert]:
    for each in meters:
        last, bound = each["last_read_ms"], each["stale_after_ms"]
        detail = each["state"] if each["failed"] else ""
        if last is None:
            yield Alert("unread", about=each["name"], detail=each["state"])
        elif bound is not None and now_ms - last > bound:
            yield Alert("silent", about=each["name"], age_ms=now_ms - last, detail=detail)
        elif each["failed"]:
            yield Alert("failing", about=each["name"], detail=detail)


def _storage(outbox: Json) -> Iterator[Alert]:
    if outbox["failure"] is not None:
        yield Alert("storage", detail=outbox["failure"])
    if outbox["dropped_readings"] or outbox["given_up_readings"]:
        yield Alert("lost", about=str(outbox["dropped_readings"] + outbox["given_up_readings"]))
    elif outbox.get("dropped_segments"):  # with damaged parts of the card, which no longer tell what was in them
        yield Alert("lost_parts", about=str(outbox["dropped_segments"]))
    if outbox["pages_used"] > NEARLY_FULL * outbox["quota_pages"] and outbox["segments_pending"]:
        yield Alert("full", grave=False)
