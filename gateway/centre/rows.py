"""What becomes of a segment in PostgreSQL: one row that names it, and its readings below it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg

from gateway.centre.decode import Decoded
from gateway.centre.follow import DroppedRange
from gateway.centre.lines import exact
from gateway.centre.source import AlarmRow
from gateway.wire.messages import ClockRecord
from gateway.wire.placing import Placed
from gateway.wire.schema import ChannelInfo, Schema

_UTC_MAX_MS = 253_402_300_799_999
"""The end of the year 9999; what a gateway places beyond it has no time that anybody could use."""

_INT_MAX = (1 << 31) - 1

_SEGMENT = """
INSERT INTO gateway.segment AS known
    (gateway, epoch, stream, sequence, boot_id, readings, arrived, clock, uncertainty_ms)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (gateway, epoch, stream, sequence) DO UPDATE
SET clock = excluded.clock, uncertainty_ms = excluded.uncertainty_ms
WHERE (known.clock IS NULL AND excluded.clock IS NOT NULL) OR (known.clock = 'meter' AND excluded.clock = 'trusted')
RETURNING id, xmax::text <> '0'
"""
_CHANNEL = """
INSERT INTO gateway.channel (gateway, stream, name, device, quantity, unit, obis, phase)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (gateway, stream, name) DO UPDATE SET device = excluded.device, quantity = excluded.quantity,
unit = excluded.unit, obis = excluded.obis, phase = excluded.phase RETURNING id
"""
_TO_PLACE = """
SELECT epoch, stream, sequence FROM gateway.segment
WHERE gateway = %s AND boot_id = %s AND clock IS DISTINCT FROM 'trusted' AND (clock IS NULL OR %s) ORDER BY id
"""


class Writing:
    """Writes in the transaction that is open; `segment` may be told the same twice."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self._connection = connection
        self._channels: dict[tuple[str, str, bytes], dict[str, int]] = {}

    def segment(self, decoded: Decoded) -> bool:
        """Write a segment that is new, or that is better placed than it was; give whether it was one of these."""
        content = decoded.content
        moments = {tick: decoded.timeline.at(tick) for table in content.groups.values() for tick in table.ticks}
        clock, uncertainty_ms = _clock(moments)
        row = self._connection.execute(
            _SEGMENT,
            (
                decoded.gateway,
                decoded.epoch,
                decoded.stream,
                decoded.sequence,
                content.boot_id,
                content.count(),
                _moment(decoded.arrived_utc_ms),
                clock,
                uncertainty_ms,
            ),
        ).fetchone()
        if row is None:
            return False
        number, is_known = row
        if is_known:
            self._connection.execute("DELETE FROM gateway.sample WHERE segment = %s", (number,))
        channels = self._numbers(decoded.gateway, decoded.stream, decoded.schema)
        copy = "COPY gateway.sample (channel, segment, boot_ms, utc, value, text, state) FROM STDIN"
        with self._connection.cursor() as cursor, cursor.copy(copy) as into:
            for line in _samples(decoded, str(number), channels, moments):
                into.write(line)
        return True

    def to_place(self, gateway: str, boot_id: bytes, *, provisional: bool) -> list[tuple[bytes, str, int]]:
        """Name the segments of a boot that nothing has placed, and with `provisional` those that a meter has."""
        found = self._connection.execute(_TO_PLACE, (gateway, boot_id, provisional)).fetchall()
        return [(bytes(epoch), str(stream), int(sequence)) for epoch, stream, sequence in found]  # type: ignore[call-overload]

    def clock(self, gateway: str, record: ClockRecord) -> None:
        """Write a clock record."""
        self._connection.execute(
            "INSERT INTO gateway.clock VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (
                gateway,
                record.boot_id,
                record.boot_ms,
                record.source,
                _moment(record.utc_ms) or _moment(0),
                record.uncertainty_ms,
            ),
        )

    def alarm(self, row: AlarmRow) -> None:
        """Write an alarm."""
        said = row.alarm
        self._connection.execute(
            "INSERT INTO gateway.alarm VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (
                row.gateway,
                row.epoch,
                row.stream,
                row.sequence,
                said.kind,
                said.text,
                said.boot_ms,
                None if said.utc_ms is None else _moment(said.utc_ms),
                _moment(row.arrived_utc_ms),
            ),
        )

    def dropped(self, row: DroppedRange) -> None:
        """Write a drop record."""
        self._connection.execute(
            "INSERT INTO gateway.dropped VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (row.gateway, row.epoch, row.stream, row.first, row.last, row.readings, row.reason),
        )

    def _numbers(self, gateway: str, stream: str, schema: Schema) -> dict[str, int]:
        """Give the numbers of a schema's channels, which are made where they are new."""
        key = (gateway, stream, schema.id)
        if key not in self._channels:
            made: dict[str, int] = {}
            for channel in schema.channels:
                told = (gateway, stream, channel.name, channel.device, channel.quantity, channel.unit)
                row = self._connection.execute(_CHANNEL, (*told, channel.obis, channel.phase)).fetchone()
                made[channel.name] = int(row[0]) if row else 0  # type: ignore[call-overload]
            self._channels[key] = made
        return self._channels[key]


def _samples(
    decoded: Decoded, segment: str, channels: dict[str, int], moments: dict[int, Placed | None]
) -> Iterator[str]:
    """Give the readings as lines of COPY, a column at a time."""
    by_name = {channel.name: channel for channel in decoded.schema.channels}
    for table in decoded.content.groups.values():
        times = [f"{tick}\t{_copied(_utc(moments[tick]))}" for tick in table.ticks]
        for name, column in table.columns.items():
            channel, quality = by_name[name], table.quality.get(name)
            head = f"{channels[name]}\t{segment}\t"
            yield "".join(
                f"{head}{times[at]}\t{_value(value, channel)}\t{quality[at] if quality else 0}\n"
                for at, value in enumerate(column)
                if value is not None
            )


def _clock(moments: dict[int, Placed | None]) -> tuple[str | None, int | None]:
    """Tell who places a segment, and how uncertain that is at most."""
    placed = [each for each in moments.values() if each is not None]
    if len(placed) != len(moments):
        return None, None
    worst = min(max(each.uncertainty_ms for each in placed), _INT_MAX)
    return "meter" if any(each.provisional for each in placed) else "trusted", worst


def _utc(placed: Placed | None) -> str | None:
    moment = None if placed is None else _moment(placed.utc_ms)
    return None if moment is None else moment.isoformat()


def _moment(utc_ms: int) -> datetime | None:
    if not 0 <= utc_ms <= _UTC_MAX_MS:
        return None
    return datetime.fromtimestamp(utc_ms // 1_000, UTC).replace(microsecond=utc_ms % 1_000 * 1_000)


def _value(value: int | str, channel: ChannelInfo) -> str:
    """Give the columns `value` and `text` of a line of COPY."""
    if isinstance(value, int):
        return f"{exact(value, channel.exponent)}\t\\N"
    return f"\\N\t{_copied(value)}"


def _copied(text: str | None) -> str:
    if text is None:
        return "\\N"
    for character, written in (
        ("\\", "\\\\"),
        ("\t", "\\t"),
        ("\n", "\\n"),
        ("\r", "\\r"),
        ("\0", "\N{REPLACEMENT CHARACTER}"),
    ):
        text = text.replace(character, written)
    return text
