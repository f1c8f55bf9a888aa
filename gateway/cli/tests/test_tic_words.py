"""What people are told of a group: its value, and what registers, calendars, stamps and tariffs hold."""

import pytest

from gateway.cli.tic.words import meaning, told, value
from linky_tic.decoder import Decoder
from linky_tic.group import Group
from linky_tic.label import Mode
from linky_tic.tests.captures import VALID, capture
from linky_tic.tests.encoder import Item, encode_group


def group_of(mode: Mode, label: str, text: str, horodate: str | None = None) -> Group:
    """Give the valid group of a label."""
    group, *_ = Decoder(mode).feed(encode_group(mode, Item(label, text, horodate)))
    assert isinstance(group, Group)
    assert group.valid
    return group


S, H, J, P = Mode.STANDARD, Mode.HISTORIQUE, Mode.JAUNE, Mode.PME_PMI


@pytest.mark.parametrize(
    ("mode", "label", "text", "words"),
    [
        (S, "SINSTS", "00501", "501 VA"),
        (S, "SINSTS", "00000", "0 VA"),
        (S, "STGE", "003A0001", "003A0001"),
        (S, "LTARF", "    HC  BLEU    ", "HC  BLEU"),
        (P, "TGPHI_s", "-0,05", "-0.05"),
        (P, "PS", "250kVA", "250 kVA"),
        (P, "PS", "250kW", "250 kW"),
        (P, "EAP_s", "1234kWh", "1234 kWh"),
    ],
)
def test_a_value_is_shown_as_people_read_it(mode: Mode, label: str, text: str, words: str) -> None:
    """A number has no leading zeros, its decimals and its unit; a text no padding."""
    assert value(group_of(mode, label, text)) == words


@pytest.mark.parametrize(
    ("mode", "label", "text", "words"),
    [
        (H, "PTEC", "HPJR", ("peak hours, RED day",)),
        (H, "PTEC", "TH..", ()),
        (H, "DEMAIN", "----", ("not told",)),
        (H, "OPTARIF", "BBR(", ("Tempo",)),
        (H, "PPOT", "04", ("absent: phase 2",)),
        (S, "RELAIS", "005", ("closed: 1 3",)),
        (S, "RELAIS", "000", ("all open",)),
        (S, "LTARF", "HEURE POINTE", ("MOBILE PEAK",)),
        (S, "NGTF", "BASE", ()),
        (J, "ENERG", "000001:000002:000003:000004:000005:000006", ("1, 2, 3, 4, 5, 6",)),
        (P, "DATE", "31/12/25 23:59:58", ("2025-12-31 23:59:58 in France",)),
        (P, "DATE", "00/00/00 00:00:00", ("no time",)),
    ],
)
def test_what_a_value_holds_is_told(mode: Mode, label: str, text: str, words: tuple[str, ...]) -> None:
    """Codes are words; what says no more than its text is not told twice."""
    assert told(group_of(mode, label, text)) == words


def test_the_status_register_is_told_bit_by_bit() -> None:
    """The norm's vector: red today, white tomorrow, a peak announced and one running, index 5 of the supplier."""
    words = told(group_of(S, "STGE", "9B3A9000"))
    assert "supplier's index 5, distributor's index 3" in words
    assert "Tempo: today RED, tomorrow white" in words
    assert "mobile peak 1 is announced" in words
    assert "mobile peak 2 RUNS" in words
    assert "within the subscribed power" in words
    assert "SUBSCRIBED POWER EXCEEDED" in told(group_of(S, "STGE", "003A0080"))
    assert "the distributor's cover is OPEN" in told(group_of(S, "STGE", "003A0050"))
    assert "OVERVOLTAGE on a phase" in told(group_of(S, "STGE", "003A0050"))


def test_a_calendar_is_told_slot_by_slot() -> None:
    """Each used slot is a line: from when, which index, what the contacts do; one without any says so."""
    unused = " NONUTILE" * 9
    assert told(group_of(S, "PJOURF+1", f"00008001 0630C032{unused}")) == (
        "from 00:00 index 1, contact opens",
        "from 06:30 index 2, contact closes, virtual contacts closed: 1 2",
    )
    assert told(group_of(S, "PPOINTE", f"NONUTILE NONUTILE{unused}")) == ("empty",)


@pytest.mark.parametrize(
    ("stamp", "words"),
    [
        ("H250115120000", "2025-01-15 12:00:00 winter time"),
        ("e250715120000", "2025-07-15 12:00:00 summer time, the meter doubts its clock"),
        ("E000000000000", "no time"),
    ],
)
def test_a_stamp_is_a_date_and_a_time(stamp: str, words: str) -> None:
    """Season and doubt are told."""
    assert told(group_of(S, "SMAXSN", "00501", stamp)) == (words,)


@pytest.mark.parametrize(
    ("stamp", "words"),
    [
        (" 250115060000", "2025-01-15 06:00:00 in France"),
        (" 251026023000", "2025-10-26 02:30:00 in France, one of two hours"),
    ],
)
def test_a_stamp_without_a_season_says_so(stamp: str, words: str) -> None:
    """The edge of a mobile peak has none: one hour a year it is ambiguous."""
    assert told(group_of(S, "DPM1", "01", stamp)) == (words,)


@pytest.mark.parametrize("name", VALID)
def test_all_that_real_meters_say_can_be_told(name: str) -> None:
    """No group of a capture is beyond words; a refused one says why."""
    for group in Decoder().feed(capture(name)):
        if isinstance(group, Group):
            assert all("is not" not in line for line in told(group))
            assert meaning(group)
            assert group.valid or meaning(group) == "refused: checksum"
