"""The outbox against a model of lists, with room for all and with room for little."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from buffer.outbox import DROP_FIRST, Segment
from buffer.quota import LEAST_PAGES
from buffer.tests.model import Model

EXAMPLES, STEPS = 25, 30
EXAMPLES_SOAK, STEPS_SOAK = 400, 80


class TightModel(Model):
    """The same where there is room for a few dozen segments: what gives way does so in the right order."""

    quota = LEAST_PAGES
    size = 14_000

    def note_losses(self, newest: Sequence[Segment] = ()) -> None:
        """Received ones go first, then the finest tier, of that the oldest; never the newest; and all is recorded.

        Received ones without which readings cannot be read outlast these, and nothing else.
        """
        received_gone = self.received - self.kept(self.received)
        gone = self.pending - self.kept(self.pending)
        new = {(each.stream, each.sequence) for each in newest}
        self.received -= received_gone
        self.pending -= gone
        self.lost["quota"] += sum(self.segments[key].count for key in gone)
        assert self.outbox.stats().pages_used <= self.quota
        coarsest = max((_rank(name) for name, _ in gone), default=-1)
        assert not gone or all(name.partition(".")[0] in {"schema", "clock"} for name, _ in self.received)
        assert coarsest < len(DROP_FIRST) or not self.received
        assert all(_rank(name) >= coarsest for name, number in self.pending if (name, number) not in new)
        for name in {name for name, _ in gone}:
            last = max(number for stream, number in gone if stream == name)
            assert all(number > last for stream, number in self.pending if stream == name)


def _rank(stream: str) -> int:
    tier = stream.partition(".")[0]
    return DROP_FIRST.index(tier) if tier in DROP_FIRST else len(DROP_FIRST)


@pytest.mark.parametrize("model", [Model, TightModel])
def test_whatever_is_done_both_hold_the_same(model: type[Model]) -> None:
    """Append, seal, add, acknowledge, lose, withdraw, expire, report, quota, reopen, kill, in any order."""
    run_state_machine_as_test(model, settings=_settings(EXAMPLES, STEPS))


@pytest.mark.soak
@pytest.mark.parametrize("model", [Model, TightModel])
def test_over_thousands_of_steps_both_hold_the_same(model: type[Model]) -> None:
    """The same, for long."""
    run_state_machine_as_test(model, settings=_settings(EXAMPLES_SOAK, STEPS_SOAK))


def _settings(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
