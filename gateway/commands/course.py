"""One event of load control as the executor carries it: what was ordered, and what became of each load.

The text form goes into the journal and is read back after a restart; nothing else looks into it.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.commands.change import Entry
from gateway.commands.command import Authorized
from gateway.commands.lifecycle import Life, State

LOCAL = "local"
"""Issuer of what the gateway decides by itself."""

LOCAL_PRIORITY = -1
"""Above every command (0 to 15, the lower wins)."""


@dataclass(slots=True)
class Course:
    """One command on its way. Times are boot time of `boot_id`, in ms; UTC where it is known, None where not.

    `values`: load -> value that it is to hold; `touched`: every load that it ever asked for; `failed`: load -> why
    it does not hold; `due_ms` is the start with its random spread, `release_ms` what the spread of its releases
    counts from, None for a release at once; `start_ms` and `end_ms` are the signed ones. `loads` names the target's
    loads.
    """

    id: str
    issuer: str
    sequence: int
    digest: str
    target: str
    loads: tuple[str, ...]
    percent: int
    clamped: bool
    priority: int
    issued_utc_ms: int
    expires_utc_ms: int
    start_utc_ms: int | None
    duration_s: int
    boot_id: str
    start_ms: int = 0
    due_ms: int = 0
    end_ms: int = 0
    end_utc_ms: int | None = None
    reason: str | None = None
    values: dict[str, int] = field(default_factory=dict)
    touched: list[str] = field(default_factory=list)
    read_back: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    expected_w: int = 0
    asked_w: int = 0
    relay_boot_ms: int | None = None
    before_w: int | None = None
    before_ms: int | None = None
    during_w: int | None = None
    confirm_until_ms: int | None = None
    release_ms: int | None = None
    life: Life = field(default_factory=Life)

    @property
    def rank(self) -> tuple[int, int, int]:
        """Who wins a load: the lowest rank. Lower priority number, then later issue, then higher sequence."""
        return (self.priority, -self.issued_utc_ms, -self.sequence)

    @property
    def local(self) -> bool:
        """Whether the gateway decided it by itself."""
        return self.issuer == LOCAL

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.life.state

    def entry(self) -> Entry:
        """Give what the journal stores."""
        body = asdict(self)
        body["life"] = [self.life.state.value, self.life.outcome.value if self.life.outcome else None]
        return Entry(self.id, self.life.over, json.dumps(body, separators=(",", ":")))


def course_of(entry: Entry) -> Course:
    """Read what `Course.entry` wrote."""
    body: dict[str, Any] = json.loads(entry.body)
    state, outcome = body.pop("life")
    loads = tuple(body.pop("loads"))
    return Course(**body, loads=loads, life=Life(State(state), State(outcome) if outcome else None))


def told(entry: Entry) -> dict[str, Any]:
    """Give what people may see of a stored command; `text` alone for what was refused, or ordered on site."""
    known: dict[str, Any] = {"id": entry.id, "over": entry.over}
    if not entry.body.startswith("{"):
        return {**known, "text": entry.body}
    course = course_of(entry)
    return {
        **known,
        "issuer": course.issuer,
        "state": course.state.value,
        "outcome": course.life.outcome.value if course.life.outcome else None,
        "reason": course.reason,
        "target": course.target,
        "loads": list(course.loads),
        "percent": course.percent,
        "priority": course.priority,
        "issued_utc_ms": course.issued_utc_ms,
        "start_utc_ms": course.start_utc_ms,
        "end_utc_ms": course.end_utc_ms,
        "duration_s": course.duration_s,
        "values": course.values,
        "failed": course.failed,
        "expected_w": course.expected_w,
        "before_w": course.before_w,
        "during_w": course.during_w,
    }


def ordered(order: Authorized, loads: tuple[str, ...], percent: int, boot_id: bytes) -> Course:
    """Begin the course of a command of the centre; `percent` is its magnitude after clamping."""
    command = order.command
    return Course(
        id=command.id,
        issuer=order.issuer,
        sequence=order.sequence,
        digest=order.digest.hex(),
        target=command.target,
        loads=loads,
        percent=percent,
        clamped=percent != command.magnitude_percent,
        priority=command.priority,
        issued_utc_ms=command.issued_utc_ms,
        expires_utc_ms=command.expires_utc_ms,
        start_utc_ms=command.start_utc_ms,
        duration_s=command.lasts_s,
        boot_id=boot_id.hex(),
    )


def spread_ms(gateway: str, what: str, longest_s: float) -> int:
    """Give a delay that is uniform over gateways and the same for one order after a restart, 0 to `longest_s`."""
    number = int.from_bytes(hashlib.sha256(f"{gateway}\0{what}".encode()).digest()[:8])
    return int(longest_s * 1000 * number) >> 64


def decided(source: str, loads: tuple[str, ...], longest_s: int, now_ms: int, boot_id: bytes) -> Course:
    """Begin the course of what the gateway decides by itself: all the way down, at once, above every command."""
    return Course(
        id=f"{LOCAL}:{source}:{boot_id.hex()[:8]}:{now_ms}",
        issuer=LOCAL,
        sequence=0,
        digest="",
        target=source,
        loads=loads,
        percent=100,
        clamped=False,
        priority=LOCAL_PRIORITY,
        issued_utc_ms=0,
        expires_utc_ms=0,
        start_utc_ms=None,
        duration_s=longest_s,
        boot_id=boot_id.hex(),
    )
