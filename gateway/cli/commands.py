"""`gateway commands`: what was ordered and what became of it, and the opt-out of those who are on site."""

import json
import time
from typing import Any
from urllib.parse import quote

from gateway.cli.asking import Door
from gateway.cli.exits import OK, REFUSED, Ended
from gateway.cli.status import duration

Command = dict[str, Any]


def list_commands(door: Door, *, as_json: bool, limit: int) -> int:
    """Print the newest commands, the newest first, and who has opted out; raise Ended."""
    found = door.get(f"/v1/commands?limit={limit}")["commands"]
    opt_outs = door.get("/v1/opt-out")["opt_outs"]
    if as_json:
        print(json.dumps({"schema": "gateway/commands/1", "commands": found, "opt_outs": opt_outs}))
        return OK
    for command in found:
        print(_in_a_line(command))
    if not found:
        print("nothing was ever ordered")
    for each in opt_outs:
        left = duration(each["left_ms"])
        print(f"{each['target']} has opted out for another {left} ({each['role']}: {each['reason']})")
    return OK


def show(door: Door, command_id: str, *, as_json: bool) -> int:
    """Print all that is known of one command; raise Ended."""
    found = door.get(f"/v1/commands/{quote(command_id, safe='')}")
    if as_json:
        print(json.dumps({"schema": "gateway/command/1", **found}))
        return OK
    for name, value in found.items():
        if value not in (None, [], {}):
            print(f"{name:<14} {_word(name, value)}")
    return OK


def opt_out(  # noqa: PLR0913 - each is an option of the command
    door: Door, target: str, *, reason: str, duration_s: int, sure: bool, as_json: bool
) -> int:
    """End what is shed on a target and refuse what comes, for a time; raise Ended, also where nobody said `--yes`."""
    lasts = duration(duration_s * 1000)
    if not sure:
        raise Ended(
            REFUSED,
            f"this would end what is shed on {target} and refuse every order to it for {lasts}, and the centre is "
            "told: add --yes",
        )
    order: dict[str, str | int] = {"target": target, "reason": reason, "duration_s": duration_s, "role": "technician"}
    found = door.post("/v1/opt-out", order)
    if as_json:
        print(json.dumps({"schema": "gateway/opt-out/1", **found}))
    else:
        print(f"{target} has opted out for {lasts}")
    return OK


def _in_a_line(command: Command) -> str:
    if "state" not in command:
        return f"{command['id']}  {command['text']}"
    end = command["outcome"] or command["state"]
    why = f" ({command['reason']})" if command["reason"] else ""
    issued = when(command["issued_utc_ms"])
    return (
        f"{command['id']}  {issued}  {end}{why}  {command['percent']} % of {command['target']}, by {command['issuer']}"
    )


def _word(name: str, value: object) -> str:
    if name.endswith("_utc_ms") and isinstance(value, int):
        return when(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {each}" for key, each in value.items())
    return str(value)


def when(utc_ms: int | None) -> str:
    """Write a moment as ISO 8601 in this machine's time zone."""
    return "time unknown" if utc_ms is None else time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(utc_ms // 1000))
