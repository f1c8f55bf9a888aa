"""What others keep and send of the same trace, written again from their sources so that it runs on any machine.

ThingsBoard: IoT Gateway 3.8.5 (Apache-2.0), storage/sqlite/database.py and database_connector.py for the table, the
pragmas and their order, gateway/tb_gateway_service.py for the row of a poll and for the packs that are published, and
tb-mqtt-client 1.13.13 for their size. `peer_store.py` holds our copy of its storage to the real one.

Naive: the script of every tutorial, one JSON message a reading, published with QoS 1, kept as a row or not at all.
Change-only: the same rows, of readings that differ from the one before.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Self

from hil_tests.benchmarks.outbox.trace import DATE, GROUPS, LINKY, Tick, date_text

TB_NAME = "ThingsBoard IoT Gateway 3.8.5"
TB_TOPIC = "v1/gateway/telemetry"
TB_BATCH = 1000
"""Rows that are read, published and then deleted together: max_read_records_count."""

TB_PAYLOAD = 8196
"""maxPayloadSizeBytes."""

NAIVE_TOPIC = "bldg1/{}/{}"

_TOGETHER_MS = 100
"""ThingsBoard's thread gathers rows for a tenth of a second before it commits them."""

_NAMES = tuple(tuple(label.name for label in group.labels) for group in GROUPS)
_SCALES = tuple(tuple(label.exponent for label in group.labels) for group in GROUPS)
_DEVICES = tuple(f"bldg1-{group.name}" for group in GROUPS)
_COMPACT = (",", ":")


def shown(tick: Tick) -> dict[str, int | float | str]:
    """Give a tick's values as a platform would show them."""
    scales = _SCALES[tick.group]
    values = {
        name: value if not scale or isinstance(value, str) else round(value * 10.0**scale, -scale)
        for name, value, scale in zip(_NAMES[tick.group], tick.values, scales, strict=True)
    }
    if tick.group == LINKY:
        values[_NAMES[LINKY][DATE]] = date_text(tick)
    return values


def naive_rows(tick: Tick) -> list[str]:
    """Write a JSON text for each reading."""
    return [_row(tick, name, value) for name, value in shown(tick).items()]


def changed_rows(trace: Iterable[Tick]) -> Iterator[list[str]]:
    """Write, tick by tick, a JSON text for each reading that differs from the one before."""
    known: dict[int, dict[str, int | float | str]] = {number: {} for number in range(len(GROUPS))}
    for tick in trace:
        before, now = known[tick.group], shown(tick)
        yield [_row(tick, name, value) for name, value in now.items() if before.get(name) != value]
        known[tick.group] = now


def _row(tick: Tick, name: str, value: float | str) -> str:
    where = f"bldg1/{GROUPS[tick.group].name}/{name}"
    return json.dumps({"ts": tick.utc_ms, "id": where, "v": value}, separators=_COMPACT)


def tb_row(tick: Tick) -> str:
    """Write the row of a poll as ThingsBoard stores it."""
    event = {
        "deviceName": _DEVICES[tick.group],
        "deviceType": "default",
        "telemetry": [{"ts": tick.utc_ms, "values": shown(tick)}],
        "attributes": {},
    }
    return json.dumps(event, separators=_COMPACT)


def tb_moments(trace: Iterable[Tick]) -> Iterator[list[str]]:
    """Give the rows that ThingsBoard commits together as the trace goes by: nearly always one."""
    for _, ticks in groupby(trace, lambda tick: tick.utc_ms // _TOGETHER_MS):
        yield [tb_row(tick) for tick in ticks]


def tb_packs(rows: Sequence[str]) -> Iterator[bytes]:
    """Give what is published of a batch of rows: for each device its polls, in payloads of a bounded size."""
    polls: dict[str, list[str]] = {}
    for row in rows:
        event = json.loads(row)
        for item in event["telemetry"]:
            polls.setdefault(event["deviceName"], []).append(json.dumps(item, separators=_COMPACT))
    for device, items in polls.items():
        room = 0
        pack: list[str] = []
        for item in items:
            if pack and room + len(item) > TB_PAYLOAD:
                yield _pack(device, pack)
                pack, room = [], 0
            pack.append(item)
            room += len(item) + 1
        yield _pack(device, pack)


def _pack(device: str, items: Iterable[str]) -> bytes:
    return f'{{"{device}":[{",".join(items)}]}}'.encode()


class TbStore:
    """ThingsBoard's SQLite storage: a row a poll, committed without a sync, deleted once a batch was published."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or make it, with its pragmas in its order; some come too late to do anything, there as here."""
        database = sqlite3.connect(path)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "cache_size=-20000",
            "temp_store=MEMORY",
            "journal_size_limit=5000000",
            "mmap_size=536870912",
            "busy_timeout=15000",
            "page_size=4096",
            "locking_mode=NORMAL",
            "read_uncommitted=ON",
            "auto_vacuum=INCREMENTAL",
            "foreign_keys=ON",
        ):
            database.execute(f"PRAGMA {pragma};")
        database.execute(
            "CREATE TABLE IF NOT EXISTS messages "
            "(id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp INTEGER NOT NULL, message TEXT NOT NULL);"
        )
        database.execute("CREATE INDEX IF NOT EXISTS idx_timestamp ON messages (timestamp);")
        database.commit()
        return cls(database)

    def put(self, utc_ms: int, rows: Sequence[str]) -> None:
        """Store rows in one transaction."""
        self._database.execute("BEGIN TRANSACTION;")
        self._database.executemany(
            "INSERT INTO messages (timestamp, message) VALUES (?, ?);", [(utc_ms, row) for row in rows]
        )
        self._database.commit()

    def batch(self) -> tuple[int, list[str]]:
        """Read the rows that go next; give also the id up to which they are to be deleted."""
        found = self._database.execute("SELECT id, timestamp, message FROM messages LIMIT ?;", (TB_BATCH,)).fetchall()
        return (found[-1][0] if found else 0), [row[2] for row in found]

    def done(self, upto: int) -> None:
        """Delete what was published."""
        self._database.execute("DELETE FROM messages WHERE id <= ?;", (upto,))
        self._database.commit()

    def close(self) -> None:
        """Close it; SQLite then writes its WAL back."""
        self._database.close()


class RowStore:
    """JSON rows in SQLite as it comes, the default of whoever writes a script: each commit is synced."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.execute("CREATE TABLE IF NOT EXISTS readings (id INTEGER PRIMARY KEY, message TEXT)")
        self._database.commit()

    def put(self, rows: Sequence[str]) -> None:
        """Store rows in one transaction."""
        self._database.executemany("INSERT INTO readings (message) VALUES (?)", [(row,) for row in rows])
        self._database.commit()

    def close(self) -> None:
        """Close it."""
        self._database.close()
