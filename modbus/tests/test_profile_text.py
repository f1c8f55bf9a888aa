"""Profiles in TOML: what is shipped is sound, and every mistake is told with its point and key."""

import contextlib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modbus.errors import ProfileError
from modbus.profile import Hole, Kind, Order, Poll, Span, Table
from modbus.profile_text import LONGEST_TEXT, parse_profile

_HEAD = 'id = "x"\nmaker = "m"\nmodels = ["y"]\nsource = "s"\n'
_POINT = '[[point]]\nkey = "p"\ntable = "holding"\naddress = 0\ntype = "u16"\nquantity = "current"\n'


def _mistakes(text: str) -> tuple[str, ...]:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "x.toml")
    return caught.value.mistakes


@pytest.mark.parametrize(
    "name", sorted(path.name for path in (files("modbus") / "profiles").iterdir() if path.name.endswith(".toml"))
)
def test_a_shipped_profile_is_sound_and_bears_the_name_of_its_file(name: str) -> None:
    """Every profile in the package is read without mistakes."""
    profile = parse_profile((files("modbus") / "profiles" / name).read_text("utf-8"), name)
    assert name == f"{profile.id}.toml"


def test_a_profile_says_what_its_text_says() -> None:
    """Each key of a full profile arrives in its place."""
    text = (
        _HEAD
        + 'byte_order = "little"\nword_order = "little"\nlongest_read = 40\nbase = 1\n'
        + '[[hole]]\ntable = "holding"\nfirst = 50\nlast = 60\n'
        + '[[point]]\nkey = "limit"\ntable = "holding"\naddress = 1\ntype = "i32"\nquantity = "setpoint"\nunit = "%"\n'
        + 'exponent = -1\nphase = 2\nabsent = [0x80000000]\nrange = [-5, 5]\npoll = "slow"\naccess = "rw"\n'
        + "limits = [0, 1000]\n"
    )
    profile = parse_profile(text, "x.toml")
    assert (profile.byte_order, profile.word_order, profile.longest_read) == (Order.LITTLE, Order.LITTLE, 40)
    assert profile.holes == (Hole(Table.HOLDING, 49, 59),)
    point = profile.point("limit")
    assert (point.address, point.kind, point.exponent, point.phase, point.unit) == (0, Kind.I32, -1, 2, "%")
    assert (point.absent, point.plausible, point.limits) == ((0x80000000,), Span(-5, 5), Span(0, 1000))
    assert point.poll is Poll.SLOW


def test_a_coil_needs_neither_type_nor_limits() -> None:
    """A coil holds a bit, and takes 0 and 1."""
    profile = parse_profile(
        _HEAD + '[[point]]\nkey = "c"\ntable = "coil"\naddress = 3\nquantity = "switch_state"\naccess = "rw"\n', "x"
    )
    assert (profile.points[0].kind, profile.points[0].limits) == (Kind.BIT, Span(0, 1))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (_POINT, "key 'id': is missing"),
        (_HEAD, "key 'point': is missing"),
        (_HEAD + _POINT.replace("u16", "u17"), "point 'p', key 'type': 'u17' is not one of bit, u16"),
        (_HEAD + _POINT + "exponnent = -1\n", "point 'p', key 'exponnent': is unknown"),
        (_HEAD + _POINT + "exponent = 0.1\n", "point 'p', key 'exponent': must be a whole number in -12..12"),
        (_HEAD + _POINT + "exponent = true\n", "point 'p', key 'exponent': must be a whole number"),
        (_HEAD + _POINT + _POINT, "point 'p', key 'key': stands twice"),
        (_HEAD + _POINT + 'access = "rw"\n', "point 'p', key 'limits': is missing"),
        (_HEAD + _POINT + "limits = [0, 1]\n", "point 'p', key 'limits': makes sense"),
        (_HEAD + _POINT + 'access = "rw"\nlimits = [2, 1]\n', "point 'p', key 'limits': must be [lowest, highest]"),
        (
            _HEAD + _POINT.replace("holding", "input") + 'access = "rw"\nlimits = [0, 1]\n',
            "key 'access': Modbus has no",
        ),
        (_HEAD + _POINT.replace("holding", "coil"), "point 'p', key 'type': a coil holds one bit"),
        (_HEAD + _POINT.replace("address = 0", "address = 65536"), "point 'p', key 'address': must be"),
        (_HEAD + _POINT.replace("u16", "u32").replace("address = 0", "address = 65535"), "key 'address': must be"),
        (_HEAD + "base = 1\n" + _POINT, "point 'p', key 'address': must be a whole number in 1..65536"),
        (_HEAD + _POINT + "absent = [0x10000]\n", "point 'p', key 'absent': must be a list of unsigned patterns of 16"),
        (_HEAD + _POINT + "phase = 4\n", "point 'p', key 'phase': must be a whole number in 1..3"),
        (_HEAD + _POINT + '[[hole]]\ntable = "holding"\nfirst = 0\nlast = 9\n', "'p', key 'address': lies in the hole"),
        (_HEAD + _POINT + '[[hole]]\ntable = "input"\nfirst = 9\nlast = 0\n', "hole 1, key 'last': must not be below"),
        (_HEAD.replace('"m"', '" "') + _POINT, "the profile, key 'maker': must be a text"),
        ("a = [", "this is not TOML"),
        ("#" * (LONGEST_TEXT + 1), "a profile has at most"),
        (_HEAD + "point = 3\n", "key 'point': must be a list of tables"),
    ],
)
def test_each_mistake_names_its_point_and_key(text: str, told: str) -> None:
    """A wrong profile is refused with a line that says where and what would be right."""
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "x.toml")
    assert told in str(caught.value)
    assert "profile x.toml" in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    """One reading of a profile finds everything that is wrong with it."""
    text = _POINT.replace("u16", "u17").replace("current", "C U R") + "typo = 1\n"
    assert len(_mistakes(text)) == 7  # id, maker, models, source, type, quantity, typo


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)).filter(lambda v: v is not None),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
        max_leaves=5,
    ),
    st.sampled_from(["id", "models", "base", "longest_read", "word_order", "point", "hole"]),
)
def test_no_value_of_any_type_makes_the_parser_fall(value: object, key: str) -> None:
    """Whatever stands at a key, the answer is a Profile or ProfileError."""
    text = "".join(line for line in _HEAD.splitlines(keepends=True) if not line.startswith(key))
    with contextlib.suppress(ProfileError):
        parse_profile(f"{text}{key} = {_toml(value)}\n" + (_POINT if key != "point" else ""), "x.toml")


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
    return str(value)


@pytest.mark.parametrize(
    "text",
    [".".join("a" * 200_000) + " = 1", "id = " + "9" * 900, "a = " + "[" * 900, "\x00", "id = 1979-99-99"],
    ids=["dots", "digits", "nested", "nul", "date"],
)
def test_a_hostile_text_is_refused_at_once(text: str) -> None:
    """Whatever a file holds, it costs neither the memory nor the process."""
    with pytest.raises(ProfileError):
        parse_profile(text, "hostile")
