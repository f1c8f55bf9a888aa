"""`gateway consent`: what each household lets leave the building, given and withdrawn by those on site."""

import json
from typing import Any

from gateway.cli.asking import Door
from gateway.cli.commands import when
from gateway.cli.exits import OK, REFUSED, Ended


def list_consents(door: Door, *, as_json: bool) -> int:
    """Print every household with what it may consent to, and what it has; raise Ended."""
    found = door.get("/v1/consents")
    if as_json:
        print(json.dumps({"schema": "gateway/consents/1", **found}))
        return OK
    for dwelling in found["dwellings"]:
        print(f"{dwelling['name']} ({', '.join(dwelling['devices'])})")
        for purpose in dwelling["purposes"]:
            print(f"  {_in_a_line(purpose)}")
            if more := _uncovered(purpose):
                print(f"    not covered, nothing of it leaves: {more}; ask them, and give the consent anew")
        if not dwelling["purposes"]:
            print("  no purpose: nothing of it ever leaves")
    if not found["dwellings"]:
        print("the site file names no household: whatever is read is the building's own")
    return OK


def change(  # noqa: PLR0913 - each is an option of the command
    door: Door, *, given: bool, dwelling: str, purpose: str, who: str, reason: str, sure: bool, as_json: bool
) -> int:
    """Give or withdraw a consent; raise Ended, also where nobody said `--yes`."""
    if not sure:
        would = (
            f"let the readings of {dwelling} leave for {purpose} from now on"
            if given
            else f"let nothing more of {dwelling} leave for {purpose}, and delete what is not delivered yet"
        )
        raise Ended(REFUSED, f"this would {would}, and the centre is told: add --yes")
    order = {
        "dwelling": dwelling,
        "purpose": purpose,
        "consent": "given" if given else "withdrawn",
        "who": who,
        "reason": reason,
    }
    found = door.post("/v1/consents", order)
    if as_json:
        print(json.dumps({"schema": "gateway/consent/1", **found}))
    elif found["stored"]:
        print(f"{dwelling}, {purpose}: {order['consent']}")
    else:
        print(f"{dwelling}, {purpose}: withdrawn, and nothing leaves; the disk refuses to note it and is asked again")
    return OK


def _in_a_line(purpose: dict[str, Any]) -> str:
    state = "given" if purpose["given"] else "not given"
    last = purpose["last"]
    said = "" if last is None else f", {when(last['utc_ms'])} by {last['who']}: {last['reason']}"
    if last is not None and not purpose["given"]:
        state = "withdrawn"
    return f"{purpose['name']}: {state}{said} ({', '.join(purpose['tiers'])})"


def _uncovered(purpose: dict[str, Any]) -> str:
    """Name what the site file asks for beyond what was consented to."""
    found = purpose.get("uncovered") or {"tiers": (), "devices": ()}
    return ", ".join((*(f"tier {name}" for name in found["tiers"]), *(f"meter {name}" for name in found["devices"])))
