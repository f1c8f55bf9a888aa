"""page.db keeps what it was told across a restart and a crash, keeps no secret, and its audit rows for good."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.web import schema, store
from gateway.web.schema import StoreError
from gateway.web.store import CODE_VALID_S, IDLE_S, LONGEST_S, Session, Store
from gateway.web.throttle import MOST_OF_ALL, MOST_OF_ONE, SPAN_S, Throttle, wait_s

DAY_S = 86_400.0


class Clock:
    """Goes on when told."""

    def __init__(self) -> None:
        self.s = 1_790_000_000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def clock() -> Clock:
    """The time of a test."""
    return Clock()


@pytest.fixture
def kept(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    """A store that nobody has used."""
    made = Store(tmp_path / "state", now_s=clock)
    yield made
    made.close()


def test_a_session_ends_when_it_was_not_used_for_long(kept: Store, clock: Clock) -> None:
    """12 hours idle end it; one that is used goes on, for 30 days at most."""
    idle, used = kept.begin_session(), kept.begin_session()
    for _ in range(int(LONGEST_S / (IDLE_S / 2)) - 1):
        clock.s += IDLE_S / 2
        assert kept.session(used) is not None
    assert kept.session(idle) is None
    clock.s += IDLE_S / 2
    assert kept.session(used) is None


def test_a_session_is_known_by_its_secret_alone(kept: Store) -> None:
    """What is stored opens nothing."""
    secret = kept.begin_session()
    session = kept.session(secret)
    assert session is not None
    assert secret.encode() not in session.digest
    assert kept.session(session.digest.hex()) is None
    assert kept.session("") is None
    assert kept.is_open(session)
    kept.end_session(session)
    assert not kept.is_open(session)
    assert kept.session(secret) is None
    assert not kept.is_open(Session(b"x" * 32, 0.0))


def test_a_clock_that_was_put_back_ends_what_was_made_in_the_future(kept: Store, clock: Clock) -> None:
    """A session may not live longer because the box forgot the time; a correction of some minutes ends none."""
    secret = kept.begin_session()
    clock.s -= 600
    assert kept.session(secret) is not None
    clock.s -= DAY_S
    assert kept.session(secret) is None


def test_a_code_is_valid_for_a_day(kept: Store, clock: Clock) -> None:
    """As it is shown, in small letters, with O for 0 and I or L for 1."""
    code = kept.make_code()
    assert len(code) == 10
    assert not set(code) & set("ILOU")
    assert kept.fits(code)
    assert kept.fits(f" {code[:5]}-{code[5:]} ".lower().replace("0", "o").replace("1", "l"))
    assert not kept.fits("")
    clock.s += CODE_VALID_S
    assert not kept.fits(code)
    assert not kept.use_code(code, "hash")
    assert kept.password() is None


def test_a_weaker_hash_is_replaced_only_while_it_is_the_one(kept: Store) -> None:
    """A password that was changed meanwhile stays."""
    kept.set_password("old")
    kept.renew_hash("old", "stronger")
    assert kept.password() == "stronger"
    kept.renew_hash("old", "wrong")
    assert kept.password() == "stronger"


def test_audit_rows_are_neither_changed_nor_deleted(kept: Store, tmp_path: Path) -> None:
    """Not by this program and not by the next one that opens the file."""
    kept.audit("login", "192.0.2.1", "password")
    db = sqlite3.connect(tmp_path / "state" / "page.db")
    for statement in ("UPDATE audit SET text = ''", "DELETE FROM audit", "UPDATE audit SET number = number + 99999"):
        with pytest.raises(sqlite3.IntegrityError, match="audit rows are kept"):
            db.execute(statement)
    db.close()
    assert [(row.kind, row.address, row.text) for row in kept.audited(9)] == [("login", "192.0.2.1", "password")]


def test_the_oldest_audit_rows_make_room(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the newest are kept, and they are whole."""
    monkeypatch.setattr(schema, "SCHEMA", schema.SCHEMA.replace(str(schema.AUDIT_KEPT), "3"))
    monkeypatch.setattr(store, "AUDIT_KEPT", 3)
    kept = Store(tmp_path, now_s=clock)
    for number in range(5):
        kept.audit("login", "", str(number))
    assert [row.text for row in kept.audited(9)] == ["4", "3", "2"]
    kept.close()


@pytest.mark.parametrize("damage", [b"not a database at all" * 999, "schema"])
def test_a_damaged_file_is_kept_aside_and_first_use_comes_again(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture, damage: bytes | str
) -> None:
    """A new one is begun without a password, and the log says so and what to do."""
    made = Store(tmp_path, now_s=clock)
    made.set_password("hash")
    made.close()
    file = tmp_path / "page.db"
    whole = file.read_bytes()
    file.write_bytes(damage if isinstance(damage, bytes) else whole[:100] + b"\xff" * 3000 + whole[3100:])
    again = Store(tmp_path, now_s=clock)
    assert again.password() is None
    assert again.moved_aside == tmp_path / f"page.db.damaged-{int(clock.s)}"
    assert again.moved_aside.exists()
    assert "gateway passwd" in caplog.text
    again.close()


def test_what_a_newer_release_made_is_left_alone(tmp_path: Path) -> None:
    """It is no damage: its password must not be lost by going back."""
    Store(tmp_path).close()
    db = sqlite3.connect(tmp_path / "page.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="newer release"):
        Store(tmp_path)


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--state"):
        Store(tmp_path / "file")
    (tmp_path / "state" / "page.db").mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(tmp_path / "state")


def test_a_card_that_is_read_only(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is logged in stays so, nobody else is let in or counted, and all works once it can be written to."""
    first = Store(tmp_path, now_s=clock)
    first.set_password("hash")
    secret = first.begin_session()
    first.close()
    with monkeypatch.context() as card:
        card.setattr(schema, "prepared", _read_only)
        kept = Store(tmp_path, now_s=clock)
        clock.s += IDLE_S - 1
        assert (kept.password(), kept.session(secret) is not None) == ("hash", True)
        for refused in (kept.begin_session, kept.make_code, lambda: kept.set_password("another")):
            with pytest.raises(StoreError, match="see to the disk"):
                refused()
        clock.s += 1
        assert kept.session(secret) is None
        with pytest.raises(StoreError, match="cannot be opened"):
            Store(tmp_path / "new")
    assert kept.session(kept.begin_session()) is not None
    kept.close()


def _read_only(path: Path) -> sqlite3.Connection:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def test_a_change_that_cannot_be_written_is_an_error_and_changes_nothing(kept: Store, tmp_path: Path) -> None:
    """While another process holds the file for longer than we wait, or the disk is full."""
    kept.set_password("hash")
    kept._db.execute("PRAGMA busy_timeout = 1").fetchall()
    other = sqlite3.connect(tmp_path / "state" / "page.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        kept.set_password("another")
    other.execute("ROLLBACK")
    other.close()
    assert kept.password() == "hash"


def test_the_folder_is_for_its_user_alone(tmp_path: Path, clock: Clock) -> None:
    """Also one that was there and was open."""
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    Store(folder, now_s=clock).close()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "page.db").stat().st_mode & 0o777 == 0o600
    assert (folder / "page.db").stat().st_uid == os.geteuid()


def test_where_the_page_serves_is_noted_in_order(kept: Store) -> None:
    """The last time it was started counts."""
    kept.set_addresses(["https://192.0.2.1/", "https://b.local/"])
    kept.set_addresses(["https://192.0.2.9/", "https://a.local/", "https://192.0.2.9/"])
    assert kept.addresses() == ["https://192.0.2.9/", "https://a.local/"]


# The throttle


def test_the_wait_is_until_the_oldest_of_the_last_failures_is_old() -> None:
    """Of an address, of all, or the longer of both."""
    assert wait_s([0.0] * (MOST_OF_ONE - 1), [0.0] * (MOST_OF_ALL - 1), 1.0) == 0
    assert wait_s([1.0, 2.0, 3.0, 4.0, 5.0], [], 100.0) == 1.0 + SPAN_S - 100.0
    assert wait_s([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [], 100.0) == 1.0 + SPAN_S - 100.0
    assert wait_s([], [7.0] * MOST_OF_ALL, 100.0) == 7.0 + SPAN_S - 100.0


def test_attempts_are_let_through_again_as_failures_grow_old(kept: Store, clock: Clock) -> None:
    """One that was refused is no failure: trying on does not keep the door shut."""
    throttle = Throttle(kept)
    for _ in range(MOST_OF_ONE):
        assert throttle.attempt("192.0.2.1") == 0
        clock.s += 1
    for _ in range(50):
        assert throttle.attempt("192.0.2.1") == pytest.approx(SPAN_S - MOST_OF_ONE)
    assert throttle.attempt("192.0.2.2") == 0
    clock.s += SPAN_S - MOST_OF_ONE
    assert throttle.attempt("192.0.2.1") == 0
    assert throttle.attempt("192.0.2.1") > 0


def test_what_was_not_judged_is_not_counted(kept: Store) -> None:
    """Whoever is sent away as too many are hashed at once has not failed."""
    throttle = Throttle(kept)
    for _ in range(MOST_OF_ONE * 2):
        assert throttle.attempt("192.0.2.1") == 0
        throttle.not_judged("192.0.2.1")
    for _ in range(MOST_OF_ONE):
        assert throttle.attempt("192.0.2.1") == 0
    throttle.not_judged("192.0.2.2")
    assert throttle.attempt("192.0.2.1") > 0


def test_a_clock_that_was_put_back_does_not_shut_the_door_for_long(kept: Store, clock: Clock) -> None:
    """Failures of the future count from now on, for 15 minutes."""
    throttle = Throttle(kept)
    for _ in range(MOST_OF_ONE):
        throttle.attempt("192.0.2.1")
    clock.s -= 365 * DAY_S
    assert throttle.attempt("192.0.2.1") == SPAN_S
    clock.s += SPAN_S
    assert throttle.attempt("192.0.2.1") == 0
