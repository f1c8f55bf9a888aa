"""Opt-outs: who is not to be shed, why, and until when. Pure; the executor stores their text."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gateway.commands.command import LocalOrder
from gateway.commands.verify import Times


@dataclass(frozen=True, slots=True)
class OptOut:
    """No shed of `target` until `until_ms` (boot time of `boot_id`), or that moment in UTC where it is known."""

    target: str
    role: str
    reason: str
    duration_s: int
    boot_id: str
    until_ms: int
    until_utc_ms: int | None

    def body(self) -> str:
        """Give the text that the journal stores."""
        return json.dumps(asdict(self), separators=(",", ":"))


def told(out: OptOut, now_ms: int | None) -> dict[str, Any]:
    """Give what people may see of an opt-out; of its boot time nothing where that of now is not known (None)."""
    return {
        "target": out.target,
        "role": out.role,
        "reason": out.reason,
        "until_ms": None if now_ms is None else out.until_ms,
        "until_utc_ms": out.until_utc_ms,
        "left_ms": None if now_ms is None else max(0, out.until_ms - now_ms),
    }


def opted_out(order: LocalOrder, times: Times, boot_id: bytes) -> OptOut:
    """Begin an opt-out now."""
    lasts_ms = order.duration_s * 1000
    return OptOut(
        target=order.target,
        role=order.role,
        reason=order.reason,
        duration_s=order.duration_s,
        boot_id=boot_id.hex(),
        until_ms=times.boot_ms + lasts_ms,
        until_utc_ms=None if times.utc_ms is None else times.utc_ms + lasts_ms,
    )


def taken_up(bodies: Mapping[str, str], times: Times, boot_id: bytes) -> dict[str, OptOut]:
    """Read stored opt-outs after a start; in another boot without a clock they last their whole time again."""
    found = {target: OptOut(**json.loads(body)) for target, body in bodies.items()}
    return {target: _placed(out, times, boot_id) for target, out in found.items()}


def _placed(out: OptOut, times: Times, boot_id: bytes) -> OptOut:
    if out.boot_id == boot_id.hex():
        return out
    if times.utc_ms is not None and out.until_utc_ms is not None:
        until_ms = times.boot_ms + out.until_utc_ms - times.utc_ms
    else:
        # Too long an opt-out costs some kilowatts, too short a one breaks a promise to people.
        until_ms = times.boot_ms + out.duration_s * 1000
    return OptOut(out.target, out.role, out.reason, out.duration_s, boot_id.hex(), until_ms, out.until_utc_ms)
