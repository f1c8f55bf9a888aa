"""Passwords: what is asked of a new one, and argon2id, one hash at a time.

There are no rules of composition: length, and not being what everybody tries first, is what helps (NIST SP 800-63B).
"""

import asyncio
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

T = TypeVar("T")

SHORTEST = 12
LONGEST = 256
"""Nobody shall make us hash megabytes."""

MOST_WAITING = 20

_HASHER = PasswordHasher(time_cost=3, memory_cost=12 * 1024, parallelism=1)
"""OWASP's third choice, as strong as 19 MiB twice: with that, ten viewers and a login broke the page's 60 MB."""

_NOBODYS = "$argon2id$v=19$m=12288,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""Fits no password; verifying it takes as long as a real one, so that nobody sees whether one is set."""

_COMMON = (
    "password passwort motdepasse azerty qwerty qwertz admin administrator administrateur root letmein welcome "
    "bienvenue bonjour bonsoir iloveyou jetaime jtaime changeme changezmoi changermoi secret soleil doudou "
    "loulou chouchou marseille paris princess princesse sunshine football baseball monkey dragon master "
    "superman batman trustno whatever default gateway building batiment immeuble concierge gardien syndic "
    "linky enedis smartgrid energie energy correct horse battery staple login access user utilisateur test "
    "pass "
)
_WORDS = tuple(sorted(_COMMON.split(), key=len, reverse=True))
"""What well-known passwords are made of, the longer ones first, so that none hides in another."""

_ROWS = (
    *("01234567890", "abcdefghijklmnopqrstuvwxyz", "azertyuiop", "qsdfghjklm", "wxcvbn", "qwertyuiop", "asdfghjkl"),
    *("zxcvbnm", "qwertzuiop", "yxcvbnm", "1q2w3e4r5t6y7u8i9o0p", "1a2z3e4r5t6y7u8i9o0p", "1qaz2wsx3edc4rfv"),
    *("1aqw2zsx3edc4rfv", "!@#$%^&*()"),
)
_SEQUENCES = tuple({*_ROWS, *(row[::-1] for row in _ROWS)})
_SHORTEST_RUN = 4
_DISGUISE = str.maketrans("@013457$!", "aoieastsi")

_OWN = 6
"""So many characters of a password must be neither such a word nor a run of neighbours on a keyboard."""

_DIFFERENT = 5


def fault(password: str, known: Iterable[str] = ()) -> str | None:
    """Give the key of the words why a new password is refused, None if it is taken; `known` are names of the place."""
    text = _plain(password)
    if len(text) < SHORTEST:
        return "password.short"
    if len(text) > LONGEST:
        return "password.long"
    folded = "".join(text.casefold().split())
    if len(set(folded)) < _DIFFERENT or folded in (folded + folded)[1:-1]:
        return "password.repeated"
    words = (*(name.casefold() for name in known if len(name) >= _SHORTEST_RUN), *_WORDS)
    bare = _without_runs(folded)
    if min(len(_without(words, each)) for each in (bare, bare.translate(_DISGUISE))) < _OWN:
        return "password.common"
    return None


def _without(words: Iterable[str], text: str) -> str:
    for word in words:
        text = text.replace(word, "")
    return text


def _without_runs(text: str) -> str:
    """Leave out what is typed by going along a row of keys, or of the alphabet, or by holding one key."""
    left, at = [], 0
    while at < len(text):
        end = at + 1
        while end < len(text) and (_is_run(text[at : end + 1])):
            end += 1
        if end - at < _SHORTEST_RUN:
            left.append(text[at])
            end = at + 1
        at = end
    return "".join(left)


def _is_run(text: str) -> bool:
    return text == text[0] * len(text) or any(text in sequence for sequence in _SEQUENCES)


def _plain(password: str) -> str:
    """Give a password as it is hashed: the same letters however a keyboard composes them."""
    return unicodedata.normalize("NFC", password)


class Busy(Exception):
    """More passwords wait to be hashed than we take on."""


class Hashing:
    """Argon2id in a thread of its own, one at a time: each takes 12 MiB. Every method may raise Busy."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="argon2")
        self._taken = 0

    async def fits(self, password: str, hashed: str | None) -> bool:
        """Tell whether a password is that of a hash; None is nobody's, and takes as long."""
        return await self._do(lambda: _fits(password, hashed or _NOBODYS))

    async def hash(self, password: str) -> str:
        """Give the hash of a password."""
        return await self._do(lambda: _HASHER.hash(_plain(password)))

    async def _do(self, work: Callable[[], T]) -> T:
        if self._taken > MOST_WAITING:
            raise Busy
        self._taken += 1
        # The thread goes on with what nobody waits for any more: only its end makes room.
        done = asyncio.get_running_loop().run_in_executor(self._thread, work)
        done.add_done_callback(self._made_room)
        return await asyncio.shield(done)

    def _made_room(self, done: asyncio.Future[T]) -> None:
        self._taken -= 1
        if not done.cancelled():
            done.exception()


def is_weak(hashed: str) -> bool:
    """Tell whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(hashed)


def _fits(password: str, hashed: str) -> bool:
    if len(password) > LONGEST:
        return False
    try:
        return _HASHER.verify(hashed, _plain(password))
    except (VerificationError, InvalidHashError):
        return False
