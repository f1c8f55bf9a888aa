"""People learn of a key set that is refused, and of a revoked key at work; the next start knows how far it was."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.app.inbound import Inbound
from gateway.app.tests.test_inbound import CENTRE, GATEWAY, HEARTBEAT, RECEIPT, Hearer, signed
from gateway.app.trusting import REVISION_MARK, Trusting
from gateway.wire.keys import KeySet, TrustedKey
from gateway.wire.trust import Trust

FRESH = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
OLD = TrustedKey(b"centre-1", "centre", bytes(range(8)), frozenset({"receipt"}), CENTRE.public_key())
NEW = TrustedKey(b"centre-2", "centre", bytes([7]) * 8, frozenset({"receipt"}), FRESH.public_key())
REVOKED = TrustedKey(OLD.key_id, OLD.issuer, OLD.epoch, OLD.roles, OLD.public, is_revoked=True)

BY_NEW = {"key": FRESH, "key_id": NEW.key_id, "epoch": NEW.epoch}


class Agent:
    """What the agent joins: a file, who believes it, and who is told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.alarms: list[tuple[str, str]] = []
        self.hearer = Hearer()
        self.install(OLD, revision=1)
        self.start(0)

    def install(self, *keys: TrustedKey, revision: int) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(KeySet.of(keys, revision=revision).to_toml())
        fresh.replace(self.path)

    def start(self, revision: int) -> None:
        self._now_s = 0.0
        self.trusting = Trusting(
            Trust(self.path, revision=revision, now_s=self._later), lambda kind, text: self.alarms.append((kind, text))
        )
        self.inbound = Inbound(GATEWAY, self.trusting, self.hearer, self.trusting.refused)

    def _later(self) -> float:
        self._now_s += 60
        return self._now_s


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """One that trusts the old key."""
    return Agent(tmp_path / "keys.toml")


def test_the_centre_changes_its_key_while_the_agent_runs(agent: Agent) -> None:
    """Both in the overlap; after the revocation what the old one signs is refused, counted apart, told once."""
    agent.inbound.take(signed(RECEIPT, sequence=5))
    agent.install(OLD, NEW, revision=2)
    agent.inbound.take(signed(RECEIPT, sequence=6))
    agent.inbound.take(signed(HEARTBEAT, sequence=1, **BY_NEW))  # type: ignore[arg-type]
    assert agent.hearer.heard == [RECEIPT, RECEIPT, (HEARTBEAT, "centre", 1)]
    agent.install(REVOKED, NEW, revision=3)
    for sequence in (7, 8):
        agent.inbound.take(signed(RECEIPT, sequence=sequence))
    agent.inbound.take(signed(RECEIPT, sequence=2, **BY_NEW))  # type: ignore[arg-type]
    assert len(agent.hearer.heard) == 4
    assert (agent.inbound.refused, agent.trusting.revoked) == (0, 2)
    assert agent.alarms == [("keys", "key b'centre-1' of centre is revoked, and somebody signs with it")]
    told = agent.trusting.status(unproved=3)
    assert [told[each] for each in ("revision", "keys", "revoked", "refused", "refused_revoked", "failure")] == [
        3,
        1,
        1,
        3,
        2,
        None,
    ]
    assert told["text"] == "1 keys, revision 3; 2 messages refused from revoked keys"


def test_an_old_file_is_told_once_and_not_used_after_a_restart_either(agent: Agent) -> None:
    """The mark that the agent keeps makes the next start refuse it too; the right file mends it."""
    agent.install(REVOKED, NEW, revision=3)
    agent.trusting.current()
    marks = agent.trusting.marks()
    assert marks == {REVISION_MARK: 3}
    agent.install(OLD, revision=1)
    agent.start(marks[REVISION_MARK])
    for sequence in (5, 6):
        agent.inbound.take(signed(RECEIPT, sequence=sequence))
    assert agent.hearer.heard == []
    [(kind, text)] = agent.alarms
    assert kind == "keys"
    assert "revision 1, where 3 was trusted before" in text
    assert agent.trusting.status(0)["text"] == text
    agent.install(OLD, NEW, revision=4)
    agent.inbound.take(signed(RECEIPT, sequence=7))
    assert agent.hearer.heard == [RECEIPT]
