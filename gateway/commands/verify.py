"""From bytes to an Authorized, or to the reason why not: a list of small policies, in the order of the contract.

    signature -> retained -> audience and role -> epoch of the key set -> sequence above high water, or a known
    message -> expiry above the time floor -> trusted clock: issue time and expiry window; else the boot nonce

An empty list of policies refuses everything. Whatever fails before the sequence is answered `rejected(auth)` without
detail (except the retain flag), so that a stranger learns nothing. Nothing here stores anything: the executor does,
when it takes what was found. Whether the order makes sense (duration, magnitude, target) is the executor's question
too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.built import built_utc_ms
from gateway.clock import COMMANDS_UNCERTAINTY_MS, Clock
from gateway.commands.command import Authorized, seal
from gateway.wire import cose
from gateway.wire.errors import RevokedKey, WireError
from gateway.wire.keys import KeySet, TrustedKey
from gateway.wire.messages import Command

LIMIT = 4_096
"""Bytes of the longest command that is looked at; an honest one has some 300."""

STREAM = "cmd"
ROLE = "dispatch"
NOBODY = "-"
"""Answered in place of the command's id where nothing proves that it is one."""

SEQUENCE_JUMP = 1 << 20
WINDOW_MS = 7 * 86_400_000
"""Longest life of a message, from its issue to its expiry."""

FLOOR_AHEAD_MS = 86_400_000
BUILD_UTC_MS = built_utc_ms()


@dataclass(frozen=True, slots=True)
class Times:
    """What is known of the time at one moment: boot time, trusted UTC or None, the time floor, this boot's nonce."""

    boot_ms: int
    utc_ms: int | None
    uncertainty_ms: int
    floor_utc_ms: int
    boot_nonce: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """What the journal knows of an issuer: its high water, and the digest of the message that came under this number.

    `replaced`: the journal is new because the old one was damaged, so an absent high water proves nothing.
    """

    high_water: int | None
    digest: bytes | None
    replaced: bool
    floor_utc_ms: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The message moves nothing; `state` is "rejected" or "expired", `reason` as it is answered.

    `revoked` tells apart, for ourselves alone, what a revoked key has signed.
    """

    reason: str
    command_id: str = NOBODY
    sequence: int = 0
    state: str = "rejected"
    alarm: str | None = None
    revoked: RevokedKey | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """The very same message came before: its stored answer is to be repeated."""

    command_id: str


@dataclass(frozen=True, slots=True)
class Parked:
    """All is proved but the time."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One message whose signature is good, with all that the policies may look at."""

    gateway: str
    header: cose.Header
    key: TrustedKey
    command: Command
    digest: bytes
    retained: bool
    standing: Standing
    times: Times

    def refused(self, reason: str, *, state: str = "rejected", alarm: str | None = None) -> Refused:
        """Say no, naming the message."""
        return Refused(reason, self.command.id, self.header.sequence, state, alarm)


Policy = Callable[[Attempt], Refused | Repeated | Parked | None]


def not_retained(attempt: Attempt) -> Refused | None:
    """Refuse what a broker kept: the retain flag has no place on a topic of commands."""
    return attempt.refused("retained") if attempt.retained else None


def audience(attempt: Attempt) -> Refused | None:
    """Refuse what is not for this gateway, or is no command."""
    header = attempt.header
    good = header.gateway == attempt.gateway and header.stream == STREAM and header.content == Command.CONTENT
    bare = header.previous is None and header.schema is None
    return None if good and bare else Refused("auth")


def role(attempt: Attempt) -> Refused | None:
    """Refuse a key that may not dispatch."""
    return None if ROLE in attempt.key.roles else Refused("auth")


def issuer_epoch(attempt: Attempt) -> Refused | None:
    """Refuse a numbering that is not the one which the key set names for this key."""
    return None if attempt.header.epoch == attempt.key.epoch else Refused("auth")


def sequence(attempt: Attempt) -> Refused | Repeated | None:
    """Let only a new number pass; the same message is repeated, another under a known number is a conflict."""
    number, standing = attempt.header.sequence, attempt.standing
    if standing.digest is not None:
        if standing.digest == attempt.digest:
            return Repeated(attempt.command.id)
        return attempt.refused("conflict", alarm=f"{attempt.key.issuer} used number {number} for two commands")
    if standing.high_water is not None and number <= standing.high_water:
        return attempt.refused("stale")
    if number - (standing.high_water or 0) > SEQUENCE_JUMP:
        return attempt.refused("sequence")
    return None


def above_floor(attempt: Attempt) -> Refused | None:
    """Refuse what is certainly past, whatever the clock says."""
    if attempt.command.expires_utc_ms <= attempt.standing.floor_utc_ms:
        return attempt.refused("floor", state="expired")
    return None


def in_time(attempt: Attempt) -> Refused | Parked | None:
    """With a trusted clock hold issue and expiry to it; without one want the nonce of this boot."""
    command, times = attempt.command, attempt.times
    if command.boot_nonce is not None and command.boot_nonce != times.boot_nonce:
        return attempt.refused("boot")
    if attempt.standing.replaced and attempt.standing.high_water is None and command.boot_nonce is None:
        return attempt.refused("boot")
    if not 0 < command.expires_utc_ms - command.issued_utc_ms <= WINDOW_MS:
        return attempt.refused("time")
    if times.utc_ms is not None:
        late = timely(command.issued_utc_ms, command.expires_utc_ms, times.utc_ms, times.uncertainty_ms)
        return None if late is None else attempt.refused(late, state="expired" if late == "expired" else "rejected")
    if command.boot_nonce is None or command.start_utc_ms is not None:
        return Parked()
    return None


def timely(issued_utc_ms: int, expires_utc_ms: int, utc_ms: int, uncertainty_ms: int) -> str | None:
    """Give None if a command is good at that trusted time, else "expired", or "time" for one from the future."""
    if issued_utc_ms > utc_ms + uncertainty_ms + COMMANDS_UNCERTAINTY_MS:
        return "time"
    return "expired" if expires_utc_ms <= utc_ms else None


POLICIES: tuple[Policy, ...] = (audience, role, issuer_epoch, not_retained, sequence, above_floor, in_time)


def judge(attempt: Attempt, policies: Sequence[Policy] = POLICIES) -> Authorized | Refused | Repeated:
    """Apply the policies in their order; the first that objects decides, and without any policy nothing passes."""
    if not policies:
        return Refused("auth")
    parked = False
    for policy in policies:
        found = policy(attempt)
        if isinstance(found, Parked):
            parked = True
        elif found is not None:
            return found
    header = attempt.header
    gap = header.sequence - (attempt.standing.high_water or 0) - 1
    return Authorized(
        attempt.command, attempt.key.issuer, header.epoch, header.sequence, attempt.digest, gap, parked, seal()
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """A message whose signature is good: who signed it, and the command in it."""

    header: cose.Header
    key: TrustedKey
    command: Command
    digest: bytes


def open_message(message: bytes, keys: KeySet) -> Opened | Refused:
    """Check the signature and read the command; anything else than a well-formed command is refused."""
    try:
        verified = keys.verify(message, limit=LIMIT)
    except RevokedKey as error:
        return Refused("auth", revoked=error)
    except WireError:
        return Refused("auth")
    key = keys.keys[verified.header.key_id]
    try:
        command = Command.decode(verified.payload)
    except WireError:
        # Only whoever may command learns that the signature was good.
        return Refused("malformed", NOBODY, verified.header.sequence) if ROLE in key.roles else Refused("auth")
    return Opened(verified.header, key, command, cose.digest(message))


def times_of(clock: Clock, floor_utc_ms: int, boot_nonce: bytes) -> Times:
    """Read the clock once; UTC is None while commands may not rely on it: too uncertain, or a meter's word alone."""
    now = clock.boot_ms()
    found = clock.correlation()
    if found is None or found.boot_id != clock.boot_id or not found.is_trusted_at(now):
        return Times(now, None, 0, floor_utc_ms, boot_nonce)
    return Times(now, found.utc_ms_at(now), found.uncertainty_ms_at(now), floor_utc_ms, boot_nonce)


def raised_floor(floor_utc_ms: int, issued_utc_ms: int, trusted_utc_ms: int | None) -> int:
    """Give the time floor after a verified message: never more than a day beyond trusted or build time by its word."""
    known = max(BUILD_UTC_MS, trusted_utc_ms or 0)
    return max(floor_utc_ms, known, min(issued_utc_ms, known + FLOOR_AHEAD_MS))
