"""A scope: whom some streams are about, and for whom they are; the names of its streams."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.channel import Channel

TIERS = FINE, MINUTE, INDEX = "fine", "minute", "index"
"""Everything, one-minute means, counters at each quarter of an hour; each is signed when made."""

COARSE = (MINUTE, INDEX)

SCHEMA = "schema"


@dataclass(frozen=True, slots=True)
class Scope:
    """Channels that leave together; the building's own where `dwelling` is None, else a dwelling's for one purpose."""

    channels: Sequence[Channel]
    tiers: tuple[str, ...] = TIERS
    dwelling: str | None = None
    purpose: str | None = None

    @property
    def key(self) -> tuple[str | None, str | None]:
        """What tells it from every other scope."""
        return self.dwelling, self.purpose

    def stream(self, kind: str) -> str:
        """Give the name of its stream of a kind (a tier, or "schema"): "minute", or "minute.apt-12.research"."""
        return stream_of(kind, self.dwelling, self.purpose)


def stream_of(kind: str, dwelling: str | None, purpose: str | None) -> str:
    """Give the name of a stream."""
    return kind if dwelling is None else f"{kind}.{dwelling}.{purpose}"


def streams_of(dwelling: str, purpose: str) -> tuple[str, ...]:
    """Give every stream that a dwelling can have for a purpose, whatever its tiers are now."""
    return tuple(stream_of(kind, dwelling, purpose) for kind in (SCHEMA, *TIERS))


def tier_of(stream: str) -> str:
    """Give the kind of a stream: its name up to the first dot."""
    return stream.partition(".")[0]
