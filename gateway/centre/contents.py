"""What a message that is new in the store brings besides itself, kept in the same transaction."""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field

from gateway.centre import chain
from gateway.centre.judge import Genuine
from gateway.wire.errors import MalformedMessage
from gateway.wire.messages import Alarm, Answer, ClockRecord, Dropped
from gateway.wire.packing import CONTENT as SEGMENT
from gateway.wire.schema import Schema

StreamKey = tuple[str, bytes, str]
"""Gateway, epoch, stream."""


@dataclass(slots=True)
class Brought:
    """What a batch brought: counts, numbers that are settled now by stream, and the streams whose receipts are due."""

    tallies: Counter[str] = field(default_factory=Counter)
    settled: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    due: set[StreamKey] = field(default_factory=set)


def stream_number(database: sqlite3.Connection, key: StreamKey) -> int:
    """Give the number of a stream in the store, which is made where it is new."""
    found = database.execute("SELECT id FROM stream WHERE gateway = ? AND epoch = ? AND name = ?", key).fetchone()
    if found is None:
        insert = "INSERT INTO stream (gateway, epoch, name) VALUES (?, ?, ?) RETURNING id"
        (found,) = database.execute(insert, key).fetchall()
    return int(found[0])


def follow(database: sqlite3.Connection, genuine: Genuine, when: int, brought: Brought) -> None:
    """Keep what a new message brings; content that says nothing to us is counted, and is no error."""
    content, gateway, payload = genuine.header.content, genuine.header.gateway, genuine.payload
    execute = database.execute
    try:
        if content == SEGMENT:
            brought.tallies["segments"] += 1
        elif content == Schema.CONTENT:
            identity = Schema.decode(payload).id
            if identity != genuine.header.schema:
                raise MalformedMessage("a schema under another id")  # noqa: TRY301 - unreadable, as below
            execute("INSERT OR IGNORE INTO schema VALUES (?, ?, ?)", (gateway, identity, payload))
        elif content == ClockRecord.CONTENT:
            told = ClockRecord.decode(payload)
            moment = (gateway, told.boot_id, told.boot_ms, told.source, told.utc_ms, told.uncertainty_ms)
            execute("INSERT OR IGNORE INTO clock VALUES (?, ?, ?, ?, ?, ?)", moment)
        elif content == Dropped.CONTENT:
            _dropped(database, gateway, Dropped.decode(payload), when, brought)
        elif content == Alarm.CONTENT:
            keep_alarm(database, genuine, when, brought)
        elif content == Answer.CONTENT:
            command = Answer.decode(payload).command_id
            insert = "INSERT INTO answer (command, gateway, arrived_utc_ms, payload) VALUES (?, ?, ?, ?)"
            execute(insert, (command, gateway, when, payload))
    except MalformedMessage:  # signed by its gateway, and kept as it is; only its content says nothing to us
        brought.tallies["unreadable"] += 1


def keep_alarm(database: sqlite3.Connection, genuine: Genuine, when: int, brought: Brought) -> None:
    """Keep an alarm, chained or said singly; one that came before is dropped. Raises MalformedMessage."""
    Alarm.decode(genuine.payload)
    header = genuine.header
    brought.tallies["alarms"] += database.execute(
        "INSERT OR IGNORE INTO alarm (gateway, epoch, stream, sequence, arrived_utc_ms, payload)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (header.gateway, header.epoch, header.stream, header.sequence, when, genuine.payload),
    ).rowcount


def _dropped(database: sqlite3.Connection, gateway: str, told: Dropped, when: int, brought: Brought) -> None:
    """Settle a range that never comes: nobody asks for it any more, and receipts go past it."""
    key = (gateway, told.epoch, told.stream)
    stream = stream_number(database, key)
    is_new = database.execute(
        "INSERT OR IGNORE INTO dropped"
        " (stream, first, last, count, first_ms, last_ms, last_digest, reason, arrived_utc_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            stream,
            told.first,
            told.last,
            told.count,
            told.first_ms,
            told.last_ms,
            told.last_digest,
            told.reason,
            when,
        ),
    ).rowcount
    if is_new:
        brought.tallies["dropped_readings"] += told.count
        brought.tallies["chain_breaks"] += chain.bridge(database, stream, told)
        brought.settled.setdefault(stream, []).append((told.first, told.last))
    brought.due.add(key)
