"""Keys change while everything runs: both of one issuer in the overlap, none that is revoked, at either end."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.centre.tables import read_only
from gateway.wire import cose, trust
from gateway.wire.keys import KeySet, SigningKey, TrustedKey, load_signing_key, make_signing_key
from gateway.wire.messages import Command
from hil_tests.bench.issuer import Issuer
from hil_tests.bench.pki import CENTRE, CENTRE_EPOCH, CENTRE_ROLES, trusted
from hil_tests.bench.whole import Whole, boot_ms
from hil_tests.test_commands import ready

PATIENCE_S = 30
NEXT = "centre-next"
NEXT_EPOCH = bytes.fromhex("8899aabbccddeeff")


def _install(path: Path, keys: KeySet) -> None:
    """Put a key set in its place, as a person or a program does that knows how."""
    fresh = path.with_suffix(".new")
    fresh.write_text(keys.to_toml(), "utf-8")
    fresh.replace(path)


def _revised(keys: KeySet, *entries: TrustedKey) -> KeySet:
    """Give the next issue of a key set, with some entries new or changed."""
    return KeySet({**keys.keys, **{each.key_id: each for each in entries}}, keys.revision + 1)


async def _until(so: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not so():
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise TimeoutError(f"waited {PATIENCE_S} s for {what}") from None


def _ordered(whole: Whole, issuer: Issuer, key: SigningKey, epoch: bytes, number: int) -> str:
    """Order a shed with a key and a number of its own; give the command's id."""
    command: Command = issuer.shed(duration_s=5)
    header = cose.Header(key.key_id, Command.CONTENT, whole.gateway, "cmd", epoch, number)
    issuer.publish(cose.sign(header, command.encode(), key.private))
    return command.id


def _remembered(store: Path) -> int | None:
    with read_only(store) as database:
        row = database.execute("SELECT revision FROM key_set").fetchone()
    return None if row is None else int(row[0])


async def _gateways_key_is_revoked_and_given_back(whole: Whole) -> None:
    """The running centre takes what a key signs while it is trusted, counts apart what it signs once it is revoked.

    A centre that starts anew, beside a file of before the revocation, believes nobody until the file is right.
    """
    path = whole.keys.gateway_keys
    await _until(lambda: whole.centre.verified_readings > 0, "readings at the centre")
    known = KeySet.load(path)
    revoked = _revised(known, *(replace(key, is_revoked=True) for key in known.keys.values()))
    _install(path, revoked)
    await _until(lambda: whole.centre.counts.revoked_keys > 0, "what a revoked key has signed")
    taken, refused = whole.centre.counts.segments, whole.centre.counts.revoked_keys
    await _until(lambda: whole.centre.counts.revoked_keys > refused, "more of it")
    assert whole.centre.counts.segments == taken
    await _until(lambda: _remembered(whole.folder / "centre.db") == revoked.revision, "the revision in the store")
    async with whole.centre_away():
        _install(path, known)
    await _until(
        lambda: any("was trusted before" in each for each in whole.centre.troubles), "the older file to be told"
    )
    await _until(lambda: whole.centre.counts.bad_signatures > 0, "a message that nobody believes")
    assert whole.centre.counts.segments == taken
    # It was a mistake, for the sake of this test: what waited meanwhile is on the card, and comes.
    _install(path, KeySet(known.keys, revoked.revision + 1))
    await whole.drained(boot_ms())
    await _until(
        lambda: whole.centre.counts.segments > taken and not whole.centre.counts.gaps, "every hole to be filled"
    )


async def _centres_key_is_changed(whole: Whole, before: KeySet, both: KeySet, old: SigningKey, new: SigningKey) -> None:
    """The running agent believes the old key, both, the new one; an old copy of the file changes nothing."""
    path, issuer = whole.keys.gateways[whole.gateway].centre_keys, Issuer(whole)
    await whole.until(lambda status: status["trust"]["revision"] == both.revision, "the key set with both")
    by_old = _ordered(whole, issuer, old, CENTRE_EPOCH, await issuer.number())
    by_new = _ordered(whole, issuer, new, NEXT_EPOCH, 1)
    for command in (by_old, by_new):
        await whole.centre.answered(command, "received", PATIENCE_S)
    after = _revised(both, replace(both.keys[old.key_id], is_revoked=True))
    _install(path, after)
    await whole.until(lambda status: status["trust"]["revision"] == after.revision, "the revocation")
    by_thief = _ordered(whole, issuer, old, CENTRE_EPOCH, await issuer.number())
    again = _ordered(whole, issuer, new, NEXT_EPOCH, 2)
    await whole.centre.answered(again, "received", PATIENCE_S)
    assert whole.centre.answers(by_thief) == []
    told = (await whole.status())["trust"]
    assert (told["keys"], told["revoked"], told["failure"]) == (1, 1, None)
    assert told["refused_revoked"] > 0
    _install(path, before)
    told = await whole.until(lambda s: s["trust"]["failure"] and s["trust"], "the older file's refusal")
    assert (told["revision"], told["revoked"]) == (after.revision, 1)


async def test_keys_change_while_both_ends_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway's key is revoked and given back at the centre; the centre's is changed, and the old one revoked."""
    monkeypatch.setattr(trust, "LOOK_EACH_S", 0.1)  # of the centre, which is in this process
    async with Whole(tmp_path) as whole:
        old, new = load_signing_key(whole.keys.centre_signing_key), make_signing_key(tmp_path / "next.pem", NEXT)
        key_set = KeySet.of([trusted(old, CENTRE, CENTRE_EPOCH, CENTRE_ROLES)], revision=1)
        path = whole.keys.gateways[whole.gateway].centre_keys
        _install(path, key_set)
        await ready(whole)
        both = _revised(key_set, trusted(new, CENTRE, NEXT_EPOCH, CENTRE_ROLES))
        _install(path, both)
        await _gateways_key_is_revoked_and_given_back(whole)
        # The old key goes on saying that the centre is there, until it is revoked.
        await _centres_key_is_changed(whole, key_set, both, old, new)
