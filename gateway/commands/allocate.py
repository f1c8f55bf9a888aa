"""Which load gives how much: a shed of so many percent, shared out over the loads. Pure arithmetic.

The least important load gives first. An on/off load is held back whole, so the sum may overshoot by less than one load;
a set-point is lowered in the device's own steps, never under its minimum and never raised. A load that already stands
below its rated value gives only what it still has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

BUILDING = "building"
"""The target that means every controllable load."""

_FULL = 100


class Kind(StrEnum):
    """How a load can be held back."""

    ONOFF = "onoff"
    SETPOINT = "setpoint"


@dataclass(frozen=True, slots=True)
class Resource:
    """One controllable load, as the site file describes it.

    `normal_value` is what the device holds when nothing is held back (on, or the set-point of `rated_w`), `shed_value`
    what it may be driven down to (off, or the lowest set-point allowed); both in the device's own integer steps, and
    for an inverted relay the second may be the greater. `priority`: the highest number is the least important,
    gives first.
    """

    name: str
    kind: Kind
    rated_w: int
    priority: int
    normal_value: int
    shed_value: int
    min_on_s: int = 0
    min_off_s: int = 0

    def power_w(self, value: int) -> int:
        """Power that the load may draw at that value: in proportion, all or nothing for an on/off load."""
        if self.kind is Kind.ONOFF:
            return 0 if value == self.shed_value else self.rated_w
        if self.normal_value == 0:
            return 0
        return min(self.rated_w, max(0, self.rated_w * value // self.normal_value))


@dataclass(frozen=True, slots=True)
class Plan:
    """Value for each load that has to give something, the watts asked for, and the watts expected."""

    values: Mapping[str, int]
    asked_w: int
    expected_w: int

    @property
    def clamped(self) -> bool:
        """Whether the loads cannot give what was asked for."""
        return self.expected_w < self.asked_w


def targets(resources: Sequence[Resource], target: str) -> tuple[Resource, ...]:
    """Give the loads that a target names: all for the building, one for a load's name, none for an unknown name."""
    return tuple(r for r in resources if target in (BUILDING, r.name))


def allocate(resources: Sequence[Resource], percent: int, originals: Mapping[str, int]) -> Plan:
    """Share a shed of `percent` % of the rated power out over the loads whose present value is known.

    `originals`: load -> value that it holds when nothing is shed. A load without one counts in what is asked for and
    gives nothing.
    """
    asked_w = -(-sum(r.rated_w for r in resources) * percent // _FULL)
    values: dict[str, int] = {}
    left_w = asked_w
    for resource in sorted(resources, key=lambda r: (-r.priority, r.name)):
        if left_w <= 0:
            break
        if resource.name not in originals:
            continue
        original = originals[resource.name]
        value = _lowered(resource, original, left_w)
        gained_w = resource.power_w(original) - resource.power_w(value)
        if gained_w > 0:
            values[resource.name] = value
            left_w -= gained_w
    return Plan(values, asked_w, asked_w - left_w)


def _lowered(resource: Resource, original: int, wanted_w: int) -> int:
    """Highest value of the load that gives at least `wanted_w`, or as much as it can."""
    if resource.kind is Kind.ONOFF:
        return resource.shed_value
    if original <= resource.shed_value or resource.rated_w <= 0 or resource.normal_value <= 0:
        return original
    wanted_power_w = resource.power_w(original) - wanted_w
    if wanted_power_w <= 0:
        return resource.shed_value
    # power_w rounds down, so this value's power is at most what is wanted: floor(rated x value / normal) <= wanted.
    value = ((wanted_power_w + 1) * resource.normal_value - 1) // resource.rated_w
    return max(resource.shed_value, min(original, value))
