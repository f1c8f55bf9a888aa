"""The live view is a function: what is known of a line in, the lines of a window out."""

import pytest

from gateway.cli.tic.view import Picture, Row, Style, age, drawn, page_of, refused

ROWS = [Row(f"LABEL{number}", f"{number} VA", "apparent power drawn", age_ms=400) for number in range(60)]
PICTURE = Picture(
    port="/dev/serial/by-id/usb-a-very-long-name-of-an-adapter-if00-port0",
    state="reading",
    speed=9_600,
    mode="standard",
    checked_by="the port",
    frames_per_minute=63.3,
    counters={"frames": 120, "frames_incomplete": 1, "groups_valid": 4_560, "characters_damaged": 4, "openings": 2},
    refused={"cut": 1, "checksum": 2, "grammar": 0},
    suspect=2,
    rows=ROWS,
)
SIZES = [(80, 24), (120, 40), (200, 100), (20, 5), (1, 1)]


def texts(picture: Picture, columns: int = 80, lines: int = 24, top: int = 0) -> list[str]:
    """Draw a window; give its lines without their styles."""
    return [line.text for line in drawn(picture, columns, lines, top)[0]]


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_a_window_is_never_overrun(columns: int, lines: int) -> None:
    """No line is as wide as the window (the terminal would wrap it), and there are no more than it has."""
    long = Row("MSG1", "x" * 40, "short message", ("word " * 60,), suspect="because " * 30)
    for state in ("reading", "only noise for 12 s: check the wires, the adapter and the mode " * 3):
        shown = texts(Picture("/dev/x", state, 1_200, rows=[long, *ROWS]), columns, lines)
        assert len(shown) <= lines
        assert all(len(line) < columns for line in shown)


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 40)])
def test_all_that_is_asked_first_is_above(columns: int, lines: int) -> None:
    """Mode, speed, who checks parity, pace, refusals by cause, parity errors and openings are seen at once."""
    above = "\n".join(texts(PICTURE, columns, lines)[:5])
    for told in (
        "standard, 9600 Bd, parity checked by the port",
        "reading",
        "frames 120, 63.3 a minute, 1 cut",
        "groups 4560 valid, 2 suspect",
        "3 refused (1 cut, 2 checksum)",
        "parity errors 4",
        "resyncs 0",
        "openings 2",
    ):
        assert told in above


def test_a_label_has_its_value_age_and_meaning() -> None:
    """One line tells it where that fits; what does not fit stands below."""
    row = Row("PTEC", "HP..", "tariff period now", ("peak hours",), age_ms=1_234)
    assert texts(Picture("p", "reading", 1_200, rows=[row]))[5] == (
        "PTEC      HP..                   1.2 s  tariff period now: peak hours"
    )
    row = Row(
        "STGE", "003A0401", "status register", ("breaker closed, dry contact open", "within the subscribed power")
    )
    lines = texts(Picture("p", "reading", 9_600, rows=[row]))
    assert lines[5] == "STGE      003A0401               0.0 s  status register"
    assert lines[6] == "          breaker closed, dry contact open; within the subscribed power"
    assert texts(Picture("p", "reading", 9_600, rows=[row]), 160)[5].endswith("open; within the subscribed power")


def test_a_long_text_stands_below() -> None:
    """A message is told as it was sent; a calendar by its words alone."""
    rows = [
        Row("MSG1", "PAS DE          MESSAGE", "short message"),
        Row("PJOURF+1", "00008001 NONUTILE NONUTILE", "calendar", ("from 00:00 index 1",)),
    ]
    shown = texts(Picture("p", "reading", 9_600, rows=rows))
    assert "          PAS DE          MESSAGE" in shown
    assert not any("NONUTILE" in line for line in shown)
    assert any("from 00:00 index 1" in line for line in shown)


def test_doubt_is_an_alarm_with_its_reason_and_age_is_faint() -> None:
    """A suspect value stands out and says why; one that is no longer said is faint."""
    rows = [Row("SINSTS1", "48370 VA", "power", suspect="but 2 A"), Row("ADPS", "50 A", "over", age_ms=30_000)]
    shown, _ = drawn(Picture("p", "reading", 9_600, rows=rows), 80, 24)
    assert [line.style for line in shown[5:8]] == [Style.ALARM, Style.ALARM, Style.FAINT]
    assert shown[6].text == "          SUSPECT: but 2 A"
    assert "30 s" in shown[7].text


def test_a_line_that_is_not_read_says_what_to_check() -> None:
    """The state is an alarm, whole at 80 columns; an overrun is one too."""
    state = "port /dev/serial/by-id/usb-x is not there: plug the adapter in, or name another port (`ls` shows them)"
    shown, _ = drawn(Picture("p", state, 1_200, overrun=True), 80, 24)
    alarms = [line.text for line in shown if line.style is Style.ALARM]
    assert " ".join(alarms) == f"{state} SUBSCRIBED POWER EXCEEDED"
    assert shown[0].text == "p  mode not known yet, 1200 Bd, parity not checked yet"
    assert shown[-1].text.startswith("nothing valid has come yet")


def test_what_does_not_fit_is_a_page_further() -> None:
    """The foot tells how much there is; no page goes beyond the end, and together they show all."""
    seen: set[str] = set()
    top = 0
    for _ in range(10):
        lines, top = drawn(PICTURE, 80, 24, top)
        seen |= {line.text.split()[0] for line in lines[5:-1]}
        top += page_of(PICTURE, 80, 24)
    assert {row.label for row in ROWS} == seen
    assert drawn(PICTURE, 80, 24, 10_000)[0][-1].text.startswith("lines 43 to 60 of 60:")
    assert texts(PICTURE, 80, 100)[-1] == "q or Ctrl-C ends it"


@pytest.mark.parametrize(
    ("age_ms", "said"), [(-3, "0.0 s"), (400, "0.4 s"), (9_960, "10.0 s"), (12_400, "12 s"), (200_000, "3 min")]
)
def test_an_age_is_short(age_ms: int, said: str) -> None:
    """Tenths below ten seconds, then seconds, then minutes."""
    assert age(age_ms) == said


def test_no_refusal_has_no_cause() -> None:
    """Causes that did not occur are not listed."""
    assert refused({"cut": 0, "checksum": 0}) == "0 refused"
