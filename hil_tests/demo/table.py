"""Lays out the live table: some readings with their age, then backlog, link, shedding, and the centre's count."""

from typing import Any

from gateway.cli.status import duration, number
from hil_tests.demo.screen import Screen

SHOWN = (
    "linky.sinsts",
    "linky.papp",
    "linky.east",
    "linky.base",
    "linky.ntarf",
    "electricity.power",
    "heat.power",
    "bms.heat_pump_1_power",
    "bms.heat_pump_1_setpoint",
    "bms.water_heater_1",
    "bms.charger_1_setpoint",
    "gas.total",
    "water.total",
)
"""Channels that say most about the building; one that the site does not have is passed over."""


def lines(screen: Screen, status: dict[str, Any] | None, centre: dict[str, int], broker_up: bool) -> list[str]:  # noqa: FBT001 - a fact, shown
    """Give the table's lines; without a status the agent is not there."""
    if status is None:
        return [
            screen.heading("gateway"),
            screen.doubt("  the agent does not answer"),
            "",
            *_centre(screen, centre, broker_up=broker_up),
        ]
    known = {channel["name"]: channel for channel in status["channels"]}
    silent = {each["name"] for each in status["meters"] if _is_silent(each, status["boot_ms"])}
    rows = [screen.heading(f"{'reading':<28}{'value':>16}  {'':<5}{'age':>9}   {len(known)} channels read")]
    for name in SHOWN:
        channel = known.get(name)
        if channel is not None:
            row = f"{name:<28}{number(channel):>16}  {channel['unit']:<5}{duration(channel['age_ms']):>9}"
            row += "" if channel["quality"] == "ok" else f"   {channel['quality']}"
            rows.append(screen.doubt(row + "   stale") if name.partition(".")[0] in silent else row)
    return [
        *rows,
        "",
        screen.heading("gateway"),
        f"  backlog   {status['outbox']['text']}",
        f"  link      {status['link']['text']}",
        f"  clock     {status['clock']['text']}",
        f"  shedding  {status['shedding']['text']}",
        *_centre(screen, centre, broker_up=broker_up),
    ]


def _is_silent(meter: dict[str, Any], now_ms: int) -> bool:
    last_ms = meter["last_read_ms"]
    return last_ms is not None and now_ms - last_ms > meter["stale_after_ms"]


def summary(status: dict[str, Any] | None, centre: dict[str, int]) -> str:
    """Give the table in one line."""
    if status is None:
        return f"the gateway is not running; the centre has verified {centre['verified_readings']} readings"
    return (
        f"{status['readings_taken']} readings since the gateway's start, {status['outbox']['readings_pending']} wait "
        f"on the card; link {'up' if status['link']['connected'] else 'down'}; {status['shedding']['text']}; "
        f"in all verified there: {centre['verified_readings']}"
    )


def _centre(screen: Screen, centre: dict[str, int], *, broker_up: bool) -> list[str]:
    return [
        screen.heading("centre") + ("" if broker_up else screen.doubt("   the broker is down")),
        f"  {centre['verified_readings']} readings verified in {centre['segments']} segments",
        f"  {centre['duplicates_dropped']} duplicates dropped, {centre['bad_signatures']} bad signatures",
    ]
