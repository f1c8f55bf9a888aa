"""The three orders that the executor takes, and who may make each.

    Authorized   a command of the centre; `verify` alone can make one (see there)
    LocalOrder   what people on site want; made from a role, which is checked here
    Decision     what the gateway itself decides (local overrun, local safety); made by `gateway.shedding` alone

An unverified command is thus no order at all: it has no type that `Executor.submit` takes.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.commands.errors import NotAuthorisedError
from gateway.wire.messages import Command

_SEAL = object()


def seal() -> object:
    """Give the seal without which no Authorized can be made; for `gateway.commands.verify` alone."""
    return _SEAL


@dataclass(frozen=True, slots=True)
class Authorized:
    """A command whose signature, audience, role, sequence and time were checked, and who sent it under which number.

    `digest` is the SHA-256 of the whole message; `gap` how many numbers were skipped before it; `parked` says that all
    is proved but the time, because the clock is not trusted yet.
    """

    command: Command
    issuer: str
    epoch: bytes
    sequence: int
    digest: bytes
    gap: int
    parked: bool
    proof: object

    def __post_init__(self) -> None:
        if self.proof is not _SEAL:
            raise NotAuthorisedError("an Authorized was made outside gateway.commands.verify: verify the message")


class LocalOperation(StrEnum):
    """What people on site can order."""

    OPT_OUT = "opt_out"
    """End what runs and refuse what comes, until `until_s` from now are over."""
    OPT_IN = "opt_in"
    """End an opt-out early."""
    RELEASE = "release"
    """End what runs."""


ROLES = frozenset({"manager", "installer", "technician"})
"""Who on site may give such an order."""

OPT_OUT_MAX_S = 31 * 86_400


@dataclass(frozen=True, slots=True)
class LocalOrder:
    """An order given on site, by someone whose role was checked: operation, target, why, and for how long.

    `target` is "building" or a load; an opt-out needs `duration_s` (at most 31 days), the others 0. Raises
    NotAuthorisedError for a role that may not, ValueError for a duration out of bounds.
    """

    role: str
    operation: LocalOperation
    target: str
    reason: str
    duration_s: int = 0

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise NotAuthorisedError(
                f"role {self.role!r} may not {self.operation}: one of {', '.join(sorted(ROLES))} may"
            )
        wanted = range(1, OPT_OUT_MAX_S + 1) if self.operation is LocalOperation.OPT_OUT else range(1)
        if self.duration_s not in wanted:
            raise ValueError(
                f"{self.operation} for {self.duration_s} s: {wanted.start} to {wanted.stop - 1} seconds are wanted"
            )


class Verdict(StrEnum):
    """What the gateway decides by itself."""

    SHED = "shed"
    RELEASE = "release"
    SAFETY = "safety"
    """Release at once and admit nothing on these loads until CLEAR."""
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Decision:
    """The gateway's own decision about some loads; made by `gateway.shedding` alone.

    `source` names it ("overrun", "frost"); a shed goes all the way down, needs no signature, and ends by itself after
    `longest_s` if no release comes before.
    """

    source: str
    verdict: Verdict
    loads: tuple[str, ...]
    longest_s: int = 0
