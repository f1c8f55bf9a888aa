"""The control socket of the whole agent against its own OpenAPI document: what it says of itself is so, whoever asks.

schemathesis draws requests from the document, at the edges of each value and beyond them. FUZZ_EXAMPLES and FUZZ_SEED
make a run longer and another one: see `make fuzz-control`.
"""

import asyncio
import contextlib
import http
import os
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from jsonschema_rs import validator_for
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from gateway.control import client
from hil_tests.bench.site import BMS, DWELLING, GAS, LINKY
from hil_tests.bench.whole import Whole
from hil_tests.test_commands import answer, ready

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))

CHECKS = {
    "not_a_server_error": {"expected-statuses": ["2xx", "4xx", 503]},
    "status_code_conformance": {"enabled": True},
    "content_type_conformance": {"enabled": True},
    "response_schema_conformance": {"enabled": True},
    "negative_data_rejection": {"expected-statuses": [400, 404, 422]},
    # What fits its schema may still be a range that ends before it begins, or a name that nothing has.
    "positive_data_acceptance": {"expected-statuses": ["2xx", 404, 409, 422]},
    "unsupported_method": {"enabled": True},
}


@dataclass(slots=True)
class Told:
    """What a run found: how often each route gave what it is for, or refused, and each way in which a check failed."""

    given: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class _Relay(socketserver.StreamRequestHandler):
    """One connection, put through to the Unix socket until the agent closes it."""

    path: Path

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as agent:
            agent.connect(str(self.path))
            asking = threading.Thread(target=_pump, args=(self.connection, agent))
            asking.start()
            _pump(agent, self.connection)
            # The client may keep its end open for longer than the agent does.
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            asking.join()


def _pump(from_: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := from_.recv(65536):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Give a URL behind which the Unix socket is, for a program that speaks TCP alone."""
    handler = type("Relay", (_Relay,), {"path": path})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            serving.join()


def fuzzed(document: dict[str, Any], url: str) -> Told:
    """Ask along the document until everything was asked often enough."""
    told = Told()
    # Answers make later requests likelier to hit what is there; without them, each is drawn for itself.
    for from_answers in (True, False):
        config = _config(url, from_answers=from_answers)
        for event in from_schema(schemathesis.openapi.from_dict(document, config=config)).execute():
            told.wrong += _wrong(event, told)
    return told


def _config(url: str, *, from_answers: bool) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "base-url": url,
            "request-timeout": 10,
            "continue-on-failure": True,
            "checks": CHECKS,
            "generation": {"mode": "all", "max-examples": EXAMPLES, "database": "none"},
            "phases": {
                "fuzzing": {"extra-data-sources": {"responses": from_answers}},
                "stateful": {"enabled": False},
            },
            "dictionaries": {
                "channels": {"values": [f"{LINKY}.east", f"{LINKY}.ltarf", f"{GAS}.total", f"{BMS}.water_heater_1"]},
                "targets": {"values": ["building", "water-heater-1", "charger-1"]},
            },
            "parameters": {
                "channel": {"dictionary": "channels", "probability": 0.5},
                "target": {"dictionary": "targets", "probability": 0.5},
            },
        }
    )


def _wrong(event: events.EngineEvent, told: Told) -> Iterator[str]:
    if isinstance(event, events.NonFatalError | events.FatalError):
        yield f"schemathesis itself failed: {event}"
    if not isinstance(event, events.ScenarioFinished):
        return
    for case, checks in event.recorder.checks.items():
        response = event.recorder.interactions[case].response
        status = None if response is None else response.status_code
        counter = told.given if status == http.HTTPStatus.OK else told.refused
        counter[str(event.label)] += 1
        for check in checks:
            if check.failure_info is not None:
                got = "no answer" if response is None else f"{status}: {response.content[:300]!r}"
                yield f"{check.failure_info.failure.message}\n{check.failure_info.code_sample}\n{got}"


def events_until(path: Path, kinds: frozenset[str]) -> list[dict[str, Any]]:
    """Listen to everything until an event of each of these kinds has come."""
    heard: list[dict[str, Any]] = []
    for event in client.stream(path, "/v1/events"):
        heard.append(event)
        if kinds <= {each["event"] for each in heard}:
            break
    return heard


async def test_the_control_socket_is_as_its_document_says(tmp_path: Path) -> None:
    """No request is a mistake of ours; what the document forbids is refused, and each answer has the shape it says."""
    async with Whole(tmp_path) as whole:
        whole.change_site("[shedding]", f"{DWELLING}\n[shedding]")
        await ready(whole)
        path = whole.state / "control.sock"
        document = await asyncio.to_thread(client.get, path, "/v1/openapi.json")
        kinds = frozenset({"begin", "readings", "commands"})
        listening = asyncio.create_task(asyncio.to_thread(events_until, path, kinds))
        await answer(whole, await whole.centre.shed(whole.gateway, 40, 600), "started")
        async with asyncio.timeout(20):
            heard = await listening
        # A stream has no end to wait for, and is looked at by itself.
        stream = document["paths"].pop("/v1/events")["get"]["responses"]["200"]["content"]["application/x-ndjson"]
        of_an_event = validator_for(stream["schema"])
        assert not [(event, error) for event in heard for error in of_an_event.iter_errors(event)]
        assert kinds <= {event["event"] for event in heard}
        with reachable(path) as url:
            told = await asyncio.to_thread(fuzzed, document, url)
        assert not told.wrong, "\n\n".join([f"with FUZZ_SEED={SEED} FUZZ_EXAMPLES={EXAMPLES}:", *told.wrong])
        known = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
        assert set(told.given) == known
        assert whole.agent.running
