"""What the control socket serves of a working agent: the table of routes, and an answer for each."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from buffer.errors import StorageError as OutboxError
from buffer.outbox import Stats
from config.channel import Channel
from config.site import Site
from gateway.app import described, gives, status
from gateway.app.commanding import Commanding
from gateway.app.freshness import Freshness
from gateway.app.past import Past
from gateway.clock import Clock
from gateway.commands import optout
from gateway.commands.command import OPT_OUT_MAX_S, ROLES, LocalOperation, LocalOrder
from gateway.commands.course import told
from gateway.commands.journal import Journal
from gateway.control.events import Events
from gateway.control.routes import Call, Choice, Field, Refusal, Right, Route, Text, Whole, get
from gateway.counting import reaches
from gateway.latest import Latest
from gateway.sealing import Store

Json = status.Json

KINDS = READINGS, ALARMS, COMMANDS = "readings", "alarms", "commands"
"""Kinds of events."""

_ROLE = Field("role", Choice(tuple(sorted(ROLES))), "who wants it, as you have checked", default="technician")
_TARGET = Field("target", Text(1, 64), 'a load\'s name, or "building"', is_needed=True)
_REASON = Field("reason", Text(1, 200), "why; it is kept with the order", is_needed=True)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the answers come from."""

    site: Site
    status: Callable[[], Awaitable[Json]]
    channels: Sequence[Channel]
    freshness: Freshness
    latest: Latest
    store: Store
    stats: Callable[[], Awaitable[Stats]]
    journal: Journal
    commanding: Commanding
    events: Events
    clock: Clock
    zone: tzinfo
    fresh: Callable[[], Awaitable[None]]
    """Brings the history up to now."""
    more: Sequence[Route] = ()
    """Routes of other parts."""


class Local:
    """Answers on the control socket."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources
        self._channels = {channel.name: channel for channel in sources.channels}
        reach = reaches(sources.channels, sources.freshness.channels)
        self._past = Past(self._known, reach, sources.store, sources.fresh, sources.clock, sources.zone)

    def routes(self) -> tuple[Route, ...]:
        """Give the table."""
        one = Field("channel", Text(1, 128), "only this channel")
        kind = Field("kind", Choice(KINDS), "only events of this kind")
        release = Route(
            "POST",
            "/v1/release",
            Right.ACT,
            "End what is being shed on a target, once; a later order may shed it again.",
            self._release,
            body=(_TARGET, _REASON, _ROLE),
            gives=gives.ORDERED,
        )
        opt_out = Route(
            "POST",
            "/v1/opt-out",
            Right.ACT,
            "End what is being shed on a target, and refuse what comes, for a time.",
            self._opt_out,
            body=_OPT_OUT_BODY,
            gives=gives.ORDERED,
        )
        opt_in = Route(
            "DELETE",
            "/v1/opt-out/{target}",
            Right.ACT,
            "End an opt-out early.",
            self._opt_in,
            query=(_REASON, _ROLE),
            gives=gives.ORDERED,
        )
        return (
            get("/v1/status", "How the agent is, in facts and in words.", self._status, gives=gives.STATUS),
            described.route(self._from.site),
            get("/v1/channels", _CHANNELS, self._all_channels, gives=gives.CHANNELS),
            get("/v1/readings/latest", _READINGS, self._readings, one, gives=gives.READINGS),
            self._past.route(),
            get("/v1/commands", _COMMANDS, self._commands, *_PAGE, gives=gives.COMMANDS),
            get("/v1/commands/{id}", "One command.", self._command, gives=gives.COMMAND),
            get("/v1/opt-out", "Who has opted out, why, and until when.", self._opt_outs, gives=gives.OPT_OUTS),
            opt_out,
            opt_in,
            release,
            *self._from.more,
            get("/v1/queue/stats", _QUEUE, self._queue, gives=gives.QUEUE),
            get("/v1/queue/peek", _PEEK, self._peek, _FEW, gives=gives.SEGMENTS),
            Route("GET", "/v1/events", Right.READ, _EVENTS, stream=self._events, query=(kind,), gives=gives.EVENT),
        )

    async def _status(self, _: Call) -> object:
        return await self._from.status()

    async def _all_channels(self, _: Call) -> object:
        now = self._from.clock.boot_ms()
        return {"boot_ms": now, "channels": [self._described(channel, now) for channel in self._channels.values()]}

    def _described(self, channel: Channel, now: int) -> Json:
        reading = self._from.latest.get(channel.name)
        last = None if reading is None else status.channels([reading], now)[0]
        return {
            "name": channel.name,
            "device": channel.device,
            "group": channel.group,
            "quantity": channel.quantity.value,
            "unit": channel.unit,
            "exponent": channel.exponent,
            "is_text": channel.is_text,
            "phase": channel.phase,
            "obis": channel.obis,
            "stale_after_ms": self._from.freshness.channels[channel.name],
            "last": last and {key: last[key] for key in ("value", "quality", "boot_ms", "age_ms")},
        }

    async def _readings(self, call: Call) -> object:
        now = self._from.clock.boot_ms()
        if "channel" in call.query:
            reading = self._from.latest.get(self._known(str(call.query["channel"])).name)
            found = [] if reading is None else [reading]
        else:
            found = list(self._from.latest.all())
        return {"boot_ms": now, "readings": status.channels(found, now)}

    def _known(self, name: str) -> Channel:
        channel = self._channels.get(name)
        if channel is None:
            from difflib import get_close_matches  # noqa: PLC0415 - most agents are never asked wrongly

            close = get_close_matches(name, self._channels, 3, 0.5)
            hint = f"did you mean {' or '.join(close)}?" if close else "/v1/channels lists those there are"
            raise Refusal(404, f"no channel of that name: {hint}")
        return channel

    # Commands and opt-outs

    async def _commands(self, call: Call) -> object:
        newest = await self._from.journal.newest(int(call.query["limit"]), int(call.query["before"]))
        return {"commands": [{"number": number, **told(entry)} for number, entry in newest]}

    async def _command(self, call: Call) -> object:
        entry = await self._from.journal.entry(call.path["id"])
        if entry is None:
            raise Refusal(404, "no command of that id; /v1/commands lists the newest")
        return told(entry)

    async def _opt_outs(self, _: Call) -> object:
        now = self._from.clock.boot_ms()
        return {"boot_ms": now, "opt_outs": [optout.told(out, now) for out in self._from.commanding.opt_outs()]}

    async def _opt_out(self, call: Call) -> object:
        body = call.body
        return await self._order(
            str(body["role"]), LocalOperation.OPT_OUT, str(body["target"]), str(body["reason"]), int(body["duration_s"])
        )

    async def _opt_in(self, call: Call) -> object:
        target = call.path["target"]
        if target not in {out.target for out in self._from.commanding.opt_outs()}:
            raise Refusal(404, "nothing of that name has opted out; /v1/opt-out lists what has")
        return await self._order(str(call.query["role"]), LocalOperation.OPT_IN, target, str(call.query["reason"]))

    async def _release(self, call: Call) -> object:
        body = call.body
        return await self._order(str(body["role"]), LocalOperation.RELEASE, str(body["target"]), str(body["reason"]))

    async def _order(
        self, role: str, operation: LocalOperation, target: str, reason: str, duration_s: int = 0
    ) -> object:
        ruling = await self._from.commanding.order(LocalOrder(role, operation, target, reason, duration_s))
        if ruling.reason == "target":
            raise Refusal(404, 'no load of that name: name one of the site file, or "building"')
        if not ruling.accepted:
            raise Refusal(409, f"refused: {ruling.reason}")
        return {"accepted": True, "operation": operation.value, "target": target, "duration_s": duration_s}

    # The queue to the centre, and events

    async def _queue(self, _: Call) -> object:
        stats = await self._from.stats()
        return {
            "journal_rows": stats.journal_rows,
            "journal_readings": stats.journal_readings,
            "segments_pending": stats.segments_pending,
            "readings_pending": stats.readings_pending,
            "segments_received": stats.segments_received,
            "oldest_pending_ms": stats.oldest_pending_ms,
            "bytes_used": stats.pages_used * status.PAGE_BYTES,
            "bytes_quota": stats.quota_pages * status.PAGE_BYTES,
            "dropped_segments": stats.dropped_segments,
            "dropped_readings": stats.dropped_readings,
            "withdrawn_segments": stats.withdrawn_segments,
            "withdrawn_readings": stats.withdrawn_readings,
            "aside_rows": stats.aside_rows,
            "aside_readings": stats.aside_readings,
            "dropped": [
                {
                    "stream": each.stream,
                    "first": each.first_sequence,
                    "last": each.last_sequence,
                    "count": each.count,
                    "reason": each.reason,
                }
                for each in stats.dropped
            ],
            "failures": stats.failures,
            "last_failure": stats.last_failure,
        }

    async def _peek(self, call: Call) -> object:
        outbox = self._from.store.outbox
        try:
            segments = await self._from.store.call(outbox.pending, limit=int(call.query["limit"]))
        except OutboxError as error:
            raise Refusal(503, str(error)) from error
        return {
            "epoch": outbox.epoch.hex(),
            "segments": [
                {
                    "stream": each.stream,
                    "sequence": each.sequence,
                    "first_ms": each.first_ms,
                    "last_ms": each.last_ms,
                    "count": each.count,
                    "bytes": len(each.blob),
                    "sha256": hashlib.sha256(each.blob).hexdigest(),
                }
                for each in segments
            ],
        }

    def _events(self, call: Call) -> AsyncIterator[bytes]:
        kind = call.query.get("kind")
        return self._from.events.listen(frozenset(KINDS if kind is None else (str(kind),)))


_CHANNELS = "Every channel of the site, read or not, with its last value."
_READINGS = "The last value of each channel that was read."
_COMMANDS = "The newest commands, those of people on site included."
_QUEUE = "What is kept, and what the centre has not signed for."
_PEEK = "The oldest segments without a receipt, without their bytes."
_EVENTS = "Readings, alarms and answers to commands as they come, one JSON object a line, a heartbeat each 15 s."
_OPT_OUT_BODY = (
    _TARGET,
    _REASON,
    Field("duration_s", Whole(1, OPT_OUT_MAX_S), "seconds that it lasts", is_needed=True),
    _ROLE,
)
_PAGE = (
    Field("limit", Whole(1, 200), "how many", default=50),
    Field(
        "before",
        Whole(1, 1 << 53),
        "only those numbered under this: the last number of the page before",
        default=1 << 53,
    ),
)
_FEW = Field("limit", Whole(1, 20), "how many", default=10)
