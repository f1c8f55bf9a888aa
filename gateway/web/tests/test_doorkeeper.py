"""Who judges: what a login costs and tells does not depend on whether there is a password, and haste is no failure."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError
from starlette.requests import Request

from gateway.web import password
from gateway.web.access import SOON_S, _let_in
from gateway.web.doorkeeper import Doorkeeper, Wrong
from gateway.web.password import MOST_WAITING, Busy
from gateway.web.refusal import Refused
from gateway.web.store import Store

HERE = "192.0.2.1"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store that nobody has used."""
    made = Store(tmp_path)
    yield made
    made.close()


def test_nobodys_hash_costs_what_a_real_one_does() -> None:
    """It is well formed, with the same parameters, so that no password is compared to it as slowly as to one."""
    hasher = password._HASHER
    assert extract_parameters(password._NOBODYS) == extract_parameters(hasher.hash("x"))
    with pytest.raises(VerifyMismatchError):
        hasher.verify(password._NOBODYS, "x")


async def test_without_a_password_a_hash_is_made_all_the_same(store: Store) -> None:
    """And no answer tells the two cases apart."""
    with patch.object(password, "_fits", wraps=password._fits) as judged, pytest.raises(Wrong):
        await Doorkeeper(store).log_in(HERE, "lapin violet sous la pluie")
    judged.assert_called_once_with("lapin violet sous la pluie", password._NOBODYS)


async def test_a_weak_hash_is_renewed_at_the_next_login(store: Store) -> None:
    """With today's parameters, and the same password fits."""
    store.set_password(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("lapin violet"))
    door = Doorkeeper(store)
    await door.log_in(HERE, "lapin violet")
    renewed = store.password()
    assert renewed is not None
    assert not password.is_weak(renewed)
    await door.log_in(HERE, "lapin violet")
    assert store.password() == renewed


async def test_whoever_comes_while_too_many_are_hashed_has_not_failed(store: Store) -> None:
    """However often: told to come again soon, with 503, and let in when there is time."""
    door, go_on = Doorkeeper(store), threading.Event()
    store.set_password(await door._hashing.hash("lapin violet"))
    blocked = [door._hashing._do(go_on.wait) for _ in range(MOST_WAITING + 1)]
    waiting = asyncio.gather(*blocked)
    await asyncio.sleep(0)
    for _ in range(9):
        with pytest.raises(Busy):
            await door.log_in(HERE, "lapin violet")
    request = Request({"type": "http", "headers": []})
    with pytest.raises(Refused) as refused:
        await _let_in(request, "login.html", door.log_in(HERE, "lapin violet"), "login.wrong")
    assert refused.value.status_code == 503
    assert refused.value.headers == {"Retry-After": str(SOON_S)}
    go_on.set()
    await waiting
    assert store.session(await door.log_in(HERE, "lapin violet")) is not None
