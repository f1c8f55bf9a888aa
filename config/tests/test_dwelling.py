"""Dwellings and their purposes: what a site file may say of them, and what is told where it is wrong."""

import re
import tomllib
from pathlib import Path

import pytest

from config.dwelling import Dwelling, Purpose
from config.errors import ConfigError, Mistake
from config.load import load
from config.tests.sites import GOOD, write
from config.tests.test_example import EXAMPLE

TWO = """
[[dwelling]]
name = "apt-1"
devices = ["gas"]
[[dwelling.purpose]]
name = "research"
tiers = ["minute", "index"]
[[dwelling.purpose]]
name = "advice"
tiers = ["fine"]
[[dwelling]]
name = "apt-2"
devices = ["boiler"]
"""


def _mistakes(path: Path) -> tuple[Mistake, ...]:
    with pytest.raises(ConfigError) as raised:
        load(path)
    return raised.value.mistakes


def test_dwellings_load_with_their_purposes(tmp_path: Path) -> None:
    """Each dwelling has its devices, and for each purpose the tiers that a consent lets out; none is needed."""
    assert load(write(tmp_path, GOOD)).dwelling == ()
    first, second = load(write(tmp_path, GOOD + TWO)).dwelling
    assert (first.name, first.devices) == ("apt-1", ("gas",))
    assert [(each.name, each.tiers) for each in first.purpose] == [
        ("research", ("minute", "index")),
        ("advice", ("fine",)),
    ]
    assert second == Dwelling(name="apt-2", devices=("boiler",))


def test_the_example_shows_a_dwelling() -> None:
    """The tables that are wholly commented out can be taken in and have every key."""
    text = re.sub(r"^#(\[|[a-z])", r"\1", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)
    (shown,) = tomllib.loads(text)["dwelling"]
    assert shown.keys() == Dwelling.model_fields.keys()
    assert shown["purpose"][0].keys() == Purpose.model_fields.keys()


@pytest.mark.parametrize(
    ("change", "key", "message", "right"),
    [
        (('"apt-1"', '"Apt 1"'), "dwelling[1].name", "not the right form", "up to 12"),
        (('"apt-1"', '"apt-1-of-many"'), "dwelling[1].name", "not the right form", "up to 12"),
        (('"apt-2"', '"apt-1"'), "dwelling[2].name", '"apt-1" is already the name of dwelling[1]', "only once"),
        (('["gas"]', '["gaz"]'), "dwelling[1].devices[1]", 'no device named "gaz"', 'did you mean "gas"'),
        (('["boiler"]', '["gas"]'), "dwelling[2].devices[1]", '"gas" is a device of dwelling[1]', "one dwelling"),
        (('["gas"]', "[]"), "dwelling[1].devices", "too few", "its meters"),
        (('"advice"', '"research"'), "dwelling[1].purpose[2].name", "a purpose of this dwelling already", "only once"),
        (('"advice"', '"research-long"'), "dwelling[1].purpose[2].name", "not the right form", "up to 11"),
        (('["fine"]', '["fine", "finest"]'), "dwelling[1].purpose[2].tiers[2]", '"finest" is not known', '"fine"'),
        (('["fine"]', "[]"), "dwelling[1].purpose[2].tiers", "too few", "a consent lets out"),
        (('["fine"]', '"fine"'), "dwelling[1].purpose[2].tiers", "is no list", "a consent lets out"),
    ],
)
def test_one_mistake(tmp_path: Path, change: tuple[str, str], key: str, message: str, right: str) -> None:
    """Each mistake is told with its key, and what would be right."""
    text = TWO.replace(*change)
    assert text != TWO
    (mistake,) = _mistakes(write(tmp_path, GOOD + text))
    assert mistake.key == key
    assert message in mistake.message
    assert right in mistake.right


def test_no_dwellings_meter_proves_an_effect(tmp_path: Path) -> None:
    """Answers tell the power before and during a shed: of no household."""
    (mistake,) = _mistakes(write(tmp_path, GOOD + TWO.replace('"gas"', '"main"')))
    assert (mistake.key, "each answer" in mistake.message) == ("shedding.meter", True)
