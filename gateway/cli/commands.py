"""`gateway commands`: what was ordered and what became of it, and the opt-out of those who are on site.

Asked of the agent; what was ordered is read from the command database's file where none is at work.
"""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gateway.cli.asking import Door
from gateway.cli.exits import AGENT_NOT_RUNNING, OK, REFUSED, UNKNOWN, Ended
from gateway.cli.status import duration

if TYPE_CHECKING:
    from gateway.commands.look import Look

Command = dict[str, Any]

_FROM_FILE = "read from the file, as it was when the agent last wrote: none is at work"


def list_commands(door: Door, *, as_json: bool, limit: int) -> int:
    """Print the newest commands, the newest first, and who has opted out; raise Ended."""
    found = _found(
        door,
        lambda: {
            "commands": door.get(f"/v1/commands?limit={limit}")["commands"],
            "opt_outs": door.get("/v1/opt-out")["opt_outs"],
        },
        lambda look: {"commands": look.commands(limit), "opt_outs": look.opt_outs()},
    )
    if as_json:
        print(json.dumps({"schema": "gateway/commands/1", **found}))
        return OK
    for command in found["commands"]:
        print(_in_a_line(command))
    if not found["commands"]:
        print("nothing was ever ordered")
    for each in found["opt_outs"]:
        print(f"{each['target']} {_opted_out(each)} ({each['role']}: {each['reason']})")
    if found["source"] == "file":
        print(_FROM_FILE)
    return OK


def show(door: Door, command_id: str, *, as_json: bool) -> int:
    """Print all that is known of one command; raise Ended."""
    found = _found(
        door,
        lambda: door.get(f"/v1/commands/{quote(command_id, safe='')}"),
        lambda look: look.command(command_id),
    )
    if as_json:
        print(json.dumps({"schema": "gateway/command/1", **found}))
        return OK
    source = found.pop("source")
    for name, value in found.items():
        if value not in (None, [], {}):
            print(f"{name:<14} {_word(name, value)}")
    if source == "file":
        print(_FROM_FILE)
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


def _found(
    door: Door, ask: Callable[[], dict[str, Any]], read: "Callable[[Look], dict[str, Any] | None]"
) -> dict[str, Any]:
    """Give what the agent answers, or what the file says where none is at work, with its source; raise Ended."""
    try:
        return {"source": "agent", **ask()}
    except Ended as ended:
        if not _is_away(door, ended):
            raise
    from gateway.cli.ordered import looked  # noqa: PLC0415 - pydantic and SQLite, which asking the agent does not need

    with looked(door.site) as look:
        found = read(look)
    if found is None:
        raise Ended(UNKNOWN, "no command of that id in the file; `gateway commands list` shows the newest")
    return {"source": "file", **found}


def _is_away(door: Door, ended: Ended) -> bool:
    """Tell whether no agent at work answered: none at all, or one that waits for its keys and knows no command."""
    if ended.code != UNKNOWN:
        return ended.code == AGENT_NOT_RUNNING
    try:
        return "missing" in door.get("/v1/status")
    except Ended:
        return False


def _opted_out(opt_out: dict[str, Any]) -> str:
    if opt_out["left_ms"] is not None:
        return f"has opted out for another {duration(opt_out['left_ms'])}"
    if opt_out["until_utc_ms"] is not None:
        return f"has opted out until {when(opt_out['until_utc_ms'])}"
    return "has opted out, for how long is unknown"


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
