"""The power may go at any moment of a change: afterwards there is a pair that works, and the change can be finished."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.enrolment import box, renewal
from gateway.enrolment.places import Places, alone, load_signing, look, settle
from gateway.enrolment.tests.boxes import NOW, Given, asked, certificate, contents, enrolled, granted, key_set, places
from gateway.wire.enrolling import Issued
from gateway.wire.keys import KeySet

NEW = Given(days=200)
Change = Callable[[Places], object]
OPEN = os.open


class PowerCut(BaseException):
    """Nothing after this happens; what was not renamed yet is lost, or half there."""


@contextmanager
def cut_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the power go before the `step`-th thing that changes the disk: opening, syncing, renaming, removing."""
    left = step

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - as the system's own
            nonlocal left
            left -= 1
            if left < 0:
                raise PowerCut
            return real(*arguments, **more)

        return call

    made = counted(os.open)
    with monkeypatch.context() as patched:
        for name in ("replace", "rename", "unlink"):
            patched.setattr(os, name, counted(getattr(os, name)))
        patched.setattr(os, "fsync", counted(lambda _: None))  # what it is for is told apart by no test in memory
        patched.setattr(
            os, "open", lambda path, flags, mode=0o777: (made if flags & os.O_CREAT else OPEN)(path, flags, mode)
        )
        yield


def fresh(folder: Path) -> tuple[Places, Change]:
    """A box that is enrolled for the first time."""
    at = places(folder)
    text = granted(asked(at))
    return at, lambda here: box.install(here, text, NOW)


def first_keys(folder: Path) -> tuple[Places, Change]:
    """A box that makes its keys."""

    def change(here: Places) -> None:
        if not here.certificate.exists():
            box.install(here, granted(asked(here)), NOW)

    return places(folder), change


def again(folder: Path) -> tuple[Places, Change]:
    """A box that gets a new certificate for its old key."""
    at = enrolled(folder)
    text = granted(asked(at), NEW, centre=key_set(2))
    return at, lambda here: box.install(here, text, NOW)


def with_both_keys(folder: Path) -> tuple[Places, Change]:
    """A box that gets a certificate for a new key, and signs with another one."""
    at = enrolled(folder)
    text = granted(asked(at, new_key=True, new_signing=True), NEW, centre=key_set(2))
    return at, lambda here: box.install(here, text, NOW)


def over_the_wire(folder: Path) -> tuple[Places, Change]:
    """A box that keeps what the centre answered."""
    at = enrolled(folder)
    request = asked(at, new_key=True, new_signing=True)
    der = certificate(request, NEW)
    issued = Issued(request.key, request.key_id, (der.public_bytes(Encoding.DER),))
    return at, lambda here: renewal.keep(here, issued, NOW)


def followed(folder: Path) -> tuple[Places, Change]:
    """A box on which the broker has taken the next certificate."""
    at, change = with_both_keys(folder)
    change(at)

    def follow(here: Places) -> None:
        if look(here).next is not None:
            renewal.follow(here)

    return at, follow


@pytest.mark.parametrize(
    "begin", [fresh, first_keys, again, with_both_keys, over_the_wire, followed], ids=lambda each: each.__name__
)
def test_after_a_cut_at_any_step_there_is_a_pair_that_works(
    begin: Callable[[Path], tuple[Places, Change]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was in use still is, or what follows it; begun again, the change comes to the same end."""
    at, change = begin(tmp_path / "box")
    folder, start = at.key.parent, tmp_path / "start"
    shutil.copytree(folder, start)
    was_enrolled = look(at).current is not None
    change(at)
    end = {path: content for path, content in contents(at).items() if not path.endswith(".part")}
    for step in range(200):
        shutil.rmtree(folder)
        shutil.copytree(start, folder)
        try:
            with cut_at(step, monkeypatch):
                change(at)
        except PowerCut:
            _holds(at, was_enrolled=was_enrolled)
            change(at)
            _holds(at, was_enrolled=True)
            if begin is not first_keys:
                assert contents(at).keys() == end.keys(), step
        else:
            assert step > 3
            return
    pytest.fail("the change never ended")


def _holds(at: Places, *, was_enrolled: bool) -> None:
    """What an agent finds that starts now: it settles, and then has what it needs."""
    with alone(at):
        box.finish(at)
    found = look(at)
    assert (found.current is not None) or not was_enrolled
    assert found.current is None or found.current.certificate == at.certificate
    assert not [path for path in at.key.parent.iterdir() if path.suffix == ".install"]
    if at.signing.exists():
        load_signing(at.signing)
    if at.trusted.exists():
        KeySet.load(at.trusted)


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        ("key renamed, certificate not", "is the next one now"),
        ("certificate of nobody", "was removed"),
        ("half a file", None),
        ("certificate in use is gone", "is the next one now"),
    ],
)
def test_each_state_that_can_be_planted_is_put_in_order(tmp_path: Path, plant: str, said: str | None) -> None:
    """As the disk may have been found after a cut, or after a clumsy hand."""
    at = enrolled(tmp_path / "box")
    before = look(at).current
    if plant == "half a file":
        (at.key.parent / "gateway.pem.part").write_bytes(b"-----BEGIN CERT")
    elif plant == "certificate of nobody":
        other = enrolled(tmp_path / "other")
        shutil.copy(other.certificate, at.next_certificate)
    else:
        box.install(at, granted(asked(at, new_key=True), NEW), NOW)
        if plant == "key renamed, certificate not":
            at.next_key.replace(at.key)
        else:
            at.certificate.unlink()
    with alone(at):
        done = settle(at)
    assert (done is None) if said is None else (done is not None and said in done)
    found = look(at)
    assert found.current is not None
    assert found.next is None
    assert (found.current == before) is (plant in {"half a file", "certificate of nobody"})
    assert not [path for path in at.key.parent.iterdir() if path.suffix in {".part", ".next"}]
