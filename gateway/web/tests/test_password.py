"""Passwords: which new ones are taken, and that hashing them costs what it may and tells nothing."""

import asyncio
import threading
import unicodedata

import pytest
from argon2 import PasswordHasher, extract_parameters

from gateway.web.password import LONGEST, MOST_WAITING, SHORTEST, Busy, Hashing, fault, is_weak

GOOD = (
    "lapin violet sous la pluie",
    "Nous mangeons des pommes",
    "kT7#vq!m2Zx_",
    "804719263508",
    "été à la mer",
    "пароль моего дома",
    "x" * 3 + "grande armoire" + "x" * 200,
)
BAD = {
    "password.short": ("", " ", "a", "elevenchars", "é" * (SHORTEST - 1)),
    "password.long": ("grande armoire " * 20, "x" * (LONGEST + 1)),
    "password.repeated": ("aaaaaaaaaaaa", "abababababab", "lapin1lapin1lapin1", "121212121212121"),
    "password.common": (
        *(
            "password1234",
            "Passw0rd!2024",
            "motdepasse123",
            "MotDePasse MotDePass",
            "administrateur1",
            "changezmoi2026",
        ),
        *("azertyuiop123", "qwertyuiopas", "123456789012", "abcdefghijkl", "1q2w3e4r5t6y", "poiuytreza1234"),
        *("correct horse battery staple", "P@ssw0rdP@ssw0rd1", "gateway-building-1", "tour-belle-vue-12"),
    ),
}


@pytest.mark.parametrize("password", GOOD)
def test_length_is_enough(password: str) -> None:
    """Any kind of characters, any script: no rule of composition is asked for."""
    assert fault(password, ("tour-belle-vue",)) is None


@pytest.mark.parametrize(("key", "password"), [(key, each) for key, listed in BAD.items() for each in listed])
def test_what_everybody_tries_is_refused(key: str, password: str) -> None:
    """Too short, too long, repeated, well-known, along the keyboard, or the name of the place; each with its text."""
    assert fault(password, ("tour-belle-vue",)) == key


async def test_a_password_fits_its_own_hash_alone() -> None:
    """However the keyboard composes an accent; no hash, no password and nonsense fit nothing."""
    hashing = Hashing()
    hashed = await hashing.hash("été à la mer")
    assert await hashing.fits(unicodedata.normalize("NFD", "été à la mer"), hashed)
    nobodys = (("ete a la mer", hashed), ("été à la mer", None), ("", None), ("", hashed), ("x", "nonsense"))
    for given, against in nobodys:
        assert not await hashing.fits(given, against), given
    assert not await hashing.fits("x" * 1_000_000, hashed)


async def test_the_hash_is_argon2id_within_the_memory_budget() -> None:
    """12 MiB, thrice, one lane; a hash with other parameters is known as weak."""
    hashed = await Hashing().hash("lapin violet sous la pluie")
    made = extract_parameters(hashed)
    assert (made.type.name, made.memory_cost, made.time_cost, made.parallelism) == ("ID", 12_288, 3, 1)
    assert not is_weak(hashed)
    assert is_weak(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x"))


async def test_one_is_hashed_at_a_time_and_few_wait() -> None:
    """What would be the 22nd is refused at once; whoever gives up makes no room before its hash has ended."""
    hashing, go_on, at_once, most = Hashing(), threading.Event(), 0, 0

    def work() -> bool:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        go_on.wait(30)
        at_once -= 1
        return True

    waiting = [asyncio.create_task(hashing._do(work)) for _ in range(MOST_WAITING + 1)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    with pytest.raises(Busy):
        await hashing.fits("x", None)
    go_on.set()
    assert await asyncio.gather(*waiting[1:]) == [True] * MOST_WAITING
    assert most == 1
    assert not await hashing.fits("x", None)
