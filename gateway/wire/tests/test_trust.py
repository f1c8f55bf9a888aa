"""Keys come and go while programs run: overlap, revocation, and no way back by an old file."""

import os
from pathlib import Path

import pytest

from gateway.wire import cose
from gateway.wire.errors import KeyFileError, RevokedKey, SignatureError
from gateway.wire.keys import KeySet, TrustedKey
from gateway.wire.tests.building import KEY, OTHER_KEY, header
from gateway.wire.trust import LOOK_EACH_S, Trust

OLD = TrustedKey(b"centre-2025", "centre", bytes(8), frozenset({"receipt", "dispatch"}), KEY.public_key())
NEW = TrustedKey(b"centre-2026", "centre", bytes(7) + b"\x01", frozenset({"receipt"}), OTHER_KEY.public_key())
REVOKED = TrustedKey(OLD.key_id, OLD.issuer, OLD.epoch, OLD.roles, OLD.public, is_revoked=True)

BY_OLD = cose.sign(header(key_id=OLD.key_id), b"payload", KEY)
BY_NEW = cose.sign(header(key_id=NEW.key_id), b"payload", OTHER_KEY)
FORGED = cose.sign(header(key_id=OLD.key_id), b"payload", OTHER_KEY)


class Watch:
    """A clock in the test's hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def pass_by(self) -> None:
        """Let it be time to look at the file again."""
        self.now_s += LOOK_EACH_S


def install(path: Path, *keys: TrustedKey, revision: int = 0) -> None:
    """Put another file in the place, as `install` and `mv` do."""
    fresh = path.with_suffix(".new")
    fresh.write_text(KeySet.of(keys, revision=revision).to_toml())
    fresh.replace(path)


def standing(trust: Trust) -> tuple[str | None, set[bytes]]:
    """Tell what is wrong, and which keys are trusted."""
    return trust.failure, set(trust.current().keys)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the old key alone, of revision 1."""
    path = tmp_path / "trusted.toml"
    install(path, OLD, revision=1)
    return path


def test_a_rotation_has_an_overlap_and_an_end(path: Path) -> None:
    """Old key, both, the new one alone: each message is believed as long as its key is, without a restart."""
    watch = Watch()
    trust = Trust(path, now_s=watch)
    assert trust.current().verify(BY_OLD).payload == b"payload"
    with pytest.raises(SignatureError, match="not trusted"):
        trust.current().verify(BY_NEW)
    install(path, OLD, NEW, revision=2)
    watch.pass_by()
    assert trust.current().verify(BY_OLD).header.key_id == OLD.key_id
    assert trust.current().verify(BY_NEW).header.key_id == NEW.key_id
    assert [trust.current().keys[each].epoch for each in (OLD.key_id, NEW.key_id)] == [OLD.epoch, NEW.epoch]
    install(path, REVOKED, NEW, revision=3)
    watch.pass_by()
    with pytest.raises(RevokedKey, match=r"centre-2025.*revoked"):
        trust.current().verify(BY_OLD)
    assert trust.current().verify(BY_NEW).payload == b"payload"
    assert trust.revision == 3


def test_revoked_is_said_only_of_what_the_key_has_signed() -> None:
    """Whoever merely names a revoked key learns no more than of any other."""
    keys = KeySet.of([REVOKED, NEW])
    with pytest.raises(SignatureError, match="wrong signature") as raised:
        keys.verify(FORGED)
    assert not isinstance(raised.value, RevokedKey)
    assert keys.with_role("dispatch") == {}


def test_a_role_is_held_to() -> None:
    """A key signs what its roles allow."""
    keys = KeySet.of([OLD, NEW])
    assert keys.verify(BY_NEW, "receipt").payload == b"payload"
    with pytest.raises(SignatureError, match="may not sign as 'dispatch'"):
        keys.verify(BY_NEW, "dispatch")


def test_the_file_is_not_looked_at_all_the_time(path: Path) -> None:
    """A change counts after two seconds at most, and at once where it is asked for."""
    trust = Trust(path, now_s=Watch())
    install(path, OLD, NEW, revision=2)
    assert NEW.key_id not in trust.current().keys
    trust.look()
    assert NEW.key_id in trust.current().keys


def test_an_older_file_changes_nothing(path: Path) -> None:
    """A revoked key does not come back by an old copy; a right file mends it."""
    install(path, REVOKED, NEW, revision=3)
    trust = Trust(path, now_s=Watch())
    install(path, OLD, revision=1)
    trust.look()
    assert trust.current().keys[OLD.key_id].is_revoked
    assert trust.failure is not None
    assert "revision 1, where 3 was trusted before: install the newest" in trust.failure
    install(path, OLD, revision=4)
    trust.look()
    assert standing(trust) == (None, {OLD.key_id})
    assert trust.revision == 4
    assert trust.current().verify(BY_OLD).payload == b"payload"


def test_after_a_restart_an_older_file_is_trusted_in_nothing(path: Path) -> None:
    """Who remembers revision 5 starts with a file of revision 1, believes nobody, and goes on once it is right."""
    trust = Trust(path, revision=5, now_s=Watch())
    assert trust.current().keys == {}
    assert trust.revision == 5
    assert "revision 1, where 5" in str(trust.failure)
    install(path, OLD, revision=5)
    trust.look()
    assert standing(trust) == (None, {OLD.key_id})


@pytest.mark.parametrize("content", [b"version = 1\n", b"noise", b""])
def test_a_file_with_mistakes_changes_nothing(path: Path, content: bytes) -> None:
    """Half a file, as an editor may leave it, is told and not used; neither is none."""
    trust = Trust(path, now_s=Watch())
    path.write_bytes(content)
    trust.look()
    assert trust.failure is not None
    assert trust.current().verify(BY_OLD).payload == b"payload"
    path.unlink()
    trust.look()
    assert "cannot be read" in str(trust.failure)
    install(path, NEW, revision=1)
    trust.look()
    assert standing(trust) == (None, {NEW.key_id})


def test_a_change_in_place_is_seen_too(path: Path) -> None:
    """An editor that writes into the same file changes its time."""
    trust = Trust(path, now_s=Watch())
    before = path.stat()
    path.write_text(KeySet.of([NEW], revision=1).to_toml())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    trust.look()
    assert set(trust.current().keys) == {NEW.key_id}


def test_without_a_file_there_is_nothing_to_begin_with(tmp_path: Path) -> None:
    """The first file must be right."""
    with pytest.raises(KeyFileError):
        Trust(tmp_path / "trusted.toml")
