"""Whether a proved command makes sense here: a list of small policies. Pure; what each may look at is an Asked.

A command that is refused here has used its number up, and changes nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.commands.allocate import BUILDING, Resource, targets
from gateway.wire.messages import Command

FULL = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """What the site allows, in seconds: longest shed, spread of starts and releases, time for the effect to show."""

    enabled: bool = True
    max_duration_s: int = 14_400
    start_spread_s: float = 0
    release_spread_s: float = 0
    effect_after_s: float = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """A command to shed, and what stands against it: opted-out and blocked loads, the link, the disk."""

    command: Command
    settings: Settings
    resources: Sequence[Resource]
    opted_out: Mapping[str, str]
    blocked: frozenset[str]
    link: bool
    durable: bool

    @property
    def loads(self) -> tuple[str, ...]:
        """Loads of the target that may take part now."""
        named = targets(self.resources, self.command.target)
        if BUILDING in self.opted_out:
            return ()
        return tuple(r.name for r in named if r.name not in self.opted_out and r.name not in self.blocked)


Policy = Callable[[Asked], str | None]
"""Gives the reason of the refusal, None if it has none."""


def _enabled(asked: Asked) -> str | None:
    return None if asked.settings.enabled else "disabled"


def _duration(asked: Asked) -> str | None:
    # 0 is neither "for ever" nor "at once": both readings have been bugs elsewhere.
    return None if 1 <= asked.command.lasts_s <= asked.settings.max_duration_s else "duration"


def _magnitude(asked: Asked) -> str | None:
    return None if asked.command.magnitude_percent >= 0 else "magnitude"


def _target(asked: Asked) -> str | None:
    return None if targets(asked.resources, asked.command.target) else "target"


def _opt_out(asked: Asked) -> str | None:
    named = targets(asked.resources, asked.command.target)
    out = BUILDING in asked.opted_out or all(r.name in asked.opted_out for r in named)
    return "local_override" if out else None


def _safety(asked: Asked) -> str | None:
    return None if asked.loads else "safety"


def _link(asked: Asked) -> str | None:
    return None if asked.link else "link"


def _storage(asked: Asked) -> str | None:
    return None if asked.durable else "storage"


POLICIES: tuple[Policy, ...] = (_enabled, _duration, _magnitude, _target, _opt_out, _safety, _link, _storage)


def objection(asked: Asked, policies: Sequence[Policy] = POLICIES) -> str | None:
    """Give the first reason to refuse; without any policy nothing is admitted."""
    if not policies:
        return "policy"
    return next((reason for policy in policies if (reason := policy(asked)) is not None), None)


def clamped(percent: int) -> int:
    """Give the magnitude as far as it can be carried out."""
    return min(percent, FULL)
