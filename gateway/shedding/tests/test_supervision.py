"""The link at work: what counts as a heartbeat, and what time and sheds do to it."""

from gateway.commands.reception import Heard
from gateway.commands.tests.building import EPOCH, SimulatedClock
from gateway.shedding.link import Settings, State
from gateway.shedding.supervision import Supervision

NONCE = bytes(16)


class Centre:
    """A supervision with a centre that can be made to speak."""

    def __init__(self) -> None:
        self.clock = SimulatedClock()
        self.told: list[State] = []
        self.shedding = False
        self.number = 0
        self.link = Supervision(
            clock=self.clock,
            pace=self.clock,
            settings=Settings(failsafe_ms=7_200_000),
            boot_nonce=NONCE,
            running=lambda: self.shedding,
            tell=self.told.append,
        )

    def beat(self) -> bool:
        """Send a heartbeat."""
        self.number += 1
        return self.link.heartbeat("centre", EPOCH, self.number, NONCE)

    def later(self, seconds: int) -> State:
        """Let time pass in silence."""
        for _ in range(seconds):
            self.clock.now_ms += 1_000
            self.link.look()
        return self.link.state


def test_replayed_or_foreign_heartbeats_do_not_count() -> None:
    """A heartbeat counts once, in rising order for each issuer and epoch, and only with this boot's nonce."""
    centre = Centre()
    assert centre.link.heartbeat("centre", EPOCH, 5, NONCE)
    assert not centre.link.heartbeat("centre", EPOCH, 5, NONCE)
    assert not centre.link.heartbeat("centre", EPOCH, 4, NONCE)
    assert not centre.link.heartbeat("centre", EPOCH, 6, bytes([1]) * 16)
    assert centre.link.heartbeat("other", EPOCH, 1, NONCE)


def test_a_day_with_the_centre() -> None:
    """Taken under control, shedding, lost while shedding, back, lost again, and on its own at last."""
    centre = Centre()
    assert not centre.link.admits()
    centre.beat()
    assert centre.link.admits()
    centre.shedding = True
    centre.link.command(Heard.ACCEPTED)
    assert centre.link.up()
    assert centre.later(119) is State.CONTROLLED_SHEDDING
    assert centre.later(1) is State.LINK_LOST
    assert not centre.link.up()
    centre.beat()
    assert centre.link.state is State.CONTROLLED_SHEDDING
    centre.shedding = False
    assert centre.later(1) is State.CONTROLLED_IDLE
    assert centre.later(119) is State.LINK_LOST
    assert centre.later(7_200) is State.AUTONOMOUS
    assert centre.told == [
        State.CONTROLLED_SHEDDING,
        State.LINK_LOST,
        State.CONTROLLED_SHEDDING,
        State.CONTROLLED_IDLE,
        State.LINK_LOST,
        State.AUTONOMOUS,
    ]


def test_heartbeats_keep_the_link() -> None:
    """A heartbeat each minute keeps the link for as long as it comes."""
    centre = Centre()
    centre.beat()
    centre.link.command(Heard.REFUSED)
    for _ in range(100):
        assert centre.later(60) is State.CONTROLLED_IDLE
        centre.beat()


def test_shed_taken_up_after_a_restart_proves_nothing() -> None:
    """A shed that a start took up again does not put the centre in control."""
    centre = Centre()
    centre.shedding = True
    assert centre.later(60) is State.INIT
    assert centre.later(60) is State.AUTONOMOUS
    centre.beat()
    centre.link.command(Heard.RELEASE)
    assert centre.link.state is State.CONTROLLED_SHEDDING


async def test_run_looks_by_itself() -> None:
    """Nobody has to ask for time to have its effect."""
    import asyncio  # noqa: PLC0415 - this test alone has a task

    centre = Centre()
    task = asyncio.ensure_future(centre.link.run())
    await centre.clock.advance(121)
    assert centre.told == [State.AUTONOMOUS]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
