"""The properties that `make fuzz` tries hold of ordinary inputs, and each fails of a decoder that breaks it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from hil_tests.fuzz import properties
from hil_tests.fuzz.choices import Choices, RandomChoices
from hil_tests.fuzz.seeds import seeds
from linky_tic.decoder import Decoder, Event
from linky_tic.group import Group

SEEDS = list(seeds())


@pytest.mark.parametrize("seed", range(0, len(SEEDS), 2))
def test_the_properties_hold_of_what_the_fuzzer_starts_from(seed: int) -> None:
    """Every property holds of the seeds, whatever else is chosen."""
    for holds in properties.PROPERTIES:
        for choice in range(8):
            holds(RandomChoices(choice, SEEDS[seed]))


@pytest.mark.parametrize("holds", properties.PROPERTIES)
def test_the_properties_hold_of_noise(holds: Callable[[Choices], None]) -> None:
    """Every property holds of bytes drawn at random."""
    for seed in range(150):
        holds(RandomChoices(seed))


def tried(holds: Callable[[Choices], None]) -> None:
    """Try a property with every seed, some choices each."""
    for choice in range(500):
        holds(RandomChoices(choice, SEEDS[choice % len(SEEDS)]))


class Forgetful(Decoder):
    def feed(self, data: bytes) -> list[Event]:
        events = super().feed(data)
        self._tail = b""
        return events


class Greedy(Decoder):
    def feed(self, data: bytes) -> list[Event]:
        self.seen = getattr(self, "seen", b"") + data
        return super().feed(data)


class Fragile(Decoder):
    def feed(self, data: bytes) -> list[Event]:
        if b"\x04" in data:
            raise ValueError("EOT")
        return super().feed(data)


class Shown(Decoder):
    def feed(self, data: bytes) -> list[Event]:
        return [
            replace(event, value="0") if isinstance(event, Group) and not event.valid else event
            for event in super().feed(data)
        ]


class Believing(Decoder):
    def feed(self, data: bytes) -> list[Event]:
        return super().feed(data.replace(b"00", b"01"))


class Refusing(Decoder):
    def feed(self, data: bytes) -> list[Event]:
        return [
            replace(event, valid=False, value=None, horodate=None, reason="grammar")
            if isinstance(event, Group) and event.valid
            else event
            for event in super().feed(data)
        ]


@pytest.mark.parametrize(
    ("broken", "holds"),
    [
        (Forgetful, properties.line),
        (Greedy, properties.line),
        (Fragile, properties.line),
        (Shown, properties.line),
        (Believing, properties.meter),
        (Refusing, properties.meter),
    ],
)
def test_a_broken_decoder_is_caught(
    monkeypatch: pytest.MonkeyPatch, broken: type[Decoder], holds: Callable[[Choices], None]
) -> None:
    """Of a decoder that forgets, hoards, raises, shows or refuses what it should not, a property does not hold."""
    monkeypatch.setattr(properties, "Decoder", broken)
    with pytest.raises((AssertionError, ValueError)):
        tried(holds)


def test_a_parser_with_another_error_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser may raise its documented error, and no other."""
    monkeypatch.setattr(properties, "PARSERS", (int,))
    with pytest.raises(ValueError, match="invalid literal"):
        tried(properties.values)
