"""What the values of older meters and the words of tariffs hold."""

from datetime import UTC, datetime

import pytest

from linky_tic.errors import FieldsError, HorodateError, StatusError
from linky_tic.fields import (
    Fcou,
    Jaune,
    PeriodStart,
    parse_dynamic,
    parse_energies,
    parse_fcou,
    parse_four,
    parse_jaune,
    parse_period_start,
)
from linky_tic.group import Group
from linky_tic.horodate import parse_short_date
from linky_tic.label import Mode
from linky_tic.labels import BY_MODE, label_of
from linky_tic.status import Colour
from linky_tic.tariff import TariffPeriod, parse_demain, parse_ltarf, parse_ptec
from linky_tic.tests.encoder import MeterState, jaune_items


def test_the_fields_of_a_yellow_meter() -> None:
    """JAUNE, ENERG, PERCC and the others come apart into numbers and the letters between them."""
    assert parse_jaune("12:34:31:01:HPH:D:00123:07") == Jaune(12, 34, 31, 1, "HPH", "D", 123, 7)
    assert parse_energies("000001:000002:000003:000004:000005:999999") == (1, 2, 3, 4, 5, 999_999)
    assert parse_four("00001:00020:00300:99999") == (1, 20, 300, 99_999)
    assert parse_period_start("01:11:02:03") == PeriodStart(1, 11, 2, 3)
    assert parse_fcou("23:30:07") == Fcou(23, 30, 7)


def test_what_a_yellow_meter_sends_has_fields() -> None:
    """Each value that the encoder makes is read by the function of its label."""
    values = {item.label: item.value for item in jaune_items(MeterState(indexes_wh=range(1_000, 60_000, 9_000)))}
    assert parse_energies(values["ENERG"]) == (1, 10, 19, 28, 37, 46)
    assert parse_jaune(values["JAUNE"]).hour == 12
    assert parse_four(values["PSOUSP"])[3] == 99_999
    assert parse_period_start(values["PERCP"]).month == 11
    assert parse_fcou(values["FCOU"]).dd == 7


@pytest.mark.parametrize(
    "text", ["", "1:2:3", "00001:00020:00300:9999", "00001:00020:00300:9999x", "00001:00020:00300"]
)
def test_wrong_fields_are_refused(text: str) -> None:
    """A value without the fields of its label is refused with its text."""
    for parse in (parse_jaune, parse_energies, parse_four, parse_period_start, parse_fcou):
        with pytest.raises(FieldsError, match="02E, CJE"):
            parse(text)


@pytest.mark.parametrize(
    ("text", "utc", "ambiguous"),
    [
        ("15/01/25 12:00:00", datetime(2025, 1, 15, 11, tzinfo=UTC), False),
        ("15/07/25 12/00/00", datetime(2025, 7, 15, 10, tzinfo=UTC), False),
        ("26/10/25 02:30:00", datetime(2025, 10, 26, 0, 30, tzinfo=UTC), True),
        ("30/03/25 02:30:00", None, False),
    ],
)
def test_a_date_without_season_is_legal_time(text: str, utc: datetime | None, *, ambiguous: bool) -> None:
    """JJ/MM/AA HH:MM:SS is legal time in France: ambiguous in autumn, unknown where spring skips it."""
    read = parse_short_date(text)
    assert read is not None
    assert (read.season, read.degraded) == (" ", False)
    assert (read.utc(), read.ambiguous) == (utc, ambiguous)


def test_a_date_may_be_missing_or_wrong() -> None:
    """Zeros are no date; a text that is none is refused."""
    assert parse_short_date("00/00/00 00:00:00") is None
    for wrong in ("", "15/01/2025 12:00:00", "32/01/25 12:00:00", "15/01/25 12:00/00", "15/01/25 24:00:00"):
        with pytest.raises(HorodateError):
            parse_short_date(wrong)


def test_the_dynamic_tariff_has_a_moment_and_a_period() -> None:
    """TDYN1FD and the like give when, and which tariff period."""
    moment, period = parse_dynamic("25/05/16 16:20:00-XXX")
    assert moment is not None
    assert (moment.local, period) == (datetime(2016, 5, 25, 16, 20), "XXX")  # noqa: DTZ001 - legal time has no zone


@pytest.mark.parametrize(
    ("mode", "label", "value", "number", "unit"),
    [
        (Mode.PME_PMI, "EA_s", "12345Wh", 12_345, "Wh"),
        (Mode.PME_PMI, "EaP-1_s", "12345kWh", 12_345, "kWh"),
        (Mode.PME_PMI, "ER-P_i", "7kvarh", 7, "kvarh"),
        (Mode.PME_PMI, "EAPP_s", "0VAh", 0, "VAh"),
        (Mode.PME_PMI, "PS", "250kW", 250, "kW"),
        (Mode.PME_PMI, "PS", "36kVA", 36, "kVA"),
        (Mode.PME_PMI, "PMAX_s", "15 kVA", 15, "kVA"),
        (Mode.PME_PMI, "TGPHI_s", "-2.83", -283, ""),
        (Mode.PME_PMI, "MESURES1", "BT 4 SUP36", None, ""),
        (Mode.EMERAUDE, "EA", "00123Wh", 123, "Wh"),
        (Mode.EMERAUDE, "EA", "0000123kWh", 123, "kWh"),
        (Mode.EMERAUDE, "PA1", "00123*kW", 123, "kW"),
        (Mode.EMERAUDE, "PREA1MN", "-12kvar", -12, "kvar"),
        (Mode.EMERAUDE, "TGPHI", "00000,12", 12, ""),
        (Mode.EMERAUDE, "TGPHI", "0,4", 40, ""),
        (Mode.EMERAUDE, "KDC", "100%", 100, "%"),
        (Mode.EMERAUDE, "CAFp", "00002", 2, ""),
        (Mode.JAUNE, "ENERG", "000001:000002:000003:000004:000005:000006", None, ""),
        (Mode.STANDARD, "SINSTS", "01407", 1_407, "VA"),
    ],
)
def test_a_number_is_read_with_its_unit(mode: Mode, label: str, value: str, number: int | None, unit: str) -> None:
    """A group's number is an integer and its unit the one that the meter wrote; hundredths are counted."""
    assert label_of(mode, label).grammar.pattern.fullmatch(value.encode())
    group = Group(label, value, mode=mode)
    assert (group.number, group.unit) == (number, unit)


def test_a_label_that_is_a_number_writes_one_in_its_own_unit() -> None:
    """Of each label whose value carries its unit, that unit makes a value, and its grammar reads it back."""
    for mode, table in BY_MODE.items():
        for label in table.values():
            if label.grammar.suffixed:
                group = Group(label.name, f"12{label.unit}", mode=mode)
                assert label.grammar.pattern.fullmatch(f"12{label.unit}".encode()), label
                assert (group.number, group.unit) == (12, label.unit)


def test_the_words_of_ptec_and_demain() -> None:
    """PTEC tells off-peak hours, mobile peaks and the Tempo colour, DEMAIN the colour of tomorrow."""
    assert parse_ptec("TH..") == TariffPeriod()
    assert parse_ptec("HC..") == TariffPeriod(off_peak=True)
    assert parse_ptec("HN..") == TariffPeriod(mobile_peak=False)
    assert parse_ptec("PM..") == TariffPeriod(mobile_peak=True)
    assert parse_ptec("HPJW") == TariffPeriod(off_peak=False, colour=Colour.WHITE)
    assert [parse_demain(text) for text in ("----", "BLEU", "BLAN", "ROUG")] == list(Colour)
    for wrong in ("HC", "ROUGE", ""):
        with pytest.raises(StatusError, match="PTEC"):
            parse_ptec(wrong)
        with pytest.raises(StatusError, match="DEMAIN"):
            parse_demain(wrong)


@pytest.mark.parametrize(
    "code", ["TH..", "HC..", "HP..", "HN..", "PM..", "HCJB", "HPJB", "HCJW", "HPJW", "HCJR", "HPJR"]
)
def test_every_ptec_that_the_table_allows_is_understood(code: str) -> None:
    """What the grammar of PTEC lets through, the reader of PTEC knows."""
    assert label_of(Mode.HISTORIQUE, "PTEC").grammar.pattern.fullmatch(code.encode())
    assert isinstance(parse_ptec(code), TariffPeriod)


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("    HC  BLEU    ", TariffPeriod(off_peak=True, colour=Colour.BLUE)),
        ("HP ROUGE", TariffPeriod(off_peak=False, colour=Colour.RED)),
        (" HEURE  CREUSE  ", TariffPeriod(off_peak=True)),
        ("HEURE NORMALE", TariffPeriod(mobile_peak=False)),
        ("POINTE MOBILE", TariffPeriod(mobile_peak=True)),
        ("      BASE      ", TariffPeriod()),
        ("INDEX NON CONSO", TariffPeriod()),
    ],
)
def test_the_usual_words_of_ltarf(text: str, period: TariffPeriod) -> None:
    """LTARF is the supplier's text: the usual words are understood, others say nothing."""
    assert parse_ltarf(text) == period
