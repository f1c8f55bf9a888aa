"""Real lines decode to what their manifest says."""

import re

import pytest

from linky_tic.decoder import Decoder, Event, Frame
from linky_tic.group import Group
from linky_tic.label import Mode
from linky_tic.tests.captures import NOISE, VALID, capture


def decode(data: bytes, mode: Mode | None = None) -> list[Event]:
    """Give every event of a whole stream."""
    decoder = Decoder(mode)
    return decoder.feed(data) + decoder.flush()


def groups_of(events: list[Event]) -> list[Group]:
    """Give the groups as they came."""
    return [event for event in events if isinstance(event, Group)]


@pytest.mark.parametrize("name", VALID)
def test_every_group_of_a_capture_is_found_and_judged(name: str) -> None:
    """Each capture gives exactly the groups and the valid groups of its manifest."""
    groups = groups_of(decode(capture(name)))
    assert (len(groups), sum(group.valid for group in groups)) == VALID[name]


@pytest.mark.parametrize("name", VALID)
def test_the_right_mode_loses_nothing_and_the_wrong_one_believes_nothing(name: str) -> None:
    """A decoder told the mode of a line gives what auto gives; told the other, it gives no value at all."""
    data = capture(name)
    right, wrong = (Mode.HISTORIQUE, Mode.STANDARD) if "historique" in name else (Mode.STANDARD, Mode.HISTORIQUE)
    assert decode(data, right) == decode(data)
    assert not any(group.valid or group.value is not None for group in groups_of(decode(data, wrong)))


def test_noise_keeps_the_good_neighbours_and_nothing_else() -> None:
    """Of logged noise, 5 groups after a real LF and 4 after a damaged one are valid; no damaged one shows a value."""
    groups = groups_of(decode(capture(NOISE)))
    valid = [group.label for group in groups if group.valid]
    assert valid == ["HCHP", "EASF03", "EASF04", "EASF04", "EASF05", "IRMS3", "URMS1", "NJOURF+1", "PJOURF+1"]
    assert all(group.value is None and group.horodate is None and group.reason for group in groups if not group.valid)


def test_eot_ends_a_frame_as_incomplete() -> None:
    """EOT cuts a frame in two, and neither part is complete."""
    frames = [event for event in decode(capture(NOISE)) if isinstance(event, Frame)]
    assert [(frame.mode, frame.complete) for frame in frames] == [(Mode.HISTORIQUE, False), (Mode.STANDARD, False)]


def test_implausible_powers_are_flagged_and_kept() -> None:
    """The three absurd SINSTSx of a real meter stay valid, and they alone are suspect, each with its reason."""
    events = decode(capture("linky-standard-tri-base-implausible-sinsts.tic"))
    (frame,) = (event for event in events if isinstance(event, Frame))
    suspect = {group.label: group for group in frame.groups if group.suspect}
    assert {label: group.value for label, group in suspect.items()} == {
        "SINSTS1": "48370",
        "SINSTS2": "17742",
        "SINSTS3": "41187",
    }
    assert all(group.valid and group.reason for group in suspect.values())


def test_a_damaged_value_never_shows() -> None:
    """The group with the wrong checksum is named with its reason, and its value is nowhere."""
    groups = groups_of(decode(capture("linky-standard-mono-hc-one-bad-checksum.tic")))
    (bad,) = (group for group in groups if not group.valid)
    assert bad == Group("PCOUP", None, None, valid=False, reason="checksum", mode=Mode.STANDARD)


@pytest.mark.parametrize("name", [*VALID, NOISE])
def test_a_byte_at_a_time_is_the_same(name: str) -> None:
    """A stream fed one byte at a time gives the same events as in one piece."""
    data = capture(name)
    decoder = Decoder()
    events: list[Event] = []
    for at in range(len(data)):
        events += decoder.feed(data[at : at + 1])
    assert events + decoder.flush() == decode(data)


@pytest.mark.parametrize("name", ["linky-standard-tri-tempo-cut.tic", "cbetm-historique-tri-ejp.tic", NOISE])
def test_a_cut_anywhere_is_the_same(name: str) -> None:
    """A stream cut in two at any index gives the same events as in one piece."""
    data = capture(name)
    whole = decode(data)
    for at in range(len(data)):
        decoder = Decoder()
        assert decoder.feed(data[:at]) + decoder.feed(data[at:]) + decoder.flush() == whole


@pytest.mark.parametrize("name", VALID)
def test_a_stream_that_starts_anywhere_gives_only_true_groups(name: str) -> None:
    """A reader that comes in the middle of a frame loses at most the group that it broke, and invents none."""
    data = capture(name)[:1_200]
    truth = {group for group in groups_of(decode(data)) if group.valid}
    starts = [match.start() for match in re.finditer(rb"\n", data)]
    for at in range(0, len(data), 7):
        found = [group for group in groups_of(decode(data[at:])) if group.valid]
        assert set(found) <= truth
        assert len(found) >= sum(start >= at for start in starts) - VALID[name][0] + VALID[name][1] - 1
