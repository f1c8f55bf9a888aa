"""Attempts spread over a whole minute, so that a broker that returns does not meet its fleet at once."""

from pathlib import Path

from gateway.uplink.settings import UplinkSettings
from gateway.uplink.waits import Waits

NOWHERE = Path("/nowhere")
FLEET = 2_000


def waits(metered_bytes: int | None = None) -> Waits:
    """Make them with the settings that a site has by itself."""
    return Waits(UplinkSettings("h", 1, NOWHERE, NOWHERE, NOWHERE, "gw-1", metered_bytes=metered_bytes))


def test_first_attempt_is_soon_and_the_fleet_is_spread_after() -> None:
    """Within a second at first, then evenly over a minute: in each of its six parts about a sixth of the fleet."""
    fleet = [waits() for _ in range(FLEET)]
    assert max(each.next_s() for each in fleet) <= 1
    parts = [0] * 6
    for each in fleet:
        wait = each.next_s()
        assert 1 <= wait <= 60
        parts[min(5, int(wait // 10))] += 1
    assert min(parts) > FLEET / 6 * 0.7


def test_wanted_end_leads_to_a_soon_attempt_once() -> None:
    """A connection that we ended ourselves is made anew at once; if that fails, the next one is spread."""
    made = waits()
    made.next_s()
    made.wanted()
    assert made.next_s() <= 1
    assert made.next_s() >= 1


def test_metered_link_does_not_pay_for_refusals_each_half_minute() -> None:
    """What was refused after a handshake is tried ever more rarely there, and as ever where it cost nothing."""
    paid, free, unmetered = waits(1_000_000), waits(1_000_000), waits()
    for _ in range(100):
        paid.failed(5_000)
        free.failed(0)
        unmetered.failed(5_000)
    assert max(paid.next_s() for _ in range(200)) > 600
    assert max(free.next_s() for _ in range(200)) <= 60
    assert max(unmetered.next_s() for _ in range(200)) <= 60
    paid.connected()
    assert max(paid.next_s() for _ in range(200)) <= 60
