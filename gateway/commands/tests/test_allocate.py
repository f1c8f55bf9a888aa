"""How a shed is shared out over the loads."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.commands.allocate import Kind, Plan, Resource, allocate, targets
from gateway.commands.tests.building import CHARGER, HEATER, PUMP

ALL = (HEATER, CHARGER, PUMP)
NORMAL = {r.name: r.normal_value for r in ALL}


@st.composite
def loads(draw: st.DrawFn) -> tuple[list[Resource], dict[str, int]]:
    """Draw loads of both kinds and what they hold."""
    resources, originals = [], {}
    for number in range(draw(st.integers(1, 6))):
        setpoint = draw(st.booleans())
        normal = draw(st.integers(1, 200)) if setpoint else 1
        low = draw(st.integers(0, normal)) if setpoint else 0
        resource = Resource(
            f"load{number}",
            Kind.SETPOINT if setpoint else Kind.ONOFF,
            draw(st.integers(1, 50_000)),
            draw(st.integers(0, 3)),
            normal,
            low,
        )
        resources.append(resource)
        if draw(st.integers(0, 5)):
            originals[resource.name] = draw(st.integers(0, normal))
    return resources, originals


@given(loads(), st.integers(0, 100))
def test_nothing_is_raised_and_nothing_under_its_minimum(
    drawn: tuple[list[Resource], dict[str, int]], percent: int
) -> None:
    """Whatever is asked, no load is driven above what it holds or under what it may be driven down to."""
    resources, originals = drawn
    plan = allocate(resources, percent, originals)
    by_name = {r.name: r for r in resources}
    for name, value in plan.values.items():
        assert by_name[name].shed_value <= value < originals[name]


@given(loads(), st.integers(0, 100))
def test_reached_unless_clamped(drawn: tuple[list[Resource], dict[str, int]], percent: int) -> None:
    """The watts asked for are reached, or every load that can be read gives all that it has."""
    resources, originals = drawn
    plan = allocate(resources, percent, originals)
    present = {r.name: plan.values.get(r.name, originals[r.name]) for r in resources if r.name in originals}
    fell_w = sum(r.power_w(originals[r.name]) - r.power_w(present[r.name]) for r in resources if r.name in present)
    assert fell_w == plan.expected_w
    if plan.clamped:
        for r in resources:
            if r.name in present:
                assert r.power_w(present[r.name]) <= max(r.power_w(r.shed_value), 0)


def test_least_important_first() -> None:
    """The load with the highest priority number gives first, and the next only what is still wanted."""
    assert allocate(ALL, 15, NORMAL).values == {"heater": 0}
    assert allocate(ALL, 16, NORMAL).values == {"heater": 0, "charger": 31}
    assert allocate(ALL, 0, NORMAL) == Plan({}, 0, 0)


def test_in_device_steps() -> None:
    """A set-point goes down by whole steps of the device, enough of them."""
    plan = allocate((CHARGER,), 50, {"charger": 32})
    assert plan.values == {"charger": 16}
    assert plan.expected_w == 3_500


def test_clamped_is_told() -> None:
    """What the loads cannot give is told, with what they do give."""
    plan = allocate(ALL, 100, NORMAL)
    assert plan.clamped
    assert (plan.asked_w, plan.expected_w) == (20_000, 3_000 + 5_688 + 7_000)


def test_a_load_already_low_gives_only_the_rest() -> None:
    """A load that stands below its rating is never raised, and gives what it still has."""
    assert allocate((PUMP,), 50, {"pump": 40}).values == {"pump": 30}
    assert allocate((PUMP,), 50, {"pump": 20}).values == {}
    assert allocate((HEATER,), 50, {"heater": 0}).values == {}


def test_inverted_relay() -> None:
    """A relay that holds back when closed is closed."""
    inverted = Resource("inverted", Kind.ONOFF, 2_000, 1, normal_value=0, shed_value=1)
    assert allocate((inverted,), 100, {"inverted": 0}).values == {"inverted": 1}


def test_targets() -> None:
    """The building is every load, a name is that load, anything else is none."""
    assert targets(ALL, "building") == ALL
    assert targets(ALL, "pump") == (PUMP,)
    assert targets(ALL, "other") == ()
