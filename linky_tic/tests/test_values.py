"""What values hold: the norm's table, horodates, registers, calendars, overruns, plausibility."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from linky_tic import horodate as horodate_module
from linky_tic.decoder import Decoder, Frame
from linky_tic.errors import HorodateError, StatusError, UnknownLabelError
from linky_tic.group import Group
from linky_tic.horodate import parse_horodate
from linky_tic.label import Mode
from linky_tic.labels import HISTORIQUE, LONGEST_GROUP, LONGEST_LABEL, STANDARD, label_of
from linky_tic.overrun import OverrunWatch
from linky_tic.status import Breaker, Colour, Contact, Euridis, PowerLine, parse_calendar, parse_relays, parse_status
from linky_tic.tests.encoder import Item, MeterState, encode_frame, encode_group, items_of, short_items


def test_the_table_is_the_norms() -> None:
    """The standard table has the norm's 71 labels: 24 with a horodate, 10 of producers, 15 of three-phase meters."""
    names = [label.name for label in STANDARD]
    assert (len(names), len(set(names))) == (71, 71)
    assert sum(label.stamped for label in STANDARD) == 24
    assert sum(label.producer for label in STANDARD) == 10
    assert sum(label.three_phase for label in STANDARD) == 15
    assert max(map(len, names)) == LONGEST_LABEL
    assert [label.name for label in STANDARD if label.personal] == ["ADSC", "PRM"]
    assert label_of(Mode.HISTORIQUE, "ADCO").personal
    assert len({label.name for label in HISTORIQUE}) == len(HISTORIQUE)
    assert not {label.name for label in HISTORIQUE} & set(names)


def test_the_longest_group_fits() -> None:
    """PJOURF+1 is the longest group of the norm, 111 bytes from LF to CR."""
    longest = encode_group(Mode.STANDARD, Item("PJOURF+1", " ".join(["NONUTILE"] * 11)))
    assert len(longest) == LONGEST_GROUP
    (group,) = Decoder().feed(longest)
    assert isinstance(group, Group)
    assert group.valid


def test_an_unknown_label_is_said_to_be_unknown() -> None:
    """Looking up a label of the other mode tells which label and which mode."""
    with pytest.raises(UnknownLabelError, match=r"'BASE'.*standard"):
        label_of(Mode.STANDARD, "BASE")


def test_numbers_are_read_in_the_norms_base() -> None:
    """A group's number is decimal, or hexadecimal where the norm says so, and None for a text."""
    assert Group("SINSTS", "01407", mode=Mode.STANDARD).number == 1407
    assert Group("STGE", "003A0001", mode=Mode.STANDARD).number == 0x3A0001
    assert Group("PTEC", "HP..", mode=Mode.HISTORIQUE).number is None
    assert Group("SINSTS", None, valid=False, mode=Mode.STANDARD).number is None


@pytest.mark.parametrize(
    ("text", "utc", "degraded"),
    [
        ("H250115120000", datetime(2025, 1, 15, 11, tzinfo=UTC), False),
        ("E250715120000", datetime(2025, 7, 15, 10, tzinfo=UTC), False),
        ("E251026023000", datetime(2025, 10, 26, 0, 30, tzinfo=UTC), False),
        ("H251026023000", datetime(2025, 10, 26, 1, 30, tzinfo=UTC), False),
        ("e251026023000", datetime(2025, 10, 26, 0, 30, tzinfo=UTC), True),
        ("h250101000000", datetime(2024, 12, 31, 23, tzinfo=UTC), True),
    ],
)
def test_the_season_places_a_horodate(text: str, utc: datetime, *, degraded: bool) -> None:
    """H is UTC+1 and E is UTC+2, also in the hour that comes twice; small letters say that the clock is in doubt."""
    read = parse_horodate(text)
    assert read is not None
    assert (read.utc(), read.degraded, read.ambiguous) == (utc, degraded, False)


def _without_time_zones() -> bool:
    try:
        ZoneInfo("Europe/Paris")
    except ZoneInfoNotFoundError:
        return True
    return False


@pytest.mark.skipif(_without_time_zones(), reason="this machine has no time zone database (Debian: tzdata)")
@pytest.mark.parametrize(
    ("text", "utc", "ambiguous"),
    [
        (" 250115120000", datetime(2025, 1, 15, 11, tzinfo=UTC), False),
        (" 250715120000", datetime(2025, 7, 15, 10, tzinfo=UTC), False),
        (" 251026023000", datetime(2025, 10, 26, 0, 30, tzinfo=UTC), True),
        (" 250330023000", None, False),
    ],
)
def test_without_a_season_it_is_legal_time(text: str, utc: datetime | None, *, ambiguous: bool) -> None:
    """A SPACE season is legal time in France: ambiguous in autumn, unknown where spring skips it."""
    read = parse_horodate(text)
    assert read is not None
    assert (read.utc(), read.ambiguous) == (utc, ambiguous)


def test_an_unknown_moment_is_said_to_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros are no time at all, and without a time zone database a horodate without season has no UTC."""

    def missing(_key: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError

    monkeypatch.setattr(horodate_module, "ZoneInfo", missing)
    read = parse_horodate(" 250115120000")
    assert read is not None
    assert (read.utc(), read.ambiguous) == (None, False)
    assert parse_horodate("H000000000000") is None


@pytest.mark.parametrize(
    "text", ["", "H25011512000", "X250115120000", "H250231000000", "H2501151200000", "H25011512000x"]
)
def test_a_wrong_horodate_is_refused(text: str) -> None:
    """What is not SAAMMJJhhmmss, or no date, is refused with the text."""
    with pytest.raises(HorodateError):
        parse_horodate(text)


def test_stge_of_a_real_tempo_day() -> None:
    """The published register 9B3A9000 reads as the rest of its frame says."""
    status = parse_status("9B3A9000")
    assert not any((status.contact_open, status.cover_open, status.overvoltage, status.overrun, status.producer))
    assert (status.breaker, status.active_energy_negative) == (Breaker.CLOSED, False)
    assert (status.supplier_index, status.distributor_index) == (5, 3)
    assert (status.clock_degraded, status.standard_mode) == (False, True)
    assert (status.euridis, status.power_line) == (Euridis.ON_SECURED, PowerLine.NEW_LOCKED)
    assert (status.colour_today, status.colour_tomorrow) == (Colour.RED, Colour.WHITE)
    assert (status.peak_notice, status.peak_running, status.power_line_synchronised) == (1, 2, False)


def test_stge_of_a_real_producer() -> None:
    """The published register 013AC501 is an open contact, a producer, supplier's index 2, a blue day."""
    status = parse_status("013AC501")
    assert (status.contact_open, status.producer, status.supplier_index) == (True, True, 2)
    assert (status.distributor_index, status.colour_today, status.colour_tomorrow) == (4, Colour.BLUE, Colour.NONE)


def test_each_bit_of_stge_means_one_thing() -> None:
    """Each of the 29 bits that the norm gives a meaning changes the status, and only bits 5 and 18 do not."""
    resting = parse_status("00000000")
    silent = [bit for bit in range(32) if parse_status(f"{1 << bit:08X}") == resting]
    assert silent == [5, 18]
    assert parse_status("00000080").overrun
    assert parse_status("0000000E").breaker is None


@pytest.mark.parametrize("text", ["", "9B3A900", "9b3a9000", "9B3A90000", "9B3A900G"])
def test_a_wrong_register_is_refused(text: str) -> None:
    """STGE is 8 capital hexadecimal digits and nothing else."""
    with pytest.raises(StatusError, match="STGE"):
        parse_status(text)


def test_relays_are_counted_from_the_real_one() -> None:
    """RELAIS 001 closes the real contact alone; above 255 it is refused."""
    assert parse_relays("001") == (True, *[False] * 7)
    assert parse_relays("130") == (False, True, False, False, False, False, False, True)
    for wrong in ("256", "1", "00A"):
        with pytest.raises(StatusError, match="RELAIS"):
            parse_relays(wrong)


def test_the_calendar_of_tomorrow() -> None:
    """Blocks HHMMSSSS give start, contacts and index; NONUTILE ones are left out."""
    used = parse_calendar(" ".join(["00008001", "0600C012", "22004000", *["NONUTILE"] * 8]))
    assert [slot.start for slot in used] == ["0000", "0600", "2200"]
    assert [slot.contact for slot in used] == [Contact.OPEN, Contact.CLOSED, Contact.AS_TEMPO]
    assert [slot.supplier_index for slot in used] == [1, 2, None]
    assert used[1].virtual == (True, *[False] * 6)
    assert parse_calendar(" ".join(["0A008002"] + ["NONUTILE"] * 10))[0].start == "0A00"


@pytest.mark.parametrize(
    "text", ["", "00008001", " ".join(["NONUTILE"] * 10), " ".join(["0000800"] + ["NONUTILE"] * 10)]
)
def test_a_wrong_calendar_is_refused(text: str) -> None:
    """A calendar has 11 blocks, each of the norm's shape."""
    with pytest.raises(StatusError, match="calendar"):
        parse_calendar(text)


def _follow(watch: OverrunWatch, data: bytes) -> list[bool]:
    """Feed a stream; give what the watch says after each frame."""
    told = []
    decoder = Decoder()
    for event in decoder.feed(data) + decoder.flush():
        if isinstance(event, Frame):
            watch.frame(event)
            told.append(watch.overrun)
        else:
            watch.group(event)
    return told


@pytest.mark.parametrize("mode", [Mode.HISTORIQUE, Mode.STANDARD])
def test_an_overrun_ends_with_the_first_frame_that_does_not_tell_it(mode: Mode) -> None:
    """ADPS or STGE bit 7 tells an overrun in the frame that has it, and it is over in the next one without."""
    frames = [
        encode_frame(mode, items_of(mode, MeterState(overrun=over))) for over in (False, True, True, False, False)
    ]
    assert _follow(OverrunWatch(), b"".join(frames)) == [False, True, True, False, False]


@pytest.mark.parametrize("mode", [Mode.JAUNE, Mode.EMERAUDE, Mode.PME_PMI])
def test_an_overrun_does_not_outlive_its_meter(mode: Mode) -> None:
    """A whole frame of an older meter, on a line that a Linky in overrun had, ends what that one told."""
    linky = encode_frame(Mode.STANDARD, items_of(Mode.STANDARD, MeterState(overrun=True)))
    older = encode_frame(mode, items_of(mode, MeterState()))
    assert _follow(OverrunWatch(), linky + older) == [True, False]


def test_an_overrun_is_told_before_its_frame_ends() -> None:
    """The group alone is enough: nobody waits for the end of a frame of two seconds."""
    watch = OverrunWatch()
    (group,) = Decoder().feed(encode_group(Mode.HISTORIQUE, Item("ADPS", "046")))
    assert isinstance(group, Group)
    watch.group(group)
    assert watch.overrun


def test_the_long_frame_between_short_ones_ends_nothing() -> None:
    """A three-phase overrun lasts over the long frame that interrupts its short ones, and ends after it."""
    state = MeterState(power_va=(9_000, 0, 0), voltage_v=(230,) * 3, highest_va=(0,) * 3)
    calm = MeterState(power_va=(0, 0, 0), voltage_v=(230,) * 3, highest_va=(0,) * 3)
    over, after = (encode_frame(Mode.HISTORIQUE, short_items(each)) for each in (state, calm))
    long = encode_frame(Mode.HISTORIQUE, items_of(Mode.HISTORIQUE, state))
    assert _follow(OverrunWatch(), over + long + over + after) == [True, True, True, False]
    assert _follow(OverrunWatch(), over + long + long) == [True, True, False]


def test_a_damaged_frame_does_not_end_an_overrun_at_once() -> None:
    """A frame whose ADPS was lost to noise does not end an overrun; a third one does."""
    told = encode_frame(Mode.HISTORIQUE, items_of(Mode.HISTORIQUE, MeterState(overrun=True)))
    lost = told.replace(b"ADPS", b"ADQS")
    assert _follow(OverrunWatch(), told + lost + told + lost + lost + lost) == [True] * 5 + [False]
