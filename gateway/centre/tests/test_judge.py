"""Who may say what, under which topic."""

from dataclasses import replace

import pytest

from gateway.centre.judge import Genuine, Judge, Refusal
from gateway.centre.tests.speaker import Speaker, key_set
from gateway.wire.keys import KeySet
from gateway.wire.messages import Alarm, Answer, Birth, ClockRecord, Dropped, TimeRequest
from gateway.wire.packing import CONTENT as SEGMENT
from gateway.wire.schema import Schema

ONE, TWO = Speaker(), Speaker("gw-0002", b"gw-0002-2026")
JUDGE = Judge(key_set(ONE, TWO))


def test_own_message_under_its_own_topic_is_genuine() -> None:
    """A gateway's signature counts under that gateway's topic."""
    blob = ONE.say("fine", 1)
    verdict = JUDGE.judge("gw/v1/gw-0001/tele/fine", blob)
    assert isinstance(verdict, Genuine)
    assert (verdict.header.sequence, verdict.blob) == (1, blob)


def test_key_of_another_gateway_is_a_bad_signature() -> None:
    """A key speaks for its own gateway alone, also where the message says so itself."""
    assert JUDGE.judge("gw/v1/gw-0002/tele/fine", ONE.say("fine", 1)) is Refusal.BAD_SIGNATURE
    liar = Speaker("gw-0002", ONE.key_id, ONE.key)
    assert JUDGE.judge("gw/v1/gw-0002/tele/fine", liar.say("fine", 1)) is Refusal.BAD_SIGNATURE
    assert JUDGE.judge("gw/v1/gw-0001/tele/fine", liar.say("fine", 1)) is Refusal.MISPLACED


def test_altered_message_is_refused() -> None:
    """One bit changed anywhere makes it worth nothing."""
    blob = ONE.say("fine", 1, payload=b"payload")
    for place in range(len(blob)):
        altered = blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]
        assert isinstance(JUDGE.judge("gw/v1/gw-0001/tele/fine", altered), Refusal)


@pytest.mark.parametrize(
    ("topic", "stream", "content"),
    [
        ("gw/v1/gw-0001/tele/minute", "fine", SEGMENT),
        ("gw/v1/gw-0001/tele/fine", "fine", Answer.CONTENT),
        ("gw/v1/gw-0001/ack", "ack", SEGMENT),
        ("gw/v1/gw-0001/evt/alarm", "evt", Birth.CONTENT),
        ("gw/v1/gw-0001/evt/alarm", "fine", Alarm.CONTENT),
        ("gw/v1/gw-0001/evt/time", "alarm", TimeRequest.CONTENT),
        ("gw/v1/gw-0001/evt/time", "evt", Alarm.CONTENT),
        ("gw/v1/gw-0001/evt/weather", "evt", Alarm.CONTENT),
        ("gw/v1/gw-0001/tele/alarm", "alarm", Alarm.CONTENT),
        ("gw/v1/gw-0001/tele/alarm", "alarm", SEGMENT),
        ("gw/v1/gw-0001/tele/dropped", "dropped", SEGMENT),
        ("gw/v1/gw-0001/tele/clock", "clock", Dropped.CONTENT),
        ("gw/v1/gw-0001/tele/fine", "fine", ClockRecord.CONTENT),
        ("gw/v1/gw-0001/tele/weekly", "weekly", SEGMENT),
        ("gw/v1/gw-0001/tele/fine.apt-12", "fine.apt-12", SEGMENT),
        ("gw/v1/gw-0001/tele/schema.apt-12.research", "schema.apt-12.research", SEGMENT),
        ("gw/v1/gw-0001/tele/fine.apt-12.research", "fine.apt-12.research", Schema.CONTENT),
        ("gw/v1/gw-0001/tele/clock.apt-12.research", "clock.apt-12.research", ClockRecord.CONTENT),
        ("gw/v1/gw-0001/state", "state", Alarm.CONTENT),
        ("gw/v1/gw-0001/cmd", "cmd", SEGMENT),
        ("gw/v2/gw-0001/tele/fine", "fine", SEGMENT),
        ("gw/v1/gw-0001/tele/fine/more", "fine", SEGMENT),
        ("", "fine", SEGMENT),
    ],
)
def test_genuine_message_in_a_wrong_place_is_refused(topic: str, stream: str, content: str) -> None:
    """A signature does not carry a message into another stream, kind or contract."""
    assert JUDGE.judge(topic, ONE.say(stream, 1, content)) is Refusal.MISPLACED


def test_a_newer_version_is_said_once_with_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    """It is genuine, and nothing of it is taken: its gateway keeps it until this centre can read it."""
    for sequence in (1, 2):
        said = ONE.say("fine", sequence, "gw/segment;v=2")
        assert JUDGE.judge("gw/v1/gw-0001/tele/fine", said) is Refusal.UNKNOWN
    [record] = caplog.records
    assert "gw-0001 sends gw/segment;v=2: version 1 of gw/segment is read here" in record.message
    assert "update this reader" in record.message


@pytest.mark.parametrize(
    ("topic", "stream", "content"),
    [
        ("tele/schema", "schema", Schema.CONTENT),
        ("tele/schema.apt-12.research", "schema.apt-12.research", Schema.CONTENT),
        ("tele/minute.apt-12.research", "minute.apt-12.research", SEGMENT),
        ("evt/alarm", "alarm", Alarm.CONTENT),
        ("evt/alarm", "evt", Alarm.CONTENT),
        ("tele/dropped", "dropped", Dropped.CONTENT),
        ("tele/clock", "clock", ClockRecord.CONTENT),
    ],
)
def test_each_stream_has_its_topic(topic: str, stream: str, content: str) -> None:
    """An alarm is chained, or said singly where it could not be stored; a dwelling's stream is one like any other."""
    assert isinstance(JUDGE.judge(f"gw/v1/gw-0001/{topic}", ONE.say(stream, 1, content)), Genuine)


@pytest.mark.parametrize("message", [b"", b"\xd2", b"\xff" * 200, b"\xd2\x84" + bytes(50)])
def test_noise_is_malformed(message: bytes) -> None:
    """What is no message at all is counted as such and harms nothing."""
    assert JUDGE.judge("gw/v1/gw-0001/tele/fine", message) is Refusal.MALFORMED


def test_key_with_another_role_speaks_for_no_gateway() -> None:
    """Only keys with the role `gateway` count for what gateways send."""
    judge = Judge(KeySet.of([ONE.trusted("dispatch")]))
    assert judge.judge("gw/v1/gw-0001/tele/fine", ONE.say("fine", 1)) is Refusal.BAD_SIGNATURE
    assert judge.gateways() == []


def test_revoked_key_speaks_for_nobody_and_is_said_to_be_revoked() -> None:
    """What a revoked key signs is refused, under a name of its own: somebody has that key."""
    judge = Judge(KeySet.of([replace(ONE.trusted(), is_revoked=True)]))
    assert judge.judge("gw/v1/gw-0001/tele/fine", ONE.say("fine", 1)) is Refusal.REVOKED
    assert judge.gateways() == []
