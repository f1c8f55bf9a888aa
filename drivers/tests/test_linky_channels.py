"""What each label measures, in which unit, and the exact integer or text that a group of it gives."""

from collections.abc import Iterable

import pytest

from config.channel import Channel, Quantity
from drivers.linky_channels import Pace, Point, Value, channels_of, modes_of, points_of
from linky_tic.decoder import Decoder
from linky_tic.group import Group
from linky_tic.label import Mode
from linky_tic.labels import BY_MODE
from linky_tic.tests.encoder import MeterState, encode_frame, items_of

SETTINGS = ("auto", *(mode.value for mode in Mode))
ALL = points_of("m", Mode)
Q = Quantity


def of(mode: Mode, label: str) -> Point:
    """Give the one Point of a label."""
    (point,) = ALL[mode, label]
    return point


def told(mode: Mode, label: str, value: str, horodate: str | None = None) -> dict[str, tuple[Value, str, int]]:
    """Give what a group gives: the value, the unit and the exponent, by channel."""
    group = Group(label, value, horodate, mode=mode)
    return {
        point.channel.name: (read, point.channel.unit, point.channel.exponent)
        for point in ALL[mode, label]
        if (read := point.read(group)) is not None
    }


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_label_that_is_a_value_has_a_channel(setting: str) -> None:
    """In a stable order, but for the meter's names and its clock; each name is one Channel, of the device."""
    points = points_of("m", modes_of(setting))
    clocks = {"DATE", "DATECOUR"}
    wanted = [
        (mode, label.name)
        for mode in modes_of(setting)
        for label in BY_MODE[mode].values()
        if not label.personal and label.name not in clocks
    ]
    assert list(points) == wanted
    assert all(points.values())
    named: dict[str, Channel] = {}
    for point in (point for each in points.values() for point in each):
        assert named.setdefault(point.channel.name, point.channel) == point.channel
    assert channels_of(points) == tuple(named.values())
    assert {channel.device for channel in named.values()} == {"m"}


def test_a_device_has_the_channels_of_its_family_alone() -> None:
    """A Linky does not carry the 137 channels of an ICE in its schema: "auto" is its own two modes."""
    counts = {setting: len(channels_of(points_of("m", modes_of(setting)))) for setting in SETTINGS}
    assert counts == {"auto": 103, "standard": 68, "historique": 35, "jaune": 33, "emeraude": 137, "pme-pmi": 76}


@pytest.mark.parametrize(
    ("mode", "label", "expected"),
    [
        (Mode.STANDARD, "EAST", (Q.ACTIVE_ENERGY_IMPORT, "Wh", 0, "1-0:1.8.0", None)),
        (Mode.STANDARD, "EASF10", (Q.ACTIVE_ENERGY_IMPORT, "Wh", 0, "1-0:1.8.10", None)),
        (Mode.STANDARD, "ERQ4", (Q.REACTIVE_ENERGY, "varh", 0, "1-0:8.8.0", None)),
        (Mode.STANDARD, "IRMS3", (Q.CURRENT, "A", 0, "1-0:71.7.0", 3)),
        (Mode.STANDARD, "SINSTS2", (Q.APPARENT_POWER_IMPORT, "VA", 0, "1-0:49.7.0", 2)),
        (Mode.STANDARD, "SMAXSN1-1", (Q.APPARENT_POWER_IMPORT, "VA", 0, None, 1)),
        (Mode.STANDARD, "PREF", (Q.SUBSCRIBED_POWER, "VA", 3, None, None)),
        (Mode.STANDARD, "CCAIN", (Q.ACTIVE_POWER_EXPORT, "W", 0, "1-0:2.5.0", None)),
        (Mode.HISTORIQUE, "BBRHPJR", (Q.ACTIVE_ENERGY_IMPORT, "Wh", 0, "1-0:1.8.6", None)),
        (Mode.HISTORIQUE, "GAZ", (Q.GAS_VOLUME, "m3", -2, None, None)),
        (Mode.PME_PMI, "EA_s", (Q.ACTIVE_ENERGY_IMPORT, "Wh", 0, None, None)),
        (Mode.PME_PMI, "EA_i", (Q.ACTIVE_ENERGY_EXPORT, "Wh", 0, None, None)),
        (Mode.PME_PMI, "EAP_s", (Q.ACTIVE_ENERGY_IMPORT, "Wh", 3, None, None)),
        (Mode.PME_PMI, "EAPP_s", (Q.APPARENT_ENERGY, "VAh", 0, None, None)),
        (Mode.PME_PMI, "ER-P-1_i", (Q.REACTIVE_ENERGY, "varh", 3, None, None)),
        (Mode.PME_PMI, "PA1MN", (Q.ACTIVE_POWER_IMPORT, "W", 3, "1-0:1.4.0", None)),
        (Mode.PME_PMI, "PA6_i", (Q.ACTIVE_POWER_EXPORT, "W", 3, None, None)),
        (Mode.PME_PMI, "TGPHI_s", (Q.RATIO, "", -2, None, None)),
        (Mode.EMERAUDE, "EApHPH", (Q.ACTIVE_ENERGY_IMPORT, "Wh", 0, None, None)),
        (Mode.EMERAUDE, "PSHPE", (Q.SUBSCRIBED_POWER, "W", 3, None, None)),
        (Mode.EMERAUDE, "PREA1MN", (Q.REACTIVE_POWER, "var", 3, None, None)),
        (Mode.EMERAUDE, "U10MN", (Q.VOLTAGE, "V", 0, "1-0:12.5.0", None)),
        (Mode.EMERAUDE, "KDC", (Q.RATIO, "%", 0, None, None)),
    ],
)
def test_what_a_label_measures(
    mode: Mode, label: str, expected: tuple[Quantity, str, int, str | None, int | None]
) -> None:
    """A label's channel has its quantity, unit, exponent, code and phase."""
    channel = of(mode, label).channel
    assert (channel.quantity, channel.unit, channel.exponent, channel.obis, channel.phase) == expected


@pytest.mark.parametrize(
    ("mode", "label", "quantity"),
    [
        (Mode.STANDARD, "LTARF", Q.TARIFF),
        (Mode.STANDARD, "NTARF", Q.TARIFF),
        (Mode.STANDARD, "STGE", Q.STATUS),
        (Mode.STANDARD, "RELAIS", Q.STATUS),
        (Mode.HISTORIQUE, "PTEC", Q.TARIFF),
        (Mode.HISTORIQUE, "DEMAIN", Q.CALENDAR),
        (Mode.PME_PMI, "PTCOUR1", Q.TARIFF),
        (Mode.PME_PMI, "PREAVIS", Q.STATUS),
        (Mode.PME_PMI, "FinP-1_2", Q.CALENDAR),
        (Mode.PME_PMI, "MODE", Q.STATUS),
        (Mode.EMERAUDE, "CONTRAT", Q.TARIFF),
        (Mode.EMERAUDE, "DEBUTp", Q.CALENDAR),
        (Mode.EMERAUDE, "CAFp", Q.STATUS),
    ],
)
def test_events_have_a_quantity_of_their_own(mode: Mode, label: str, quantity: Quantity) -> None:
    """Tariffs, colours, relays and status words are events: given when they change."""
    point = of(mode, label)
    assert (point.channel.quantity, point.pace) == (quantity, Pace.CHANGE)


def test_what_is_given_with_each_frame() -> None:
    """What changes all the time: currents, voltages and powers of now, an overrun while it lasts."""
    always = {point.label.name for each in ALL.values() for point in each if point.pace is Pace.FRAME}
    phases = [f"{name}{phase}" for name in ("IRMS", "URMS", "SINSTS", "IINST", "ADIR") for phase in (1, 2, 3)]
    assert always == {*phases, "SINSTS", "SINSTI", "IINST", "PAPP", "ADPS", "PA1MN", "PREA1MN"}


@pytest.mark.parametrize(
    ("mode", "label", "value", "expected"),
    [
        (Mode.STANDARD, "STGE", "003A0001", {"m.stge": (0x3A0001, "", 0)}),
        (Mode.STANDARD, "RELAIS", "129", {"m.relais": (129, "", 0)}),
        (Mode.STANDARD, "LTARF", "    HC  BLEU    ", {"m.ltarf": ("    HC  BLEU    ", "", 0)}),
        (Mode.STANDARD, "SMAXSN1_1", "01234", {"m.smaxsn1-1": (1234, "VA", 0)}),
        (Mode.HISTORIQUE, "PTEC", "HP..", {"m.ptec": ("HP..", "", 0)}),
        (Mode.PME_PMI, "EAP_s", "98765kWh", {"m.eap_s": (98765, "Wh", 3)}),
        (Mode.PME_PMI, "EaP-1_s", "7kWh", {"m.eap-1_s": (7, "Wh", 3)}),
        (Mode.PME_PMI, "EAP-1_s", "7kWh", {"m.eap-1_s": (7, "Wh", 3)}),
        (Mode.PME_PMI, "EA_s", "1234Wh", {"m.ea_s": (1234, "Wh", 0)}),
        (Mode.PME_PMI, "PS", "36kVA", {"m.ps": (36, "VA", 3)}),
        (Mode.PME_PMI, "PS", "36 kW", {"m.ps_kw": (36, "W", 3)}),
        (Mode.PME_PMI, "PMAX_i", "5kW", {"m.pmax_i_kw": (5, "W", 3)}),
        (Mode.PME_PMI, "TGPHI_s", "-2.83", {"m.tgphi_s": (-283, "", -2)}),
        (Mode.EMERAUDE, "EA", "12345Wh", {"m.ea": (12_345, "Wh", 0)}),
        (Mode.EMERAUDE, "EApHPH", "123kWh", {"m.eaphph": (123_000, "Wh", 0)}),
        (Mode.EMERAUDE, "PREA1MN", "-12kvar", {"m.prea1mn": (-12, "var", 3)}),
        (
            Mode.JAUNE,
            "JAUNE",
            "10:20:30:11:HP:D :00042:01",
            {
                "m.jaune_pt": ("HP", "", 0),
                "m.jaune_dp": ("D ", "", 0),
                "m.jaune_abcde": (42, "", 0),
                "m.jaune_kp": (1, "", 0),
            },
        ),
        (
            Mode.JAUNE,
            "PSOUSC",
            "00036:00042:00042:00060",
            {f"m.psousc_{n + 1}": (v, "", 0) for n, v in enumerate((36, 42, 42, 60))},
        ),
    ],
)
def test_values_are_exact(mode: Mode, label: str, value: str, expected: dict[str, tuple[Value, str, int]]) -> None:
    """Registers are numbers, tariffs texts as sent; kWh and Wh keep their exponents; a unit chooses its channel."""
    assert told(mode, label, value) == expected


def test_what_was_yesterday_has_no_code_of_today() -> None:
    """PMAX is the highest of yesterday, as SMAXSN-1 is: the code of SMAXSN is that of the day that runs."""
    assert of(Mode.STANDARD, "SMAXSN").channel.obis == "1-0:9.6.0"
    assert of(Mode.STANDARD, "SMAXSN-1").channel.obis is None
    assert of(Mode.HISTORIQUE, "PMAX").channel.obis is None


def test_the_edge_of_a_mobile_peak_is_a_moment() -> None:
    """DPM1 is told as its horodate and its number, as sent."""
    assert told(Mode.STANDARD, "DPM1", "01", " 250115060000") == {"m.dpm1": (" 250115060000 01", "", 0)}


def _valid(mode: Mode) -> Iterable[Group]:
    frame = encode_frame(mode, items_of(mode, MeterState(power_va=(2_345,), producer=True)))
    return (event for event in Decoder(mode).feed(frame) if isinstance(event, Group))


@pytest.mark.parametrize("mode", Mode)
def test_every_group_of_a_frame_gives_what_its_channels_are(mode: Mode) -> None:
    """A text where the channel is one, else an integer; nothing of what names the meter, and nothing of its clock."""
    count = 0
    for group in _valid(mode):
        assert group.valid
        for point in ALL.get((mode, group.label), ()):
            value = point.read(group)
            if value is not None:
                count += 1
                assert isinstance(value, str) is point.channel.is_text
    assert count >= 9


def test_a_value_is_stale_after_two_of_the_longest_frames() -> None:
    """5 s in standard mode, 6 s in historique; what comes only now and then, and a text, never."""
    assert of(Mode.STANDARD, "SINSTS").stale_after_ms == 5_000
    assert of(Mode.HISTORIQUE, "PAPP").stale_after_ms == 6_000
    assert of(Mode.PME_PMI, "PA1MN").stale_after_ms == 34_000
    assert {of(Mode.HISTORIQUE, name).stale_after_ms for name in ("ADPS", "ADIR2", "PEJP", "PTEC")} == {None}
