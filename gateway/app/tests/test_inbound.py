"""What the centre says is taken once, from the centre's key, for this gateway; whatever else comes moves nothing."""

import logging
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.app.inbound import LIMIT, Inbound
from gateway.wire import cose
from gateway.wire.keys import KeySet, TrustedKey
from gateway.wire.messages import Heartbeat, Receipt, Resend, TimeReply

GATEWAY = "gw-test"
EPOCH = bytes(range(8))
CENTRE = Ed25519PrivateKey.from_private_bytes(bytes(32))
DISPATCHER = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32)
KEYS = KeySet.of(
    [
        TrustedKey(b"centre-1", "centre", EPOCH, frozenset({"receipt"}), CENTRE.public_key()),
        TrustedKey(b"dispatch-1", "dispatch", EPOCH, frozenset({"dispatch"}), DISPATCHER.public_key()),
    ]
)
RECEIPT = Receipt(bytes(8), "fine", 7, ((9, 11),))
RESEND = Resend(bytes(8), "fine", 3, 4)
HEARTBEAT = Heartbeat(bytes(16))
TIME = TimeReply(bytes(16), 1_800_000_000_000)
HEADER = cose.Header(b"centre-1", Receipt.CONTENT, GATEWAY, "receipt", EPOCH, 1)


class Ring:
    """Trusts what a test says."""

    keys = KEYS

    def current(self) -> KeySet:
        return self.keys


class Hearer:
    """Notes everything that was passed on."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.keyring = Ring()
        self.inbound = Inbound(GATEWAY, self.keyring, self)

    def receipt(self, receipt: Receipt) -> None:
        self.heard.append(receipt)

    def resend(self, resend: Resend) -> None:
        self.heard.append(resend)

    def heartbeat(self, heartbeat: Heartbeat, issuer: str, header: cose.Header) -> None:
        self.heard.append((heartbeat, issuer, header.sequence))

    def time(self, reply: TimeReply) -> None:
        self.heard.append(reply)


def signed(
    message: Receipt | Resend | Heartbeat | TimeReply,
    sequence: int = 1,
    key: Ed25519PrivateKey = CENTRE,
    **other: object,
) -> bytes:
    """Sign as the centre does, with some fields of the header changed."""
    changes: dict[str, object] = {"content": message.CONTENT, "sequence": sequence, **other}
    return cose.sign(replace(HEADER, **changes), message.encode(), key)  # type: ignore[arg-type]


def test_each_word_of_the_centre_is_passed_on() -> None:
    """Receipts, resend requests, heartbeats and the time reach who wants them, with who said so."""
    hearer = Hearer()
    for message in (RECEIPT, RESEND, HEARTBEAT, TIME):
        hearer.inbound.take(signed(message, sequence=5))
    assert hearer.heard == [RECEIPT, RESEND, (HEARTBEAT, "centre", 5), TIME]
    assert hearer.inbound.refused == 0


@pytest.mark.parametrize(
    "message",
    [
        signed(RECEIPT, key=STRANGER),
        signed(RECEIPT, key=STRANGER, key_id=b"centre-2"),
        signed(RECEIPT, key=DISPATCHER, key_id=b"dispatch-1"),
        signed(RECEIPT, gateway="gw-other"),
        signed(RECEIPT, stream="cmd"),
        signed(RECEIPT, epoch=bytes(8)),
        signed(RECEIPT, content="gw/receipt;v=2"),
        cose.sign(HEADER, b"\xa0", CENTRE),
        signed(RECEIPT)[:-1],
        signed(RECEIPT) + b"\x00",
        b"",
        b"\xd2",
        bytes(LIMIT + 1),
        b"\x81" * 10_000,
    ],
    ids=[
        "wrong key",
        "unknown key",
        "wrong role",
        "another gateway",
        "another stream",
        "another epoch",
        "unknown content",
        "an empty map",
        "cut",
        "trailing byte",
        "nothing",
        "a tag alone",
        "oversize",
        "nested",
    ],
)
def test_whatever_cannot_be_proved_moves_nothing(message: bytes) -> None:
    """It is counted, and the next honest message is taken."""
    hearer = Hearer()
    hearer.inbound.take(message)
    assert hearer.heard == []
    assert hearer.inbound.refused == 1
    hearer.inbound.take(signed(RECEIPT, 2))
    assert hearer.heard == [RECEIPT]


def test_what_is_repeated_or_late_is_refused() -> None:
    """A heartbeat that a stranger recorded is no second sign of life."""
    hearer = Hearer()
    for sequence in (2, 2, 1, 3):
        hearer.inbound.take(signed(HEARTBEAT, sequence))
    assert hearer.heard == [(HEARTBEAT, "centre", 2), (HEARTBEAT, "centre", 3)]
    assert hearer.inbound.refused == 2


def test_a_centre_that_begins_anew_counts_anew() -> None:
    """Its store was lost: the key set names another epoch, and in that one its first word is not an old one."""
    hearer, other = Hearer(), b"anew" * 2
    hearer.inbound.take(signed(RECEIPT, sequence=900))
    hearer.keyring.keys = KeySet.of([replace(KEYS.keys[b"centre-1"], epoch=other)], revision=2)
    hearer.inbound.take(signed(RESEND, sequence=901))
    hearer.inbound.take(signed(RECEIPT, sequence=1, epoch=other))
    hearer.inbound.take(signed(RECEIPT, sequence=1, epoch=other))
    assert (hearer.heard, hearer.inbound.refused) == ([RECEIPT, RECEIPT], 2)


def test_a_heartbeat_may_overtake_a_receipt() -> None:
    """The broker queues receipts and not heartbeats: each content rises by itself."""
    hearer = Hearer()
    hearer.inbound.take(signed(HEARTBEAT, 8))
    hearer.inbound.take(signed(RECEIPT, 7))
    assert hearer.heard == [(HEARTBEAT, "centre", 8), RECEIPT]


def test_a_refusal_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A stranger cannot fill the log."""
    hearer = Hearer()
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            hearer.inbound.take(b"noise")
    assert len(caplog.records) == 1
    assert hearer.inbound.refused == 50


@pytest.mark.parametrize("flip", range(8))
def test_no_bit_can_be_changed(flip: int) -> None:
    """Any flipped bit anywhere in a message is found."""
    message = signed(RECEIPT)
    hearer = Hearer()
    for place in range(len(message)):
        changed = bytearray(message)
        changed[place] ^= 1 << flip
        hearer.inbound.take(bytes(changed))
    assert hearer.heard == []
    assert hearer.inbound.refused == len(message)
