"""Which keys a centre believes after a restart, and after the store was made by an older program."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.centre.keyring import Keyring
from gateway.centre.store import Store
from gateway.wire.keys import KeySet, TrustedKey
from gateway.wire.tests.building import KEY

GATEWAY = TrustedKey(b"gw-2026", "gw-0001", bytes(8), frozenset({"gateway"}), KEY.public_key())


def install(path: Path, revision: int) -> None:
    """Put a file with one key there."""
    path.write_text(KeySet.of([GATEWAY], revision=revision).to_toml())


def test_the_highest_revision_is_kept_for_each_centre(tmp_path: Path) -> None:
    """It never falls, outlives the process, and is nobody else's: each may have a file of its own."""
    path = tmp_path / "centre.db"
    store = Store.open(path, "one")
    assert store.key_set_revision() == 0
    for revision in (3, 7, 5):
        store.keep_key_set_revision(revision)
    store.close()
    for taker, kept in (("one", 7), ("two", 0)):
        store = Store.open(path, taker)
        assert store.key_set_revision() == kept
        store.close()


def test_a_store_of_before_gets_the_table(tmp_path: Path) -> None:
    """An older program of the same version made it without."""
    path = tmp_path / "centre.db"
    store = Store.open(path)
    store.database.execute("DROP TABLE key_set")
    store.close()
    store = Store.open(path)
    assert store.key_set_revision() == 0
    store.close()


def test_after_a_restart_an_older_file_is_not_trusted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The centre says so and believes nobody; the same file or a newer one is as good as before."""
    path = tmp_path / "gateways.toml"
    install(path, 4)
    keyring = Keyring(path)
    keyring.not_below(4)
    assert (keyring.revision, keyring.failure) == (4, None)
    keyring.not_below(5)
    told = f"{path}: revision 4, where 5 was trusted before: install the newest file"
    assert keyring.failure is not None
    assert keyring.failure.startswith(told)
    assert f"no key is trusted: {told}" in caplog.text
    assert keyring.judge.gateways() == []
    assert keyring.revision == 5


def test_a_key_that_was_enrolled_a_moment_ago_counts(tmp_path: Path) -> None:
    """Its gateway says its birth once, as soon as it has its certificate: there is no second to wait for."""
    path = tmp_path / "gateways.toml"
    other = replace(GATEWAY, issuer="gw-0002")
    path.write_text(KeySet.of([other], revision=1).to_toml())
    keyring = Keyring(path)
    assert keyring.judge.gateways() == ["gw-0002"]
    install(path, 2)
    assert keyring.judge.gateways() == ["gw-0001"]
