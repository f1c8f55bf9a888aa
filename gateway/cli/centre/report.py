"""`gateway centre report`: what the store holds and lacks."""

import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from gateway.centre import losses
from gateway.centre import report as reports
from gateway.centre.report import StreamReport
from gateway.cli.centre.site import site
from gateway.cli.exits import COULD_NOT_CHECK, OK, WARNINGS, Ended

SCHEMA = "gateway/centre-report/1"


def report(config: Path, *, gateway: str | None, strict: bool, as_json: bool) -> int:
    """Print a report of each stream; raise Ended. Exit code: with `strict` 1 where a stream is not whole."""
    database = site(config).centre.database
    if not database.exists():
        raise Ended(COULD_NOT_CHECK, f"{database}: no store: has this centre ever run?")
    try:
        found = list(reports.report(database, time.time_ns() // 1_000_000, gateway))
        counts = reports.tallies(database)
    except sqlite3.Error as error:
        raise Ended(COULD_NOT_CHECK, f"{database}: {error}") from error
    if as_json:
        streams = [{**asdict(each), "whole": each.is_whole} for each in found]
        print(json.dumps({"schema": SCHEMA, "counts": counts, "streams": streams}))
    else:
        print("\n".join(_lines(found)) or "nothing has come yet")
        told = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in counts.items())
        print(f"since the store was made: {told or 'nothing'}")
    return WARNINGS if strict and not all(each.is_whole for each in found) else OK


def _lines(found: list[StreamReport]) -> Iterator[str]:
    gateway = ""
    for each in found:
        if each.gateway != gateway:
            gateway = each.gateway
            yield gateway
        held = f"{each.messages} messages" + (f", {each.readings} readings" if each.readings else "")
        yield f"  {each.stream} (epoch {each.epoch}): {held}, up to {each.highest}"
        yield from (f"    {line}" for line in _facts(each))


def _facts(each: StreamReport) -> Iterator[str]:
    if each.missing:
        age = "" if each.oldest_gap_ms is None else f", the oldest for {_lasting(each.oldest_gap_ms)}"
        yield f"MISSING {each.missing} in {_ranges(each.gaps)}{age}"
    for part in each.dropped:
        held = losses.told(part.readings, part.reason)
        yield f"dropped {_ranges([(part.first, part.last)])}: {held}, reason: {part.reason}"
    if each.chain_breaks:
        yield f"CHAIN BROKEN before {', '.join(map(str, each.broken))}"
    if each.conflicts:
        yield f"CONFLICTS {each.conflicts}: another message came for a number that was taken; the first one stays"
    if each.undecoded:
        yield f"{each.undecoded} segments wait for their schema"
    if each.unplaced:
        yield f"{each.unplaced} segments unplaced: no clock record yet of boot {', '.join(each.unplaced_boots)}"
    if each.provisional:
        yield f"{each.provisional} segments placed by the meter's clock alone: provisional"
    if each.duplicates_dropped:
        yield f"{each.duplicates_dropped} duplicates dropped"


def _ranges(ranges: list[tuple[int, int]] | tuple[tuple[int, int], ...]) -> str:
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in ranges)


def _lasting(milliseconds: int) -> str:
    seconds = milliseconds // 1_000
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
