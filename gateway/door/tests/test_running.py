"""Days become files: what is over is made, what grew is made again, what cannot be sealed or pushed is held."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.load import load
from config.site import Site
from gateway.door import running
from gateway.door.errors import DoorError
from gateway.door.making import Maker
from gateway.door.running import Door
from gateway.door.spool import Waiting, folder
from gateway.door.tests.files import NOW, made, recipient
from gateway.export.tests.kept_outbox import INDEX, OTHER_BOOT, POWER, Filled, Read
from gateway.outgoing.consents import MARK, Change, Consents

PARIS = ZoneInfo("Europe/Paris")
MINUTE = 60_000
MIDNIGHT = int(dt.datetime(2026, 11, 24, tzinfo=PARIS).timestamp() * 1000)
DAY_MINUTES = 24 * 60


def ticks(minutes: Sequence[int]) -> list[list[Read]]:
    """A power and an index at each of some minutes after MIDNIGHT."""
    return [[Read(POWER, each, each * MINUTE), Read(INDEX, 5_000 + each, each * MINUTE)] for each in minutes]


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    """An outbox whose boot began at MIDNIGHT."""
    outbox = Filled(tmp_path / "outbox.db", (POWER, INDEX))
    outbox.clock(utc_ms=MIDNIGHT)
    yield outbox
    outbox.close()


def fill(filled: Filled, first: int, last: int, *, stream: str = "minute") -> None:
    """Seal hours, numbered from MIDNIGHT, as an agent without a link does."""
    for hour in range(first, last):
        sealed = MIDNIGHT + (hour + 1) * 60 * MINUTE
        filled.seal(stream, ticks(range(hour * 60, hour * 60 + 60)), utc_ms=sealed)


def maker(tmp_path: Path, *, purpose: str | None = None) -> Maker:
    """A maker of the minute tier."""
    return Maker(tmp_path / "outbox.db", PARIS, "minute", purpose)


def test_a_day_is_made_once_it_is_over(tmp_path: Path, filled: Filled) -> None:
    """Nothing of the day that runs; the day before is there, whole, and says that it is complete."""
    fill(filled, 0, 24)
    assert maker(tmp_path).days(31) == []
    fill(filled, 24, 25)
    assert maker(tmp_path).days(31) == [date(2026, 11, 24)]
    csv = maker(tmp_path).make(date(2026, 11, 24))
    assert (csv.rows, csv.gaps, csv.complete) == (2 * DAY_MINUTES, 0, True)
    lines = csv.lines.decode().splitlines()
    assert lines[1] == "2026-11-24T00:00:00.000+01:00;main.east;5.000;kWh;ok;trusted"
    assert lines[-1].startswith("2026-11-24T23:59:00.000+01:00;main.power;1439;W;")


def test_a_day_with_a_hole_says_so(tmp_path: Path, filled: Filled) -> None:
    """The box was off: gap rows, and complete, for no segment is missing. One that is missing: not complete."""
    fill(filled, 0, 10)
    fill(filled, 14, 25)
    csv = maker(tmp_path).make(date(2026, 11, 24))
    assert (csv.gaps, csv.complete) == (2, True)
    filled.outbox.received(filled.outbox.epoch, "minute", 5)
    filled.outbox.expire(MIDNIGHT + 4 * 60 * MINUTE)
    assert not maker(tmp_path).make(date(2026, 11, 24)).complete


def test_times_that_may_move_are_not_complete(tmp_path: Path) -> None:
    """Placed by a meter's clock alone, or not at all, a day is made again later."""
    outbox = Filled(tmp_path / "outbox.db", (POWER, INDEX))
    outbox.clock(utc_ms=MIDNIGHT, source="meter")
    fill(outbox, 0, 25)
    outbox.close()
    assert not maker(tmp_path).make(date(2026, 11, 24)).complete


def test_an_unplaced_boot_is_awaited(tmp_path: Path, filled: Filled) -> None:
    """What a boot without a clock read may be of that day: its file says "no", and is made again once it is known."""
    fill(filled, 0, 24)
    filled.seal("minute", ticks([0, 1]), boot=OTHER_BOOT)
    fill(filled, 25, 26)
    csv = maker(tmp_path).make(date(2026, 11, 24))
    assert not csv.complete
    filled.clock(utc_ms=MIDNIGHT + DAY_MINUTES * MINUTE, boot=OTHER_BOOT)
    assert maker(tmp_path).make(date(2026, 11, 24)).complete


def test_a_dwelling_needs_its_own_consent(tmp_path: Path, filled: Filled) -> None:
    """No other purpose's stream is in the file, none whose consent has ended or is to another tier, none by itself."""
    fill(filled, 0, 25)
    fill(filled, 0, 25, stream="minute.apt-1.advice")
    fill(filled, 0, 25, stream="minute.apt-2.research")
    day = date(2026, 11, 24)
    consents = Consents()
    for tiers, rows in ((None, 2), (("minute",), 4), (("index",), 2), ((), 2)):
        if tiers is not None:
            said = Change("apt-1", "advice", given=bool(tiers), who="x", reason="x", utc_ms=None, tiers=tiers)
            consents = consents.changed(said)
            filled.outbox.commit([], {MARK: consents.write()})
        assert maker(tmp_path).make(day).rows == 2 * DAY_MINUTES
        assert maker(tmp_path, purpose="advice").make(day).rows == rows * DAY_MINUTES


@pytest.mark.parametrize(("first", "hours"), [(date(2026, 10, 25), 25), (date(2026, 3, 29), 23)])
def test_days_of_other_lengths(tmp_path: Path, first: date, hours: int) -> None:
    """A day in which the clock changes has its own length."""
    begins = int(dt.datetime.combine(first, dt.time(), PARIS).timestamp() * 1000)
    outbox = Filled(tmp_path / "outbox.db", (POWER, INDEX))
    outbox.clock(utc_ms=begins)
    for hour in range(26):
        outbox.seal("minute", ticks(range(hour * 60, hour * 60 + 60)), utc_ms=begins + (hour + 1) * 60 * MINUTE)
    outbox.close()
    csv = maker(tmp_path).make(first)
    assert (csv.rows, csv.gaps, csv.complete) == (2 * 60 * hours, 0, True)


def site_with_door(tmp_path: Path) -> Site:
    """A site whose door's files stand in `tmp_path`."""
    (tmp_path / "site.toml").write_text(
        f"""
        [gateway]
        id = "gw-test"
        name = "Test"
        [storage]
        directory = "{tmp_path}"
        [broker]
        host = "b"
        ca_file = "x"
        certificate_file = "x"
        key_file = "x"
        [signing]
        key_file = "x"
        [centre]
        keys_file = "x"
        [control]
        socket = "s"
        [door]
        host = "127.0.0.1"
        port = 9
        user = "u"
        known_hosts_file = "known_hosts"
        ssh_key_file = "door_ssh.key"
        signing_key_file = "door_sign.key"
        certificate_file = "door_sign.pem"
        recipient_file = "recipient.pem"
        hold_days = 3
        """
    )
    return load(tmp_path / "site.toml")


def test_what_was_told_is_not_told_again(tmp_path: Path, filled: Filled) -> None:
    """A complete day is made once; without the recipient's certificate nothing is made, and all that lacks is said."""
    fill(filled, 0, 25)
    door = Door(site_with_door(tmp_path), PARIS, utc=lambda: NOW)
    with pytest.raises(DoorError, match=r"door_sign\.key"):
        door.make()
    made(tmp_path)
    recipient(tmp_path)
    assert (door.make(), door.make()) == (1, 0)
    assert [each.path.parent for each in door.spool.waiting()] == [folder(tmp_path)]
    fill(filled, 25, 5 * 24 + 1)
    assert door.make() == 3
    assert sorted(door.spool.days) == [date(2026, 11, 26), date(2026, 11, 27), date(2026, 11, 28)]


async def test_what_was_made_goes_where_no_more_can_be(
    tmp_path: Path, filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipient's certificate has ended, or the disk is full: files that wait are pushed, then it is said."""
    fill(filled, 0, 25)
    made(tmp_path)
    recipient(tmp_path, ends=NOW + dt.timedelta(days=1))
    site = site_with_door(tmp_path)
    assert Door(site, PARIS, utc=lambda: NOW).make() == 1
    fill(filled, 25, 49)
    pushed: list[str] = []

    async def push(_: object, files: Sequence[Waiting], arrived: Callable[[Waiting], None]) -> None:
        for each in files:
            pushed.append(each.path.name)
            arrived(each)

    monkeypatch.setattr(running, "push", push)
    with pytest.raises(DoorError, match="it ended on"):
        await Door(site, PARIS, utc=lambda: NOW + dt.timedelta(days=2)).turn()
    assert pushed == ["gw-test_2026-11-24_r1.csv.p7m"]


def test_without_a_door_there_is_none(tmp_path: Path) -> None:
    """A site without [door] is told where to read of it."""
    site = site_with_door(tmp_path).model_copy(update={"door": None})
    with pytest.raises(DoorError, match=r"no \[door\]"):
        Door(site, PARIS, utc=lambda: NOW)
