"""The worked examples of docs/contract: a gateway's morning, told in one message of each kind.

The keys are made of texts that anyone can read: they are TEST KEYS, and prove nothing but that a reader works.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.enrolment import request
from gateway.enrolment.certificates import key_digest
from gateway.wire import cose, enrolling, messages, packing
from gateway.wire.keys import SigningKey
from gateway.wire.messages import Message
from gateway.wire.record import Recorder
from gateway.wire.schema import ChannelInfo, Schema

GATEWAY = "gw-example"
TOPIC = f"gw/v1/{GATEWAY}/"
UTC_MS = 1_800_000_000_000
"""15 January 2027, 08:00 UTC: at BOOT_MS of the example's boot."""

BOOT_MS = 3_600_000


def derived(what: str) -> bytes:
    """Give 32 bytes made of a text."""
    return hashlib.sha256(f"TEST KEY of docs/contract: {what}".encode()).digest()


SIGNING = SigningKey(b"TEST-gateway", Ed25519PrivateKey.from_private_bytes(derived("gateway")))
CENTRE = SigningKey(b"TEST-centre", Ed25519PrivateKey.from_private_bytes(derived("centre")))
_TLS = ec.derive_private_key(int.from_bytes(derived("TLS")[:31], "big"), ec.SECP256R1())

EPOCH = derived("epoch of the readings")[:8]
COMMANDS_EPOCH = derived("epoch of the command database")[:8]
PROCESS_EPOCH = derived("epoch of one start")[:8]
CENTRE_EPOCH = bytes.fromhex("0011223344556677")
BOOT_ID = derived("boot")[:16]
BOOT_NONCE = derived("boot nonce")[:16]
NONCE = derived("question")[:16]


@dataclass(frozen=True, slots=True)
class Channel:
    """Enough of a channel to record it."""

    name: str
    group: str


@dataclass(frozen=True, slots=True)
class Read:
    """One value as it was read."""

    channel: Channel
    value: int | str
    boot_ms: int
    quality: int = 0


SCHEMA = Schema(
    [
        ChannelInfo("linky.east", "linky", "linky", "active_energy_import", "Wh", 0, obis="1-0:1.8.0"),
        ChannelInfo("linky.sinsts", "linky", "linky", "apparent_power_import", "VA", 0),
        ChannelInfo("linky.urms1", "linky", "linky", "voltage", "V", 0, phase=1),
        ChannelInfo("linky.ltarf", "linky", "linky", "tariff", is_text=True),
        ChannelInfo("linky.contact", "linky", "linky", "status"),
        ChannelInfo("cellar.t", "cellar", "cellar", "temperature", "Cel", -1),
        ChannelInfo("cellar.flow", "cellar", "cellar", "volume_flow", "m3/h", -3),
    ]
)
DWELLING = Schema([ChannelInfo("apt-12.water", "apt-12", "apt-12", "volume", "m3", -3)])

_LINKY: list[tuple[int, int, int, str, int]] = [  # each 1.4 s or so: east, sinsts, urms1, ltarf, contact
    (23_456_789, 1_210, 231, "HEURE CREUSE", 1),
    (23_456_789, 1_205, 232, "HEURE CREUSE", 1),
    (23_456_790, 1_190, 231, "HEURE PLEINE", 1),
    (23_456_790, 3_220, 229, "HEURE PLEINE", 1),
    (23_456_791, 3_190, 229, "HEURE PLEINE", 1),
    (23_456_792, 3_205, 230, "HEURE PLEINE", 1),
    (23_456_793, 3_205, 230, "HEURE PLEINE", 1),
    (23_456_794, 3_205, 231, "HEURE PLEINE", 1),
    (23_456_796, 3_198, 231, "HEURE PLEINE", 0),
    (23_456_797, 3_198, 230, "HEURE PLEINE", 0),
    (23_456_798, 3_200, 230, "HEURE PLEINE", 0),
    (23_456_799, 3_200, 230, "HEURE PLEINE", 0),
]
_TICKS = [0, 1_400, 2_803, 4_199, 5_600, 7_001, 8_399, 9_802, 11_200, 12_600, 14_001, 15_398]
_CELLAR: list[tuple[int, int | None, int]] = [(185, 412, 0), (185, None, 0), (-4, 398, 2)]
"""Each 10 s: t, flow (None: not read), quality of t: the last one is suspect."""


@dataclass(frozen=True, slots=True)
class Example:
    """One message: the file's name, what it is, its topic, how it travels, and the rule that its bytes follow."""

    name: str
    about: str
    topic: str
    rule: str
    message: bytes
    correlation: str | None = None
    expiry_s: int | None = None


class _Chain:
    """A stream's next place."""

    def __init__(self, stream: str, epoch: bytes = EPOCH) -> None:
        self.stream = stream
        self.epoch = epoch
        self.sequence = 0
        self.previous = cose.FIRST_PREVIOUS

    def sign(self, content: str, payload: bytes, schema: bytes | None = None) -> bytes:
        self.sequence += 1
        header = cose.Header(
            SIGNING.key_id, content, GATEWAY, self.stream, self.epoch, self.sequence, self.previous, schema
        )
        message = cose.sign(header, payload, SIGNING.private)
        self.previous = cose.digest(message)
        return message


def _single(said: Message, stream: str, number: int, epoch: bytes = PROCESS_EPOCH) -> bytes:
    header = cose.Header(SIGNING.key_id, said.CONTENT, GATEWAY, stream, epoch, number)
    return cose.sign(header, said.encode(), SIGNING.private)


def _of_centre(said: Message, stream: str, number: int) -> bytes:
    header = cose.Header(CENTRE.key_id, said.CONTENT, GATEWAY, stream, CENTRE_EPOCH, number)
    return cose.sign(header, said.encode(), CENTRE.private)


def _segment(ticks: Iterator[list[Read]], schema: Schema) -> bytes:
    recorder = Recorder(schema, BOOT_ID)
    for readings in ticks:
        recorder.add(readings)
    record = recorder.take()
    assert record is not None
    return packing.pack([record.payload])


def _two_channels() -> Iterator[list[Read]]:
    """The least that shows two forms: a constant, and a step for each tick."""
    east, sinsts = (Channel(f"linky.{name}", "linky") for name in ("east", "sinsts"))
    for at, power in ((0, 1_210), (1_400, 1_205), (2_803, 1_190)):
        yield [Read(east, 23_456_780, BOOT_MS - 20_000 + at), Read(sinsts, power, BOOT_MS - 20_000 + at)]


def _every_form() -> Iterator[list[Read]]:
    """Constant, steps, changes only, texts, what was not read, and what is doubted; two groups."""
    for at, values in zip(_TICKS, _LINKY, strict=True):
        channels = [Channel(f"linky.{name}", "linky") for name in ("east", "sinsts", "urms1", "ltarf", "contact")]
        east, sinsts, urms, ltarf, contact = channels
        yield [
            Read(east, values[0], BOOT_MS + at),
            Read(sinsts, values[1], BOOT_MS + at),
            Read(urms, values[2], BOOT_MS + at),
            Read(ltarf, values[3], BOOT_MS + at),
            Read(contact, values[4], BOOT_MS + at),
        ]
    for number, (temperature, flow, quality) in enumerate(_CELLAR):
        at = BOOT_MS + 12 + 10_000 * number
        readings = [Read(Channel("cellar.t", "cellar"), temperature, at, quality)]
        if flow is not None:
            readings.append(Read(Channel("cellar.flow", "cellar"), flow, at))
        yield readings


def _flat() -> Iterator[list[Read]]:
    water = Channel("apt-12.water", "apt-12")
    for minute, value in enumerate((104_210, 104_210, 104_222)):
        yield [Read(water, value, BOOT_MS + 60_000 * minute)]


def _certificate() -> bytes:
    """A certificate of the example's TLS key, signed by itself: its authority is not part of the example."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, GATEWAY)])
    begins = datetime.fromtimestamp(UTC_MS / 1000, UTC)
    built = x509.CertificateBuilder(name, name, _TLS.public_key(), 1, begins, begins.replace(year=begins.year + 1))
    return built.sign(_TLS, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


def examples() -> Iterator[Example]:
    """Give every example, in the order of the story."""
    fine, tele, consented = _Chain("fine"), TOPIC + "tele/", "apt-12.research"
    birth = messages.Birth(
        "0.1.0", BOOT_ID, BOOT_NONCE, EPOCH, SCHEMA.id, "known to 20 ms", ("shed", "cancel"), ("linky: 5 channels",)
    )
    yield Example("01-birth", "A gateway has connected.", TOPIC + "state", "birth", _single(birth, "state", 1))
    yield Example(
        "02-schema",
        "Seven channels in two groups; the first message of its chain.",
        tele + "schema",
        "schema",
        _Chain("schema").sign(Schema.CONTENT, SCHEMA.encode(), SCHEMA.id),
    )
    clock = messages.ClockRecord(BOOT_ID, BOOT_MS, UTC_MS, 20, "kernel")
    yield Example(
        "03-clock",
        "What time it was at one moment of that boot: it places the ticks of the segments.",
        tele + "clock",
        "clock",
        _Chain("clock").sign(clock.CONTENT, clock.encode()),
    )
    yield Example(
        "04-segment-small",
        "Two channels, three ticks: a constant, and a step for each tick.",
        tele + "fine",
        "segment",
        fine.sign(packing.CONTENT, _segment(_two_channels(), SCHEMA), SCHEMA.id),
    )
    yield Example(
        "05-segment",
        "Every form of a column, ticks without a value, a value that is suspect; its previous is the digest of 04.",
        tele + "fine",
        "segment",
        fine.sign(packing.CONTENT, _segment(_every_form(), SCHEMA), SCHEMA.id),
    )
    yield Example(
        "06-schema-dwelling",
        "The schema of one dwelling and purpose, in a stream beside that of its segments.",
        tele + f"schema.{consented}",
        "schema",
        _Chain(f"schema.{consented}").sign(Schema.CONTENT, DWELLING.encode(), DWELLING.id),
    )
    dwelling = _Chain(f"minute.{consented}")
    yield Example(
        "07-segment-dwelling",
        "Minutes of one dwelling, in a stream of its own for one purpose.",
        tele + dwelling.stream,
        "segment",
        dwelling.sign(packing.CONTENT, _segment(_flat(), DWELLING), DWELLING.id),
    )
    dropped = messages.Dropped(EPOCH, "fine", 3, 90, 173_000, BOOT_MS, BOOT_MS + 26_000_000, derived("90"), "quota")
    yield Example(
        "08-dropped",
        "Segments 3 to 90 of fine gave way; number 91 names last_digest as its previous.",
        tele + "dropped",
        "dropped",
        _Chain("dropped").sign(dropped.CONTENT, dropped.encode()),
    )
    alarm = messages.Alarm("release_failed", "chauffe-eau : ne répond plus", BOOT_MS + 5_000, UTC_MS + 5_000)
    yield Example(
        "09-alarm",
        "An alarm in its chain.",
        TOPIC + "evt/alarm",
        "alarm",
        _Chain("alarm").sign(alarm.CONTENT, alarm.encode()),
    )
    full = messages.Alarm("storage", "the disk is full", BOOT_MS + 6_000)
    yield Example(
        "10-alarm-single",
        "An alarm that could not be stored.",
        TOPIC + "evt/alarm",
        "single-alarm",
        _single(full, "evt", 1),
    )
    yield Example(
        "11-time-request",
        "What time is it?",
        TOPIC + "evt/time",
        "time-request",
        _single(messages.TimeRequest(NONCE), "evt", 2),
        expiry_s=10,
    )
    yield from _from_centre(fine)
    yield from _enrolling()


def _from_centre(fine: _Chain) -> Iterator[Example]:
    receipt, cmd = TOPIC + "receipt", TOPIC + "cmd"
    said = _of_centre(messages.TimeReply(NONCE, UTC_MS), "receipt", 1)
    yield Example("12-time", "The answer to 11.", receipt, "time", said, expiry_s=10)
    said = _of_centre(messages.Heartbeat(BOOT_NONCE), "receipt", 2)
    yield Example("13-heartbeat", "The centre is there.", receipt, "heartbeat", said)
    committed = messages.Receipt(EPOCH, fine.stream, fine.sequence, ((91, 95), (97, 97)))
    said = _of_centre(committed, "receipt", 3)
    yield Example("14-receipt", "1, 2, 91 to 95 and 97 are committed.", receipt, "receipt", said, expiry_s=600)
    said = _of_centre(messages.Resend(EPOCH, fine.stream, 96, 96), "receipt", 4)
    yield Example("15-resend", "96 is missing.", receipt, "resend", said, expiry_s=600)
    order = messages.Command("c-1", "shed", "building", 40, None, 900, 8, UTC_MS, UTC_MS + 60_000)
    said = _of_centre(order, "cmd", 1)
    yield Example("16-command", "Shed 40 % for a quarter of an hour, now.", cmd, "command", said, "c-1", 60)
    answer = messages.Answer(
        "c-1",
        "started",
        None,
        BOOT_MS + 9_000,
        UTC_MS + 9_000,
        {"loads": ["chauffe-eau"], "expected_w": 2_000, "clamped": False},
    )
    said = _Chain("ack", COMMANDS_EPOCH).sign(answer.CONTENT, answer.encode())
    yield Example("17-answer", "Every load is written and read back.", TOPIC + "ack", "answer", said, "c-1")


def _enrolling() -> Iterator[Example]:
    asked = request.make(GATEWAY, _TLS, SIGNING)
    yield Example("18-enrolment", "What a new gateway asks with; people carry it.", "", "enrolment", asked)
    renewal = _single(enrolling.Renewal(asked), "evt", 3)
    yield Example(
        "19-renewal", "The next certificate is asked for.", TOPIC + "evt/renewal", "renewal", renewal, expiry_s=600
    )
    issued = enrolling.Issued(key_digest(_TLS.public_key()), SIGNING.key_id, (_certificate(),))
    said = _of_centre(issued, "cfg", 1)
    yield Example("20-certificate", "The answer to 19.", TOPIC + "cfg", "certificate", said, expiry_s=600)
