"""page.db: the page's own memory, in its own folder: password, one-time code, sessions, failures and audit rows.

Secrets are kept as hashes. Every change is on the disk when its method returns, and the command `gateway passwd` may
change the same file meanwhile. What counts time goes by the clock of the day, so that it goes on after a restart.
"""

import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gateway.web import schema
from gateway.web.schema import AUDIT_KEPT, StoreError

log = logging.getLogger(__name__)

IDLE_S = 12 * 3600.0
LONGEST_S = 30 * 86_400.0
TOUCH_S = 300.0
"""How often a session that is used is noted as used: each note is a write to the card."""

CODE_VALID_S = 86_400.0
CODE_LENGTH = 10
_CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Base32 of Crockford: no letter that is read as a digit."""
_READ_AS = str.maketrans({"-": None, " ": None, "O": "0", "I": "1", "L": "1"})

CLOCK_SLACK_S = 3600.0
"""A clock may be put back by so much before what was made "in the future" counts as unknown."""


Judge = Callable[[Sequence[float], Sequence[float], float], float]
"""Of the times of an address's failures, of everybody's, and of now, makes the seconds to wait."""


class Session(NamedTuple):
    """A session that is open: the hash of its secret, and since when."""

    digest: bytes
    made_s: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit row."""

    number: int
    at_s: float
    kind: str
    address: str
    text: str


class Store:
    """The page.db of a folder, which is made if it is missing; every method may raise StoreError.

    Threads may share it. `now_s` is the clock, in s UTC. `moved_aside` is where a damaged file went; a new one, without
    a password, was begun then.
    """

    def __init__(self, folder: Path, *, now_s: Callable[[], float] = time.time) -> None:
        self.moved_aside: Path | None = None
        self._reads_alone = False
        self._now_s = now_s
        self._lock = threading.Lock()
        self._path = folder / "page.db"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.stat()
            if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != 0o700:
                folder.chmod(0o700)
        except OSError as error:
            raise StoreError(
                f"{folder}: the page's folder cannot be made ({error.strerror}): make it for the user who runs the "
                "page, or name another with --state"
            ) from error
        self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            return schema.prepared(self._path)
        except (sqlite3.OperationalError, OSError) as error:
            told = f"{self._path}: cannot be opened ({error}): may this user write there, is there room on the disk?"
            reading = schema.for_reading(self._path, error)
            if reading is None:
                raise StoreError(told) from error
            log.warning("%s Whoever is logged in stays so; nobody else can be let in until it can be written to", told)
            self._reads_alone = True
            return reading
        except sqlite3.DatabaseError as error:
            aside = self._path.with_name(f"{self._path.name}.damaged-{int(self._now_s())}")
            told = f"{self._path} is damaged ({error})"
            try:
                self._path.rename(aside)
                opened = schema.prepared(self._path)
            except (OSError, sqlite3.Error) as second:
                raise StoreError(f"{told}, and no new one can be begun: {second}") from second
            self.moved_aside = aside
            log.warning(
                "%s: it is kept as %s, and a new one is begun. No password is set any more: make a one-time code "
                "with `gateway passwd`",
                *(told, aside.name),
            )
            return opened

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone in this process and against others."""
        with self._lock:
            try:
                if self._reads_alone:
                    self._write_again()
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise StoreError(f"{self._path}: {error}; is the disk full or worn out?") from error

    def _write_again(self) -> None:
        """Open for writing what could be read alone at the start; raise StoreError while that cannot be."""
        try:
            opened = schema.prepared(self._path)
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}: see to the disk") from error
        self._db.close()
        self._db, self._reads_alone = opened, False

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise StoreError(f"{self._path}: {error}; is the disk worn out?") from error

    # Password and one-time code

    def password(self) -> str | None:
        """Give the hash of the password, None while there is none."""
        found = self._read("SELECT hash FROM password")
        return str(found[0][0]) if found else None

    def set_password(self, hashed: str) -> None:
        """Set the password by its hash; every session ends."""
        with self._changing() as db:
            _set_password(db, hashed, self._now_s())

    def renew_hash(self, old: str, new: str) -> None:
        """Store a stronger hash of the same password; nothing happens if it is another one by now."""
        with self._changing() as db:
            db.execute("UPDATE password SET hash = ? WHERE hash = ?", (new, old))

    def make_code(self) -> str:
        """Make the one-time code, valid for a day, instead of any older one; only its hash is kept."""
        code = "".join(secrets.choice(_CODE_LETTERS) for _ in range(CODE_LENGTH))
        with self._changing() as db:
            db.execute("INSERT OR REPLACE INTO code VALUES (1, ?, ?)", (_digest(code), self._now_s() + CODE_VALID_S))
        return code

    def fits(self, code: str) -> bool:
        """Tell whether a code, as somebody typed it, is the one that is valid."""
        return _fits(self._read(_CODE), code, self._now_s())

    def use_code(self, code: str, hashed: str) -> bool:
        """Set the password with the one-time code, which is gone then; False if the code is not valid."""
        with self._changing() as db:
            if not _fits(db.execute(_CODE).fetchall(), code, self._now_s()):
                return False
            db.execute("DELETE FROM code")
            _set_password(db, hashed, self._now_s())
            return True

    # Sessions

    def begin_session(self) -> str:
        """Open a session, and give its secret, which is kept nowhere here."""
        secret = secrets.token_urlsafe(32)
        with self._changing() as db:
            db.execute(
                "DELETE FROM session WHERE seen_s < ? OR made_s < ?",
                (self._now_s() - IDLE_S, self._now_s() - LONGEST_S),
            )
            db.execute("INSERT INTO session VALUES (?, ?, ?)", (_digest(secret), self._now_s(), self._now_s()))
        return secret

    def session(self, secret: str) -> Session | None:
        """Give the open session of a secret, which is in use by that; None if there is none."""
        digest = _digest(secret)
        found = self._read("SELECT made_s, seen_s FROM session WHERE digest = ?", digest)
        if not found or not _is_open(found[0], self._now_s()):
            return None
        if abs(self._now_s() - found[0][1]) > TOUCH_S:
            # A card that takes no note of it does not throw anybody out before the session's time is over.
            with contextlib.suppress(StoreError), self._changing() as db:
                db.execute("UPDATE session SET seen_s = ? WHERE digest = ?", (self._now_s(), digest))
        return Session(digest, found[0][0])

    def is_open(self, session: Session) -> bool:
        """Tell whether a session still goes on, without using it."""
        found = self._read("SELECT made_s, seen_s FROM session WHERE digest = ?", session.digest)
        return bool(found) and _is_open(found[0], self._now_s())

    def end_session(self, session: Session) -> None:
        """End a session."""
        with self._changing() as db:
            db.execute("DELETE FROM session WHERE digest = ?", (session.digest,))

    # Failures

    def count_failure(self, address: str, span_s: float, judge: Judge) -> float:
        """Count a failure and give 0, unless `judge` gives seconds to wait for what failed in the last `span_s`."""
        now_s = self._now_s()
        with self._changing() as db:
            # Failures "in the future" were counted before the clock was put back; they must not last until then.
            db.execute("UPDATE failure SET at_s = ? WHERE at_s > ?", (now_s, now_s))
            db.execute("DELETE FROM failure WHERE at_s <= ?", (now_s - span_s,))
            rows = db.execute("SELECT address, at_s FROM failure ORDER BY at_s").fetchall()
            wait_s = judge([at for whose, at in rows if whose == address], [at for _, at in rows], now_s)
            if not wait_s:
                db.execute("INSERT INTO failure (address, at_s) VALUES (?, ?)", (address, now_s))
            return wait_s

    def forget_failures(self, address: str, *, only_last: bool = False) -> None:
        """Forget the failures of one address."""
        last = " AND number = (SELECT max(number) FROM failure WHERE address = ?1)" if only_last else ""
        with self._changing() as db:
            db.execute(f"DELETE FROM failure WHERE address = ?1{last}", (address,))  # noqa: S608 - one of our two texts

    # Where the page is, for whoever makes a code

    def set_addresses(self, urls: Sequence[str]) -> None:
        """Note where the page serves."""
        with self._changing() as db:
            db.execute("DELETE FROM address")
            db.executemany("INSERT OR IGNORE INTO address VALUES (?, ?)", [(url, n) for n, url in enumerate(urls)])

    def addresses(self) -> list[str]:
        """Give where the page served last, the best first."""
        return [str(url) for (url,) in self._read("SELECT url FROM address ORDER BY place")]

    # Audit

    def audit(self, kind: str, address: str, text: str) -> None:
        """Add an audit row; of the newest 10,000 none can be changed or deleted."""
        with self._changing() as db:
            db.execute(
                "INSERT INTO audit (at_s, kind, address, text) VALUES (?, ?, ?, ?)",
                (self._now_s(), kind, address, text),
            )
            db.execute("DELETE FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?", (AUDIT_KEPT,))

    def audited(self, limit: int) -> list[Entry]:
        """Give the newest audit rows, the newest first."""
        query = "SELECT number, at_s, kind, address, text FROM audit ORDER BY number DESC LIMIT ?"
        return [Entry(*row) for row in self._read(query, limit)]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


_CODE = "SELECT digest, until_s FROM code"


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _typed(code: str) -> str:
    """Read a code as people write it: any case, hyphens and spaces, and the letters that look like digits."""
    return code.upper().translate(_READ_AS)


def _fits(rows: Sequence[tuple[Any, ...]], code: str, now_s: float) -> bool:
    return bool(rows) and now_s < rows[0][1] and hmac.compare_digest(rows[0][0], _digest(_typed(code)))


def _is_open(row: tuple[float, float], now_s: float) -> bool:
    made_s, seen_s = row
    return made_s - CLOCK_SLACK_S <= now_s < min(seen_s + IDLE_S, made_s + LONGEST_S)


def _set_password(db: sqlite3.Connection, hashed: str, now_s: float) -> None:
    db.execute("INSERT OR REPLACE INTO password VALUES (1, ?, ?)", (hashed, now_s))
    db.execute("DELETE FROM session")
