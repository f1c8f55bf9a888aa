"""A driver's expected failure starts it again, later each time; a bug ends the process."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from drivers.errors import PortMissing
from gateway.supervise import FIRST_DELAY_S, LONGEST_DELAY_S, PLUGGED_S, STEADY_S, Supervised


class Driver:
    """A driver that fails as it is told, `lasts` seconds after its start, on a clock of its own."""

    def __init__(self, failures: list[Exception | None], lasts_s: float = 0.0) -> None:
        self.failures = failures
        self.lasts_s = lasts_s
        self.now_s = 0.0
        self.slept: list[float] = []

    async def run(self) -> None:
        self.now_s += self.lasts_s
        if not self.failures:
            raise asyncio.CancelledError
        failure = self.failures.pop(0)
        if failure is not None:
            raise failure

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def supervised(driver: Driver, run: Callable[[], Awaitable[None]] | None = None) -> Supervised:
    """Put a driver under supervision with its own clock and without chance."""
    return Supervised("meter", run or driver.run, now_s=lambda: driver.now_s, sleep=driver.sleep, jitter=lambda: 1.0)


async def test_an_expected_failure_starts_it_again_later_each_time() -> None:
    """The delay doubles up to its limit."""
    driver = Driver([PortMissing("no port") for _ in range(9)])
    with pytest.raises(asyncio.CancelledError):
        await supervised(driver).run()
    assert driver.slept[:3] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S]
    assert driver.slept[-1] == LONGEST_DELAY_S


async def test_an_adapter_is_looked_for_every_two_seconds_however_long_it_is_away() -> None:
    """Plugged in again after an hour it is read within seconds, not after half a minute."""
    driver = Driver([PortMissing("no port") for _ in range(2_000)])
    one = Supervised("linky", driver.run, now_s=lambda: driver.now_s, sleep=driver.sleep, longest_delay_s=PLUGGED_S)
    with pytest.raises(asyncio.CancelledError):
        await one.run()
    assert max(driver.slept) <= PLUGGED_S


async def test_a_driver_that_ran_steadily_starts_again_soon() -> None:
    """Back-off is for what keeps failing, not for what failed yesterday."""
    driver = Driver([PortMissing("no port") for _ in range(5)], lasts_s=STEADY_S + 1)
    with pytest.raises(asyncio.CancelledError):
        await supervised(driver).run()
    assert driver.slept == [FIRST_DELAY_S] * 5


async def test_a_bug_goes_through() -> None:
    """What is no DriverError is never swallowed."""
    driver = Driver([ZeroDivisionError("a bug")])
    with pytest.raises(ZeroDivisionError):
        await supervised(driver).run()


async def test_a_driver_that_ends_by_itself_is_a_bug() -> None:
    """A driver runs until it is cancelled."""
    with pytest.raises(RuntimeError, match="ended by itself"):
        await supervised(Driver([None])).run()


async def test_the_same_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """An unplugged adapter does not fill the log; a new cause is said."""
    driver = Driver([PortMissing("no port"), PortMissing("no port"), PortMissing("not permitted")])
    one = supervised(driver)
    with pytest.raises(asyncio.CancelledError):
        await one.run()
    assert [record.message for record in caplog.records] == ["meter: no port", "meter: not permitted"]
    assert one.failure == "not permitted"
    one.reads_again()
    assert one.failure is None
