"""The orders that a platform gives: each with its id, its times and its defaults."""

from dataclasses import dataclass

from gateway.centre.dispatch import new_id, now_utc_ms
from gateway.wire.messages import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What every order may say: whom it is for, how it ranks, when its word ends, which boot it is bound to."""

    target: str = "building"
    priority: int = 8
    expires_s: int = 60
    boot_nonce: bytes | None = None


def shed(percent: int, duration_s: int, terms: Terms, *, start_utc_ms: int | None = None) -> Command:
    """Order a shed; `start_utc_ms` None means now."""
    now = now_utc_ms()
    return Command(
        id=new_id(),
        operation="shed",
        target=terms.target,
        magnitude_percent=percent,
        start_utc_ms=start_utc_ms,
        duration_s=duration_s,
        priority=terms.priority,
        issued_utc_ms=now,
        expires_utc_ms=now + terms.expires_s * 1_000,
        boot_nonce=terms.boot_nonce,
    )


def cancel(command: str, terms: Terms) -> Command:
    """Take an order back."""
    now = now_utc_ms()
    return Command(
        id=new_id(),
        operation="cancel",
        target=terms.target,
        magnitude_percent=0,
        start_utc_ms=None,
        duration_s=0,
        priority=terms.priority,
        issued_utc_ms=now,
        expires_utc_ms=now + terms.expires_s * 1_000,
        boot_nonce=terms.boot_nonce,
        refers_to=command,
    )
