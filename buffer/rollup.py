"""What the history holds of a channel over some time, and how two such pieces become one."""

from dataclasses import dataclass
from typing import Self

VALUE_MOST = 1 << 45
"""A larger magnitude is refused, so that no sum leaves 63 bits."""

COUNT_MOST = 1 << 17
"""A day at more than one reading a second: the sum and the count stop together here, the rest goes on."""

COVERED_MOST = 24 * 60
"""Minutes that one reading covers at most, whatever is said of its channel's period."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """A channel over some time: first and last value, lowest, highest, sum and number of its values; exact integers."""

    first: int
    last: int
    low: int
    high: int
    sum: int
    count: int

    def then(self, later: Self) -> "Rollup":
        """Join what came later."""
        fits = self.count + later.count <= COUNT_MOST
        return Rollup(
            self.first,
            later.last,
            min(self.low, later.low),
            max(self.high, later.high),
            self.sum + later.sum if fits else self.sum,
            self.count + later.count if fits else self.count,
        )


@dataclass(frozen=True, slots=True)
class Jump:
    """An index that went from `before` to `after` by no consumption: its meter was changed, reset or misread."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Minute:
    """What channel `channel` did in a minute, and which day that minute belongs to.

    `covered` says for how many minutes up to this one it speaks: one, or more where it is read less often;
    `estimated` that some of its values were. `joint` is a jump before the first value of the minute, `inside` one
    after it; several in one minute are told as one.
    """

    channel: str
    minute: int
    day: int
    rollup: Rollup
    covered: int = 1
    estimated: bool = False
    joint: Jump | None = None
    inside: Jump | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A channel in minute, hour or day `moment`: its values, the minutes of the first and the last of them.

    `covered` counts its minutes that had a value, None where an earlier version did not count them; `estimated` those
    in which a value was estimated.
    """

    moment: int
    rollup: Rollup
    first_at: int
    last_at: int
    covered: int | None
    estimated: int = 0

    def joined(self, other: Self) -> "Row":
        """Join another piece of the same moment; where both speak of the same minute, `other` came later."""
        before, after = (other, self) if other.first_at < self.first_at else (self, other)
        rollup = before.rollup.then(after.rollup)
        if before.last_at > after.last_at:
            rollup = Rollup(rollup.first, before.rollup.last, rollup.low, rollup.high, rollup.sum, rollup.count)
        same = self.first_at == other.first_at == self.last_at == other.last_at
        if self.covered is None or other.covered is None:
            covered = None
        else:
            covered = max(self.covered, other.covered) if same else self.covered + other.covered
        return Row(
            self.moment,
            rollup,
            before.first_at,
            max(self.last_at, other.last_at),
            covered,
            max(self.estimated, other.estimated) if same else self.estimated + other.estimated,
        )

    def of(self, moment: int) -> "Row":
        """Give the same as a piece of the longer `moment`."""
        return Row(moment, self.rollup, self.first_at, self.last_at, self.covered, self.estimated)


@dataclass(frozen=True, slots=True)
class Jumped:
    """A Jump of a channel in `minute`, before the first value of that minute or, with `inside`, after it."""

    minute: int
    inside: bool
    jump: Jump


def check(minute: Minute) -> None:
    """Raise ValueError for what no history can hold, or what contradicts itself."""
    rollup = minute.rollup
    sound = -VALUE_MOST <= rollup.low <= rollup.first <= rollup.high <= VALUE_MOST
    if not sound or not rollup.low <= rollup.last <= rollup.high or not 0 < rollup.count <= COUNT_MOST:
        raise ValueError(f"{minute}: no rollup of values up to {VALUE_MOST}")
    if not rollup.low * rollup.count <= rollup.sum <= rollup.high * rollup.count:
        raise ValueError(f"{minute}: the sum is none of such values")
    if not 0 < minute.covered <= COVERED_MOST:
        raise ValueError(f"{minute}: it covers no minute, or more than {COVERED_MOST}")
