"""`gateway export csv`: the readings that are kept here, of a range of days, for the manager and the occupant."""

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from heapq import merge
from operator import attrgetter
from pathlib import Path

from buffer.errors import StorageError
from buffer.reader import Reader
from config.errors import ConfigError
from config.load import load
from config.site import Site
from gateway.cli.exits import CHECK_FAILED, COULD_NOT_CHECK, OK, UNKNOWN, USAGE, Ended
from gateway.export.kept import Kept, Value
from gateway.export.lines import Lines
from gateway.periods import zone_of
from gateway.wire.gaps import bound_ms
from gateway.wire.schema import ChannelInfo


def csv(  # noqa: PLR0913 - what can be asked, each a word of the command line
    site_file: Path, *, begin: str | None, end: str | None, tier: str, channels: list[str], comma: bool
) -> int:
    """Print the readings of a range as CSV, the end not included; raise Ended."""
    site = _site(site_file)
    zone = zone_of(site.gateway.timezone)
    start_ms = _moment(begin, zone)
    end_ms = _moment(end, zone, after=True)
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise Ended(USAGE, "the range is empty: --from must be before --to")
    lines = Lines(zone, bound_ms(tier), start_ms, end_ms, comma)
    try:
        with Reader.open(site.storage.directory / "outbox.db") as reader:
            kept = Kept(reader)
            streams = [name for name in kept.streams() if name.partition(".")[0] == tier]
            known = kept.channels()
            unknown = [name for name in channels if name not in known]
            if unknown:
                raise Ended(UNKNOWN, f"no channel {unknown[0]!r} is kept here: `gateway channels` lists those of now")
            wanted = {name: known[name] for name in channels} if channels else known
            for line in lines.write(_values(kept, streams, wanted, lines), wanted.values()):
                print(line)
    except StorageError as error:
        raise Ended(COULD_NOT_CHECK, str(error)) from error
    print(f"{lines.count.rows} rows, {lines.count.gaps} of them gaps", file=sys.stderr)
    if kept.unreadable:
        print(f"{kept.unreadable} segments cannot be read: `gateway queue verify` tells which", file=sys.stderr)
        return CHECK_FAILED
    return OK


def _values(kept: Kept, streams: list[str], wanted: dict[str, ChannelInfo], lines: Lines) -> Iterator[Value]:
    """Give what was read of the wanted channels, the streams joined in order of time."""

    def of(stream: str) -> Iterator[Value]:
        for part in kept.parts(stream, start_ms=lines.start_ms, end_ms=lines.end_ms):
            yield from (value for value in part.values if value.channel.name in wanted)

    return merge(*map(of, streams), key=attrgetter("order"))


def _moment(text: str | None, zone: tzinfo, *, after: bool = False) -> int | None:
    """Read a day (its begin in the site's zone, or its end with `after`) or a moment, as UTC in ms; raise Ended."""
    if text is None:
        return None
    try:
        if len(text) <= len("2026-11-25"):
            day = date.fromisoformat(text) + timedelta(days=after)
            moment = datetime.combine(day, time(), zone)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    except (ValueError, OverflowError) as error:
        raise Ended(USAGE, f"{text}: a day is wanted as 2026-11-25, or a moment as 2026-11-25T14:30") from error
    return int(moment.astimezone(UTC).timestamp() * 1000)


def _site(path: Path) -> Site:
    try:
        return load(path)
    except ConfigError as error:
        raise Ended(COULD_NOT_CHECK, str(error)) from error
