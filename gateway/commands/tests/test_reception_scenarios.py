"""Conformance scenarios 1 to 15: what arrives."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.commands.tests.building import EPOCH, GATEWAY, HOUR_S, Building
from gateway.wire import cose
from gateway.wire.keys import KeySet, TrustedKey
from gateway.wire.messages import Command


async def test_scenario_01(building: Building) -> None:
    """A valid shed of 40 % is received, accepted, written, read back, started, effective, and undone at its end."""
    await building.order()
    assert building.states("c1") == ["received", "accepted", "started"]
    # 40 % of 20 kW is 8 kW: the heater whole (3 kW), the charger down by 5 of its 7 kW.
    assert building.values == {"heater": 0, "charger": 9, "pump": 100}
    started = building.last("c1").detail
    assert started["read_back"] == [9, 0]
    assert started["relay_boot_ms"] == building.clock.now_ms
    await building.clock.advance(3)
    assert building.last("c1").state == "effective"
    assert building.last("c1").detail["before_w"] == 22_000
    assert building.last("c1").detail["during_w"] == 13_968
    await building.clock.advance(1_800)
    assert building.states("c1")[-2:] == ["releasing", "completed"]
    assert building.values == building.normal


async def test_scenario_02(building: Building) -> None:
    """The same bytes twice: the stored answer is repeated and nothing moves."""
    message = await building.order()
    before, written = len(building.answers()), building.switches["heater"].written
    sent = len(building.published)
    await building.receive(message)
    assert len(building.answers()) == before
    assert building.published[sent] == building.published[sent - 1]
    assert building.switches["heater"].written == written == [0]


async def test_scenario_03(building: Building) -> None:
    """The same bytes after a process restart: the stored answer is repeated and nothing moves."""
    message = await building.order()
    last = building.published[-1]
    await building.restart()
    await building.receive(message)
    assert building.published[-1] == last
    assert building.switches["heater"].written == [0]


async def test_scenario_04(building: Building) -> None:
    """Same id and number, other content: rejected as a conflict with an alarm, and the active command is untouched."""
    await building.order()
    other = building.signed(building.command(id="c1", magnitude_percent=90), sequence=1)
    await building.receive(other)
    assert (building.last("c1").state, building.last("c1").reason) == ("rejected", "conflict")
    assert building.alarms == ["command_conflict"]
    assert building.executor.shedding()[0].state == "active"
    assert building.values["pump"] == 100


async def test_scenario_05(building: Building) -> None:
    """A number under the high water is stale."""
    await building.receive(building.signed(building.command(id="new"), sequence=9))
    await building.receive(building.signed(building.command(id="old"), sequence=8))
    assert (building.last("old").state, building.last("old").reason) == ("rejected", "stale")


async def test_scenario_06(building: Building) -> None:
    """A gap in the numbers is accepted and reported."""
    await building.order()
    await building.receive(building.signed(building.command(id="far"), sequence=7))
    assert building.answers("far")[0].detail["gap"] == 5
    assert "accepted" in building.states("far")


async def test_scenario_07(building: Building) -> None:
    """Expired on arrival with a trusted clock: answered expired, nothing is written, and a duplicate gets the same."""
    message = await building.order(issued_utc_ms=building.utc_ms - 9_000, expires_utc_ms=building.utc_ms - 1)
    assert building.states("c1") == ["expired"]
    await building.receive(message)
    assert building.states("c1") == ["expired"]
    assert all(not switch.log for switch in building.switches.values())


async def test_scenario_08(building: Building) -> None:
    """Expired under the time floor while the clock is not trusted: answered expired."""
    await building.order()
    now = building.utc_ms
    building.clock.utc_at_zero = None
    nonce = building.journal.boot_nonce
    late = building.command(id="c2", issued_utc_ms=now - 90_000, expires_utc_ms=now - 1, boot_nonce=nonce)
    await building.receive(building.signed(late))
    assert (building.last("c2").state, building.last("c2").reason) == ("expired", "floor")


async def test_scenario_09(building: Building) -> None:
    """Without trusted clock and boot nonce a command is parked and writes nothing; the clock's return starts it."""
    true = building.clock.utc_at_zero
    building.clock.utc_at_zero = None
    await building.order()
    assert building.states("c1") == ["received", "needs_time"]
    await building.clock.advance(60)
    assert building.values == building.normal
    building.clock.utc_at_zero = true
    await building.clock.advance(2)
    assert building.states("c1")[:4] == ["received", "needs_time", "accepted", "started"]


async def test_scenario_09_expired(building: Building) -> None:
    """A parked command whose time was over when the clock came back is answered expired."""
    true = building.clock.utc_at_zero
    building.clock.utc_at_zero = None
    await building.order()
    await building.clock.advance(HOUR_S)
    building.clock.utc_at_zero = true
    await building.clock.advance(2)
    assert building.states("c1") == ["received", "needs_time", "expired"]
    assert building.switches["heater"].written == []


async def test_scenario_10(building: Building) -> None:
    """Without a trusted clock this boot's nonce is enough for a start now, timed by boot time."""
    building.clock.utc_at_zero = None
    await building.order(boot_nonce=building.journal.boot_nonce)
    assert building.states("c1") == ["received", "accepted", "started"]
    await building.clock.advance(1_799)
    assert building.values["heater"] == 0
    await building.clock.advance(1)
    assert building.last("c1").state == "completed"
    assert building.values == building.normal


async def test_another_boots_nonce_is_refused(building: Building) -> None:
    """A command bound to another boot moves nothing, trusted clock or not."""
    await building.order(boot_nonce=bytes(16))
    assert (building.last("c1").state, building.last("c1").reason) == ("rejected", "boot")


async def test_scenario_11(building: Building) -> None:
    """A retained command is refused and does not use its number up."""
    message = building.signed(building.command())
    await building.receive(message, retained=True)
    assert (building.last("c1").state, building.last("c1").reason) == ("rejected", "retained")
    assert building.values == building.normal
    await building.receive(message)
    assert "started" in building.states("c1")


@pytest.mark.parametrize(
    "fault", ["signature", "unknown key", "revoked", "audience", "role", "epoch", "stream", "content"]
)
async def test_scenario_12(building: Building, fault: str) -> None:
    """What is not proved is rejected without detail, counted, and changes nothing."""
    command = building.command()
    message = building.signed(command)
    if fault == "signature":
        message = message[:-1] + bytes([message[-1] ^ 1])
    elif fault == "unknown key":
        header = cose.Header(b"other", Command.CONTENT, GATEWAY, "cmd", EPOCH, 1)
        message = cose.sign(header, command.encode(), Ed25519PrivateKey.generate())
    elif fault == "audience":
        message = building.signed(command, sequence=1, gateway="gw-other")
    elif fault == "epoch":
        message = building.signed(command, sequence=1, epoch=bytes(8))
    elif fault == "stream":
        message = building.signed(command, sequence=1, stream="cfg")
    elif fault == "content":
        message = building.signed(command, sequence=1, content="gw/heartbeat;v=1")
    else:
        changes: dict[str, object] = {"roles": frozenset({"config", "receipt"})}
        if fault == "revoked":
            changes = {"is_revoked": True}
        keys = [replace(key, **changes) for key in building.keys.keys.values()]  # type: ignore[arg-type]
        building.reception._keys = KeySet.of(keys)
    await building.receive(message)
    [answer] = building.answers()
    assert (answer.command_id, answer.state, answer.reason, answer.detail) == ("-", "rejected", "auth", {})
    assert (building.reception.unproved, building.revoked) == ((0, 1) if fault == "revoked" else (1, 0))
    assert (await building.journal.standing("centre", EPOCH, 1)).high_water is None
    assert building.heard == []


async def test_two_keys_of_the_centre_are_believed_while_it_changes_them(building: Building) -> None:
    """Each counts in its own epoch; once the old one is revoked, only the new one moves anything."""
    fresh = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
    [old] = building.keys.keys.values()
    new = TrustedKey(b"centre-2", old.issuer, bytes([9]) * 8, old.roles, fresh.public_key())
    building.reception._keys = KeySet.of([old, new])
    await building.order(id="by-old")
    header = cose.Header(new.key_id, Command.CONTENT, GATEWAY, "cmd", new.epoch, 1)
    await building.receive(cose.sign(header, building.command(id="by-new", priority=1).encode(), fresh))
    assert [building.states(each)[0] for each in ("by-old", "by-new")] == ["received", "received"]
    building.reception._keys = KeySet.of([replace(old, is_revoked=True), new])
    await building.order(id="by-thief")
    assert building.states("by-thief") == []
    assert building.revoked == 1
    header = replace(header, sequence=2)
    await building.receive(cose.sign(header, building.command(id="again-by-new").encode(), fresh))
    assert building.states("again-by-new")[0] == "received"


async def test_scenario_12_rate(building: Building) -> None:
    """A flood of unproved messages is counted in full and answered once in ten seconds."""
    for _ in range(50):
        await building.receive(b"\xd2\x84nonsense")
    assert building.reception.unproved == 50
    assert len(building.answers()) == 1
    await building.clock.advance(10)
    await building.receive(b"")
    assert len(building.answers()) == 2


@pytest.mark.parametrize(
    "message",
    [b"", b"\xd2", b"\x00" * 10_000, b"\x81" * 4_000, b"\xd2\x84\x40\xa0\x40\x40\x00", b"\xff" * 64],
    ids=["empty", "cut", "oversize", "nested", "trailing", "noise"],
)
async def test_scenario_13(building: Building, message: bytes) -> None:
    """What is not even a message is rejected, and the next honest command works."""
    await building.receive(message)
    await building.order()
    assert "started" in building.states("c1")


async def test_scenario_13_payload(building: Building) -> None:
    """A signed message whose payload is no command is answered malformed and moves nothing."""
    header = cose.Header(b"centre", Command.CONTENT, GATEWAY, "cmd", EPOCH, 1)
    await building.receive(cose.sign(header, b"\xa0\x00", building_key()))
    [answer] = building.answers()
    assert (answer.state, answer.reason) == ("rejected", "malformed")


def building_key() -> Ed25519PrivateKey:
    """Give the centre's key."""
    return Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.mark.parametrize("duration_s", [0, None, -1, 14_401, 604_800, (1 << 63) - 1])
async def test_scenario_14(building: Building, duration_s: int | None) -> None:
    """A duration of 0, none, or one over the site's maximum, is refused: it is neither endless nor over at once."""
    await building.order(duration_s=duration_s)
    assert (building.last("c1").state, building.last("c1").reason) == ("rejected", "duration")
    assert building.values == building.normal


async def test_scenario_46(building: Building) -> None:
    """A message from ten years ahead, or with a wild number, is refused and the next honest command works."""
    ahead = building.utc_ms + 10 * 365 * 86_400_000
    await building.order(issued_utc_ms=ahead, expires_utc_ms=ahead + 60_000)
    assert (building.last("c1").state, building.last("c1").reason) == ("rejected", "time")
    await building.receive(building.signed(building.command(id="wild"), sequence=1 << 60))
    assert (building.last("wild").state, building.last("wild").reason) == ("rejected", "sequence")
    await building.receive(building.signed(building.command(id="honest"), sequence=2))
    assert "started" in building.states("honest")
