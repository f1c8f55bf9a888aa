"""`gateway status`: what the agent reads, keeps and sends, asked over its control socket."""

import json
from typing import Any

from gateway.cli.asking import Door
from gateway.cli.exits import OK

SCHEMA = "gateway/status/1"


def status(door: Door, *, as_json: bool) -> int:
    """Print the agent's status, also of one that waits for its keys; raise Ended."""
    answer = door.get("/v1/status")
    print(json.dumps({"schema": SCHEMA, **answer}) if as_json else table(answer))
    return OK


def table(answer: dict[str, Any]) -> str:
    """Lay a status out for a person."""
    head = f"{answer['gateway']}  {answer['name']}  version {answer['version']}, up {duration(answer['up_ms'])}"
    if "missing" in answer:
        return "\n".join([head, "nothing is metered yet: it waits, and looks again by itself, for", *answer["missing"]])
    clock, outbox, link = answer["clock"], answer["outbox"], answer["link"]
    history = answer["history"]["text"] if "history" in answer else "kept"
    lines = [
        head,
        f"clock     {clock['text']}",
        f"link      {link['text']}",
        *([f"          {link['figures']}"] if link.get("figures") else []),
        f"outbox    {outbox['text']}",
        *([f"history   {history}"] if history != "kept" else ()),
        f"shedding  {answer['shedding']['text']}",
        *([f"cert      {answer['certificate']['text']}"] if "certificate" in answer else ()),
        *([f"trust     {answer['trust']['text']}"] if "trust" in answer else ()),
        *([f"consents  {uncovered}"] if (uncovered := _uncovered(answer)) else ()),
        "",
    ]
    wide = max((len(meter["name"]) for meter in answer["meters"]), default=0)
    lines += [f"{meter['name']:<{wide}}  {meter['state']}{_line(meter)}" for meter in answer["meters"]]
    lines.append("")
    width = max((len(channel["name"]) for channel in answer["channels"]), default=0)
    lines += [channel_line(channel, width) for channel in answer["channels"]]
    return "\n".join(lines)


def _uncovered(answer: dict[str, Any]) -> str | None:
    """Say that the site file asks for more than households consented to; None where it does not."""
    count = answer.get("consents", {}).get("uncovered", 0)
    return (
        f"{count} of the households consented to less than the site file asks for: gateway consent list"
        if count
        else None
    )


def _line(meter: dict[str, Any]) -> str:
    """Say how good a serial line was in the last minute, of a meter that has one."""
    minute = (meter.get("rates") or {}).get("minute")
    if minute is None:
        return ""
    return (
        f"; {minute['frames_per_min']:.0f} frames/min, {minute['refused_percent']:.1f} % of groups refused, "
        f"{minute['parity_per_1000']:.1f} parity errors per 1000 characters"
    )


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
