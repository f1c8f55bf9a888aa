"""`gateway status`: what the agent reads, keeps and sends, asked over its control socket."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from gateway.control.client import AgentRefused, AgentSlow, AgentUnreachable, get

OK, AGENT_NOT_RUNNING, CHECK_FAILED, TIMEOUT = 0, 3, 5, 27


def status(site: Path, socket: Path | None, *, as_json: bool, timeout_s: float) -> int:
    """Print the agent's status; give the exit code (3 where no agent is there, 27 where it does not answer in time)."""
    try:
        answer = get(socket or socket_of(site), "/v1/status", timeout_s=timeout_s)
    except (AgentUnreachable, AgentRefused) as error:
        print(f"gateway status: {error}", file=sys.stderr)
        return TIMEOUT if isinstance(error, AgentSlow) else AGENT_NOT_RUNNING
    except NoSocketNamed as error:
        print(f"gateway status: {error}", file=sys.stderr)
        return CHECK_FAILED
    print(json.dumps(answer) if as_json else table(answer))
    return OK


class NoSocketNamed(Exception):
    """The site file does not tell where the agent listens."""


def socket_of(site: Path) -> Path:
    """Give the control socket that a site file names, without the cost of checking the whole file."""
    try:
        named = tomllib.loads(site.read_text("utf-8"))["control"]["socket"]
        return site.parent / str(named)
    except OSError as error:
        raise NoSocketNamed(f"{site}: {error.strerror}: name the site file with --config, or --socket") from error
    except (ValueError, KeyError, TypeError) as error:
        raise NoSocketNamed(
            f"{site}: no [control] socket can be read there: see `gateway config check {site}`"
        ) from error


def table(answer: dict[str, Any]) -> str:
    """Lay a status out for a person."""
    head = f"{answer['gateway']}  {answer['name']}  version {answer['version']}, up {duration(answer['up_ms'])}"
    if "missing" in answer:
        return "\n".join([head, "nothing is metered yet: it waits, and looks again by itself, for", *answer["missing"]])
    clock, outbox, link = answer["clock"], answer["outbox"], answer["link"]
    lines = [
        head,
        f"clock     {clock['text']}",
        f"link      {link['text']}",
        f"outbox    {outbox['text']}",
        f"shedding  {answer['shedding']['text']}",
        "",
    ]
    wide = max((len(meter["name"]) for meter in answer["meters"]), default=0)
    lines += [f"{meter['name']:<{wide}}  {meter['state']}" for meter in answer["meters"]]
    lines.append("")
    width = max((len(channel["name"]) for channel in answer["channels"]), default=0)
    lines += [channel_line(channel, width) for channel in answer["channels"]]
    return "\n".join(lines)


def channel_line(channel: dict[str, Any], width: int) -> str:
    """One channel: its name, value with unit, age, and what is to be thought of it."""
    doubt = "" if channel["quality"] == "ok" else f"  {channel['quality']}"
    value = f"{number(channel)} {channel['unit']}".strip()
    return f"{channel['name']:<{width}}  {value:>24}  {duration(channel['age_ms']):>8} ago{doubt}"


def number(channel: dict[str, Any]) -> str:
    """Write a channel's exact value with the decimals that its exponent gives."""
    value, exponent = channel["value"], channel["exponent"]
    if not isinstance(value, int):
        return str(value)
    if exponent >= 0:
        return str(value * 10**exponent)
    digits = f"{abs(value):0{1 - exponent}d}"
    return f"{'-' if value < 0 else ''}{digits[:exponent]}.{digits[exponent:]}"


def duration(ms: int) -> str:
    """Write a duration as people say it: 0.4 s, 12 s, 3 min, 5 h, 2 d."""
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000)):
        if ms >= 2 * length:
            return f"{ms // length} {unit}"
    return f"{ms / 1000:.0f} s" if ms >= 10_000 else f"{ms / 1000:.1f} s"
