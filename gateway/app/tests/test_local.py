"""What the control socket serves of a working agent: true answers, and a refusal for anything else, never a mistake."""

import asyncio
import http.client
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buffer.history import Minute, Rollup
from buffer.outbox import Place, Row
from config.channel import Channel, Quantity
from config.load import load
from drivers.reading import Reading
from gateway.app.commanding import Commanding
from gateway.app.freshness import Freshness
from gateway.app.local import Local, Sources
from gateway.clock import Correlation
from gateway.commands.change import Change, Entry
from gateway.commands.command import LocalOperation, LocalOrder
from gateway.commands.intake import Ruling
from gateway.commands.journal import Journal
from gateway.commands.optout import OptOut
from gateway.control import client
from gateway.control.client import AgentRefused
from gateway.control.events import Events
from gateway.control.server import ControlServer
from gateway.latest import Latest
from gateway.periods import day_number
from gateway.sealing import Store

EXAMPLE = Path(__file__).parents[3] / "config" / "example.toml"
PARIS = ZoneInfo("Europe/Paris")
EAST = Channel("linky.east", "linky", "linky", Quantity.ACTIVE_ENERGY_IMPORT, "Wh", obis="1.8.0")
TEXT = Channel("linky.ptec", "linky", "linky", Quantity.TARIFF, is_text=True)
UNREAD = Channel("gas.volume", "gas", "gas", Quantity.GAS_VOLUME, "m3", -3)
ROOM = Channel("bms.room", "bms", "bms.slow", Quantity.TEMPERATURE, "degC", -1)
NOW_MS = 1_000_000
MINUTE = 29_000_000
NOW = Correlation(bytes(16), NOW_MS, MINUTE * 60_000, 10, "kernel")


@dataclass
class HandClock:
    boot_id: bytes = bytes(16)
    known: Correlation | None = NOW

    def boot_ms(self) -> int:
        return NOW_MS

    def correlation(self) -> Correlation | None:
        return self.known


@dataclass
class Orders:
    """Stands in for load control: knows one load, notes every order, and refuses what `busy` says."""

    given: list[LocalOrder] = field(default_factory=list)
    busy: str | None = None

    async def order(self, order: LocalOrder) -> Ruling:
        if order.target not in {"building", "pump"}:
            return Ruling(accepted=False, reason="target")
        self.given.append(order)
        return Ruling(accepted=self.busy is None, reason=self.busy)

    def opt_outs(self) -> tuple[OptOut, ...]:
        ended = {order.target for order in self.given if order.operation is LocalOperation.OPT_IN}
        return tuple(
            OptOut(o.target, o.role, o.reason, o.duration_s, "00", NOW_MS + o.duration_s * 1000, None)
            for o in self.given
            if o.operation is LocalOperation.OPT_OUT and o.target not in ended
        )


@dataclass
class Agent:
    """A control socket at `path`, and what is behind it."""

    path: Path
    store: Store
    journal: Journal
    orders: Orders
    clock: HandClock

    async def get(self, resource: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON is what it is
        return await asyncio.to_thread(client.get, self.path, resource, query)

    async def refusal(self, ask: Callable[..., object], *arguments: object) -> tuple[int, str]:
        with pytest.raises(AgentRefused) as refused:
            await asyncio.to_thread(ask, self.path, *arguments)
        return refused.value.status, str(refused.value)


async def _nothing() -> None:
    """All is on the disk already."""


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Agent]:
    """Serve the agent's routes over a real store and a real journal."""
    latest = Latest()
    latest.update([Reading(EAST, 12_345, NOW_MS - 500), Reading(TEXT, "HP..", NOW_MS - 500)])
    clock, orders = HandClock(), Orders()
    store = Store(folder / "outbox.db", quota_pages=4096)
    journal = await Journal.open(folder / "commands.db", clock.boot_id, lambda _, payload: payload)

    async def status() -> dict[str, Any]:
        return {"gateway": "gw-1"}

    sources = Sources(
        site=load(EXAMPLE),
        status=status,
        channels=(EAST, TEXT, UNREAD, ROOM),
        freshness=Freshness({EAST.name: 10_000, TEXT.name: None, UNREAD.name: 30_000, ROOM.name: 30_000}, {}),
        latest=latest,
        store=store,
        stats=store.stats,
        journal=journal,
        commanding=cast("Commanding", orders),
        events=Events(clock.boot_ms),
        clock=clock,
        zone=PARIS,
        fresh=_nothing,
    )
    server = ControlServer(folder / "control.sock", Local(sources).routes(), version="1")
    await server.open()
    running = asyncio.create_task(server.run())
    try:
        yield Agent(folder / "control.sock", store, journal, orders, clock)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await journal.close()
        store.close()


async def test_channels_tell_what_was_never_read(tmp_path: Path) -> None:
    """Every channel of the site is listed; one without a value says so, and is no zero."""
    async with serving(tmp_path) as agent:
        found = (await agent.get("/v1/channels"))["channels"]
        assert [(each["name"], each["last"] and each["last"]["value"]) for each in found] == [
            ("linky.east", 12_345),
            ("linky.ptec", "HP.."),
            ("gas.volume", None),
            ("bms.room", None),
        ]
        assert found[0]["last"]["age_ms"] == 500
        assert [each["stale_after_ms"] for each in found] == [10_000, None, 30_000, 30_000]
        one = await agent.get("/v1/readings/latest", channel="linky.east")
        assert [each["value"] for each in one["readings"]] == [12_345]
        assert (await agent.get("/v1/readings/latest", channel="gas.volume"))["readings"] == []
        status, text = await agent.refusal(client.get, "/v1/readings/latest", {"channel": "linky.eats"})
        assert (status, "did you mean linky.east" in text) == (404, True)


async def test_history_by_minute_hour_and_day(tmp_path: Path) -> None:
    """The rows of a range, with gaps as gaps; a day is the site's; without a range the last of it is given."""
    async with serving(tmp_path) as agent:
        times = [MINUTE - 1500, MINUTE - 3, MINUTE - 1]
        rollup = Rollup(5, 7, 4, 8, 24, 4)
        minutes = [Minute("linky.east", each, day_number(PARIS, each * 60), rollup) for each in times]
        await agent.store.call(agent.store.outbox.history.add, minutes)
        found = await agent.get("/v1/history/linky.east")
        assert found["fields"] == ["utc_s", "first", "last", "low", "high", "sum", "count"]
        assert found["rows"] == [[each * 60, 5, 7, 4, 8, 24, 4] for each in times[1:]]
        hours = await agent.get("/v1/history/linky.east", resolution="hour")
        assert [row[0] for row in hours["rows"]] == [times[0] // 60 * 3600, times[1] // 60 * 3600]
        days = await agent.get("/v1/history/linky.east", resolution="day", **{"from": MINUTE * 60 - 86_400})
        more = ["covered_min", "length_min", "used", "estimated", "state"]
        assert days["fields"] == ["day", "first", "last", "low", "high", "sum", "count", *more]
        # Between 7 and 5 an index went back: nothing is counted over that, and what remains is that much at least.
        assert days["rows"] == [
            ["2025-02-18", 5, 7, 4, 8, 24, 4, 1, 1440, 2, 0, "incomplete"],
            ["2025-02-19", 5, 7, 4, 8, 48, 8, 2, 1340, 2, 0, "incomplete"],
        ]
        assert (await agent.get("/v1/history/gas.volume"))["rows"] == []


async def kept(agent: Agent, *minutes: tuple[int, str, int]) -> None:
    """Keep (minute, channel, value) in the history."""
    await agent.store.call(
        agent.store.outbox.history.add,
        [
            Minute(channel, minute, day_number(PARIS, minute * 60), Rollup(value, value, value, value, value, 1))
            for minute, channel, value in minutes
        ],
    )


async def test_an_index_over_a_gap_is_shared_by_hour_and_day_and_exact_by_month(tmp_path: Path) -> None:
    """Where the gap crosses a boundary its share is estimated, of each hour that it took, and the sum is exact."""
    async with serving(tmp_path) as agent:
        hour = MINUTE // 60 * 60 - 600
        await kept(agent, *((hour + each, "linky.east", 1_000) for each in range(30)))
        await kept(agent, *((hour + each, "linky.east", 1_211) for each in range(140, 180)))
        query: dict[str, str | int] = {"from": hour * 60, "to": hour * 60 + 10_800, "resolution": "hour"}
        rows = (await agent.get("/v1/history/linky.east", **query))["rows"]
        assert [row[6:] for row in rows] == [
            [30, 30, 60, 58, 58, "estimated"],
            [0, 0, 60, 115, 115, "estimated"],
            [40, 40, 60, 38, 38, "estimated"],
        ]
        assert rows[1][1:6] == [None] * 5
        months = (await agent.get("/v1/history/linky.east", resolution="month"))["rows"]
        assert [(row[0], row[9], row[10]) for row in months] == [("2025-02", 211, 0)]


async def test_what_is_filed_years_ahead_ends_no_gap(tmp_path: Path) -> None:
    """A clock was wrong for a while, then set right: an index that has been silent since is "at least"."""
    async with serving(tmp_path) as agent:
        hour = MINUTE // 60 * 60 - 120
        await kept(agent, *((hour + each, "linky.east", 1_000 + each) for each in range(30)))
        await kept(agent, (hour + 20 * 365 * 1440, "linky.east", 1_029))
        query: dict[str, str | int] = {"from": hour * 60, "to": hour * 60 + 3_600, "resolution": "hour"}
        assert [row[9:] for row in (await agent.get("/v1/history/linky.east", **query))["rows"]] == [
            [29, 0, "incomplete"]
        ]


async def test_a_mean_of_half_an_hour_says_so(tmp_path: Path) -> None:
    """A power is averaged over what was read, and its coverage tells how much that was; nothing is filled in."""
    async with serving(tmp_path) as agent:
        hour = MINUTE // 60 * 60 - 120
        await kept(agent, *((hour + each, "bms.room", 215) for each in (*range(30), *range(60, 120))))
        rows = (await agent.get("/v1/history/bms.room", resolution="hour"))["rows"]
        assert [row[7:] for row in rows] == [[30, 60, None, None, "incomplete"], [60, 60, None, None, "ok"]]
        assert rows[0][5] == 30 * 215


@pytest.mark.parametrize(
    ("name", "query", "status", "text"),
    [
        ("linky.easy", {}, 404, "linky.east"),
        ("linky.ptec", {}, 404, "only numbers"),
        ("linky.east", {"from": 60, "to": 60}, 422, "is before to="),
        ("linky.east", {"from": 0, "to": 7 * 86_400 + 1}, 422, "604800 s at most"),
        ("linky.east", {"resolution": "second"}, 422, "one of minute, hour, day, month"),
    ],
)
async def test_a_history_that_cannot_be_is_refused(
    tmp_path: Path, name: str, query: Mapping[str, str | int], status: int, text: str
) -> None:
    """Neither an unknown channel nor an endless range costs the agent work."""
    async with serving(tmp_path) as agent:
        got, told = await agent.refusal(client.get, f"/v1/history/{name}", query)
        assert (got, text in told) == (status, True), told


async def test_without_a_clock_a_history_needs_its_range(tmp_path: Path) -> None:
    """Nothing is guessed: while the time is unknown "the last day" is no range."""
    async with serving(tmp_path) as agent:
        agent.clock.known = None
        assert (await agent.refusal(client.get, "/v1/history/linky.east"))[0] == 503
        assert (await agent.get("/v1/history/linky.east", **{"from": 0, "to": 60}))["rows"] == []


async def test_an_opt_out_is_ordered_listed_and_ended(tmp_path: Path) -> None:
    """What is posted becomes the order of that role; it is listed until it is ended."""
    async with serving(tmp_path) as agent:
        body: dict[str, str | int] = {"target": "pump", "reason": "visite", "duration_s": 3600, "role": "manager"}
        answer = await asyncio.to_thread(client.post, agent.path, "/v1/opt-out", body)
        assert (answer["accepted"], answer["target"]) == (True, "pump")
        assert agent.orders.given == [LocalOrder("manager", LocalOperation.OPT_OUT, "pump", "visite", 3600)]
        (listed,) = (await agent.get("/v1/opt-out"))["opt_outs"]
        assert (listed["target"], listed["reason"], listed["left_ms"]) == ("pump", "visite", 3_600_000)
        await asyncio.to_thread(client.delete, agent.path, "/v1/opt-out/pump", {"reason": "fini"})
        assert agent.orders.given[-1] == LocalOrder("technician", LocalOperation.OPT_IN, "pump", "fini")
        assert (await agent.get("/v1/opt-out"))["opt_outs"] == []
        assert (await agent.refusal(client.delete, "/v1/opt-out/pump", {"reason": "fini"}))[0] == 404
        await asyncio.to_thread(client.post, agent.path, "/v1/release", {"target": "building", "reason": "froid"})
        assert agent.orders.given[-1] == LocalOrder("technician", LocalOperation.RELEASE, "building", "froid")


async def test_an_order_that_cannot_be_says_why(tmp_path: Path) -> None:
    """An unknown load, a duration out of bounds and a refusal of load control are told apart."""
    async with serving(tmp_path) as agent:
        body: dict[str, str | int] = {"target": "lift", "reason": "r", "duration_s": 60}
        assert (await agent.refusal(client.post, "/v1/opt-out", body))[0] == 404
        assert (await agent.refusal(client.post, "/v1/opt-out", {**body, "duration_s": 0}))[0] == 422
        assert (await agent.refusal(client.post, "/v1/opt-out", {**body, "role": "guest"}))[0] == 422
        assert agent.orders.given == []
        agent.orders.busy = "storage"
        assert await agent.refusal(client.post, "/v1/opt-out", {**body, "target": "pump"}) == (409, "refused: storage")


async def test_commands_are_listed_newest_first(tmp_path: Path) -> None:
    """Pages of what the journal has, the text of what was ordered on site included, and one of them alone."""
    async with serving(tmp_path) as agent:
        entries = tuple(Entry(f"site:{n}", over=True, body=f"release building by manager: {n}") for n in range(5))
        await agent.journal.commit(Change(entries=entries))
        page = (await agent.get("/v1/commands", limit=2))["commands"]
        assert [each["id"] for each in page] == ["site:4", "site:3"]
        rest = (await agent.get("/v1/commands", before=page[-1]["number"]))["commands"]
        assert [each["id"] for each in rest] == ["site:2", "site:1", "site:0"]
        assert (await agent.get("/v1/commands/site:3"))["text"] == "release building by manager: 3"
        assert (await agent.refusal(client.get, "/v1/commands/site:9"))[0] == 404


async def test_the_queue_shows_what_waits_for_the_centre(tmp_path: Path) -> None:
    """Numbers of all, and the oldest segments without their bytes."""
    async with serving(tmp_path) as agent:
        outbox = agent.store.outbox

        def pack(_place: Place, rows: object) -> bytes:
            return repr(rows).encode()

        await agent.store.call(outbox.commit, [Row("fine", b"lot", 1, 9, 4, b"payload")])
        await agent.store.call(outbox.seal, "fine", pack)
        assert (await agent.get("/v1/queue/stats"))["readings_pending"] == 4
        peeked = await agent.get("/v1/queue/peek")
        assert peeked["epoch"] == outbox.epoch.hex()
        assert [(each["stream"], each["sequence"], each["count"]) for each in peeked["segments"]] == [("fine", 1, 4)]


# Fuzz: whatever is asked along the table, the answer is of the table.

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@dataclass(frozen=True)
class Asked:
    method: str
    target: str
    body: bytes


def _values(draw: st.DrawFn, schema: Mapping[str, Any]) -> object:
    """Draw a value that fits a schema, lies at its edge, or is anything."""
    if draw(st.integers(0, 3)) == 0:
        return draw(_JSON)
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    if schema["type"] == "integer":
        return draw(st.integers(schema["minimum"], schema["maximum"]) | st.sampled_from((-1, 0, 1, 1 << 63)))
    return draw(st.sampled_from(("building", "pump", "linky.east", "linky.ptec", "gas.volume")) | st.text(max_size=12))


@st.composite
def requests(draw: st.DrawFn, document: Mapping[str, Any]) -> Asked:
    """Draw a request along the document, mostly well made."""
    path = draw(st.sampled_from(sorted(set(document["paths"]) - {"/v1/events"})))
    item = document["paths"][path]
    method = draw(st.sampled_from(sorted(item))) if draw(st.integers(0, 9)) else draw(st.sampled_from(["put", "head"]))
    operation = item.get(method, next(iter(item.values())))
    query: dict[str, object] = {}
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(str(_values(draw, parameter["schema"])), safe=""))
        elif draw(st.booleans()):
            query[parameter["name"]] = _values(draw, parameter["schema"])
    if not draw(st.integers(0, 9)):
        query[draw(st.text(max_size=5))] = draw(st.text(max_size=5))
    body = b""
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
        names = draw(st.lists(st.sampled_from(sorted(schema)), unique=True, max_size=len(schema)))
        body = json.dumps({name: _values(draw, schema[name]) for name in names}).encode()
    elif not draw(st.integers(0, 9)):
        body = draw(st.binary(max_size=30))
    encoded = urlencode({name: str(value) for name, value in query.items()}, errors="replace")
    return Asked(method.upper(), f"{path}?{encoded}" if encoded else path, body)


def ask(path: Path, asked: Asked) -> tuple[int, bytes]:
    """Ask over a connection of its own; a server that is silent for 5 s fails the test."""
    connection = http.client.HTTPConnection("gateway", timeout=5)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(5)
    try:
        connection.sock.connect(str(path))
        connection.request(asked.method, asked.target, asked.body or None)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


async def test_whatever_is_asked_is_answered_or_refused(tmp_path: Path) -> None:
    """No request along the table, well made or not, is a mistake of ours or is left without an answer."""
    async with serving(tmp_path) as agent:
        document = await agent.get("/v1/openapi.json")

        @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
        @given(requests(document))
        def fuzz(asked: Asked) -> None:
            status, body = ask(agent.path, asked)
            assert status in {200, 400, 404, 405, 409, 422}, (status, body)
            if asked.method != "HEAD" and status != 200:
                assert json.loads(body)["error"]

        await asyncio.to_thread(fuzz)
        assert (await agent.get("/v1/status")) == {"gateway": "gw-1"}
