"""From the store to PostgreSQL: decoded readings, alarms and drop records, each once, in the order of their commit.

The tables are in `postgres.sql`. How far the store has been written stands in the same database and changes in the same
transaction: whatever dies in between, nothing is lost or doubled, and what is written again changes nothing. Of several
centres on one store, one writes.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gateway.centre import rows
from gateway.centre.decode import Decoded
from gateway.centre.errors import SinkUnavailable, SinkUnusable
from gateway.centre.source import Clocked, Page, Progress, Source
from gateway.centre.tables import is_unavailable
from gateway.wire.messages import ClockRecord
from gateway.wire.placing import METER

log = logging.getLogger(__name__)

_LOOK_S = 0.5
_AGAIN_S = 0.5
_AGAIN_MAX_S = 30.0
_NOT_ON_DUTY_S = 1.0

_DEFAULTS: dict[str, str | int] = {"connect_timeout": 10, "application_name": "gateway-centre", "keepalives_idle": 30}

_Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(slots=True)
class SinkState:
    """Where the sink stands: how many segments it has written since it began, and what is wrong, None where nothing."""

    segments: int = 0
    trouble: str | None = None
    writes: bool = False
    """False while it is not connected, or another centre on the same store writes."""


def checked(conninfo: str) -> str:
    """Give libpq's connection string as it is used; raise SinkUnusable for one that it does not know, or a password."""
    try:
        told = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError as error:
        raise SinkUnusable(f"--postgres: {str(error).strip()}: give it as libpq knows it: service=NAME") from error
    if told.get("password"):
        raise SinkUnusable("--postgres: no password here, where everybody sees it: it belongs in ~/.pgpass (0600)")
    return make_conninfo(conninfo, **{name: value for name, value in _DEFAULTS.items() if name not in told})


class Sink:
    """Writes one store into one database; `run` is for a thread of its own."""

    def __init__(self, store: Path, conninfo: str, tiers: frozenset[str] | None = None) -> None:
        """Take libpq's connection string; "" leaves all to its environment and service files. Raises SinkUnusable.

        Only readings of some `tiers` are written, where these are told.
        """
        self._store = store
        self._tiers = tiers
        self._conninfo = checked(conninfo)
        self.state = SinkState()

    def check(self) -> None:
        """Look once whether it can be written: raise SinkUnusable where it cannot, SinkUnavailable where not now."""
        with _told(self._store), psycopg.connect(self._conninfo, autocommit=True) as connection:
            _prepare(connection)

    def run(self, ended: threading.Event) -> None:
        """Write what there is and what comes, until `ended`; whatever is wrong meanwhile is said, and tried again."""
        pause_s = _AGAIN_S
        while not ended.is_set():
            try:
                self._written(ended)
            except (SinkUnavailable, SinkUnusable) as error:
                if self.state.trouble is None:
                    log.warning("%s", error)
                self.state.trouble, self.state.writes = str(error), False
                ended.wait(pause_s)
                pause_s = min(2 * pause_s, _AGAIN_MAX_S)
            else:
                pause_s = _AGAIN_S

    def _written(self, ended: threading.Event) -> None:
        with _told(self._store), psycopg.connect(self._conninfo, autocommit=True) as connection:
            source = Source(self._store, self._tiers)
            try:
                self._serve(connection, source, ended)
            finally:
                source.close()

    def _serve(self, connection: _Connection, source: Source, ended: threading.Event) -> None:
        store = source.identity.hex()
        lock = int.from_bytes(source.identity, "big", signed=True)
        while connection.execute("SELECT pg_try_advisory_lock(%s)", (lock,)).fetchone() != (True,):
            self.state.trouble = None  # another centre writes, and is on duty until its connection ends
            if ended.wait(_NOT_ON_DUTY_S):
                return
        _prepare(connection)
        progress = _progress(connection, store)
        writing = rows.Writing(connection)
        self.state.trouble, self.state.writes = None, True
        log.info("PostgreSQL is written from message %d of the store on", progress.message + 1)
        while not ended.is_set():
            page = source.page(progress)
            if page is None:
                ended.wait(_LOOK_S)
                if connection.closed or not connection.execute("SELECT true").fetchone():
                    return
                continue
            with connection.transaction():
                self._write(writing, source, page)
                connection.execute(
                    "UPDATE gateway.progress SET message = %s, alarm = %s, dropped = %s WHERE store = %s",
                    (page.progress.message, page.progress.alarm, page.progress.dropped, store),
                )
            progress = page.progress

    def _write(self, writing: rows.Writing, source: Source, page: Page) -> None:
        for item in page.items:
            if isinstance(item, Decoded):
                self.state.segments += writing.segment(item)
            elif isinstance(item, Clocked):
                self._place(writing, source, item.gateway, item.record)
        for alarm in page.alarms:
            writing.alarm(alarm)
        for dropped in page.dropped:
            writing.dropped(dropped)

    def _place(self, writing: rows.Writing, source: Source, gateway: str, record: ClockRecord) -> None:
        """Write a clock record, and anew what it can place and what was placed by nobody, or only by a meter."""
        writing.clock(gateway, record)
        for epoch, stream, sequence in writing.to_place(gateway, record.boot_id, provisional=record.source != METER):
            decoded = source.segment(gateway, epoch, stream, sequence)
            if decoded is not None:
                writing.segment(decoded)


@contextmanager
def _told(store: Path) -> Iterator[None]:
    """Tell what PostgreSQL and the store say in words of ours."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise SinkUnavailable(f"PostgreSQL: {_first(error)}: it is tried again; nothing is lost meanwhile") from error
    except psycopg.Error as error:
        raise SinkUnusable(
            f"PostgreSQL: {_first(error)}: let this role make the schema `gateway`, or make it with postgres.sql"
        ) from error
    except sqlite3.Error as error:
        if not is_unavailable(error):
            raise
        raise SinkUnavailable(f"{store}: {error}: it is tried again") from error


def _prepare(connection: _Connection) -> None:
    """Make the tables where they are not there; a role that may not, finds them made."""
    if connection.execute("SELECT to_regclass('gateway.progress')").fetchone() == (None,):
        with connection.transaction():
            connection.execute(ddl())


def ddl() -> str:
    """Give the statements that make the tables."""
    return files("gateway.centre").joinpath("postgres.sql").read_text("utf-8")


def _progress(connection: _Connection, store: str) -> Progress:
    connection.execute("INSERT INTO gateway.progress VALUES (%s, 0, 0, 0) ON CONFLICT DO NOTHING", (store,))
    query = "SELECT message, alarm, dropped FROM gateway.progress WHERE store = %s"
    row = connection.execute(query, (store,)).fetchone()
    return Progress(*row) if row else Progress()  # type: ignore[arg-type]  # bigint NOT NULL


def _first(error: psycopg.Error) -> str:
    """Give the first line of what PostgreSQL says; what follows may quote data."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
