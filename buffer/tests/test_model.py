"""The outbox against a model of lists, with room for all and with room for little."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from buffer.tests.model import Model, TightModel

EXAMPLES, STEPS = 25, 30
EXAMPLES_SOAK, STEPS_SOAK = 400, 80


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
