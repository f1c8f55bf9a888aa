"""When local overrun sheds, and when it lets go."""

from gateway.commands.command import Decision, Verdict
from gateway.shedding.overrun import Overrun, Settings

RULES = Settings(("heater", "charger"), calm_s=300, longest_s=3_600)
SHED = Decision("overrun", Verdict.SHED, RULES.loads, 3_600)
RELEASE = Decision("overrun", Verdict.RELEASE, RULES.loads)


def test_sheds_at_the_first_frame_and_once() -> None:
    """The first frame that tells an overrun sheds; the next ones order nothing more."""
    overrun = Overrun(RULES)
    assert overrun.seen(over=False, now_ms=0) is None
    assert overrun.seen(over=True, now_ms=1_000) == SHED
    assert overrun.seen(over=True, now_ms=2_400) is None


def test_lets_go_after_calm() -> None:
    """The loads come back when it has been calm for the whole time, counted from the last overrun."""
    overrun = Overrun(RULES)
    overrun.seen(over=True, now_ms=0)
    assert overrun.seen(over=False, now_ms=299_000) is None
    overrun.seen(over=True, now_ms=299_500)
    assert overrun.seen(over=False, now_ms=300_000) is None
    assert overrun.seen(over=False, now_ms=599_500) == RELEASE
    assert overrun.seen(over=False, now_ms=700_000) is None


def test_sheds_again() -> None:
    """A later overrun, or one that outlasts the longest shed, sheds anew."""
    overrun = Overrun(RULES)
    overrun.seen(over=True, now_ms=0)
    assert overrun.seen(over=True, now_ms=3_600_000) == SHED
    overrun.seen(over=False, now_ms=4_000_000)
    assert overrun.seen(over=True, now_ms=4_001_000) == SHED
