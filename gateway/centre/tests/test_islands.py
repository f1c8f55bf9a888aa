"""What is settled, kept in the store as ranges."""

import sqlite3
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.centre import islands
from gateway.centre.tables import open_store

STREAM, OTHER = 1, 2


@pytest.fixture(name="database", scope="module")
def database_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """Give a store with two streams."""
    database = open_store(tmp_path_factory.mktemp("islands") / "centre.db")
    database.executemany(
        "INSERT INTO stream (id, gateway, epoch, name) VALUES (?, 'gw-0001', ?, 'fine')",
        [(STREAM, b"1"), (OTHER, b"2")],
    )
    yield database
    database.close()


ranges = st.tuples(st.integers(1, 30), st.integers(0, 6)).map(lambda each: (each[0], each[0] + each[1]))


@given(st.lists(ranges, max_size=25))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_they_say_what_a_set_would_say(database: sqlite3.Connection, added: list[tuple[int, int]]) -> None:
    """For any ranges in any order: the members of a set, ranges apart, exact gaps, and another stream untouched."""
    database.execute("DELETE FROM island")
    islands.add(database, OTHER, 4, 9)
    members: set[int] = set()
    for first, last in added:
        islands.add(database, STREAM, first, last)
        members.update(range(first, last + 1))
    kept = database.execute("SELECT first, last FROM island WHERE stream = ? ORDER BY first", (STREAM,)).fetchall()
    assert {number for first, last in kept for number in range(first, last + 1)} == members
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(kept))
    missing = set(range(1, max(members, default=0))) - members
    gaps = [(low, high) for stream, low, high in islands.gaps(database) if stream == STREAM]
    assert {number for low, high in gaps for number in range(low, high + 1)} == missing
    assert islands.missing(database) == len(missing) + 3
    assert islands.upto(database, STREAM) == islands.coverage(database, STREAM).upto
    assert [each for each in islands.gaps(database) if each[0] == OTHER] == [(OTHER, 1, 3)]


@given(st.lists(ranges, max_size=25))
def test_joined_ranges_say_the_same(given_: list[tuple[int, int]]) -> None:
    """Ranges that are joined first have the same members, and are apart."""
    made = list(islands.joined(given_))
    members = {number for first, last in given_ for number in range(first, last + 1)}
    assert {number for first, last in made for number in range(first, last + 1)} == members
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(made))
