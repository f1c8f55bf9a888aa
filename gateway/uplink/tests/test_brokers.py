"""Which of two brokers: when the first is left, when it is gone back to, and no endless swinging between them."""

from pathlib import Path

from gateway.uplink.brokers import GOOD_PROBES, Choice
from gateway.uplink.settings import Fallback, UplinkSettings

AFTER_MS = RETURN_MS = 300_000
NOWHERE = Path("/nowhere")


def choice(*, second: bool = True) -> Choice:
    """Make a choice at boot time 0."""
    fallback = Fallback("second", 2) if second else None
    return Choice(UplinkSettings("first", 1, NOWHERE, NOWHERE, NOWHERE, "gw-1", fallback=fallback), 0)


def attempts(made: Choice, until_ms: int, *, every_ms: int = 30_000, now_ms: int = 0) -> list[str]:
    """Try in vain until then; give the host of each attempt."""
    hosts = []
    while now_ms < until_ms:
        made.next(now_ms)
        hosts.append(made.settings.host)
        made.ended(now_ms)
        now_ms += every_ms
    return hosts


def on_second() -> Choice:
    """Give one that has just been connected to the second broker."""
    made = choice()
    attempts(made, AFTER_MS)
    made.next(AFTER_MS)
    assert made.settings.host == "second"
    made.connected(AFTER_MS)
    return made


def test_without_a_second_broker_there_is_no_choice() -> None:
    """The first is tried for ever."""
    assert set(attempts(choice(second=False), 10 * AFTER_MS)) == {"first"}


def test_first_is_tried_for_its_time_then_both_in_turn() -> None:
    """A broker that is away for a moment is waited for; after that, each in turn until one answers."""
    hosts = attempts(choice(), 2 * AFTER_MS)
    assert set(hosts[:10]) == {"first"}
    assert hosts[10:14] == ["second", "first", "second", "first"]


def test_a_long_sleep_is_no_reason() -> None:
    """However late it is, the first is tried three times before it is left: the machine may only have slept."""
    made = choice()
    made.next(0)
    made.connected(0)
    made.ended(10 * AFTER_MS)
    hosts = attempts(made, 14 * AFTER_MS, every_ms=AFTER_MS, now_ms=11 * AFTER_MS)
    assert hosts == ["first", "first", "first"]


def test_first_is_gone_back_to_when_it_has_answered_for_a_while() -> None:
    """Three probes in a row; one that fails begins the count anew."""
    made = on_second()
    assert made.probe_s() == RETURN_MS / 1_000 / GOOD_PROBES
    found = [made.probed(answers=good) for good in (True, True, False, True, True, True)]
    assert found == [False, False, False, False, False, True]
    made.ended(AFTER_MS + 1)
    made.next(AFTER_MS + 1)
    assert made.settings.host == "first"
    made.connected(AFTER_MS + 1)
    assert not made.on_fallback


def test_return_that_fails_is_tried_again_ever_more_rarely() -> None:
    """A first broker that takes TLS and no MQTT leads back to the second at once, and to longer waits."""
    made = on_second()
    waits = []
    for round_ in range(7):
        now = AFTER_MS * (2 + round_)
        while not made.probed(answers=True):
            pass
        made.ended(now)
        made.next(now)
        assert made.settings.host == "first"
        made.ended(now)
        made.next(now)
        assert made.settings.host == "second"
        made.connected(now)
        waits.append(made.probe_s())
    assert waits == [200, 400, 800, 1_600, 1_600, 1_600, 1_600]


def test_first_that_stays_has_its_patience_back() -> None:
    """After a good while on the first broker the next trouble is an ordinary one."""
    made = on_second()
    while not made.probed(answers=True):
        pass
    made.next(AFTER_MS)
    made.connected(AFTER_MS)
    made.ended(AFTER_MS + 1_000)  # dropped at once
    assert made.probe_s() == 200
    made.next(AFTER_MS)
    made.connected(AFTER_MS)
    made.ended(AFTER_MS + RETURN_MS + 1)
    assert made.probe_s() == 100


def test_second_that_fails_leads_to_the_first() -> None:
    """Whoever loses the second broker tries the first, then the second again."""
    made = on_second()
    made.ended(2 * AFTER_MS)
    assert attempts(made, 3 * AFTER_MS, every_ms=100_000, now_ms=2 * AFTER_MS) == ["first", "second", "first"]
