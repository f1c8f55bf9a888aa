"""The building as it is now, put together once a second at most for all who watch, and only while somebody does."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.web import alerts as alarming
from gateway.web import counters as counting
from gateway.web import power, values
from gateway.web import shedding as orders
from gateway.web.agent import Agent, Known

Json = Mapping[str, Any]

STATUS_S, ORDERS_S, SITE_S, DAYS_S = 1.0, 2.0, 60.0, 60.0
"""How old each part may be."""

SILENT_MS = 10_000
"""An agent that has not answered for so long is said to be silent; a shorter pause is none."""

NEWEST = 20
"""Commands that are looked through for what runs and what came last."""


@dataclass(frozen=True, slots=True)
class View:
    """What is known; without a status, or while the agent waits for its keys (`missing`), the rest is empty."""

    status: Json | None = None
    site: Json | None = None
    failure: str | None = None
    silent_ms: int = 0
    zone: tzinfo = UTC
    utc_ms: int | None = None
    channels: list[values.Channel] = field(default_factory=list)
    meters: list[power.Meter] = field(default_factory=list)
    parts: list[power.Part] = field(default_factory=list)
    counters: list[counting.Counter] = field(default_factory=list)
    alerts: list[alarming.Alert] = field(default_factory=list)
    shedding: orders.Shedding | None = None

    @property
    def missing(self) -> list[str]:
        """What the agent waits for before it meters anything."""
        return [] if self.status is None else list(self.status.get("missing", ()))

    @property
    def working(self) -> bool:
        """Whether there is an agent that meters, or was one until it fell silent."""
        return self.shedding is not None

    @property
    def has_power(self) -> bool:
        """Whether anything in the building can tell a power, or that is not known yet."""
        return not self.working or power.any_told(self.channels)

    @property
    def read(self) -> bool:
        """Whether anything was ever read."""
        return any(each.value is not None for each in self.channels)

    @property
    def silent(self) -> bool:
        """Whether the agent has not answered for too long."""
        return self.failure is not None and (self.status is None or self.silent_ms > SILENT_MS)

    def meter(self, name: str) -> Json:
        """Give what the agent says of a device."""
        meters = () if self.status is None else self.status.get("meters", ())
        return next((each for each in meters if each["name"] == name), {})


class Live:
    """Gives the View of now."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._lock = asyncio.Lock()
        self._view = View()
        self._status: Known | None = None

    async def now(self) -> View:
        """Give what is known, a second old at most; viewers that come together share it."""
        async with self._lock:
            status = await self._agent.known("/v1/status", STATUS_S)
            if self._status is None or status.content is not self._status.content or status.failure is not None:
                self._view = await self._look(status)
                self._status = status
            return self._view

    async def _look(self, status: Known) -> View:
        silent_ms = 0 if status.failure is None else int(status.age_s * 1000)
        site = (await self._agent.known("/v1/site", SITE_S)).content
        zone = _zone(site)
        if status.content is None or "missing" in status.content:
            return View(status.content, site, status.failure, silent_ms, zone)
        described = (await self._agent.known("/v1/channels", SITE_S)).content
        if site is None or described is None:
            return View(None, site, status.failure, silent_ms, zone)
        utc_ms = status.content["clock"]["utc_ms"]
        utc_ms = None if utc_ms is None else utc_ms + silent_ms
        found = values.channels(described, status.content, silent_ms=silent_ms)
        meters = power.meters(found, site["devices"])
        shed = await self._shedding(status.content, silent_ms)
        return View(
            status=status.content,
            site=site,
            failure=status.failure,
            silent_ms=silent_ms,
            zone=zone,
            utc_ms=utc_ms,
            channels=found,
            meters=meters,
            parts=power.parts(found, meters),
            counters=await self._counters(found, site, utc_ms, zone),
            alerts=alarming.alerts(status.content, meters, shed, silent_ms=silent_ms),
            shedding=shed,
        )

    async def _shedding(self, status: Json, silent_ms: int) -> orders.Shedding:
        commands = (await self._agent.known(f"/v1/commands?limit={NEWEST}", ORDERS_S)).content
        opt_outs = (await self._agent.known("/v1/opt-out", ORDERS_S)).content
        return orders.shedding(
            status,
            [] if commands is None else commands["commands"],
            [] if opt_outs is None else opt_outs["opt_outs"],
            silent_ms=silent_ms,
        )

    async def _counters(
        self, found: list[values.Channel], site: Json, utc_ms: int | None, zone: tzinfo
    ) -> list[counting.Counter]:
        protocols = {each["name"]: each["protocol"] for each in site["devices"]}
        prices = {each["channel"]: counting.Price(Decimal(each["eur"]), each["name"]) for each in site["prices"]}
        shown = counting.wanted(found, protocols)
        periods: dict[str, dict[str, counting.Period]] = {}
        now = datetime.fromtimestamp((utc_ms or 0) / 1000, UTC).astimezone(zone)
        for channel in shown if utc_ms is not None else ():
            periods[channel.name] = await self._periods(channel.name, now.date(), zone)
        return counting.counters(shown, protocols, periods, prices)

    async def _periods(self, channel: str, today: date, zone: tzinfo) -> dict[str, counting.Period]:
        """Ask for what was used today, yesterday and this month."""
        yesterday = today - timedelta(days=1)
        spans = {
            counting.TODAY: ("day", yesterday, today.isoformat()),
            counting.YESTERDAY: ("day", yesterday, yesterday.isoformat()),
            counting.MONTH: ("month", today.replace(day=1), f"{today:%Y-%m}"),
        }
        found = {}
        for span, (resolution, since, name) in spans.items():
            from_s = int(datetime(since.year, since.month, since.day, tzinfo=zone).timestamp())
            resource = f"/v1/history/{quote(channel, safe='')}?resolution={resolution}&from={from_s}"
            history = (await self._agent.known(resource, DAYS_S)).content
            for row in () if history is None else history["rows"]:
                known = counting.period(row, history["fields"], history["exponent"]) if row[0] == name else None
                if known is not None:
                    found[span] = known
        return found


def _zone(site: Json | None) -> tzinfo:
    """Give the building's time zone; UTC where none is known, as the agent does."""
    try:
        return UTC if site is None else ZoneInfo(site["timezone"])
    except ZoneInfoNotFoundError:
        return UTC
