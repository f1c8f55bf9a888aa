"""Who may make an order, and the policies that stand before it."""

import ast
from pathlib import Path

import pytest

import gateway
from gateway.commands.admission import Asked, Settings, objection
from gateway.commands.command import Authorized, LocalOperation, LocalOrder
from gateway.commands.errors import NotAuthorisedError
from gateway.commands.tests.building import CHARGER, EPOCH, HEATER, Building
from gateway.commands.verify import FLOOR_AHEAD_MS, Refused, judge, raised_floor

NOW = 1_800_000_000_000


async def test_authorized_is_made_by_verify_alone(building: Building) -> None:
    """Without the seal of verify there is no Authorized."""
    with pytest.raises(NotAuthorisedError, match="verify the message"):
        Authorized(building.command(), "centre", EPOCH, 1, bytes(32), 0, parked=False, proof=object())


def test_seal_and_decision_stay_in_their_rooms() -> None:
    """In the whole agent only verify takes the seal, and only shedding makes a Decision."""
    root = Path(str(gateway.__file__)).parent
    users: dict[str, set[str]] = {"seal": set(), "Decision": set()}
    for file in root.rglob("*.py"):
        if "tests" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in users:
                users[node.func.id].add(file.relative_to(root).parts[0] + "/" + file.name)
    assert users["seal"] == {"commands/verify.py"}
    assert {user.split("/")[0] for user in users["Decision"]} == {"shedding"}


def test_no_policy_refuses_everything() -> None:
    """An empty list of policies lets nothing pass, neither at verification nor at admission."""
    assert judge(None, ()) == Refused("auth")  # type: ignore[arg-type]
    assert objection(None, ()) == "policy"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("magnitude", "duration", "reason"),
    [(-1, 60, "magnitude"), (40, 0, "duration"), (40, -5, "duration"), (40, 10**9, "duration"), (150, 60, None)],
)
async def test_scenarios_14_and_15(building: Building, magnitude: int, duration: int, reason: str | None) -> None:
    """A negative magnitude and a duration out of bounds are refused, a magnitude over 100 % is not."""
    command = building.command(magnitude_percent=magnitude, duration_s=duration)
    asked = Asked(command, Settings(), (HEATER, CHARGER), {}, frozenset(), link=True, durable=True)
    assert objection(asked) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"settings": Settings(enabled=False)}, "disabled"),
        ({"link": False}, "link"),
        ({"durable": False}, "storage"),
        ({"opted_out": {"heater": "x", "charger": "y"}}, "local_override"),
        ({"opted_out": {"building": "x"}}, "local_override"),
        ({"blocked": frozenset({"heater", "charger"})}, "safety"),
        ({"opted_out": {"heater": "x"}}, None),
    ],
)
async def test_admission(building: Building, changes: dict[str, object], reason: str | None) -> None:
    """What stands against a shed refuses it, with its reason; one load out of two does not."""
    ready: dict[str, object] = {
        "command": building.command(),
        "settings": Settings(),
        "resources": (HEATER, CHARGER),
        "opted_out": {},
        "blocked": frozenset(),
        "link": True,
        "durable": True,
    }
    assert objection(Asked(**{**ready, **changes})) == reason  # type: ignore[arg-type]


def test_local_order_needs_a_role() -> None:
    """Somebody without a role that may, orders nothing."""
    with pytest.raises(NotAuthorisedError, match="visitor"):
        LocalOrder("visitor", LocalOperation.RELEASE, "building", "")


@pytest.mark.parametrize(
    ("operation", "seconds"),
    [(LocalOperation.OPT_OUT, 0), (LocalOperation.OPT_OUT, 32 * 86_400), (LocalOperation.RELEASE, 1)],
)
def test_local_order_has_bounds(operation: LocalOperation, seconds: int) -> None:
    """An opt-out has an end within a month; a release has none."""
    with pytest.raises(ValueError, match="seconds are wanted"):
        LocalOrder("manager", operation, "building", "", seconds)


def test_floor_is_never_far_ahead() -> None:
    """No message moves the time floor more than a day beyond the trusted time, and nothing moves it back."""
    assert raised_floor(0, NOW + 10**12, NOW) == NOW + FLOOR_AHEAD_MS
    assert raised_floor(NOW + 5, NOW - 10, None) == NOW + 5
    assert raised_floor(NOW, NOW - 10, NOW + 7) == NOW + 7
