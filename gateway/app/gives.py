"""What each route of the control socket gives, for its OpenAPI document; real answers are held against it in a test."""

from config.channel import Quantity
from drivers.reading import Quality
from gateway.app.renewing import STATES as CERTIFICATE
from gateway.app.status import CONTROL
from gateway.control.shapes import COUNT, FLAG, RATE, TEXT, VALUE, WHOLE, by_name, either, many, maybe, one_of, table
from gateway.outgoing import TIERS

_QUALITY = one_of(*(quality.name.lower() for quality in Quality))
_SCALE = {"unit": TEXT, "exponent": WHOLE, "quantity": one_of(*Quantity)}
_LAST = {"value": VALUE, "quality": _QUALITY, "boot_ms": COUNT, "age_ms": COUNT}
_READING = table(name=TEXT, **_SCALE, **_LAST)

_RATES = table(frames_per_min=RATE, refused_percent=RATE, parity_per_1000=RATE)
_METER = table(
    name=TEXT,
    state=TEXT,
    failed=FLAG,
    restarts=COUNT,
    first_read_ms=maybe(COUNT),
    last_read_ms=maybe(COUNT),
    stale_after_ms=COUNT,
    counters=by_name(COUNT),
    rates=maybe(table(minute=maybe(_RATES), hour=maybe(_RATES))),
)
_METER_CLOCK = table(name=TEXT, boot_ms=COUNT, utc_ms=COUNT, off_ms=maybe(WHOLE), agrees=FLAG, text=TEXT)
_CLOCK = table(
    trusted=FLAG,
    utc_ms=maybe(COUNT),
    uncertainty_ms=maybe(COUNT),
    source=maybe(TEXT),
    text=TEXT,
    meters=many(_METER_CLOCK),
)
_LINK = table(
    connected=FLAG,
    since_ms=maybe(COUNT),
    broker=TEXT,
    fallback=FLAG,
    receipts=one_of("signed", "puback"),
    last_puback_ms=maybe(COUNT),
    in_flight=COUNT,
    unreceipted=COUNT,
    waiting=COUNT,
    sent=COUNT,
    acked=COUNT,
    failed=COUNT,
    dropped=COUNT,
    reconnects=COUNT,
    refused=maybe(TEXT),
    text=TEXT,
    puback_ms=maybe(table(median=COUNT, p95=COUNT)),
    last_failure=maybe(table(text=TEXT, boot_ms=COUNT)),
    last_24h=table(covered_ms=COUNT, up_percent=RATE, reconnects=COUNT, sent_bytes=COUNT, received_bytes=COUNT),
    today=table(
        is_utc_day=FLAG,
        sent_bytes=COUNT,
        received_bytes=COUNT,
        budget_bytes=maybe(COUNT),
        held_back=many(one_of("index", "minute", "fine")),
    ),
    figures=TEXT,
)
_OUTBOX = table(
    readings_stored=COUNT,
    readings_pending=COUNT,
    segments_pending=COUNT,
    segments_received=COUNT,
    journal_rows=COUNT,
    oldest_without_receipt_ms=maybe(COUNT),
    last_commit_ms=maybe(COUNT),
    pages_used=COUNT,
    quota_pages=COUNT,
    dropped_readings=COUNT,
    dropped_segments=COUNT,
    given_up_readings=COUNT,
    withdrawn_readings=COUNT,
    aside_rows=COUNT,
    room_s=maybe(COUNT),
    failure=maybe(TEXT),
    text=TEXT,
)
_SHED = table(
    id=TEXT,
    issuer=TEXT,
    state=TEXT,
    target=TEXT,
    percent=COUNT,
    values=by_name(WHOLE),
    failed=by_name(TEXT),
    end_ms=COUNT,
)
_TRUST = table(
    revision=COUNT,
    keys=COUNT,
    revoked=COUNT,
    refused=COUNT,
    refused_revoked=COUNT,
    failure=maybe(TEXT),
    text=TEXT,
)
_WHO = {"gateway": TEXT, "name": TEXT, "version": TEXT, "boot_ms": COUNT, "up_ms": COUNT}

_CERTIFICATE = table(
    state=one_of(*CERTIFICATE),
    begins_utc_ms=maybe(COUNT),
    ends_utc_ms=maybe(COUNT),
    fingerprint=maybe(TEXT),
    life_gone_percent=maybe(COUNT),
    next_ends_utc_ms=maybe(COUNT),
    signing_key=TEXT,
    failure=maybe(TEXT),
    text=TEXT,
)
RENEWED = table(asked={"const": True}, text=TEXT)

WAITING = table(**_WHO, missing=many(TEXT))
_PLACE = table(stream=TEXT, sequence=COUNT, last=COUNT)
STATUS = table(
    **_WHO,
    clock=_CLOCK,
    link=_LINK,
    outbox=_OUTBOX,
    history=table(text=TEXT, failure=maybe(TEXT), given_up=COUNT, made_again=maybe(_PLACE)),
    consents=table(dwellings=COUNT, consented=COUNT, uncovered=COUNT),
    shedding=table(link=one_of(*CONTROL), admits=FLAG, running=many(_SHED), text=TEXT),
    trust=_TRUST,
    certificate=_CERTIFICATE,
    readings_taken=COUNT,
    meters=many(_METER),
    channels=many(_READING),
)
SITE = table(
    gateway=TEXT,
    name=TEXT,
    timezone=TEXT,
    devices=many(
        table(
            name=TEXT,
            protocol=one_of("TIC", "Modbus TCP", "Modbus RTU", "pulses"),
            address=TEXT,
            about=TEXT,
        )
    ),
    loads=many(table(name=TEXT, device=TEXT, channel=TEXT, about=TEXT, rated_w=COUNT, priority=COUNT)),
    prices=many(
        table(
            channel=TEXT,
            name=TEXT,
            eur={"type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,6})?$"},
            per=one_of("kWh", "m3"),
        )
    ),
)
CHANNELS = table(
    boot_ms=COUNT,
    channels=many(
        table(
            name=TEXT,
            device=TEXT,
            group=TEXT,
            **_SCALE,
            is_text=FLAG,
            phase=maybe(COUNT),
            obis=maybe(TEXT),
            stale_after_ms=maybe(COUNT),
            last=maybe(table(**_LAST)),
        )
    ),
)
READINGS = table(boot_ms=COUNT, readings=many(_READING))
_ROW = {"type": "array", "items": maybe(VALUE), "minItems": 7, "maxItems": 12}
HISTORY = table(
    channel=TEXT,
    **_SCALE,
    resolution=one_of("minute", "hour", "day", "month"),
    **{"from": COUNT, "to": COUNT},
    fields={"type": "array", "items": TEXT, "minItems": 7, "maxItems": 12},
    rows=many(_ROW),
)

_OF_CENTRE = {
    "id": TEXT,
    "over": FLAG,
    "issuer": TEXT,
    "state": TEXT,
    "outcome": maybe(TEXT),
    "reason": maybe(TEXT),
    "target": TEXT,
    "loads": many(TEXT),
    "percent": COUNT,
    "priority": WHOLE,
    "issued_utc_ms": COUNT,
    "start_utc_ms": maybe(COUNT),
    "end_utc_ms": maybe(COUNT),
    "duration_s": COUNT,
    "values": by_name(WHOLE),
    "failed": by_name(TEXT),
    "expected_w": WHOLE,
    "before_w": maybe(WHOLE),
    "during_w": maybe(WHOLE),
}
_IN_WORDS = {"id": TEXT, "over": FLAG, "text": TEXT}
COMMAND = either(table(**_OF_CENTRE), table(**_IN_WORDS))
COMMANDS = table(commands=many(either(table(number=COUNT, **_OF_CENTRE), table(number=COUNT, **_IN_WORDS))))
OPT_OUTS = table(
    boot_ms=COUNT,
    opt_outs=many(table(target=TEXT, role=TEXT, reason=TEXT, until_ms=COUNT, until_utc_ms=maybe(COUNT), left_ms=COUNT)),
)
ORDERED = table(
    accepted={"const": True}, operation=one_of("opt_out", "opt_in", "release"), target=TEXT, duration_s=COUNT
)
QUEUE = table(
    journal_rows=COUNT,
    journal_readings=COUNT,
    segments_pending=COUNT,
    readings_pending=COUNT,
    segments_received=COUNT,
    oldest_pending_ms=maybe(COUNT),
    bytes_used=COUNT,
    bytes_quota=COUNT,
    dropped_segments=COUNT,
    dropped_readings=COUNT,
    withdrawn_segments=COUNT,
    withdrawn_readings=COUNT,
    aside_rows=COUNT,
    aside_readings=COUNT,
    dropped=many(table(stream=TEXT, first=COUNT, last=COUNT, count=COUNT, reason=one_of("quota", "consent", "damage"))),
    failures=COUNT,
    last_failure=maybe(TEXT),
)
PURGED = table(segments=COUNT)
_CONSENT = {"dwelling": TEXT, "purpose": TEXT, "given": FLAG}
_LETS_OUT = {"tiers": many(one_of(*TIERS)), "devices": many(TEXT)}
_SAID = table(**_CONSENT, who=TEXT, reason=TEXT, utc_ms=maybe(COUNT), **_LETS_OUT)
_PURPOSE = table(name=TEXT, tiers=many(one_of(*TIERS)), given=FLAG, uncovered=table(**_LETS_OUT), last=maybe(_SAID))
CONSENTED = table(**_CONSENT, stored=FLAG)
CONSENTS = table(
    dwellings=many(
        table(
            name=TEXT,
            devices=many(TEXT),
            purposes=many(_PURPOSE),
        )
    ),
    changes=many(_SAID),
)
SEGMENTS = table(
    epoch=TEXT,
    segments=many(
        table(
            stream=TEXT,
            sequence=COUNT,
            first_ms=COUNT,
            last_ms=COUNT,
            count=COUNT,
            bytes=COUNT,
            sha256={"type": "string", "pattern": "^[0-9a-f]{64}$"},
        )
    ),
)

_TOLD = {"boot_ms": COUNT}
EVENT = either(
    table(event=one_of("begin"), **_TOLD, kinds=many(TEXT)),
    table(event=one_of("heartbeat"), **_TOLD),
    table(event=one_of("dropped"), **_TOLD, text=TEXT),
    table(event=one_of("readings"), **_TOLD, channels=many(_READING)),
    table(event=one_of("alarms"), **_TOLD, kind=TEXT, text=TEXT),
    table(event=one_of("commands"), **_TOLD, id=TEXT, state=TEXT, reason=maybe(TEXT), utc_ms=maybe(COUNT)),
)
