"""Where a centre stands: what it knows in memory of what its store holds, for those who ask it."""

from dataclasses import dataclass, field

from gateway.centre.counts import Counts
from gateway.wire.messages import Birth


@dataclass(slots=True)
class Standing:
    """Births by gateway, counts, what is missing or waits now, why the store cannot be written, and who is on duty."""

    births: dict[str, Birth] = field(default_factory=dict)
    tallies: dict[str, int] = field(default_factory=dict)
    gaps: int = 0
    undecoded: int = 0
    trouble: str | None = None
    on_duty: bool = False
    """Of several centres on one store, one sends heartbeats and asks for what is missing."""

    @property
    def counts(self) -> Counts:
        """What has come, and what became of it."""
        return Counts.of(self.tallies, gaps=self.gaps, undecoded=self.undecoded)
