"""A day's budget: what must go goes, the rest is spread over the day, and no clock gives a second one."""

import json

import pytest

from gateway.uplink.allowance import Allowance
from gateway.uplink.tests.clocks import DAY_MS, HOUR_MS, HandClock
from gateway.uplink.traffic import Traffic

MB = 1_000_000
MONDAY = 20_000 * DAY_MS


def at(hour: float) -> HandClock:
    """Give a clock that knows the time: so many hours of a day have passed."""
    clock = HandClock()
    clock.set(MONDAY + round(hour * HOUR_MS))
    return clock


def held(allowance: Allowance) -> list[str]:
    """Name the tiers that wait."""
    return [tier for tier in ("alarm", "schema", "index", "minute", "fine") if allowance.held(tier)]


def send(allowance: Allowance, segments: int, size: int = 1_750) -> None:
    """Send segments that cost 2,000 bytes each on the line."""
    for _ in range(segments):
        allowance.segment(size)
        allowance.cost(Traffic(size, 250))


def test_without_a_budget_nothing_waits() -> None:
    """The day's bytes are counted all the same, and nothing has to be remembered."""
    allowance = Allowance(None, at(12))
    send(allowance, 10_000)
    assert held(allowance) == []
    assert (allowance.day().sent, allowance.day().budget, allowance.books) == (17_500_000, None, None)


def test_fine_readings_are_spread_over_the_day() -> None:
    """At noon half of what the day leaves for segments may have gone; the rest waits, indexes and minutes do not."""
    clock = at(12)
    allowance = Allowance(10 * MB, clock)
    sent = 0
    while not held(allowance):
        send(allowance, 1)
        sent += 2_000
    assert held(allowance) == ["fine"]
    assert allowance.day().held == ("fine",)
    assert 0.3 * 10 * MB < sent < 0.5 * 10 * MB
    clock.now_ms += 6 * HOUR_MS
    assert held(allowance) == []


def test_a_whole_day_of_drain_stays_within_the_budget() -> None:
    """With a backlog that never ends and its own traffic beside it, a day costs its budget and hardly more."""
    clock = at(0)
    allowance = Allowance(10 * MB, clock)
    shares = []
    for _ in range(24 * 60):
        allowance.cost(Traffic(400, 300))  # heartbeats, receipts, keep-alives: a megabyte a day
        for _ in range(100):
            if allowance.held("fine"):
                break
            send(allowance, 1)
        clock.now_ms += 60_000
        shares.append((allowance.day().sent + allowance.day().received) / (10 * MB))
    assert 0.9 < shares[-2] <= 1.01
    assert shares[720] < 0.6


def test_order_of_sacrifice() -> None:
    """As the day's budget is spent, fine waits first, then minutes, then indexes; alarms and records never."""
    clock = at(12)
    allowance = Allowance(10 * MB, clock)
    seen: list[list[str]] = []
    for _ in range(5_100):
        send(allowance, 1)
        if not seen or seen[-1] != held(allowance):
            seen.append(held(allowance))
    assert seen == [[], ["fine"], ["minute", "fine"], ["index", "minute", "fine"]]


def test_dwellings_and_unknown_streams_wait_as_their_tier() -> None:
    """A dwelling's stream is held as its tier is; a stream of a newer version as the finest."""
    allowance = Allowance(1, at(12))
    send(allowance, 1)
    assert allowance.held("minute.apt-12.research")
    assert allowance.held("audit")
    assert not allowance.held("dropped")


def test_next_day_has_its_own_budget() -> None:
    """At midnight UTC the books are empty again."""
    clock = at(23.9)
    allowance = Allowance(1_000, clock)
    send(allowance, 1)
    assert "index" in held(allowance)
    clock.now_ms += HOUR_MS
    assert "index" not in held(allowance)
    assert allowance.day().sent == 0


def test_restart_gives_no_second_budget() -> None:
    """What is kept is taken up again on the same day, and left behind on another."""
    first = Allowance(1_000, at(12))
    send(first, 1)
    first.day()
    assert "index" in held(Allowance(1_000, at(13), kept=first.books))
    assert "index" not in held(Allowance(1_000, at(36), kept=first.books))


def test_clock_steps_do_not_matter() -> None:
    """A clock set back, or not known yet after a restart, gives nothing away; boot time rules meanwhile."""
    clock = at(12)
    allowance = Allowance(1_000, clock)
    send(allowance, 1)
    clock.set(MONDAY - 40 * DAY_MS)
    clock.now_ms += 2_000
    assert "index" in held(allowance)
    clock.set(MONDAY - 40 * DAY_MS + HOUR_MS)
    clock.now_ms += 2_000
    assert "index" in held(allowance)
    unknown = HandClock()
    again = Allowance(1_000, unknown, kept=allowance.books)
    assert not again.day().is_known or again.day().sent
    unknown.now_ms += 23 * HOUR_MS
    assert "index" in held(again)
    unknown.now_ms += 2 * HOUR_MS
    assert "index" not in held(again)


@pytest.mark.parametrize("kept", ["", "nonsense", "[]", '{"day": "x"}', '{"sent": null}', "null", "7"])
def test_damaged_books_are_empty_books(kept: str) -> None:
    """Whatever the database gives back, the link goes on."""
    assert Allowance(10 * MB, at(12), kept=kept).day().sent == 0


def test_books_change_seldom() -> None:
    """What has to be written to the card is renewed each fiftieth of the budget, or each ten minutes."""
    clock = at(12)
    allowance = Allowance(100 * MB, clock)
    texts = set()
    for _ in range(3_600):
        allowance.cost(Traffic(10, 10))
        texts.add(allowance.books)
        clock.now_ms += 1_000
    assert len(texts) <= 8
    allowance.cost(Traffic(3 * MB, 0))
    assert json.loads(str(allowance.books))["sent"] >= 3 * MB
