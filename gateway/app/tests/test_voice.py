"""What the gateway says of its own accord can always be said."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.app.voice import LONGEST_ALARM, Voice, alarm_of
from gateway.tests.metering import GATEWAY, KEY, PUBLIC
from gateway.wire import cose
from gateway.wire.messages import Alarm


@given(st.text(max_size=2 * LONGEST_ALARM))
def test_an_alarm_takes_any_text(text: str) -> None:
    """What somebody typed, or a device said, must not keep an alarm from being sent: it is cut and cleaned."""
    signed = Voice(GATEWAY, KEY).alarm(alarm_of("opt_out", text, 1, None))
    told = Alarm.decode(cose.verify(signed, PUBLIC).payload).text
    assert len(told) == min(len(text), LONGEST_ALARM)
    assert all(was == now for was, now in zip(text, told, strict=False) if was.isprintable())


def test_a_space_of_french_typography_is_a_space() -> None:
    """No word is glued to the next, and no sign stands where a reader expects none."""
    signed = Voice(GATEWAY, KEY).alarm(alarm_of("opt_out", "motif\u00a0: examens\n", 1, None))
    assert Alarm.decode(cose.verify(signed, PUBLIC).payload).text == "motif : examens "
