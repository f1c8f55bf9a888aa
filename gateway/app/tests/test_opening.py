"""What stands in no other place goes on where the database of readings cannot."""

import sqlite3
from contextlib import closing
from pathlib import Path

from config.load import load
from config.tests.sites import GOOD, write
from gateway.app.opening import OUTBOX, damage, open_store


def test_pulses_are_counted_on_from_a_database_that_was_given_up(tmp_path: Path) -> None:
    """Else the index would fall back to what the dial showed at the installation; nothing else is taken over."""
    site = load(write(tmp_path, GOOD))
    (pulse,) = site.pulse
    counted: dict[str, int | str] = {
        f"{pulse.name}.pulses": 4_711,
        f"{pulse.name}.line": 3,
        f"{pulse.name}.line_seqno": 9,
    }
    with closing(open_store(site)) as store:
        store.outbox.commit([], {**counted, "consents": "{}", "other.pulses": 1})
    with closing(sqlite3.connect(site.storage.directory / OUTBOX)) as connection:
        connection.execute("DELETE FROM identity")
        connection.commit()
    with closing(open_store(site)) as store:
        moved = store.outbox.moved_aside
        assert moved is not None
        assert store.outbox.marks() == counted
        assert "compare each with its dial" in " ".join(damage(site, readings=moved, commands=None))


def test_a_database_of_a_newer_release_is_not_called_damaged(tmp_path: Path) -> None:
    """It is said where it is, and that it can be used again."""
    site = load(write(tmp_path, GOOD))
    open_store(site).close()
    with closing(sqlite3.connect(site.storage.directory / OUTBOX)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with closing(open_store(site)) as store:
        said = " ".join(damage(site, readings=store.outbox.moved_aside, commands=None))
    assert "of a newer release" in said
    assert "damaged" not in said
